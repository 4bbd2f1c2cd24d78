"""The lattice of a raster's pixels: where it lies, what part of it a window is, its outline on the globe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from shared.geo import Grid
from shared.geo.outline import polygon

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): x = a col + b row + c, y = d col + e row + f."""

SIDE_POINTS = 20
"""Points that stand for each side of an outline: a straight side in one CRS is bent in degrees."""

DECIMALS = 7
"""Of an outline in degrees: one centimetre."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a raster's pixels; it may reach beyond the raster.

    Attributes:
        y: first row.
        x: first column.
        ny: number of rows.
        nx: number of columns.
    """

    y: int
    x: int
    ny: int
    nx: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.y, self.y + self.ny), slice(self.x, self.x + self.nx)


@dataclass(frozen=True)
class Lattice:
    """A north-up lattice of square pixels.

    Attributes:
        crs: `EPSG:n`.
        x: x of the upper left corner, in units of the CRS.
        y: y of the upper left corner.
        pixel: side of a pixel in units of the CRS.
        shape: (ny, nx).
    """

    crs: str
    x: float
    y: float
    pixel: float
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        if self.pixel <= 0 or min(self.shape) < 0:
            raise ValueError(f"a lattice has a positive pixel and shape, not {self.pixel} and {self.shape}")

    @classmethod
    def of_area(cls, grid: Grid, pixel_m: int) -> Lattice:
        """Return the lattice of the area's raster with this pixel."""
        return cls(grid.crs, float(grid.origin_x_m), float(grid.origin_y_m), float(pixel_m), grid.shape_px(pixel_m))

    @classmethod
    def of_asset(cls, asset: Mapping[str, Any]) -> Lattice:
        """Return the lattice of an asset, or of properties, with the STAC projection extension."""
        a, _, x, _, _, y = asset["proj:transform"][:6]
        ny, nx = asset["proj:shape"]
        return cls(str(asset["proj:code"]), x, y, a, (ny, nx))

    @property
    def transform(self) -> Transform:
        """Affine coefficients, as rasterio and `proj:transform` have them."""
        return (self.pixel, 0.0, self.x, 0.0, -self.pixel, self.y)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """west, south, east, north in units of the CRS."""
        ny, nx = self.shape
        return self.x, self.y - ny * self.pixel, self.x + nx * self.pixel, self.y

    @property
    def projection(self) -> dict[str, Any]:
        """The fields of the STAC projection extension."""
        return {"proj:code": self.crs, "proj:shape": list(self.shape), "proj:transform": list(self.transform)}

    def window(self, window: Window) -> Lattice:
        """Return the lattice of a window."""
        corner = self.x + window.x * self.pixel, self.y - window.y * self.pixel
        return Lattice(self.crs, *corner, self.pixel, (window.ny, window.nx))

    def outline(self) -> BaseGeometry:
        """Draw its outline in longitude, latitude (degrees).

        Raises:
            ValueError: it reaches beyond what the CRS can say.
        """
        return outline(self.crs, self.bounds)


def outline(crs: str, bounds: Sequence[float]) -> BaseGeometry:
    """Draw a box of any CRS (west, south, east, north in its units) in longitude, latitude (degrees).

    Args:
        crs: `EPSG:n` or WKT.
        bounds: west, south, east, north.

    Returns:
        A counterclockwise polygon with densified sides; two where it crosses the antimeridian.

    Raises:
        ValueError: the box lies outside what the CRS can say.
    """
    west, south, east, north = bounds
    ring = shapely.get_coordinates(box(west, south, east, north).exterior)
    steps = np.linspace(0, 1, SIDE_POINTS + 1)[:-1, np.newaxis]
    edge = np.concatenate([start + (end - start) * steps for start, end in pairwise(ring)])
    longitudes, latitudes = Transformer.from_crs(crs, 4326, always_xy=True).transform(edge[:, 0], edge[:, 1])
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        raise ValueError(f"the bounds {tuple(bounds)} lie outside {crs}")
    return polygon(np.round(longitudes, DECIMALS), np.round(latitudes, DECIMALS))
