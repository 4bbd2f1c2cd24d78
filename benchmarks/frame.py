"""A full-size OLCI frame, made once and kept: positions as the simulator has them, radiances of a part repeated."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator.olci import Swath, observe_olci, sample
from simulator.sen3 import write_efr
from simulator.sen3_xml import Sen3Name
from simulator.sky import Weather

_START = datetime(2018, 6, 26, 8, 50, tzinfo=UTC)
_NAME = Sen3Name("S3A", _START, _START + timedelta(seconds=180), _START, 32, 378, 1980, "NT", "002")
_PART = 512, 1217
_TIE_PX = 64


def make_frame(folder: Path, rows: int, columns: int) -> Path:
    """Return a SEN3 folder with a frame of so many rows and columns (64 n + 1)."""
    root = folder / f"olci-{rows}x{columns}" / _NAME.product
    if not (root / "xfdumanifest.xml").exists():  # written last
        swath = Swath(24.0, 45.9, rows, columns, columns * 0.6, _START)
        part = observe_olci(1, dataclasses.replace(swath, rows=_PART[0], columns=_PART[1]), Weather(3, 0.3), 5)
        source, longitude, latitude, duplicated = sample(swath)
        tie_columns = np.arange(0, columns, _TIE_PX)

        def repeat(values: NDArray[np.generic], width: int = columns) -> NDArray[np.generic]:
            turns = [-(-rows // values.shape[-2]), -(-width // values.shape[-1])]
            return np.tile(values, turns)[..., :rows, :width]

        names = ("radiance", "altitude_m", "invalid", "land", "inland_water", "bright")
        ties = {n: repeat(getattr(part, n), len(tie_columns)) for n in ("sza_deg", "saa_deg", "oza_deg", "oaa_deg")}
        write_efr(
            root.parent,
            _NAME,
            dataclasses.replace(
                part,
                **{name: repeat(getattr(part, name)) for name in names},  # type: ignore[arg-type]
                **ties,  # type: ignore[arg-type]
                detector_index=(source % 3700).astype(np.int16),
                longitude_deg=longitude,
                latitude_deg=latitude,
                duplicated=duplicated,
                tie_longitude_deg=longitude[:, ::_TIE_PX],
                tie_latitude_deg=latitude[:, ::_TIE_PX],
            ),
        )
    return root
