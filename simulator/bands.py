"""Bands as people keep them: GeoTIFF or JPEG2000 files on a UTM grid, read as Sentinel-2's numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from simulator.msi import Lattice
from simulator.safe import QUANTIFICATION, DnArray
from simulator.safe_names import BAND_IDS

PIXELS_M = (10, 20, 60)
LARGEST_PX = 10_980
"""Side of an MGRS tile in 10 m pixels; no product of ESA is larger."""

HIGHEST_DN = 32_767
"""JPEG2000 of ESA holds 15 bits."""

_DRIVERS = {".jp2": "JP2OpenJPEG", ".tif": "GTiff", ".tiff": "GTiff"}
_STRIP_ROWS = 1024


class WrapError(ValueError):
    """Raised when files cannot become a product; one line that names the file, the fault and what to do."""


@dataclass(frozen=True)
class BandFile:
    """Where a band is.

    Attributes:
        path: GeoTIFF or JPEG2000 file.
        index: Its band in the file, from 1.
    """

    path: Path
    index: int = 1


@dataclass(frozen=True)
class BandEncoding:
    """How the files hold reflectance: reflectance = value * scale + offset.

    Attributes:
        scale: Factor.
        offset: Added after the factor; -0.1 for Sentinel-2 DN of processing baselines from 04.00 on.
        nodata: Value without data; None = what each file says, else 0 for integers. NaN always is without data.
    """

    scale: float = 1 / QUANTIFICATION
    offset: float = 0.0
    nodata: float | None = None


@dataclass(frozen=True)
class FileGrid:
    """The grid of one file: north up, square pixels.

    Attributes:
        epsg: A UTM zone (WGS 84).
        west_m: Outer left edge.
        north_m: Outer upper edge.
        pixel_m: 10, 20 or 60.
        rows: From north to south.
        columns: From west to east.
    """

    epsg: int
    west_m: int
    north_m: int
    pixel_m: int
    rows: int
    columns: int

    def window(self, lattice: Lattice) -> Window:
        """Return the pixels of the file that a lattice within it covers."""
        column, row = (lattice.ulx_m - self.west_m) // self.pixel_m, (self.north_m - lattice.uly_m) // self.pixel_m
        return Window(column, row, lattice.columns * 10 // self.pixel_m, lattice.rows * 10 // self.pixel_m)


def find_bands(folder: Path, pattern: str, wanted: Iterable[str]) -> dict[str, BandFile]:
    """Find the file of each band in a folder.

    Args:
        folder: Where to look.
        pattern: Glob below the folder in which `{band}` stands for the band's name, such as `*_{band}.tif`.
        wanted: Names of bands.

    Returns:
        Band to file, for those that were found.

    Raises:
        WrapError: The folder is absent, the pattern lacks `{band}` or matches nothing, or two files match one band.
    """
    if not folder.is_dir():
        raise WrapError(f"{folder}: no such folder; name the one that holds the bands")
    if "{band}" not in pattern:
        raise WrapError(f"--pattern {pattern}: holds no {{band}}; write it as in '*_{{band}}.tif'")
    found, names = {}, tuple(wanted)
    for band in names:
        paths = sorted(folder.glob(pattern.replace("{band}", band)))
        if len(paths) > 1:
            raise WrapError(
                f"{folder}: {paths[0].name} and {paths[1].name} both match {band}; narrow --pattern, or name the file "
                f"with --band {band}=FILE"
            )
        if paths:
            found[band] = BandFile(paths[0])
    if names and not found:
        glob = pattern.replace("{band}", names[0])
        raise WrapError(f"{folder}: no file matches {glob}; give a --pattern, such as 'IMG_DATA/*_{{band}}.jp2'")
    return found


def parse_band(text: str) -> dict[str, BandFile]:
    """Read `B04=file.tif`, or `B02,B03,-,B04=stack.tif` for a file of several bands, of which `-` is left out.

    Raises:
        WrapError: It is not of this form, or names a band that Sentinel-2 does not have.
    """
    names, _, file = text.partition("=")
    if not names or not file:
        raise WrapError(f"--band {text}: write it as B04=FILE, or B02,B03,B04=FILE for a file of several bands")
    found = {}
    for index, written in enumerate(names.split(","), 1):
        band = re.sub(r"^B(?=\d\Z)", "B0", written.strip().upper())
        if band == "-":
            continue
        if band not in BAND_IDS:
            raise WrapError(f"--band {text}: {written} is not a band of Sentinel-2; there are {', '.join(BAND_IDS)}")
        found[band] = BandFile(Path(file), index)
    return found


def read_grid(file: BandFile) -> FileGrid:
    """Read the grid of a file.

    Raises:
        WrapError: Absent, of another format, without this band, or not on Sentinel-2's lattice of a UTM zone.
    """
    path = file.path
    try:
        with open_image(path) as image:
            count, crs, transform, rows, columns = image.count, image.crs, image.transform, image.height, image.width
        epsg = crs.to_epsg() if crs else None
    except RasterioError as error:
        raise _unreadable(path, error) from error
    if file.index > count:
        raise WrapError(f"{path}: has {count} bands, so none is number {file.index}; correct --band")
    if epsg is None or not (32601 <= epsg <= 32660 or 32701 <= epsg <= 32760):
        said = f"EPSG:{epsg}" if epsg else "no CRS of the EPSG register"
        raise WrapError(f"{path}: has {said}, not a UTM zone of WGS 84; warp it with gdalwarp -t_srs EPSG:326ZZ -tap")
    pixel, west, north = transform.a, transform.c, transform.f
    if (transform.b, transform.d, transform.e) != (0, 0, -pixel) or pixel not in PIXELS_M:
        raise WrapError(f"{path}: has pixels of {pixel:g} m, not north-up squares of 10, 20 or 60 m; use gdalwarp -tr")
    if west % pixel or north % pixel:
        remedy = f"warp it with gdalwarp -tap -tr {pixel:g} {pixel:g}"
        raise WrapError(f"{path}: its corner {west:g}, {north:g} is not a multiple of its pixel, {pixel:g} m; {remedy}")
    return FileGrid(epsg, int(west), int(north), int(pixel), rows, columns)


def common_lattice(grids: Mapping[Path, FileGrid]) -> Lattice:
    """Return the largest lattice within all files whose edges are multiples of 60 m.

    Args:
        grids: File to its grid; one at least.

    Raises:
        WrapError: Files lie in different zones or beside each other, or a product cannot be as large.
    """
    (first, reference), *others = grids.items()
    for path, grid in others:
        if grid.epsg != reference.epsg:
            raise WrapError(
                f"{path}: lies in EPSG:{grid.epsg}, and {first.name} in EPSG:{reference.epsg}; warp all to one zone"
            )
    west = max(math.ceil(g.west_m / 60) * 60 for g in grids.values())
    north = min(math.floor(g.north_m / 60) * 60 for g in grids.values())
    east = min(math.floor((g.west_m + g.columns * g.pixel_m) / 60) * 60 for g in grids.values())
    south = max(math.ceil((g.north_m - g.rows * g.pixel_m) / 60) * 60 for g in grids.values())
    rows, columns = (north - south) // 10, (east - west) // 10
    if rows <= 0 or columns <= 0:
        raise WrapError(f"{first}: shares no whole 60 m pixel with the other bands; name the bands of one scene")
    if max(rows, columns) > LARGEST_PX:
        remedy = "cut one MGRS tile out of it with gdal_translate -projwin"
        raise WrapError(f"{first}: covers {rows} x {columns} pixels of 10 m, more than a product holds; {remedy}")
    return Lattice(reference.epsg, west, north, rows, columns)


def read_dn(
    file: BandFile, grid: FileGrid, lattice: Lattice, encoding: BandEncoding, dn_offset: int
) -> tuple[DnArray, int]:
    """Read a band as DN.

    Args:
        file: Where it is.
        grid: Its grid, as `read_grid` found it.
        lattice: What to read.
        encoding: How the file holds reflectance.
        dn_offset: Offset that the product's metadata tell to add to a DN.

    Returns:
        uint16 (y, x) at the file's own pixel, 0 = nodata; how many pixels did not fit into 1..32767 and were clipped.

    Raises:
        WrapError: The file does not decode.
    """
    area = grid.window(lattice)
    dn, clipped = np.empty((int(area.height), int(area.width)), dtype=np.uint16), 0
    # In this order 1e-4 gives a factor of exactly 1: whole numbers stay what they are.
    factor, shift = encoding.scale * QUANTIFICATION, encoding.offset * QUANTIFICATION - dn_offset
    try:
        with open_image(file.path) as image:
            nodata = _nodata(image, encoding)
            for row in range(0, dn.shape[0], _STRIP_ROWS):
                rows = min(_STRIP_ROWS, dn.shape[0] - row)
                values = image.read(file.index, window=Window(area.col_off, area.row_off + row, area.width, rows))
                empty = ~np.isfinite(values) | (values == nodata)
                wanted = np.rint(np.where(empty, 0, values).astype(np.float64) * factor + shift)
                fitting = np.clip(wanted, 1, HIGHEST_DN)
                clipped += int(((wanted != fitting) & ~empty).sum())
                dn[row : row + rows] = np.where(empty, 0, fitting)
    except RasterioError as error:
        raise _unreadable(file.path, error) from error
    return dn, clipped


def read_classes(path: Path, grid: FileGrid, lattice: Lattice) -> NDArray[np.uint8]:
    """Read a scene classification.

    Returns:
        uint8 (y, x) at 20 m.

    Raises:
        WrapError: Its pixels are 10 m, a value is none of 0..11, or the file does not decode.
    """
    if grid.pixel_m == 10:
        raise WrapError(f"{path}: is a classification at 10 m; make it 20 m with gdal_translate -tr 20 20 -r mode")
    try:
        with open_image(path) as image:
            values = image.read(1, window=grid.window(lattice))
    except RasterioError as error:
        raise _unreadable(path, error) from error
    strange = np.setdiff1d(values, np.arange(12))
    if strange.size:
        raise WrapError(f"{path}: holds the class {strange[0]}; a scene classification of Sen2Cor has 0..11")
    factor = grid.pixel_m // 20
    classes: NDArray[np.uint8] = np.repeat(np.repeat(values.astype(np.uint8), factor, axis=0), factor, axis=1)
    return classes


def open_image(path: Path) -> rasterio.DatasetReader:
    """Open a file with the one driver that its name tells.

    Raises:
        WrapError: Absent, or named otherwise than GeoTIFF or JPEG2000.
    """
    if not path.is_file():
        raise WrapError(f"{path}: no such file; check the path")
    driver = _DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise WrapError(f"{path}: is neither .tif nor .jp2; convert it with gdal_translate -of GTiff")
    return rasterio.open(path, driver=driver)


def _unreadable(path: Path, error: RasterioError) -> WrapError:
    reason = str(error.__cause__ or error).splitlines()[0][:200]
    return WrapError(f"{path}: cannot be read ({reason}); get the file again")


def _nodata(image: rasterio.DatasetReader, encoding: BandEncoding) -> float | None:
    if encoding.nodata is not None:
        return encoding.nodata
    if image.nodata is not None:
        return float(image.nodata)
    return 0.0 if np.issubdtype(np.dtype(image.dtypes[0]), np.integer) else None
