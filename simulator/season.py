"""A season over a study area: a plan as pure data, and the writer of what it says.

The plan holds what makes a real stream hard: two MGRS tiles in different UTM zones, baselines with and without the
offset, granules of one datatake that differ smoothly, one acquisition as L1C and as L2A, twin products, a
reprocessed product, OLCI frames that overlap, and a near-real-time frame replaced by its final version.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
from pyproj import Transformer

from shared.geo.mgrs import has_zone, latitude_band, square_letters, utm_epsg
from simulator.clc import write_clc
from simulator.landscape import WORLD_EPSG, build_world, lattice_to_world
from simulator.msi import Lattice, Moment, look_at, observe
from simulator.olci import observe_olci, swath_over
from simulator.safe import SafeContent, encode_dn, write_l1c, write_l2a
from simulator.safe_names import SafeName
from simulator.sen3 import write_efr
from simulator.sen3_content import LINE_S
from simulator.sen3_xml import Sen3Name
from simulator.sky import Weather

Bounds = tuple[float, float, float, float]
Kind = Literal["s2-l2a", "s2-l1c", "s3-olci", "clc"]


@dataclass(frozen=True)
class Site:
    """Where a season happens.

    Attributes:
        epsg: CRS of the area's grid.
        bounds_m: West, south, east, north there.
        size_px: Side of the granules in 10 m pixels, or 0: as large as it takes to cover the bounds.
        seed: Which landscape.
    """

    epsg: int
    bounds_m: Bounds
    size_px: int = 0
    seed: int = 0

    @property
    def centre_deg(self) -> tuple[float, float]:
        """Longitude and latitude of the centre."""
        west, south, east, north = self.bounds_m
        to_degrees = Transformer.from_crs(self.epsg, 4326, always_xy=True)
        longitude, latitude = to_degrees.transform((west + east) / 2, (south + north) / 2)
        return float(longitude), float(latitude)

    @property
    def side_m(self) -> float:
        """The longer side of the bounds."""
        west, south, east, north = self.bounds_m
        return max(east - west, north - south)


@dataclass(frozen=True)
class Acquisition:
    """One product of a plan.

    Attributes:
        kind: What it is.
        time: Start of the datatake or frame.
        platform: `S2A`, `S3B`, ...
        tile: Sentinel-2: 0 the tile of the area's own zone, 1 the one of the neighbouring zone.
        baseline: Sentinel-2 baseline, or OLCI collection.
        cover: Share of clouds.
        generated: When it was processed.
        covered: Part inside the swath, see `Moment.covered`.
        shift: OLCI: part of the area by which the frame is moved along its track.
        timeliness: OLCI: `NR` or `NT`.
        nadir_column: OLCI: where the satellite passes.
        why: What it is in the plan for.
    """

    kind: Kind
    time: datetime
    platform: str = ""
    tile: int = 0
    baseline: str = ""
    cover: float = 0.0
    generated: datetime = datetime(2020, 6, 13, tzinfo=UTC)
    covered: float = 1.0
    shift: float = 0.0
    timeliness: str = "NT"
    nadir_column: float = 40.0
    why: str = ""


def week_time(year: int, week: int, weekday: int, hour: int, minute: int, second: int = 31) -> datetime:
    """Return a time in an ISO week, UTC; weekday 1 is Monday."""
    day = datetime.fromisocalendar(year, week, weekday)
    return day.replace(hour=hour, minute=minute, second=second, microsecond=24000, tzinfo=UTC)


def plan_season(year: int, level: str = "l2a", products: int | None = None) -> list[Acquisition]:
    """Plan what is acquired in a season.

    Args:
        year: ISO year.
        level: Level of the area, `l2a` or `l1c`: the level of most products.
        products: So many, the most telling first (6: three of Sentinel-2, two of OLCI, one of Corine); more than the 20
            that tell something are further weeks of both tiles and of OLCI; None for the 20.

    Returns:
        The acquisitions, in order of importance.
    """
    main: Kind = "s2-l2a" if level == "l2a" else "s2-l1c"
    other: Kind = "s2-l1c" if level == "l2a" else "s2-l2a"

    def s2(
        week: int, tile: int, baseline: str, cover: float, why: str, platform: str = "S2A", weekday: int = 2
    ) -> Acquisition:
        time = week_time(year, week, weekday, 9, 20)
        return Acquisition(
            main, time, platform, tile, baseline, cover, time + timedelta(hours=3, minutes=11, seconds=7), why=why
        )

    def olci(week: int, weekday: int, why: str, platform: str = "S3A", cover: float = 0.12) -> Acquisition:
        time = week_time(year, week, weekday, 8, 41 + 3 * weekday, 2)
        return Acquisition("s3-olci", time, platform, 0, "002", cover, time + timedelta(hours=30, seconds=11), why=why)

    modern, old = "0500", "0206"
    june = s2(22, 0, old, 0.08, "old baseline, no offset")
    july = s2(30, 0, modern, 0.12, "one datatake, first tile", "S2B")
    september = olci(38, 2, "final version of the frame")
    both = s2(18, 0, old, 0.15, "an acquisition at both levels", "S2B")
    twin = s2(26, 0, modern, 0.10, "twin products: one part of the granule", "S2A", 4)
    plan = [
        june,
        s2(26, 1, modern, 0.10, "neighbouring UTM zone, with offset"),
        olci(26, 2, "frame over the whole area"),
        Acquisition("clc", datetime(year, 1, 1, tzinfo=UTC), why="labels"),
        s2(30, 0, modern, 0.38, "cloudy", "S2A", 5),
        replace(olci(26, 3, "overlapping frame of the same week", "S3B"), shift=0.35, nadir_column=-2400.0),
        july,
        replace(july, tile=1, why="one datatake, second tile"),
        replace(twin, covered=0.55),
        replace(
            twin, covered=-0.55, generated=twin.generated + timedelta(minutes=17), why="twin products: the other part"
        ),
        replace(
            june, baseline=modern, generated=datetime(max(year, 2022) + 1, 4, 2, 5, 6, 7, tzinfo=UTC), why="reprocessed"
        ),
        s2(14, 1, old, 0.22, "spring, cloudy"),
        both,
        replace(both, kind=other, generated=both.generated - timedelta(minutes=55), why="the same at the other level"),
        replace(
            september, timeliness="NR", generated=september.time + timedelta(hours=2, minutes=40), why="near real time"
        ),
        september,
        s2(38, 0, modern, 0.15, "autumn, swath's edge", "S2B"),
        replace(olci(34, 4, "later collection, other flags", "S3B"), baseline="003"),
        s2(34, 1, modern, 0.06, "late summer"),
        s2(14, 0, old, 0.22, "spring, one datatake with the other tile"),
    ]
    plan[16] = replace(plan[16], covered=0.8)
    if products is None:
        return plan
    for week in range(10, 47):
        cover = 0.05 + 0.03 * (week % 8)
        plan += [s2(week, tile, modern, cover, "a further week", "S2B", 3) for tile in (0, 1)]
        plan.append(olci(week, 6, "a further week"))
    return plan[: max(products, 0)]


def granule_of(site: Site, tile: int) -> tuple[str, Lattice]:
    """MGRS tile and lattice of a granule that covers the site.

    Args:
        site: The area.
        tile: 0 in the area's own UTM zone, 1 in the neighbouring one; far from a zone's border the latter is the
            neighbouring square of the same zone, since no tile of another zone reaches there.

    Returns:
        Name such as `T34TGR`, and the crop of it that covers the site.
    """
    longitude, latitude = site.centre_deg
    epsg = site.epsg if 32601 <= site.epsg <= 32660 or 32701 <= site.epsg <= 32760 else utm_epsg(longitude, latitude)
    zone, square_step = epsg % 100, 0
    if tile:
        own_centre = zone * 6 - 183
        beside = (zone if longitude > own_centre else zone - 2) % 60 + 1
        x, _ = Transformer.from_crs(4326, epsg - zone + beside, always_xy=True).transform(longitude, latitude)
        if 120_000 < x < 880_000 and has_zone(latitude_band(latitude), beside):
            epsg, zone = epsg - zone + beside, beside
        else:
            square_step = 1 if longitude < own_centre else -1
    west, south, east, north = site.bounds_m
    edge = np.linspace(0, 1, 9)
    ring_x = np.concatenate([west + (east - west) * edge] * 2 + [np.full(9, west), np.full(9, east)])
    ring_y = np.concatenate([np.full(9, south), np.full(9, north)] + [south + (north - south) * edge] * 2)
    xs, ys = Transformer.from_crs(site.epsg, epsg, always_xy=True).transform(ring_x, ring_y)
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    if site.size_px:
        side_m = site.size_px * 10
        ulx = round(((x0 + x1) / 2 - side_m / 2) / 60) * 60
        uly = round(((y0 + y1) / 2 + side_m / 2) / 60) * 60
        rows = columns = site.size_px
    else:
        ulx, uly = math.floor(x0 / 60) * 60, math.ceil(y1 / 60) * 60
        rows, columns = math.ceil((uly - y0) / 60) * 6, math.ceil((x1 - ulx) / 60) * 6
    easting = min(max(int((x0 + x1) / 2 // 100_000) + square_step, 1), 8)
    column, row = square_letters(zone, easting, int((y0 + y1) / 2 // 100_000))
    return f"T{zone:02d}{latitude_band(latitude)}{column}{row}", Lattice(epsg, ulx, uly, rows, columns)


def write_season(site: Site, plan: list[Acquisition], out: Path, workers: int = 2) -> Iterator[Path]:
    """Write the products of a plan, in its order.

    Args:
        site: The area.
        plan: What to write.
        out: Folder.
        workers: Processes; products do not depend on each other.

    Yields:
        The path of each product.
    """
    out.mkdir(parents=True, exist_ok=True)
    if workers < 2 or len(plan) < 2:
        for acquisition in plan:
            yield write_acquisition(site, acquisition, out)
        return
    # Spawned, not forked: GDAL's and HDF5's threads and locks must not be copied half-way.
    with ProcessPoolExecutor(min(workers, len(plan)), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(write_acquisition, site, acquisition, out) for acquisition in plan]
        for future in futures:
            yield future.result()


def write_acquisition(site: Site, acquisition: Acquisition, out: Path) -> Path:
    """Write one product; the same arguments give the same bytes."""
    if acquisition.kind == "clc":
        return write_clc(out, site.seed, _world_bounds(site, 2500))
    if acquisition.kind == "s3-olci":
        return _write_olci(site, acquisition, out)
    return _write_s2(site, acquisition, out)


def _write_s2(site: Site, acquisition: Acquisition, out: Path) -> Path:
    mgrs_tile, lattice = granule_of(site, acquisition.tile)
    level = "L2A" if acquisition.kind == "s2-l2a" else "L1C"
    relative_orbit = 93 if acquisition.platform == "S2A" else 136
    name = SafeName(
        acquisition.platform, level, acquisition.time, acquisition.baseline, relative_orbit,
        _s2_orbit(acquisition.platform, acquisition.time, relative_orbit), mgrs_tile, acquisition.generated,
    )  # fmt: skip
    x, y = lattice_to_world(lattice.epsg, lattice.ulx_m, lattice.uly_m, lattice.rows, lattice.columns, 10)
    world = build_world(site.seed, (x.min() - 20, y.min() - 20, x.max() + 20, y.max() + 20))
    # A gain of its own per granule and datatake; the clouds belong to the datatake, whatever the tile or version.
    gain = 2 * derive(site.seed, "gain", acquisition.time.isoformat()) + acquisition.tile + 1
    moment = Moment(
        acquisition.time, _weather(site, acquisition), gain,
        derive(site.seed, "noise", name.mgrs_tile, acquisition.time.isoformat()), acquisition.covered,
    )  # fmt: skip
    images = observe(look_at(world, lattice), moment, level.lower())
    dn = {band: encode_dn(image, name.offset) for band, image in images.reflectance.items()}
    content = SafeContent(lattice, dn, images.sun, images.scl, images.cloud_percent)
    return (write_l2a if level == "L2A" else write_l1c)(out, name, content)


def _s2_orbit(platform: str, time: datetime, relative_orbit: int) -> int:
    """Absolute orbit: 143 orbits in ten days, counted so that the relative orbit comes out right."""
    # Known pairs: S2A 13204 is relative orbit 51 on 2018-01-01, S2B 20270 is 81 on 2021-01-22.
    known, known_relative, day = (
        (20270, 81, datetime(2021, 1, 22, tzinfo=UTC))
        if platform == "S2B"
        else (13204, 51, datetime(2018, 1, 1, tzinfo=UTC))
    )
    near = known + round((time - day).days * 14.3)
    return max(near + (relative_orbit - known_relative - (near - known)) % 143, 1)


def _write_olci(site: Site, acquisition: Acquisition, out: Path) -> Path:
    longitude, latitude = site.centre_deg
    swath = swath_over(longitude, latitude, site.side_m, acquisition.time, acquisition.shift, acquisition.nadir_column)
    orbit = derive(site.seed, "orbit", acquisition.time.isoformat()) % 385 + 1
    launch = datetime(2016, 2, 23, tzinfo=UTC) if acquisition.platform == "S3A" else datetime(2018, 5, 8, tzinfo=UTC)
    name = Sen3Name(
        acquisition.platform, acquisition.time, acquisition.time + timedelta(seconds=LINE_S * (swath.rows - 1)),
        acquisition.generated, cycle=max((acquisition.time - launch).days // 27 + 1, 1), relative_orbit=orbit,
        frame=2160,
        timeliness=acquisition.timeliness, collection=acquisition.baseline,
    )  # fmt: skip
    # The near-real-time version is calibrated with older gains.
    gain = 0.994 if acquisition.timeliness == "NR" else 1.0
    noise = derive(site.seed, "noise", acquisition.time.isoformat())
    return write_efr(out, name, observe_olci(site.seed, swath, _weather(site, acquisition), noise, gain))


def derive(seed: int, *parts: str) -> int:
    """Return a number below 2^20 that a seed and some words determine."""
    return int.from_bytes(hashlib.sha256("/".join([str(seed), *parts]).encode()).digest()[:4], "big") % 2**20


def _weather(site: Site, acquisition: Acquisition) -> Weather:
    seed = derive(site.seed, "weather", acquisition.time.isoformat())
    return Weather(seed, acquisition.cover, cirrus=0.04, height_m=1600 + seed % 1400, haze=0.7 + (seed % 97) / 120)


def _world_bounds(site: Site, margin_m: float) -> Bounds:
    west, south, east, north = site.bounds_m
    to_world = Transformer.from_crs(site.epsg, WORLD_EPSG, always_xy=True)
    x0, y0, x1, y1 = to_world.transform_bounds(west, south, east, north)
    return x0 - margin_m, y0 - margin_m, x1 + margin_m, y1 + margin_m
