"""How the numbers of a file become reflectance: told by the caller or by the file, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.sensors import CUBE_BANDS, MSI_OFFSET, MSI_QUANTIFICATION

BANDS: Final = (*CUBE_BANDS["10m"], *CUBE_BANDS["20m"])
"""The bands that a model reads, in its order."""

BRIGHTEST: Final = 20.0
"""Reflectance that nothing on Earth has: a file with more of it holds something else."""

Array = NDArray[Any]


class PredictError(ValueError):
    """Raised when a raster cannot be predicted as asked; one line says why, and what to do."""


@dataclass(frozen=True)
class Encoding:
    """What the numbers of a file mean: reflectance = number * scale + offset.

    Attributes:
        scales: of each of `BANDS`.
        offsets: of each of `BANDS`.
        nodata: the number of pixels without data; None = 0 in files of integers, NaN alone in others.
    """

    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: float | None = None

    def store(self, numbers: Array) -> NDArray[np.uint16]:
        """Return numbers of a file (band, y, x) in the cube's encoding: uint16 (band, y, x), 0 = no data.

        Raises:
            PredictError: they are no reflectances.
        """
        missing = ~np.isfinite(numbers) if numbers.dtype.kind == "f" else numbers == 0
        if self.nodata is not None and not np.isnan(self.nodata):
            missing = (missing & (numbers.dtype.kind == "f")) | (numbers == self.nodata)
        shape = (-1, 1, 1)
        scale, offset = np.reshape(self.scales, shape), np.reshape(self.offsets, shape)
        reflectance = np.where(missing, 0.0, numbers.astype(np.float64) * scale + offset)
        if reflectance.size and reflectance.max() > BRIGHTEST:
            raise PredictError(
                f"reflectances up to {reflectance.max():,.0f} with scale {self.scales[0]:g} and offset "
                f"{self.offsets[0]:g}; {LIKELY}"
            )
        stored = np.clip(np.round(reflectance * MSI_QUANTIFICATION + MSI_OFFSET), 1, 65535)
        return np.where(missing, 0, stored).astype(np.uint16)


LIKELY: Final = (
    "give --scale 0.0001 if it is reflectance x 10,000, or --scale 0.0001 --offset -0.1 if ESA's offset is in it "
    "(products since January 2022)"
)


def choose_encoding(
    dtype: str,
    tagged: tuple[Sequence[float], Sequence[float]],
    nodata: float | None,
    told: tuple[float | None, float | None],
) -> Encoding:
    """Say what the numbers of a file mean.

    Args:
        dtype: of the file.
        tagged: the file's own scales and offsets, of each of `BANDS`.
        nodata: its nodata value.
        told: scale and offset as the caller gives them; they win over the file's.

    Raises:
        PredictError: nobody says.
    """
    scale, offset = told
    count = len(BANDS)
    if scale is not None or offset is not None:
        return Encoding((1.0 if scale is None else scale,) * count, (offset or 0.0,) * count, nodata)
    if any(s != 1 for s in tagged[0]) or any(o != 0 for o in tagged[1]):
        return Encoding(tuple(map(float, tagged[0])), tuple(map(float, tagged[1])), nodata)
    if np.dtype(dtype).kind == "f":
        return Encoding((1.0,) * count, (0.0,) * count, nodata)
    raise PredictError(f"{dtype} without scale and offset tags, so its encoding is unknown; {LIKELY}")


def choose_bands(count: int, descriptions: Sequence[str | None], told: Sequence[str]) -> list[int]:
    """Return the number (from 1) of the file's band for each of `BANDS`.

    Args:
        count: bands of the file.
        descriptions: what the file calls them.
        told: what the caller calls them, in the file's order; empty = the file's own names, or the model's order where
            it has ten bands without names.

    Raises:
        PredictError: one is missing, or nobody says which is which.
    """
    order = " ".join(BANDS)
    if told:
        names: list[str] = [_name(name) for name in told]
        if len(names) != count:
            raise PredictError(f"--bands names {len(names)} bands and the file has {count}; name each, in its order")
    else:
        names = [_name(d or "") for d in descriptions]
        if not set(BANDS) <= set(names):
            if count == len(BANDS) and not any(name in BANDS for name in names):
                return list(range(1, count + 1))
            raise PredictError(f"{count} bands without the names {order}; give --bands B02,B03,... in the file's order")
    missing = [band for band in BANDS if band not in names]
    if missing:
        raise PredictError(f"band {missing[0]} is missing; a model reads {order}")
    return [names.index(band) + 1 for band in BANDS]


def _name(text: str) -> str:
    """Return a band's name as products have it: `b8a`, `B8` and `B08` are B8A, B08 and B08."""
    name = text.strip().upper()
    return f"B0{name[1]}" if len(name) == 2 and name[0] == "B" and name[1].isdigit() else name
