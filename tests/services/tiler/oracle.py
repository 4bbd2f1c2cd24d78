"""An independent reader of products: predicts what the cube holds at a place, from the merge law alone.

Nothing of the product's code is imported here: rasterio, netCDF4, pyproj, numpy and the standard library's XML parser
read the folders as they were delivered, and every distance is measured by looking at each pixel around.
"""

from __future__ import annotations

import hashlib
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import rasterio
from pyproj import Transformer

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
FINE, COARSE, SIXTY = ("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12"), ("B01", "B09")
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
CLEAR_SCL, HIDDEN_SCL = (2, 4, 5, 6, 7), (3, 8, 9, 10)
DILATION_PX, FARTHEST_PX = 10, 50
LATTICE_PER_DEG, CUT_OFF_M, EARTH_M = 360, 600.0, 6_371_008.8
SAFE = re.compile(r"(S2[A-D])_MSI(L1C|L2A)_(\d{8}T\d{6})_N(\d{4})_R(\d{3})_(T\d\d[A-Z]{3})_(\d{8}T\d{6})\.SAFE")
SEN3 = re.compile(
    r"(S3[A-D])_OL_1_EFR____(\d{8}T\d{6})_\d{8}T\d{6}_(\d{8}T\d{6})_\d{4}_(\d{3})_(\d{3})_(\w{4})_\w{3}_\w_(N[RT])_(\d{3})"
    r"\.SEN3"
)


class Grid:
    """Where the cube's pixels are: upper left corner in metres of a CRS, and (rows, columns) at 20 m."""

    def __init__(self, epsg: int, west: float, north: float, shape: tuple[int, int]) -> None:
        self.epsg, self.west, self.north, self.shape = epsg, west, north, shape

    def centre(self, pixel_m: int, row: int, col: int) -> tuple[float, float]:
        return self.west + (col + 0.5) * pixel_m, self.north - (row + 0.5) * pixel_m


@cache
def transformer(source: int, target: int) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def number_of(product: Path) -> int:
    """The product's number in a ledger."""
    return int(hashlib.sha256(product.stem.encode()).hexdigest()[:16], 16)


def week_of(time: datetime) -> tuple[int, int]:
    """ISO year and the index of the week in it."""
    year, week, _ = time.isocalendar()
    return year, week - 1


class Granule:
    """One Sentinel-2 L2A product."""

    def __init__(self, root: Path, grid: Grid) -> None:
        self.root, self.grid = root, grid
        match = SAFE.fullmatch(root.name)
        assert match
        self.platform, self.level, self.start, baseline, self.orbit, self.tile, _ = match.groups()
        self.version = int(baseline)
        general = ET.parse(root / f"MTD_MSI{self.level}.xml").getroot()
        self.time = datetime.fromisoformat(next(general.iter("DATATAKE_SENSING_START")).text or "")
        self.quantification = float(next(general.iter("BOA_QUANTIFICATION_VALUE")).text or 0)
        offsets = {int(e.attrib["band_id"]): int(e.text or 0) for e in general.iter("BOA_ADD_OFFSET")}
        self.offset = {band: offsets.get(n, 0) for n, band in enumerate(BAND_IDS)}
        granule = ET.parse(next(root.glob("GRANULE/*/MTD_TL.xml"))).getroot()
        self.epsg = int((next(granule.iter("HORIZONTAL_CS_CODE")).text or "").removeprefix("EPSG:"))
        corners = {(int(e.findtext("ULX") or 0), int(e.findtext("ULY") or 0)) for e in granule.iter("Geoposition")}
        ((self.ulx, self.uly),) = corners

    @property
    def scene(self) -> tuple[str, ...]:
        return self.platform, self.level, self.start, self.orbit, self.tile

    @cached_property
    def code(self) -> int:
        unlike = self.epsg != self.grid.epsg or (self.ulx - self.grid.west) % 60 or (self.uly - self.grid.north) % 60
        acquired = 4 * self.time.weekday() + "ABCD".index(self.platform[-1])
        return (
            1
            + 8 * acquired
            + 4 * bool(unlike)
            + 2 * (LETTERS.index(self.tile[4]) % 2)
            + LETTERS.index(self.tile[5]) % 2
        )

    @cache  # noqa: B019
    def image(self, band: str, pixel_m: int) -> Any:
        with rasterio.open(next(self.root.glob(f"GRANULE/*/IMG_DATA/R{pixel_m}m/*_{band}_{pixel_m}m.jp2"))) as file:
            assert file.crs.to_epsg() == self.epsg
            assert file.transform[:6] == (pixel_m, 0, self.ulx, 0, -pixel_m, self.uly)
            return file.read(1)

    def pixel(self, pixel_m: int, row: int, col: int) -> tuple[int, int] | None:
        """The own pixel under the centre of the cube's pixel."""
        x, y = self.grid.centre(pixel_m, row, col)
        if self.epsg != self.grid.epsg:
            x, y = transformer(self.grid.epsg, self.epsg).transform(x, y)
        own = math.floor((self.uly - y) / pixel_m), math.floor((x - self.ulx) / pixel_m)
        ny, nx = self.image(SIXTY[0] if pixel_m == 60 else COARSE[0] if pixel_m == 20 else FINE[0], pixel_m).shape
        return own if 0 <= own[0] < ny and 0 <= own[1] < nx else None

    def values(self, bands: Iterable[str], pixel_m: int, row: int, col: int) -> list[int]:
        """Stored values, 0 where one is not observed."""
        own = self.pixel(pixel_m, row, col)
        found = []
        for band in bands:
            dn = int(self.image(band, pixel_m)[own]) if own else 0
            scaled = round((dn + self.offset[band]) * 10_000 / self.quantification)
            found.append(min(max(scaled + 1000, 1), 65535) if dn else 0)
        return found

    def distance(self, row: int, col: int) -> int | None:
        """20 m px to the nearest cloud or shadow; None where the cell is not clear after dilation."""
        own = self.pixel(20, row, col)
        if own is None:
            return None
        return self._distance(*own)

    @cache  # noqa: B019
    def _distance(self, y: int, x: int) -> int | None:
        scl = self.image("SCL", 20)
        if int(scl[y, x]) not in CLEAR_SCL:
            return None
        top, left = max(0, y - FARTHEST_PX), max(0, x - FARTHEST_PX)
        around = scl[top : y + FARTHEST_PX + 1, left : x + FARTHEST_PX + 1]
        rows, cols = np.nonzero(np.isin(around, HIDDEN_SCL))
        nearest = math.sqrt(min(((rows + top - y) ** 2 + (cols + left - x) ** 2).tolist(), default=FARTHEST_PX**2))
        return min(FARTHEST_PX, math.floor(nearest)) if nearest > DILATION_PX else None

    def cell(self, row: int, col: int) -> tuple[Any, ...] | None:
        """Rank of a 20 m cell (the smallest wins): -distance, source code, values; None where it does not compete."""
        ny, nx = self.grid.shape
        if not (0 <= row < ny and 0 <= col < nx):
            return None
        distance = self.distance(row, col)
        if distance is None:
            return None
        fine = [self.values(FINE, 10, 2 * row + dy, 2 * col + dx) for dy in (0, 1) for dx in (0, 1)]
        values = tuple(v for pixel in fine for v in pixel) + tuple(self.values(COARSE, 20, row, col))
        return (-distance, self.code, values) if all(values) else None

    def pixel_60m(self, row: int, col: int) -> tuple[Any, ...] | None:
        """The same of a 60 m pixel."""
        cells = [self.cell(3 * row + dy, 3 * col + dx) for dy in range(3) for dx in range(3)]
        values = tuple(self.values(SIXTY, 60, row, col))
        if None in cells or not all(values):
            return None
        return max(c[0] for c in cells if c), self.code, values


class Frame:
    """One OLCI product."""

    def __init__(self, root: Path, grid: Grid) -> None:
        self.root, self.grid = root, grid
        match = SEN3.fullmatch(root.name)
        assert match
        self.platform, start, created, cycle, orbit, frame, timeliness, collection = match.groups()
        self.time = datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        self.scene = self.platform, cycle, orbit, frame
        self.version = timeliness == "NT", collection, created
        self.code = 1 + 8 * (4 * self.time.weekday() + "ABCD".index(self.platform[-1]))
        self.latitude, self.longitude = (self._read("geo_coordinates", v) for v in ("latitude", "longitude"))
        with netCDF4.Dataset(root / "qualityFlags.nc") as data:
            data.set_auto_maskandscale(False)
            variable = data["quality_flags"]
            self.flags = variable[:].astype(np.uint32)
            names, masks = variable.flag_meanings.split(), [int(m) for m in variable.flag_masks]
            self.mask = dict(zip(names, masks, strict=True))
        with netCDF4.Dataset(root / "tie_geometries.nc") as data:
            self.across, self.along = int(data.ac_subsampling_factor), int(data.al_subsampling_factor)
        self.ties = self._read("tie_geometries", "OZA")
        self.candidate = np.isfinite(self.latitude) & ((self.flags & self.mask["duplicated"]) == 0)
        rows = np.floor((90 - self.latitude[self.candidate]) * LATTICE_PER_DEG)
        cols = np.floor((self.longitude[self.candidate] + 180) * LATTICE_PER_DEG)
        self.box = rows.min(), rows.max(), cols.min(), cols.max()

    @cache  # noqa: B019
    def _read(self, file: str, variable: str) -> Any:
        with netCDF4.Dataset(self.root / f"{file}.nc") as data:
            data.set_auto_maskandscale(False)
            packed = data[variable]
            values = packed[:].astype(np.float64) * np.float64(packed.scale_factor) + np.float64(packed.add_offset)
            values[packed[:] == packed._FillValue] = np.nan
        return values

    def pixel(self, row: int, col: int) -> tuple[Any, ...] | None:
        """Rank of a 300 m pixel (the smallest wins): rank, source code, radiances; None where it does not compete."""
        longitude, latitude = transformer(self.grid.epsg, 4326).transform(*self.grid.centre(300, row, col))
        cell = math.floor((90 - latitude) * LATTICE_PER_DEG), math.floor((longitude + 180) * LATTICE_PER_DEG)
        if not (self.box[0] <= cell[0] <= self.box[1] and self.box[2] <= cell[1] <= self.box[3]):
            return None
        latitude, longitude = 90 - (cell[0] + 0.5) / LATTICE_PER_DEG, (cell[1] + 0.5) / LATTICE_PER_DEG - 180
        east = (self.longitude - longitude) * math.cos(math.radians(latitude))
        metres = np.hypot(self.latitude - latitude, east) * math.radians(1) * EARTH_M
        metres[~self.candidate] = np.inf
        at = np.unravel_index(int(np.argmin(metres)), metres.shape)
        if metres[at] > CUT_OFF_M:
            return None
        flags = int(self.flags[at])
        radiances = []
        for band in range(1, 22):
            unusable = self.mask["invalid"] | self.mask.get(f"saturated@Oa{band:02d}", 0)
            value = self._read(f"Oa{band:02d}_radiance", f"Oa{band:02d}_radiance")[at]
            radiances.append(math.nan if flags & unusable else float(np.float32(value)))
        zenith = self._zenith(int(at[0]), int(at[1]))
        if not all(map(math.isfinite, (*radiances, zenith))):
            return None
        rank = min(127, math.floor(2 * zenith)) + (128 if flags & self.mask["bright"] else 0)
        return rank, self.code, tuple(radiances)

    def _zenith(self, row: int, col: int) -> float:
        """View zenith in degrees, bilinear between tie points."""
        y, x = row / self.along, col / self.across
        y0, x0 = min(int(y), self.ties.shape[0] - 1), min(int(x), self.ties.shape[1] - 1)
        y1, x1 = min(y0 + 1, self.ties.shape[0] - 1), min(x0 + 1, self.ties.shape[1] - 1)
        upper = self.ties[y0, x0] * (1 - (x - x0)) + self.ties[y0, x1] * (x - x0)
        lower = self.ties[y1, x0] * (1 - (x - x0)) + self.ties[y1, x1] * (x - x0)
        return float(upper * (1 - (y - y0)) + lower * (y - y0))


def current(products: Iterable[Any]) -> list[Any]:
    """The products that no later version of their scene supersedes; twins stay together."""
    products = list(products)
    best = {p.scene: max(o.version for o in products if o.scene == p.scene) for p in products}
    return [p for p in products if p.version == best[p.scene]]


def granules(folder: Path, grid: Grid) -> list[Granule]:
    """The L2A products of a folder, without those superseded."""
    return current(Granule(p, grid) for p in sorted(folder.glob("S2*_MSIL2A_*.SAFE")))


def frames(folder: Path, grid: Grid) -> list[Frame]:
    """The OLCI products of a folder, without those superseded."""
    return current(Frame(p, grid) for p in sorted(folder.glob("S3*.SEN3")))
