"""A store as a researcher reads it: weeks, bands by name, points by longitude and latitude, current maps as xarray."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import box

from landstream.export.mosaic import Mosaic, Sheet
from landstream.export.weeks import choose_weeks
from landstream.workspace import open_bound
from services.inference.blend import CONFIDENCE_NODATA
from services.inference.item import PIXEL_M
from shared.area import Area
from shared.cube import Cube, open_cube
from shared.cube.layout import MSI, bands_60m
from shared.geo.outline import project_polygon
from shared.items.collections import MAPS
from shared.items.weeks import week_bounds
from shared.raster.grid import Window
from shared.run.context import Context
from shared.sensors import CUBE_BANDS, MSI_OFFSET, MSI_QUANTIFICATION
from shared.store import FolderStore

MOST_PIXELS = 400_000_000
"""Pixels of a map that are put into memory."""

Bounds = tuple[float, float, float, float]
"""west, south, east, north in degrees."""


def open_store(location: str) -> OpenStore:
    """Open a store; see `landstream.open`."""
    return OpenStore(Context.of_store(*open_bound(location)))


class OpenStore:
    """A store that is read.

    Attributes:
        area: its study area.
    """

    def __init__(self, context: Context) -> None:
        self.area: Area = context.area
        self._context = context

    def __repr__(self) -> str:
        return f"<landstream store {self._context.store.location}, area {self.area.name}>"

    @cached_property
    def cube(self) -> Cube:
        """The cube, at the snapshot that is the newest when it is first asked for.

        Raises:
            ValueError: nothing was merged yet.
        """
        if isinstance(self._context.store, FolderStore) and not Path(self._context.cube).is_dir():
            raise ValueError(f"{self._context.store.location}: no cube yet; `landstream run` makes it")
        return open_cube(self._context.cube, self.area, "read")

    @cached_property
    def weeks(self) -> list[str]:
        """Weeks of the cube that hold Sentinel-2 data, ascending: `2018-W23`."""
        return self.cube.weeks()

    @cached_property
    def map_weeks(self) -> list[str]:
        """Weeks that have maps, ascending."""
        return list(self._context.reader.snapshot().weeks(MAPS))

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the Sentinel-2 bands, those of 10 m first, then of 20 and 60 m."""
        return tuple(name for names in self._resolutions.values() for name in names)

    @property
    def classes(self) -> dict[int, str]:
        """Value of a map -> name of the class; 0 = not observed."""
        return {value: c.name for value, c in self.area.labels.values.items()}

    @property
    def _resolutions(self) -> dict[str, tuple[str, ...]]:
        return {"10m": CUBE_BANDS["10m"], "20m": CUBE_BANDS["20m"], "60m": bands_60m(self.area)}

    def _place(self, band: str) -> tuple[str, int]:
        """Return the array that holds a band, and its place there."""
        for name, bands in self._resolutions.items():
            if band in bands:
                return name, bands.index(band)
        raise ValueError(f"{band!r} is not a band of the cube; there are {', '.join(self.bands)}")

    def band(self, name: str, year: int | None = None) -> xarray.DataArray:
        """Return the reflectances of a band, (week, y, x) float with NaN where not observed clear; read when used.

        `week` is its Monday, `y` and `x` are in metres of the grid: `.sel(week="2018-06-04")`,
        `.sel(x=..., y=..., method="nearest")`.

        Args:
            name: `B08`.
            year: ISO year; None = the newest one with data.

        Raises:
            ValueError: there is no such band, or no data of the year.
        """
        array, place = self._place(name)
        years = self.cube.years()
        if not years or (year or years[-1]) not in years:
            raise ValueError(f"no data of {year or 'any year'}; there are {', '.join(map(str, years)) or 'none'}")
        group = f"{self.area.name}/{year or years[-1]}/{MSI}"
        opened = xarray.open_zarr(self.cube.zarr_store, group=group, consolidated=False, chunks=None)
        found: xarray.DataArray = opened[array].isel({f"wavelength_{array}": place})
        found.attrs = {"long_name": "reflectance", "units": "1", "band": name, "crs": self.area.grid.crs}
        return (
            found.rename({f"y_{array}": "y", f"x_{array}": "x"}).rename(name).drop_vars("spatial_ref", errors="ignore")
        )

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        """Return the position (x, y) of a point in metres of the grid.

        Args:
            lon: longitude in degrees.
            lat: latitude in degrees.

        Raises:
            ValueError: it lies outside the grid.
        """
        x, y = Transformer.from_crs(4326, self.area.grid.crs, always_xy=True).transform(lon, lat)
        west, south, east, north = self.area.grid.bounds_m
        if not (west <= x < east and south < y <= north):
            raise ValueError(f"({lon}, {lat}) lies outside the area {self.area.name}; give longitude, then latitude")
        return float(x), float(y)

    def pixel(self, lon: float, lat: float, bands: Sequence[str] | None = None) -> xarray.DataArray:
        """Return the reflectances of a point, (week, band) float with NaN where not observed clear.

        Args:
            lon: longitude in degrees.
            lat: latitude in degrees.
            bands: their names; None = all.

        Raises:
            ValueError: it lies outside the grid, or there is no such band.
        """
        x, y = self.at(lon, lat)
        names = tuple(bands or self.bands)
        places = [self._place(name) for name in names]
        columns: list[NDArray[Any]] = []
        for array, place in places:
            pixel_m = int(array.removesuffix("m"))
            row, col = int((self.area.grid.origin_y_m - y) // pixel_m), int((x - self.area.grid.origin_x_m) // pixel_m)
            columns.append(np.array([self._stored(week, array, row, col)[place] for week in self.weeks], np.float64))
        stored = np.stack(columns, axis=1) if columns else np.empty((len(self.weeks), 0))
        reflectance = np.where(stored > 0, (stored - MSI_OFFSET) / MSI_QUANTIFICATION, np.nan)
        return xarray.DataArray(
            reflectance,
            {"week": [_monday(week) for week in self.weeks], "band": list(names), "lon": lon, "lat": lat},
            ("week", "band"),
            "reflectance",
        )

    def _stored(self, week: str, array: str, row: int, col: int) -> NDArray[Any]:
        found = self.cube.array(f"{week[:4]}/{MSI}/{array}")
        assert found is not None
        return np.asarray(found[int(week[6:]) - 1, row, col])

    def ndvi(self, lon: float, lat: float) -> xarray.DataArray:
        """Return the NDVI of a point, (week) float with NaN where not observed clear.

        Args:
            lon: longitude in degrees.
            lat: latitude in degrees.

        Raises:
            ValueError: it lies outside the grid.
        """
        both = self.pixel(lon, lat, ("B04", "B08"))
        red, nir = both.sel(band="B04", drop=True), both.sel(band="B08", drop=True)
        return ((nir - red) / (nir + red)).rename("ndvi")

    def land_cover(self, week: str | None = None, bounds: Bounds | None = None) -> xarray.Dataset:
        """Return the current maps of a week as one dataset: `land_cover` and `confidence`, (y, x).

        `land_cover` is uint8, 0 = not observed clear or outside the AOI; its attributes name the classes.
        `confidence` is percent, float with NaN there. `y` and `x` are in metres of the grid.

        Args:
            week: `2018-W23`; None = the newest one that has maps.
            bounds: west, south, east, north in degrees; None = the AOI's.

        Raises:
            ValueError: no map of this week, nothing of the AOI lies within the bounds, or more than memory holds.
        """
        ((chosen, maps),) = choose_weeks(self._context.reader.snapshot(), [week] if week else []).items()
        mosaic = Mosaic(self.area)
        window = _within(mosaic, bounds)
        if window.ny * window.nx > MOST_PIXELS:
            raise ValueError(f"{window.ny} x {window.nx} pixels; give bounds, or take `landstream export`")
        found = {}
        for name, nodata in (("land_cover", 0), ("confidence", CONFIDENCE_NODATA)):
            values = np.full((window.ny, window.nx), nodata, np.uint8)
            for item in maps:
                with Sheet(item, mosaic, self._context.store, name) as sheet:
                    sheet.paste(values, window)
            values[~mosaic.inside(window)] = nodata
            found[name] = values
        percent = np.where(found["confidence"] == CONFIDENCE_NODATA, np.float32(np.nan), found["confidence"])
        lattice = mosaic.lattice.window(window)
        y = lattice.y - (np.arange(window.ny) + 0.5) * PIXEL_M
        x = lattice.x + (np.arange(window.nx) + 0.5) * PIXEL_M
        told = {"flag_values": [0, *self.classes], "flag_meanings": ["not observed", *self.classes.values()]}
        return xarray.Dataset(
            {
                "land_cover": (("y", "x"), found["land_cover"], told),
                "confidence": (("y", "x"), percent.astype(np.float32), {"units": "%"}),
            },
            {"y": y, "x": x, "week": _monday(chosen)},
            {"crs": lattice.crs, "week": chosen},
        )


def _monday(week: str) -> np.datetime64:
    return np.datetime64(week_bounds(week)[0].date(), "ns")


def _within(mosaic: Mosaic, bounds: Bounds | None) -> Window:
    """Return the window of a mosaic that a box of degrees touches."""
    whole = Window(0, 0, mosaic.extent.ny, mosaic.extent.nx)
    if bounds is None:
        return whole
    west, south, east, north = project_polygon(box(*bounds), mosaic.lattice.crs).bounds
    lattice = mosaic.lattice
    top, bottom = int((lattice.y - north) // PIXEL_M), int(-((south - lattice.y) // PIXEL_M))
    left, right = int((west - lattice.x) // PIXEL_M), int(-((lattice.x - east) // PIXEL_M))
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, whole.ny), min(right, whole.nx)
    if top >= bottom or left >= right:
        raise ValueError(f"nothing of the area {mosaic.area.name} lies within {bounds} (west, south, east, north)")
    return Window(top, left, bottom - top, right - left)
