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

from services.reprojection.flags import FlagTable
from shared.stage import BrokenPicture
from shared.threads import on_parts

MAX_PIXELS = 40_000_000
"""An EFR frame has 20 million pixels."""
_ROWS_AT_ONCE = 128
_REMEDY = "deliver the product again as its provider published it"


@dataclass(frozen=True)
class Radiance:
    """Radiance of a band as its file holds it.

    Attributes:
        packed: uint16 (row, column).
        table: float32 (65536,), what each packed value stands for; NaN = fill.
        unit: of the radiance.
    """

    packed: NDArray[np.uint16]
    table: NDArray[np.float32]
    unit: str


@dataclass(frozen=True)
class Ties:
    """Values at tie points, float64 (tie row, tie column), and how many pixels lie from one to the next."""

    values: NDArray[np.float64]
    across: int
    along: int


def read_positions(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(latitude, longitude) of each pixel in degrees, (row, column), NaN where unknown or off the globe."""
    with _opened(path) as data:
        latitude, longitude = (_read(_variable(data, name, path)) for name in ("latitude", "longitude"))
    if latitude.shape != longitude.shape:
        raise BrokenPicture(path.name, f"holds {latitude.shape} latitudes and {longitude.shape} longitudes", _REMEDY)

    def mask(rows: slice) -> None:
        unknown = ~((np.abs(latitude[rows]) <= 90) & (np.abs(longitude[rows]) <= 180))
        latitude[rows][unknown] = longitude[rows][unknown] = np.nan

    on_parts(len(latitude), _ROWS_AT_ONCE, mask)
    return latitude, longitude


def read_flags(path: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint32], FlagTable]:
    """Quality flags, uint32 (row, column), and what they mean."""
    with _opened(path) as data:
        variable = _variable(data, "quality_flags", path, shape)
        flags: NDArray[np.uint32] = np.asarray(variable[:]).astype(np.uint32, copy=False)
        try:
            table = FlagTable.parse(np.atleast_1d(variable.flag_masks).tolist(), str(variable.flag_meanings))
        except (AttributeError, ValueError) as error:
            raise BrokenPicture(path.name, f"does not explain its flags ({error})", _REMEDY) from error
    return flags, table


def read_radiance(path: Path, band: int, shape: tuple[int, ...]) -> Radiance:
    """Radiance of band 1..21, as it is packed."""
    with _opened(path) as data:
        variable = _variable(data, f"Oa{band:02d}_radiance", path, shape)
        packed = np.asarray(variable[:])
        if packed.dtype.newbyteorder("=") != np.uint16:
            raise BrokenPicture(path.name, f"holds {packed.dtype} radiances where uint16 is due", _REMEDY)
        table = _Packing.of(variable).unpack(np.arange(2**16, dtype=np.uint16), np.float32)
        return Radiance(
            packed.astype(np.uint16, copy=False), table, str(getattr(variable, "units", "mW.m-2.sr-1.nm-1"))
        )


def read_view_zenith(path: Path, shape: tuple[int, ...]) -> Ties:
    """View zenith angle at tie points in degrees.

    Raises:
        BrokenPicture: the tie points do not span the frame.
    """
    with _opened(path) as data:
        ties = _read(_variable(data, "OZA", path))
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


def _read(variable: Any) -> NDArray[np.float64]:
    """Physical values, float64 (row, column), NaN = fill."""
    packed, packing = np.asarray(variable[:]), _Packing.of(variable)
    values = np.empty(packed.shape)

    def unpack(rows: slice) -> None:
        values[rows] = packing.unpack(packed[rows], np.float64)

    on_parts(len(packed), _ROWS_AT_ONCE, unpack)
    return values


@dataclass(frozen=True)
class _Packing:
    """How values are packed: what is measured is value * scale + offset; `fill` = not measured."""

    scale: float
    offset: float
    fill: float | None

    @classmethod
    def of(cls, variable: Any) -> _Packing:
        """Read a variable's attributes."""
        scale, offset = getattr(variable, "scale_factor", 1.0), getattr(variable, "add_offset", 0.0)
        return cls(scale, offset, getattr(variable, "_FillValue", None))

    def unpack(self, packed: NDArray[Any], dtype: type[np.floating[Any]]) -> NDArray[Any]:
        """Physical values, NaN = fill. One rounding, to `dtype`."""
        values = packed.astype(dtype)
        values *= dtype(self.scale)
        if self.offset != 0:
            values += dtype(self.offset)
        if self.fill is not None:
            values[packed == self.fill] = np.nan
        return values
