"""The writer of cloud-optimised GeoTIFFs, and of the sidecar from which GDAL and QGIS read class names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from xml.etree import ElementTree

import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window

from shared.items.classes import PixelClass
from shared.raster.grid import Lattice
from shared.raster.levels import join_levels
from shared.raster.options import WRITING


@dataclass(frozen=True)
class Band:
    """What one band is.

    Attributes:
        description: its name.
        unit: of its values; empty = the strips say it, or there is none.
        classes: what its values mean, where they are classes.
        scale: what is measured is value * scale + offset.
        offset: see there.
    """

    description: str
    unit: str = ""
    classes: tuple[PixelClass, ...] = ()
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Strip:
    """Some rows of one band.

    Attributes:
        values: (y, x), as wide as the raster.
        top: first row.
        band: number of the band, from 1.
        unit: of the band, where only reading its values tells it.
    """

    values: NDArray[Any]
    top: int = 0
    band: int = 1
    unit: str = ""


@dataclass(frozen=True)
class Encoding:
    """How values become a file.

    Attributes:
        dtype: of the values.
        nodata: value of pixels without data; None = no value says so.
        overviews: how pixels are put together.
        least_overviews: levels to make however small the raster is; GDAL makes none below one block.
        block_px: side of a block.
        options: further creation options of GDAL's COG driver.
    """

    dtype: str
    nodata: float | None
    overviews: Literal["mode", "average", "nearest"]
    least_overviews: int = 0
    block_px: int = 512
    options: Mapping[str, str] = field(default_factory=lambda: COMPACT)


COMPACT: Final[Mapping[str, str]] = {
    "COMPRESS": "DEFLATE",
    "LEVEL": "6",
    "BIGTIFF": "IF_SAFER",
    "NUM_THREADS": "1",
    # ^ the same arrays give the same bytes
}
"""For classes, percentages and numbers of things."""

NOISY: Final[Mapping[str, str]] = {
    "COMPRESS": "DEFLATE",
    "LEVEL": "1",
    # ^ radiances hold much noise: higher levels cost ten times as much for a few percent
    "PREDICTOR": "1",
    # ^ radiances are multiples of a scale factor: as they are they repeat, their differences do not
    "BIGTIFF": "YES",
    "NUM_THREADS": "2",
}
"""For measured values."""

_OF_GTIFF: Final[Mapping[str, str]] = {"LEVEL": "ZLEVEL"}
"""Creation options of the COG driver that the GeoTIFF driver calls otherwise."""


def write_cog(
    path: Path,
    lattice: Lattice,
    bands: Sequence[Band],
    strips: Iterable[Strip],
    encoding: Encoding,
    *,
    title: str,
    attribution: str,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a raster, a strip in memory at a time.

    Each class's title stands in the metadata of its band as `CLASS_<value>`, and its colour in the file's colour table.
    A table needs a raster of one band: GDAL takes a second one for the transparency of the first. So rasters of more
    bands carry their colours in the sidecar alone, see `write_sidecar`.

    Args:
        path: the file to make.
        lattice: where the pixels lie.
        bands: what each band is.
        strips: the values; rows that none covers are left at 0.
        encoding: type, nodata value, overviews and compression.
        title: goes into the tag for the description.
        attribution: goes into the tag for the copyright.
        tags: further tags of the whole file.
    """
    nearest = encoding.overviews == "nearest"
    factors = _factors(lattice, encoding) if nearest else (1,)
    scratch = [path.with_suffix(f".scratch-{factor}.tif") for factor in factors]
    with rasterio.Env(**WRITING):
        with ExitStack() as stack:
            levels = [
                stack.enter_context(rasterio.open(file, "w", **_profile(lattice, factor, len(bands), encoding)))
                for file, factor in zip(scratch, factors, strict=True)
            ]
            image = levels[0]
            for strip in strips:
                for level, factor in zip(levels, factors, strict=True):
                    values = strip.values[-strip.top % factor :: factor, ::factor]
                    ny, nx = values.shape
                    if ny:
                        level.write(values, strip.band, window=Window(0, -(-strip.top // factor), nx, ny))
                if strip.unit:
                    image.set_band_unit(strip.band, strip.unit)
            for number, band in enumerate(bands, start=1):
                image.set_band_description(number, band.description)
                if band.unit:
                    image.set_band_unit(number, band.unit)
                image.update_tags(number, **{f"CLASS_{c.value}": c.title for c in band.classes})
            if any((band.scale, band.offset) != (1.0, 0.0) for band in bands):
                image.scales, image.offsets = [b.scale for b in bands], [b.offset for b in bands]
            if len(bands) == 1 and bands[0].classes:
                image.write_colormap(1, {c.value: c.rgba for c in bands[0].classes})
            image.update_tags(
                # TIFF's own tags are of ASCII.
                TIFFTAG_COPYRIGHT=attribution.encode("ascii", "replace").decode(),
                TIFFTAG_IMAGEDESCRIPTION=title.encode("ascii", "replace").decode(),
                ATTRIBUTION=attribution,
                **(tags or {}),
            )
        if nearest:
            join_levels(path, scratch)
        else:
            rasterio.shutil.copy(scratch[0], path, driver="COG", **_overviews(lattice, encoding), **encoding.options)
    for file in scratch:
        file.unlink()


def _factors(lattice: Lattice, encoding: Encoding) -> tuple[int, ...]:
    """Of the raster and its overviews: down to the last that is not smaller than a block."""
    longest = max(lattice.shape)
    return (1, *(2**n for n in range(1, 12) if longest / 2**n >= encoding.block_px))


def _profile(lattice: Lattice, factor: int, count: int, encoding: Encoding) -> dict[str, Any]:
    ny, nx = (-(-n // factor) for n in lattice.shape)
    profile = {
        "driver": "GTiff",
        "dtype": encoding.dtype,
        "count": count,
        "height": ny,
        "width": nx,
        "crs": lattice.crs,
        "transform": Affine(*lattice.transform) @ Affine.scale(factor),
        "nodata": encoding.nodata,
        "tiled": True,
        "blockxsize": encoding.block_px,
        "blockysize": encoding.block_px,
        "interleave": "band",
    }
    # These tiles are the file's, or codes that shrink to a hundredth at once.
    options = encoding.options if encoding.overviews == "nearest" else {"COMPRESS": "DEFLATE", "LEVEL": "1"}
    return profile | {_OF_GTIFF.get(name, name): value for name, value in options.items()} | {"BIGTIFF": "YES"}


def _overviews(lattice: Lattice, encoding: Encoding) -> dict[str, str]:
    """Options of the COG driver."""
    options = {"BLOCKSIZE": str(encoding.block_px), "OVERVIEW_RESAMPLING": encoding.overviews.upper()}
    if encoding.least_overviews:
        halvings = 0
        while max(lattice.shape) > encoding.block_px * 2**halvings:
            halvings += 1
        options["OVERVIEW_COUNT"] = str(max(encoding.least_overviews, halvings))
    return options


def write_sidecar(path: Path, bands: Sequence[Band]) -> Path:
    """Write as GDAL's sidecar (PAM) what a GeoTIFF has no place for: class names, and colours of more than one band.

    GDAL finds it where it is named after the raster, `<raster>.aux.xml`.

    Args:
        path: the raster.
        bands: what each of its bands is, as for `write_cog`.

    Returns:
        The sidecar's path.
    """
    root = ElementTree.Element("PAMDataset")
    for number, band in enumerate(bands, start=1):
        if band.classes:
            element = ElementTree.SubElement(root, "PAMRasterBand", band=str(number))
            _name_classes(element, band.classes)
            if len(bands) > 1:  # a raster of one band holds its colours itself, and these would hide them
                _color_classes(element, band.classes)
    ElementTree.indent(root)
    sidecar = path.with_name(f"{path.name}.aux.xml")
    sidecar.write_text(ElementTree.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
    return sidecar


def name_and_color(element: ElementTree.Element, classes: Sequence[PixelClass]) -> None:
    """Add class names and colours to a band's element, as PAM and VRT alike have them."""
    _color_classes(element, classes)
    _name_classes(element, classes)


def _name_classes(element: ElementTree.Element, classes: Sequence[PixelClass]) -> None:
    names = ElementTree.SubElement(element, "CategoryNames")
    titles = {c.value: c.title for c in classes}
    for value in range(max(titles) + 1):
        ElementTree.SubElement(names, "Category").text = titles.get(value, "")


def _color_classes(element: ElementTree.Element, classes: Sequence[PixelClass]) -> None:
    ElementTree.SubElement(element, "ColorInterp").text = "Palette"
    table = ElementTree.SubElement(element, "ColorTable")
    colors = {c.value: c.rgba for c in classes}
    for value in range(max(colors) + 1):
        entry = {f"c{i}": str(level) for i, level in enumerate(colors.get(value, (0, 0, 0, 0)), start=1)}
        ElementTree.SubElement(table, "Entry", entry)
