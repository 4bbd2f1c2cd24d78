"""Sun, clouds and the shadows of clouds: functions of a seed, of time and of position in EPSG:3035."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import map_coordinates
from scipy.special import ndtri

from simulator.landscape import WORLD_EPSG
from simulator.noise import FloatArray, fractal_noise

# Clouds are smooth: evaluated on this lattice, interpolated in between.
_STEP_M = 60.0


@dataclass(frozen=True)
class Sun:
    """Where the sun is.

    Attributes:
        zenith_deg: From the vertical.
        azimuth_deg: Clockwise from true north.
    """

    zenith_deg: float
    azimuth_deg: float

    @property
    def cosine(self) -> float:
        """Cosine of the zenith angle."""
        return math.cos(math.radians(self.zenith_deg))


def sun_at(time: datetime, longitude_deg: float, latitude_deg: float) -> Sun:
    """Sun angles, good to about a degree (Spencer's declination and equation of time)."""
    utc = time.astimezone(UTC)
    g = 2 * math.pi * (utc.timetuple().tm_yday - 1 + (utc.hour - 12) / 24) / 365
    declination = (
        0.006918 - 0.399912 * math.cos(g) + 0.070257 * math.sin(g) - 0.006758 * math.cos(2 * g)
        + 0.000907 * math.sin(2 * g) - 0.002697 * math.cos(3 * g) + 0.00148 * math.sin(3 * g)
    )  # fmt: skip
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * math.cos(g)
        - 0.032077 * math.sin(g)
        - 0.014615 * math.cos(2 * g)
        - 0.040849 * math.sin(2 * g)
    )
    solar_min = utc.hour * 60 + utc.minute + utc.second / 60 + equation_min + 4 * longitude_deg
    hour_angle = math.radians(solar_min / 4 - 180)
    latitude = math.radians(latitude_deg)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.sin(declination) * math.cos(latitude) - math.cos(declination) * math.sin(latitude) * math.cos(
        hour_angle
    )
    up = math.sin(declination) * math.sin(latitude) + math.cos(declination) * math.cos(latitude) * math.cos(hour_angle)
    return Sun(math.degrees(math.acos(up)), math.degrees(math.atan2(east, north)) % 360)


def sun_distance_au(day_of_year: float) -> float:
    """Distance of the sun in astronomical units."""
    return 1 - 0.01672 * math.cos(math.radians(0.9856 * (day_of_year - 4)))


@dataclass(frozen=True)
class Weather:
    """The sky of one moment.

    Attributes:
        seed: Which clouds.
        cover: Share of the sky under clouds, 0..1, roughly.
        cirrus: Share under thin cirrus, 0..1, roughly.
        height_m: Height of the clouds, which throws their shadows.
        haze: Factor of the aerosol.
    """

    seed: int
    cover: float
    cirrus: float = 0.05
    height_m: float = 2200.0
    haze: float = 1.0


@dataclass(frozen=True)
class Sky:
    """What the air holds over each pixel, all float32 (y, x).

    Attributes:
        cloud: Opacity of water clouds, 0..1.
        cirrus: Opacity of ice clouds, 0..1.
        shade: Light that reaches the ground, 0..1.
    """

    cloud: FloatArray
    cirrus: FloatArray
    shade: FloatArray


def sky_over(weather: Weather, sun: Sun, x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> Sky:
    """Return clouds and shadows over positions in EPSG:3035.

    Args:
        weather: The sky.
        sun: Throws the shadows.
        x_m: (y, x) positions.
        y_m: (y, x) positions.

    Returns:
        The sky, same shape.
    """
    reach = weather.height_m * math.tan(math.radians(min(sun.zenith_deg, 75.0)))
    towards = math.radians(sun.azimuth_deg) - _convergence(float(x_m.mean()), float(y_m.mean()))
    sun_x, sun_y = reach * math.sin(towards), reach * math.cos(towards)
    margin = reach + 4 * _STEP_M
    west = math.floor((x_m.min() - margin) / _STEP_M) * _STEP_M
    north = math.ceil((y_m.max() + margin) / _STEP_M) * _STEP_M
    axis_x = np.arange(west, x_m.max() + margin, _STEP_M)
    axis_y = np.arange(north, y_m.min() - margin, -_STEP_M)
    water = _opacity(weather.seed, axis_x, axis_y, weather.cover, 5200, 6, 3.2)
    ice = _opacity(weather.seed + 500, axis_x, axis_y * 0.35, weather.cirrus, 7000, 4, 0.22)

    def sample(field: FloatArray, dx: float, dy: float) -> FloatArray:
        positions = np.stack([(north - (y_m + dy)) / _STEP_M, (x_m + dx - west) / _STEP_M])
        out: FloatArray = map_coordinates(field, positions, order=1, mode="nearest").astype(np.float32)
        return out

    # The ground at p is dark where the way from p to the sun goes through a cloud.
    shade = 1 - np.float32(0.68) * sample(water, sun_x, sun_y) - np.float32(0.25) * sample(ice, sun_x * 3, sun_y * 3)
    return Sky(sample(water, 0, 0), sample(ice, 0, 0), shade.astype(np.float32))


def _opacity(
    seed: int,
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    cover: float,
    scale_m: float,
    octaves: int,
    density: float,
) -> FloatArray:
    if cover <= 0:
        return np.zeros((len(y_m), len(x_m)), dtype=np.float32)
    field = fractal_noise(seed, x_m, y_m, scale_m, octaves, 0.55)
    depth = np.maximum(field - np.float32(ndtri(1 - min(cover, 0.999))), 0) * np.float32(density)
    opacity: FloatArray = (1 - np.exp(-depth)).astype(np.float32)
    return opacity


def _convergence(x_m: float, y_m: float) -> float:
    """Angle from grid north of EPSG:3035 to true north, radians, clockwise positive as an azimuth's offset."""
    to_degrees = Transformer.from_crs(WORLD_EPSG, 4326, always_xy=True)
    longitude, latitude = to_degrees.transform(x_m, y_m)
    x1, y1 = Transformer.from_crs(4326, WORLD_EPSG, always_xy=True).transform(longitude, latitude + 0.01)
    # The azimuth of true north in the grid is atan2(dx, dy); a true azimuth turns by as much.
    return -math.atan2(x1 - x_m, y1 - y_m)
