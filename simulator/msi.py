"""What Sentinel-2's MSI sees of the landscape: reflectance per band and a scene classification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from simulator.landscape import World, lattice_to_world, refine
from simulator.noise import FloatArray, fractal_noise, hash32, value_noise
from simulator.sky import Sky, Sun, Weather, sky_over, sun_at
from simulator.spectra import (
    MATERIALS,
    PHASES,
    S2_BANDS,
    S2_CENTRES_NM,
    S2_RESOLUTION_M,
    VIGOURS,
    Air,
    air,
    spectrum,
    surface_table,
)


@dataclass(frozen=True)
class Lattice:
    """Pixels of a granule.

    Attributes:
        epsg: A UTM zone.
        ulx_m: Upper left corner, a multiple of 60.
        uly_m: Upper left corner, a multiple of 60.
        rows: 10 m pixels from north to south, a multiple of 6.
        columns: 10 m pixels from west to east, a multiple of 6.
    """

    epsg: int
    ulx_m: int
    uly_m: int
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.rows % 6 or self.columns % 6 or min(self.rows, self.columns) < 6:
            raise ValueError(f"a granule of {self.rows} x {self.columns} pixels: both must be positive multiples of 6")
        if self.ulx_m % 10 or self.uly_m % 10:
            raise ValueError(f"corner {self.ulx_m}, {self.uly_m} does not lie on the 10 m lattice")

    @property
    def centre_deg(self) -> tuple[float, float]:
        """Longitude and latitude of the centre."""
        x, y = self.ulx_m + self.columns * 5, self.uly_m - self.rows * 5
        longitude, latitude = Transformer.from_crs(self.epsg, 4326, always_xy=True).transform(x, y)
        return float(longitude), float(latitude)


@dataclass(frozen=True)
class Ground:
    """The landscape on a granule's lattice.

    Attributes:
        lattice: The lattice.
        zone: uint8 (y, x), 10 m.
        state: uint16 (y, x), 10 m.
        brightness: float32 (y, x), 10 m.
        x_m: float64 (y, x): positions in EPSG:3035 of every sixth pixel, one more than fits in each direction.
        y_m: As `x_m`.
    """

    lattice: Lattice
    zone: NDArray[np.uint8]
    state: NDArray[np.uint16]
    brightness: FloatArray
    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """When and how a granule is seen.

    Attributes:
        time: Datatake start.
        weather: The sky; the same for every granule of a datatake.
        bias_seed: Smooth gain of the granule, up to 1.5 % either way; 0 for none.
        noise_seed: Detector noise.
        covered: Part of the granule inside the swath: 1 all, below 1 a diagonal edge leaves the rest without data,
            negative: only the part that its absolute value leaves out, with a little overlap.
    """

    time: datetime
    weather: Weather
    bias_seed: int
    noise_seed: int
    covered: float = 1.0


@dataclass(frozen=True)
class MsiImages:
    """A granule's images.

    Attributes:
        reflectance: Band name to float32 (y, x) at the band's own resolution; NaN outside the swath.
        scl: uint8 (y, x), 20 m, scene classification.
        cloud_percent: uint8 (y, x), 20 m, cloud probability 0..100.
        sun: At the centre.
    """

    reflectance: dict[str, FloatArray]
    scl: NDArray[np.uint8]
    cloud_percent: NDArray[np.uint8]
    sun: Sun


def look_at(world: World, lattice: Lattice) -> Ground:
    """Bring the landscape to a granule's lattice, nearest."""
    x, y = lattice_to_world(lattice.epsg, lattice.ulx_m, lattice.uly_m, lattice.rows, lattice.columns, 10)
    cells = world.cells_of(x, y)
    coarse_x, coarse_y = lattice_to_world(
        lattice.epsg, lattice.ulx_m, lattice.uly_m, lattice.rows // 6 + 1, lattice.columns // 6 + 1, 60
    )
    return Ground(
        lattice,
        world.zone.ravel()[cells],
        world.state.ravel()[cells],
        world.brightness.ravel()[cells],
        coarse_x,
        coarse_y,
    )


def observe(ground: Ground, moment: Moment, level: str) -> MsiImages:
    """Return the images of a granule.

    Args:
        ground: The landscape on the lattice.
        moment: When and how.
        level: `l2a` surface reflectance, `l1c` top of atmosphere.

    Returns:
        Reflectance per band (L2A without B10), classification and sun.
    """
    longitude, latitude = ground.lattice.centre_deg
    sun = sun_at(moment.time, longitude, latitude)
    sky = sky_over(moment.weather, sun, ground.x_m, ground.y_m)
    table = surface_table(moment.time.timetuple().tm_yday, S2_CENTRES_NM)
    atmosphere = air(S2_CENTRES_NM, moment.weather.haze) if level == "l1c" else None
    cloud = spectrum("cloud", S2_CENTRES_NM)
    gain = _gain(ground, moment.bias_seed)
    random = np.random.default_rng(int(hash32(moment.noise_seed, 77)[0]))
    reflectance: dict[str, FloatArray] = {}
    clear: dict[str, FloatArray] = {}
    for index, band in enumerate(S2_BANDS):
        if band == "B10" and atmosphere is None:
            continue
        step_m = S2_RESOLUTION_M[band]
        surface = _surface(ground, table[index], step_m)
        if band in ("B03", "B04", "B8A"):
            clear[band] = surface if step_m == 20 else _mean(surface, 2)
        image = _through_air(surface, sky, step_m, cloud[index], atmosphere, index)
        image *= _at(gain, image.shape, step_m)
        # Shot noise grows with the signal, read-out noise does not.
        image += random.standard_normal(image.shape, dtype=np.float32) * (
            np.float32(0.0009) + np.float32(0.007) * image
        )
        reflectance[band] = image
    scl, percent = _classify(ground, moment, sky, clear)
    outside = _outside(ground.lattice, moment.covered)
    if outside is not None:
        for band, image in reflectance.items():
            factor = S2_RESOLUTION_M[band] // 10
            image[outside[::factor, ::factor]] = np.nan
        scl[outside[::2, ::2]] = 0
        percent[outside[::2, ::2]] = 0
    return MsiImages(reflectance, scl, percent, sun)


def _surface(ground: Ground, table: FloatArray, step_m: int) -> FloatArray:
    stride = 2 if step_m == 60 else 1
    image = table[ground.state[::stride, ::stride]]
    image *= ground.brightness[::stride, ::stride]
    if step_m == 10:
        # The optics blur over about a pixel: edges between fields are mixed.
        padded = np.pad(image, 1, mode="edge")
        rows = padded[:-2] * np.float32(0.2) + padded[1:-1] * np.float32(0.6) + padded[2:] * np.float32(0.2)
        blurred: FloatArray = (
            rows[:, :-2] * np.float32(0.2) + rows[:, 1:-1] * np.float32(0.6) + rows[:, 2:] * np.float32(0.2)
        )
        return blurred
    return _mean(image, step_m // 10 // stride)


def _through_air(
    surface: FloatArray, sky: Sky, step_m: int, cloud: np.float32, atmosphere: Air | None, band: int
) -> FloatArray:
    opacity = _at(sky.cloud, surface.shape, step_m)
    ice = _at(sky.cirrus, surface.shape, step_m)
    lit = surface * _at(sky.shade, surface.shape, step_m)
    image: FloatArray
    if atmosphere is None:
        image = lit + (cloud - lit) * opacity
        image += (np.float32(0.5) * cloud - image) * ice
        return image
    path, through = atmosphere.path[band], atmosphere.transmittance[band]
    # Little water vapour lies above a cloud and next to none above cirrus: that is why B10 shows them.
    above_cloud, above_ice = through ** np.float32(0.35), through ** np.float32(0.12)
    image = path * (1 - np.float32(0.6) * opacity) + through * lit * (1 - opacity) + above_cloud * cloud * opacity
    image += (above_ice * np.float32(0.5) * cloud - image * np.float32(0.6)) * ice
    return image


def _classify(
    ground: Ground, moment: Moment, sky: Sky, clear: dict[str, FloatArray]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a scene classification as Sen2Cor would give it: mostly right."""
    shape = clear["B8A"].shape
    opacity, ice, shade = (_at(field, shape, 20) for field in (sky.cloud, sky.cirrus, sky.shade))
    lattice = ground.lattice
    columns = lattice.ulx_m + (np.arange(shape[1]) + 0.5) * 20
    rows = lattice.uly_m - (np.arange(shape[0]) + 0.5) * 20
    doubt = value_noise(moment.noise_seed + 5, columns, rows, 90)
    red, green, near = clear["B04"], clear["B03"], clear["B8A"]
    ndvi = (near - red) / (near + red)
    scl = np.full(shape, 5, dtype=np.uint8)
    scl[ndvi > 0.32 + 0.04 * doubt] = 4
    water_state = np.repeat([material.water for material in MATERIALS], PHASES * VIGOURS)
    dark = (near < 0.085) & (green < 0.07)
    scl[dark] = 2
    scl[water_state[ground.state[::2, ::2]] & (near < 0.10)] = 6
    scl[(red > 0.29) & (doubt > 0.6)] = 8
    scl[(opacity > 0.04) & (opacity < 0.18) & (doubt > 0)] = 7
    scl[shade < 0.80 + 0.05 * doubt] = 3
    scl[ice > 0.05 + 0.02 * doubt] = 10
    scl[opacity > 0.16 + 0.05 * doubt] = 8
    scl[opacity > 0.55 + 0.08 * doubt] = 9
    scl[(opacity > 0.97) & (doubt > 2.2)] = 11
    percent = np.clip(110 * opacity + 40 * ice + 4 * doubt, 0, 100).astype(np.uint8)
    return scl, percent


def _gain(ground: Ground, seed: int) -> FloatArray:
    if seed == 0:
        return np.ones(ground.x_m.shape, dtype=np.float32)
    x, y = ground.x_m[0], ground.y_m[:, 0]
    wave = np.tanh(fractal_noise(seed, x, y, 14000, 1))
    sign = 1 if seed % 2 else -1
    # Between 0.5 and 1.5 % to the granule's own side: two granules of a datatake differ by 1 to 3 %.
    gain: FloatArray = (1 + sign * (0.010 + 0.005 * wave)).astype(np.float32)
    return gain


def _outside(lattice: Lattice, covered: float) -> NDArray[np.bool_] | None:
    """Return the pixels without data, bool (y, x) in whole 60 m blocks, or None if there are none."""
    if covered >= 1:
        return None
    rows, columns = np.arange(lattice.rows // 6), np.arange(lattice.columns // 6)
    # The swath's edge runs from north-north-east to south-south-west.
    along = columns[None, :] + 0.21 * (rows[:, None] - len(rows) / 2)
    limit = abs(covered) * len(columns)
    outside = along > limit if covered > 0 else along < limit - 0.04 * len(columns)
    return np.repeat(np.repeat(outside, 6, axis=0), 6, axis=1)


def _mean(image: FloatArray, factor: int) -> FloatArray:
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    mean: FloatArray = image.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    return mean


def _at(field: FloatArray, shape: tuple[int, ...], step_m: int) -> FloatArray:
    return refine(field, shape[0], shape[1], 60 // step_m)
