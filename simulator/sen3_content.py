"""The pixels of an OLCI frame, and the sunlight its detectors were calibrated with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from simulator.sky import sun_distance_au
from simulator.spectra import OLCI_IRRADIANCE

LINE_S = 0.044001
DETECTORS = 3700


@dataclass(frozen=True)
class OlciContent:
    """What a frame holds; images are (row, column), tie-point arrays (row, tie column).

    Attributes:
        radiance: float32 (band, row, column), mW m-2 sr-1 nm-1; NaN = no data.
        longitude_deg: float64.
        latitude_deg: float64.
        altitude_m: int16.
        detector_index: int16, -1 outside.
        invalid: bool; such pixels hold the fill value.
        duplicated: bool.
        land: bool.
        inland_water: bool.
        bright: bool.
        tie_longitude_deg: float64.
        tie_latitude_deg: float64.
        sza_deg: Sun zenith, float64.
        saa_deg: Sun azimuth, -180..180.
        oza_deg: View zenith.
        oaa_deg: View azimuth, -180..180.
        start: Time of the first row, UTC.
    """

    radiance: NDArray[np.float32]
    longitude_deg: NDArray[np.float64]
    latitude_deg: NDArray[np.float64]
    altitude_m: NDArray[np.int16]
    detector_index: NDArray[np.int16]
    invalid: NDArray[np.bool_]
    duplicated: NDArray[np.bool_]
    land: NDArray[np.bool_]
    inland_water: NDArray[np.bool_]
    bright: NDArray[np.bool_]
    tie_longitude_deg: NDArray[np.float64]
    tie_latitude_deg: NDArray[np.float64]
    sza_deg: NDArray[np.float64]
    saa_deg: NDArray[np.float64]
    oza_deg: NDArray[np.float64]
    oaa_deg: NDArray[np.float64]
    start: datetime


def solar_flux(day_of_year: float) -> NDArray[np.float32]:
    """In-band solar irradiance of each detector on a day: float32 (band, detector), mW m-2 nm-1."""
    detector = np.arange(DETECTORS)
    # Each camera's wavelengths drift a little over its detectors ("smile").
    smile = 1 + 0.0015 * np.sin(2 * np.pi * (detector % 740) / 740)
    flux = np.outer(OLCI_IRRADIANCE, smile) / sun_distance_au(day_of_year) ** 2
    return flux.astype(np.float32)
