"""One landscape, a function of seed and position in EPSG:3035: everything the simulated satellites look at.

Corine sees *zones* (several hundred metres, 25 ha and more). A pixel sees *materials*: a village is roofs, gardens
and streets, a mixed forest is two kinds of trees, arable land is parcels of this year's crops. The same material
occurs in several zones, so a zone is known by its pattern rather than by the colour of one pixel, as in reality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from simulator.noise import FloatArray, fractal_noise, hash32, uniform, value_noise
from simulator.spectra import MATERIAL_INDEX, PHASES, VIGOURS

Real = TypeVar("Real", np.float32, np.float64)

WORLD_EPSG = 3035
ZONE_SPACING_M = 850.0


@dataclass(frozen=True)
class Zone:
    """A Corine class and what it is made of.

    Attributes:
        code: Corine code.
        parcel_m: Width and length of its pieces, metres.
        mix: Material and share; shares add up to 1.
        organic_m: How far the outlines of the pieces are bent; 0 for ploughed land.
        rough: Brightness variation from pixel to pixel.
        mottled: Brightness variation over some 30 m.
    """

    code: int
    parcel_m: tuple[float, float]
    mix: tuple[tuple[str, float], ...]
    organic_m: float = 0.0
    rough: float = 0.04
    mottled: float = 0.05


ZONES = (
    Zone(112, (18, 24), (("roof", .28), ("grass", .26), ("asphalt", .24), ("broadleaf", .16), ("fallow", .06)), 0, .10),
    Zone(121, (70, 110), (("hall", .30), ("asphalt", .40), ("roof", .16), ("grass", .14)), 0, .06),
    Zone(211, (130, 420), (
        ("wheat", .34), ("maize", .28), ("sunflower", .14), ("rape", .10), ("lucerne", .07), ("fallow", .07),
    ), 0, .03, .05),
    Zone(221, (45, 260), (("vine", .72), ("grass", .14), ("fallow", .08), ("orchard", .06)), 0, .09, .05),
    Zone(231, (170, 230), (("grass", .78), ("lucerne", .10), ("shrub", .06), ("fallow", .06)), 25, .05, .09),
    Zone(242, (42, 130), (
        ("wheat", .16), ("maize", .20), ("lucerne", .14), ("grass", .20), ("vine", .10), ("orchard", .12),
        ("fallow", .08),
    ), 0, .05),
    Zone(311, (60, 75), (("broadleaf", .88), ("shrub", .06), ("grass", .03), ("conifer", .03)), 35, .13, .08),
    Zone(312, (60, 75), (("conifer", .86), ("broadleaf", .07), ("shrub", .07)), 35, .13, .08),
    Zone(313, (48, 60), (("conifer", .46), ("broadleaf", .48), ("shrub", .06)), 35, .13, .08),
    Zone(324, (34, 42), (
        ("shrub", .40), ("grass", .28), ("broadleaf", .20), ("conifer", .05), ("fallow", .07),
    ), 25, .10, .09),
    Zone(411, (50, 65), (("reed", .58), ("lake", .16), ("grass", .18), ("shrub", .08)), 40, .06, .10),
    Zone(511, (4000, 4000), (("river", 1.0),), 0, .03, .03),
    Zone(512, (4000, 4000), (("lake", 1.0),), 0, .03, .03),
)  # fmt: skip
ZONE_CODES = np.array([zone.code for zone in ZONES], dtype=np.int32)
_INDEX = {zone.code: index for index, zone in enumerate(ZONES)}


@dataclass(frozen=True)
class World:
    """The landscape on a north-up lattice of EPSG:3035.

    Attributes:
        west_m: Outer west edge, a multiple of `step_m`.
        north_m: Outer north edge, a multiple of `step_m`.
        step_m: Cell size.
        zone: uint8 (y, x), index into `ZONES`.
        state: uint16 (y, x), index into `surface_table`.
        brightness: float32 (y, x), factor near 1.
    """

    west_m: float
    north_m: float
    step_m: float
    zone: NDArray[np.uint8]
    state: NDArray[np.uint16]
    brightness: FloatArray

    def cells_of(self, x_m: NDArray[np.float64], y_m: NDArray[np.float64]) -> NDArray[np.int64]:
        """Flat index of the cell that holds each position; positions outside take the nearest cell."""
        rows, columns = self.zone.shape
        column = np.clip(np.floor((x_m - self.west_m) / self.step_m).astype(np.int64), 0, columns - 1)
        row = np.clip(np.floor((self.north_m - y_m) / self.step_m).astype(np.int64), 0, rows - 1)
        index: NDArray[np.int64] = row * columns + column
        return index


def build_world(seed: int, bounds_m: tuple[float, float, float, float], step_m: float = 10.0) -> World:
    """Evaluate the landscape over a window.

    Args:
        seed: Which landscape.
        bounds_m: West, south, east, north in EPSG:3035; snapped outwards to the step.
        step_m: Cell size; a coarser world holds the same landscape, sampled at cell centres.

    Returns:
        The world.
    """
    west = math.floor(bounds_m[0] / step_m) * step_m
    north = math.ceil(bounds_m[3] / step_m) * step_m
    columns = math.ceil((bounds_m[2] - west) / step_m)
    rows = math.ceil((north - bounds_m[1]) / step_m)
    x_m = west + (np.arange(columns, dtype=np.float64) + 0.5) * step_m
    y_m = north - (np.arange(rows, dtype=np.float64) + 0.5) * step_m
    zone = np.empty((rows, columns), dtype=np.uint8)
    state = np.empty((rows, columns), dtype=np.uint16)
    brightness = np.empty((rows, columns), dtype=np.float32)
    # Blocks of rows: the temporaries stay in cache and memory stays flat.
    for start in range(0, rows, 256):
        part = slice(start, min(start + 256, rows))
        zone[part], state[part], brightness[part] = _evaluate(seed, x_m, y_m[part])
    return World(west, north, step_m, zone, state, brightness)


def zones_at(
    seed: int, bounds_m: tuple[float, float, float, float], step_m: float
) -> tuple[NDArray[np.int32], float, float]:
    """Corine codes int32 (y, x) over a window of EPSG:3035, and the window's west and north edge."""
    world = build_world(seed, bounds_m, step_m)
    return ZONE_CODES[world.zone], world.west_m, world.north_m


def lattice_to_world(
    epsg: int, ulx_m: float, uly_m: float, rows: int, columns: int, step_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel centres of a lattice in EPSG:3035.

    Projecting each of millions of pixels is slow; every 64th is enough, since between them the projection is linear
    to better than a centimetre.

    Returns:
        x and y, float64 (y, x), metres.
    """
    every = 64
    coarse_rows = np.arange(0, rows + every, every, dtype=np.float64)
    coarse_columns = np.arange(0, columns + every, every, dtype=np.float64)
    x, y = np.meshgrid(ulx_m + (coarse_columns + 0.5) * step_m, uly_m - (coarse_rows + 0.5) * step_m)
    xs, ys = Transformer.from_crs(epsg, WORLD_EPSG, always_xy=True).transform(x, y)
    return refine(np.asarray(xs), rows, columns, every), refine(np.asarray(ys), rows, columns, every)


def refine(coarse: NDArray[Real], rows: int, columns: int, every: int) -> NDArray[Real]:
    """Linear interpolation of (y, x) nodes that lie `every` pixels apart, from pixel 0, to all pixels."""
    row, row_t = np.divmod(np.arange(rows), every)
    column, column_t = np.divmod(np.arange(columns), every)
    row_t = (row_t / every).astype(coarse.dtype)[:, None]
    column_t = (column_t / every).astype(coarse.dtype)[None, :]
    narrow = coarse[row] + (coarse[row + 1] - coarse[row]) * row_t
    left = narrow[:, column]
    fine: NDArray[Real] = left + (narrow[:, column + 1] - left) * column_t
    return fine


def _evaluate(
    seed: int, x_m: NDArray[np.float64], y_m: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], FloatArray]:
    bend_x = 230 * value_noise(seed + 1, x_m, y_m, 620) + 45 * value_noise(seed + 2, x_m, y_m, 140)
    bend_y = 230 * value_noise(seed + 3, x_m, y_m, 620) + 45 * value_noise(seed + 4, x_m, y_m, 140)
    site_column, site_row = _nearest_site(seed, x_m, y_m, bend_x, bend_y)
    c0, r0 = int(site_column.min()), int(site_row.min())
    columns = np.arange(c0, int(site_column.max()) + 1)
    rows = np.arange(r0, int(site_row.max()) + 1)
    kinds = _site_zones(seed, columns, rows)
    site = (site_row - r0) * len(columns) + (site_column - c0)
    zone = kinds.ravel()[site]
    stream = fractal_noise(seed + 21, x_m, y_m, 7000, 3)
    zone = np.where((np.abs(stream) < 0.028) & (zone != _INDEX[512]), np.uint8(_INDEX[511]), zone)
    site_hash = hash32(seed + 31, rows[:, None], columns[None, :]).ravel()
    site_x, site_y = np.tile(columns * ZONE_SPACING_M, len(rows)), np.repeat(rows * ZONE_SPACING_M, len(columns))
    pieces = _parcels(seed, x_m, y_m, zone, site, site_x, site_y, site_hash)
    material = _material_table()[zone, pieces & np.uint32(255)]
    phase = (pieces >> np.uint32(8)) % np.uint32(PHASES)
    vigour = (pieces >> np.uint32(14)) % np.uint32(VIGOURS)
    state = ((material * PHASES + phase) * VIGOURS + vigour).astype(np.uint16)
    rough = np.array([z.rough for z in ZONES], dtype=np.float32)[zone]
    mottled = np.array([z.mottled for z in ZONES], dtype=np.float32)[zone]
    cells_x, cells_y = np.floor(x_m / 10), np.floor(y_m / 10)
    grain = (uniform(seed + 41, cells_y[:, None], cells_x[None, :]) - np.float32(0.5)) * np.float32(3.46)
    brightness = 1 + rough * grain + mottled * value_noise(seed + 42, x_m, y_m, 32)
    # Soils and moisture change over kilometres: it moves whole fields, and blurs what colour alone could tell.
    brightness *= 1 + np.float32(0.08) * fractal_noise(seed + 43, x_m, y_m, 1800, 2)
    return zone, state, np.clip(brightness, 0.35, 1.9).astype(np.float32)


def _nearest_site(
    seed: int, x_m: NDArray[np.float64], y_m: NDArray[np.float64], bend_x: FloatArray, bend_y: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Column and row of the jittered site nearest to each bent position: a Voronoi diagram without a tree."""
    # Relative to a whole cell near the window: float32 would be too coarse for millions of metres.
    base_column, base_row = math.floor(x_m.min() / ZONE_SPACING_M), math.floor(y_m.min() / ZONE_SPACING_M)
    u = (x_m / ZONE_SPACING_M - base_column).astype(np.float32)[None, :] + bend_x / np.float32(ZONE_SPACING_M)
    v = (y_m / ZONE_SPACING_M - base_row).astype(np.float32)[:, None] + bend_y / np.float32(ZONE_SPACING_M)
    cell_u, cell_v = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    u0, v0 = int(cell_u.min()) - 1, int(cell_v.min()) - 1
    columns = np.arange(u0, int(cell_u.max()) + 2)
    rows = np.arange(v0, int(cell_v.max()) + 2)
    site_u = columns[None, :] + uniform(seed + 11, rows[:, None] + base_row, columns[None, :] + base_column)
    site_v = rows[:, None] + uniform(seed + 12, rows[:, None] + base_row, columns[None, :] + base_column)
    site_u, site_v = site_u.astype(np.float32).ravel(), site_v.astype(np.float32).ravel()
    centre = (cell_v - v0) * len(columns) + (cell_u - u0)
    best = np.full(u.shape, np.inf, dtype=np.float32)
    best_site = centre.copy()
    for offset in (dr * len(columns) + dc for dr in (-1, 0, 1) for dc in (-1, 0, 1)):
        candidate = centre + offset
        distance = (site_u[candidate] - u) ** 2 + (site_v[candidate] - v) ** 2
        closer = distance < best
        np.copyto(best, distance, where=closer)
        np.copyto(best_site, candidate, where=closer)
    row, column = np.divmod(best_site, len(columns))
    return (column + u0 + base_column).astype(np.int64), (row + v0 + base_row).astype(np.int64)


def _site_zones(seed: int, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Zone index uint8 (row, column) of each site: hills carry forest, hollows water, plains fields and villages."""
    x_m, y_m = (columns + 0.5) * ZONE_SPACING_M, (rows + 0.5) * ZONE_SPACING_M
    height = fractal_noise(seed + 51, x_m, y_m, 5200, 2)
    wet = fractal_noise(seed + 52, x_m, y_m, 4300, 2)
    draw = uniform(seed + 53, rows[:, None], columns[None, :])
    other = uniform(seed + 54, rows[:, None], columns[None, :])
    plain = _pick(
        draw, ((211, 0.46), (231, 0.15), (242, 0.12), (221, 0.08), (112, 0.10), (121, 0.03), (311, 0.04), (324, 0.02))
    )
    hill = _pick(draw, ((311, 0.36), (312, 0.30), (313, 0.20), (324, 0.07), (231, 0.07)))
    hollow = _pick(draw, ((411, 0.42), (512, 0.34), (231, 0.16), (324, 0.08)))
    # Soft limits: a forest on the plain and a field on the hill exist too.
    zones = np.where(height + 0.6 * (other - 0.5) > 0.45, hill, plain)
    zones = np.where(wet - 0.4 * height + 0.6 * (other - 0.5) > 1.25, hollow, zones)
    return zones.astype(np.uint8)


def _pick(draw: FloatArray, shares: tuple[tuple[int, float], ...]) -> NDArray[np.uint8]:
    limits = np.cumsum([share for _, share in shares])[:-1]
    return np.array([_INDEX[code] for code, _ in shares], dtype=np.uint8)[np.searchsorted(limits, draw, side="right")]


def _parcels(
    seed: int,
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    zone: NDArray[np.uint8],
    site: NDArray[np.int64],
    site_x: NDArray[np.float64],
    site_y: NDArray[np.float64],
    site_hash: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """32 random bits per parcel, (y, x): rectangles in a frame that each site turns and scales its own way."""
    angle = (site_hash & np.uint32(255)).astype(np.float32) * np.float32(math.pi / 256)
    scale = 0.75 + (site_hash >> np.uint32(8) & np.uint32(255)).astype(np.float32) / np.float32(400)
    cosine, sine, size = np.cos(angle)[site], np.sin(angle)[site], scale[site]
    # Relative to the site: the same in every window, and small enough for float32.
    x = (x_m - float(x_m[0])).astype(np.float32)[None, :] - (site_x - x_m[0]).astype(np.float32)[site]
    y = (y_m - float(y_m[0])).astype(np.float32)[:, None] - (site_y - y_m[0]).astype(np.float32)[site]
    organic = np.array([z.organic_m for z in ZONES], dtype=np.float32)[zone]
    width = np.array([z.parcel_m[0] for z in ZONES], dtype=np.float32)[zone] * size
    length = np.array([z.parcel_m[1] for z in ZONES], dtype=np.float32)[zone] * size
    u = x * cosine + y * sine + organic * value_noise(seed + 61, x_m, y_m, 55)
    v = y * cosine - x * sine + organic * value_noise(seed + 62, x_m, y_m, 55)
    return hash32(seed + 63, site_hash[site], np.floor(u / width), np.floor(v / length))


def _material_table() -> NDArray[np.uint8]:
    table = np.empty((len(ZONES), 256), dtype=np.uint8)
    for index, zone in enumerate(ZONES):
        limits = np.cumsum([share for _, share in zone.mix])[:-1]
        names = [MATERIAL_INDEX[name] for name, _ in zone.mix]
        table[index] = np.array(names, dtype=np.uint8)[np.searchsorted(limits, np.arange(256) / 256, side="right")]
    return table
