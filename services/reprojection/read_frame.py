"""An OLCI frame's netCDF files: packed values with the scale, offset and fill that each file states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from services.reprojection.flags import FlagTable, has
from shared.stage import BrokenPicture

MAX_PIXELS = 40_000_000
"""An EFR frame has 20 million pixels."""
_REMEDY = "deliver the product again as its provider published it"


@dataclass(frozen=True)
class Ties:
    """Values at tie points, float64 (tie row, tie column), and how many pixels lie from one to the next."""

    values: NDArray[np.float64]
    across: int
    along: int


def read_positions(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(latitude, longitude) of each pixel in degrees, (row, column), NaN where unknown or off the globe."""
    with _opened(path) as data:
        latitude = _decode(_variable(data, "latitude", path), np.float64)
        longitude = _decode(_variable(data, "longitude", path), np.float64)
    if latitude.shape != longitude.shape:
        raise BrokenPicture(path.name, f"holds {latitude.shape} latitudes and {longitude.shape} longitudes", _REMEDY)
    unknown = ~((np.abs(latitude) <= 90) & (np.abs(longitude) <= 180))
    latitude[unknown] = longitude[unknown] = np.nan
    return latitude, longitude


def read_flags(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint32], FlagTable]:
    """Quality flags, uint32 (row, column), and what they mean."""
    with _opened(path) as data:
        variable = _variable(data, "quality_flags", path, shape)
        flags: NDArray[np.uint32] = np.asarray(variable[:]).astype(np.int64).astype(np.uint32)
        try:
            table = FlagTable.parse(np.atleast_1d(variable.flag_masks).tolist(), str(variable.flag_meanings))
        except (AttributeError, ValueError) as error:
            raise BrokenPicture(path.name, f"does not explain its flags ({error})", _REMEDY) from error
    return flags, table


def read_radiance(
    path: Path, band: int, flags: NDArray[np.uint32], table: FlagTable
) -> tuple[NDArray[np.float32], str]:
    """Radiance of band 1..21, float32 (row, column), NaN where missing or unusable; and its unit."""
    with _opened(path) as data:
        variable = _variable(data, f"Oa{band:02d}_radiance", path, flags.shape)
        radiance: NDArray[np.float32] = _decode(variable, np.float32)
        unit = str(getattr(variable, "units", "mW.m-2.sr-1.nm-1"))
    radiance[has(flags, table.unusable(band))] = np.nan
    return radiance, unit


def read_view_zenith(path: Path, shape: tuple[int, ...]) -> Ties:
    """View zenith angle at tie points in degrees.

    Raises:
        BrokenPicture: the tie points do not span the frame.
    """
    with _opened(path) as data:
        ties = _decode(_variable(data, "OZA", path), np.float64)
        across = int(np.ravel(getattr(data, "ac_subsampling_factor", 0))[0])
        along = int(np.ravel(getattr(data, "al_subsampling_factor", 1))[0])
    spans = (ties.shape[0] * along >= shape[0], (ties.shape[1] - 1) * across + 1 >= shape[1])
    if min(across, along) < 1 or not all(spans):
        fault = f"has {ties.shape} tie points, {along} rows and {across} columns apart, for {shape} pixels"
        raise BrokenPicture(path.name, fault, _REMEDY)
    return Ties(ties, across, along)


@contextmanager
def _opened(path: Path) -> Iterator[netCDF4.Dataset]:
    try:
        with netCDF4.Dataset(path, "r") as data:
            data.set_auto_maskandscale(False)
            yield data
    except (OSError, RuntimeError, MemoryError) as error:
        raise BrokenPicture(path.name, f"is a damaged netCDF file ({str(error)[:200]})", _REMEDY) from error


def _variable(data: netCDF4.Dataset, name: str, path: Path, shape: tuple[int, ...] | None = None) -> Any:
    variable = data.variables.get(name)
    if variable is None:
        raise BrokenPicture(path.name, f"lacks the variable {name}", _REMEDY)
    if variable.ndim != 2 or variable.size > MAX_PIXELS or (shape is not None and variable.shape != shape):
        fault = f"holds {name} of {variable.shape} where {shape or 'rows, columns'} is due"
        raise BrokenPicture(path.name, fault, _REMEDY)
    return variable


def _decode(variable: Any, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """Physical values by scale_factor, add_offset and _FillValue; NaN = fill. One rounding, to `dtype`."""
    packed = np.asarray(variable[:])
    scale, offset = getattr(variable, "scale_factor", 1.0), getattr(variable, "add_offset", 0.0)
    fill = getattr(variable, "_FillValue", None)
    values = packed.astype(dtype)
    values *= dtype(scale)
    if offset != 0:
        values += dtype(offset)
    if fill is not None:
        values[packed == fill] = np.nan
    return values
