"""What Sentinel-3's OLCI sees of the landscape: a slanted swath of radiances, as the instrument delivers it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import uniform_filter

from simulator.landscape import WORLD_EPSG, build_world
from simulator.noise import FloatArray, hash32
from simulator.sen3_content import LINE_S, OlciContent, solar_flux
from simulator.sky import Weather, sky_over, sun_at
from simulator.spectra import MATERIALS, OLCI_CENTRES_NM, PHASES, VIGOURS, air, spectrum, surface_table

ACROSS_M, ALONG_M = 270.0, 294.0
# Track azimuth at middle latitudes, descending.
_HEADING_DEG = 195.0
# The lattice on which the landscape is summed up to OLCI's pixels.
_STEP_M = 60.0
# Instrument pixels per product pixel: regridding repeats the rest.
_SAMPLING = 0.93


@dataclass(frozen=True)
class Swath:
    """Where a frame lies.

    Attributes:
        longitude_deg: Of the centre.
        latitude_deg: Of the centre.
        rows: Along the track, southwards.
        columns: Across, eastwards; 64 n + 1.
        nadir_column: Column below the satellite; may lie outside.
        start: Time of the first row, UTC.
    """

    longitude_deg: float
    latitude_deg: float
    rows: int
    columns: int
    nadir_column: float
    start: datetime

    def __post_init__(self) -> None:
        if self.columns % 64 != 1 or self.columns < 193:
            raise ValueError(
                f"{self.columns} columns: tie points need 64 n + 1 and readers at least four of them (193)"
            )

    def locate(
        self, row: NDArray[np.float64], column: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude in degrees of pixel positions, same shape as the arguments."""
        heading = math.radians(_HEADING_DEG)
        along = (row - (self.rows - 1) / 2) * ALONG_M
        across = (column - (self.columns - 1) / 2) * ACROSS_M
        east = along * math.sin(heading) - across * math.cos(heading)
        north = along * math.cos(heading) + across * math.sin(heading)
        local = f"+proj=aeqd +lat_0={self.latitude_deg} +lon_0={self.longitude_deg} +datum=WGS84"
        longitude, latitude = Transformer.from_crs(local, 4326, always_xy=True).transform(east, north)
        return np.asarray(longitude), np.asarray(latitude)


def swath_over(
    longitude_deg: float,
    latitude_deg: float,
    side_m: float,
    start: datetime,
    shift: float = 0.0,
    nadir_column: float = 40.0,
) -> Swath:
    """Return a swath that covers a square of a given side around a point, with a margin of about 3 km.

    Args:
        longitude_deg: Centre of the square.
        latitude_deg: Centre of the square.
        side_m: Side of the square.
        start: Time of the first row.
        shift: Moves the frame along its track by this share of the side: it then covers the square in part.
        nadir_column: Column below the satellite.

    Returns:
        The swath.
    """
    # The square, turned by the heading, reaches a quarter further.
    reach = side_m * 1.25 + 6000
    columns = max(193, 64 * math.ceil(reach / ACROSS_M / 64) + 1)
    rows = math.ceil(reach / ALONG_M)
    heading = math.radians(_HEADING_DEG)
    local = f"+proj=aeqd +lat_0={latitude_deg} +lon_0={longitude_deg} +datum=WGS84"
    away = shift * side_m
    longitude, latitude = Transformer.from_crs(local, 4326, always_xy=True).transform(
        away * math.sin(heading), away * math.cos(heading)
    )
    return Swath(float(longitude), float(latitude), rows, columns, nadir_column, start)


def observe_olci(seed: int, swath: Swath, weather: Weather, noise_seed: int, gain: float = 1.0) -> OlciContent:
    """Return the images of a frame.

    Args:
        seed: Which landscape.
        swath: Where and when.
        weather: The sky.
        noise_seed: Detector noise.
        gain: Of the instrument; an NR and an NT version of one scene differ by it.

    Returns:
        Radiance, positions, flags and angles.
    """
    columns = np.arange(swath.columns, dtype=np.float64)
    rows = np.arange(swath.rows, dtype=np.float64)
    source, longitude, latitude, duplicated = sample(swath)
    detector = (1480 + source).astype(np.int16)
    tie_columns = np.arange(0, swath.columns, 64, dtype=np.float64)
    tie_row, tie_column = np.broadcast_arrays(rows[:, None], tie_columns[None, :])
    tie_longitude, tie_latitude = swath.locate(tie_row, tie_column)
    sza, saa = _sun_angles(swath.start, tie_longitude, tie_latitude)
    oza, oaa = _view_angles(swath, tie_column)
    reflectance, water, cloud = _top_of_atmosphere(seed, swath, weather, longitude, latitude)
    cosine = np.cos(np.radians(np.stack([np.interp(columns, tie_columns, row) for row in sza])))
    flux = solar_flux(swath.start.timetuple().tm_yday)
    random = np.random.default_rng(int(hash32(noise_seed, 78)[0]))
    radiance = np.empty(reflectance.shape, dtype=np.float32)
    for band, image in enumerate(reflectance):
        noisy = image * gain * (1 + 0.003 * random.standard_normal(image.shape, dtype=np.float32))
        radiance[band] = noisy * flux[band][detector] * cosine / math.pi
    # Copies are copies, noise included.
    first = np.maximum.accumulate(np.where(duplicated, 0, np.arange(swath.columns)), axis=1)
    radiance = np.take_along_axis(radiance, first[None], axis=2)
    invalid = columns[None, :] < (2 + 2 * np.sin(rows[:, None] / 5)) - 1
    invalid |= columns[None, :] > swath.columns - 2 - (1 + np.sin(rows[:, None] / 7))
    return OlciContent(
        radiance=radiance,
        longitude_deg=longitude,
        latitude_deg=latitude,
        altitude_m=(180 + 60 * np.sin(rows[:, None] / 40) + 0 * source).astype(np.int16),
        detector_index=np.where(invalid, -1, detector).astype(np.int16),
        invalid=invalid,
        duplicated=duplicated & ~invalid,
        land=water < 0.5,
        inland_water=water >= 0.5,
        bright=cloud > 0.3,
        tie_longitude_deg=tie_longitude,
        tie_latitude_deg=tie_latitude,
        sza_deg=sza,
        saa_deg=saa,
        oza_deg=oza,
        oaa_deg=oaa,
        start=swath.start,
    )


def sample(
    swath: Swath,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Instrument pixel, longitude and latitude in degrees of each pixel, and whether it is a copy, (row, column)."""
    rows, columns = np.arange(swath.rows, dtype=np.float64)[:, None], np.arange(swath.columns, dtype=np.float64)
    sway = 7.3 * np.sin(rows / 23)
    source = np.floor((columns + sway + 8) * _SAMPLING)
    duplicated = np.zeros(source.shape, dtype=bool)
    duplicated[:, 1:] = source[:, 1:] == source[:, :-1]
    # Both copies of an instrument pixel carry its position.
    position = (source + 0.5) / _SAMPLING - 8 - sway
    longitude, latitude = swath.locate(np.broadcast_to(rows, source.shape), position)
    return source, longitude, latitude, duplicated


def _top_of_atmosphere(
    seed: int, swath: Swath, weather: Weather, longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Reflectance (band, y, x), share of water (y, x) and cloud opacity (y, x), means over about 300 m."""
    x_m, y_m = Transformer.from_crs(4326, WORLD_EPSG, always_xy=True).transform(longitude, latitude)
    margin = 5 * _STEP_M
    world = build_world(seed, (x_m.min() - margin, y_m.min() - margin, x_m.max() + margin, y_m.max() + margin), _STEP_M)
    rows, columns = world.zone.shape
    lattice_x, lattice_y = np.meshgrid(
        world.west_m + (np.arange(columns) + 0.5) * _STEP_M, world.north_m - (np.arange(rows) + 0.5) * _STEP_M
    )
    sun = sun_at(swath.start, swath.longitude_deg, swath.latitude_deg)
    sky = sky_over(weather, sun, lattice_x, lattice_y)
    cells = world.cells_of(np.asarray(x_m), np.asarray(y_m))

    def mean(image: FloatArray) -> FloatArray:
        out: FloatArray = uniform_filter(image, 5, mode="nearest").ravel()[cells]
        return out

    table = surface_table(swath.start.timetuple().tm_yday, OLCI_CENTRES_NM)
    atmosphere, cloud = air(OLCI_CENTRES_NM, weather.haze), spectrum("cloud", OLCI_CENTRES_NM)
    lit = world.brightness * sky.shade * (1 - sky.cloud)
    reflectance = np.empty((len(OLCI_CENTRES_NM), *longitude.shape), dtype=np.float32)
    for band, (path, through) in enumerate(zip(atmosphere.path, atmosphere.transmittance, strict=True)):
        # As for MSI: less absorbing gas lies above a cloud.
        above = through ** np.float32(0.35)
        image = (
            path * (1 - np.float32(0.6) * sky.cloud)
            + through * table[band][world.state] * lit
            + above * cloud[band] * sky.cloud
        )
        image += (np.float32(0.5) * above * cloud[band] - np.float32(0.6) * image) * sky.cirrus
        reflectance[band] = mean(image)
    is_water = np.repeat([material.water for material in MATERIALS], PHASES * VIGOURS)
    return reflectance, mean(is_water[world.state].astype(np.float32)), mean(sky.cloud)


def _sun_angles(
    start: datetime, longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    zenith, azimuth = np.empty(longitude.shape), np.empty(longitude.shape)
    # Angles change by far less than a degree along a short frame: a few rows and lines in between are exact enough.
    nodes = np.unique(np.linspace(0, len(longitude) - 1, 9).round().astype(int))
    for column in range(longitude.shape[1]):
        suns = [
            sun_at(
                start.astimezone(UTC) + timedelta(seconds=LINE_S * int(row)),
                longitude[row, column],
                latitude[row, column],
            )
            for row in nodes
        ]
        zenith[:, column] = np.interp(np.arange(len(longitude)), nodes, [sun.zenith_deg for sun in suns])
        azimuth[:, column] = np.interp(
            np.arange(len(longitude)), nodes, [(sun.azimuth_deg + 180) % 360 - 180 for sun in suns]
        )
    return zenith, azimuth


def _view_angles(swath: Swath, column: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Zenith and azimuth of the satellite seen from the ground, 814 km up."""
    away = (column - swath.nadir_column) * ACROSS_M
    zenith = np.degrees(np.arctan2(np.abs(away), 814e3)) * 1.12
    east_of_track = away > 0
    # From a point east of the track the satellite stands in the west-north-west.
    azimuth = np.where(east_of_track, -75.0, 105.0)
    return zenith, azimuth
