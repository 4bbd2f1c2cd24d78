"""The rasters of a cube as files show them: name, pixel, bands, encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.area import Area
from shared.cube import Cube
from shared.cube.cube import split_week
from shared.cube.layout import CHUNK_M, MSI, MSI_ENCODING, OLCI, bands_60m
from shared.cube.windows import Part
from shared.geo import TILE_M
from shared.items.classes import UNLABELLED, classes_of
from shared.raster.cog import COMPACT, NOISY, Band, Encoding
from shared.raster.grid import Lattice, Window
from shared.sensors import CUBE_BANDS

NAMES: Final = ("10m", "20m", "60m", "300m", "labels")


@dataclass(frozen=True)
class Layer:
    """A raster of the cube.

    Attributes:
        name: one of `NAMES`.
        pixel_m: 10, 20, 60 or 300.
        path: of the array, `{year}` in place of the year.
        bands: what each band is.
        encoding: type, nodata and compression of a file of it.
        chunk_m: side of a chunk in metres.
        weekly: whether it has weeks; labels are the same in all.
    """

    name: str
    pixel_m: int
    path: str
    bands: tuple[Band, ...]
    encoding: Encoding
    chunk_m: int
    weekly: bool = True

    def lattice(self, area: Area) -> Lattice:
        """Return where the pixels of the whole raster lie."""
        return Lattice.of_area(area.grid, self.pixel_m)

    def part(self, cube: Cube, week: str, window: Window) -> Part:
        """Return a window to read: (ny, nx, band), of labels (ny, nx); nodata outside the grid and where nothing is."""
        fill = self.encoding.nodata or 0
        if not self.weekly:
            return Part(cube.array(self.path), (), window, (), self.encoding.dtype, fill)
        year, index = split_week(week)
        array = cube.array(self.path.format(year=year))
        return Part(array, (index,), window, (len(self.bands),), self.encoding.dtype, fill)


def layer_of(area: Area, name: str) -> Layer:
    """Return a raster of an area's cube by its name, one of `NAMES`."""
    if name == "labels":
        band, path = Band("class", classes=classes_of(area.labels, UNLABELLED)), f"labels/{area.labels.scheme}/class"
        return Layer(name, 10, path, (band,), Encoding("uint8", 0, "mode"), TILE_M, weekly=False)
    chunk_m = CHUNK_M[name]
    if name == "300m":
        unit = "mW m-2 sr-1 nm-1"
        measured = Encoding("float32", float("nan"), "nearest", options=NOISY)
        return Layer(name, 300, f"{{year}}/{OLCI}/300m", _bands(CUBE_BANDS[name], unit), measured, chunk_m)
    names = bands_60m(area) if name == "60m" else CUBE_BANDS[name]
    stored = Encoding("uint16", 0, "nearest", options={**COMPACT, "LEVEL": "1"})
    scale, offset = MSI_ENCODING["scale_factor"], MSI_ENCODING["add_offset"]
    bands = tuple(Band(name, scale=scale, offset=offset) for name in names)
    return Layer(name, int(name.removesuffix("m")), f"{{year}}/{MSI}/{name}", bands, stored, chunk_m)


def _bands(names: tuple[str, ...], unit: str) -> tuple[Band, ...]:
    return tuple(Band(name, unit) for name in names)
