"""One world for all sensors, and one that colour alone does not give away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyogrio
import pytest
from pyproj import Transformer
from rasterio import Affine
from rasterio.features import rasterize
from shapely import from_wkb

from shared.geo import MgrsTile
from simulator.clc import write_clc
from simulator.landscape import ZONE_CODES, build_world, lattice_to_world, zones_at
from simulator.msi import Lattice, Moment, MsiImages, look_at, observe
from simulator.olci import observe_olci, swath_over
from simulator.season import Site, granule_of
from simulator.sky import Weather
from simulator.spectra import S2_RESOLUTION_M

SEED = 11
TIME = datetime(2018, 6, 26, 9, 20, 31, tzinfo=UTC)
CLEAR = Moment(TIME, Weather(1, 0.0, 0.0), 0, 4)


def _bounds(side_m: float) -> tuple[float, float, float, float]:
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(24.0, 45.6)
    return x - side_m / 2, y - side_m / 2, x + side_m / 2, y + side_m / 2


def _granule(epsg: int, size: int) -> Lattice:
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(24.0, 45.6)
    return Lattice(epsg, round((x - size * 5) / 60) * 60, round((y + size * 5) / 60) * 60, size, size)


def test_a_window_does_not_change_the_world() -> None:
    west, south, east, north = _bounds(6000)
    whole = build_world(SEED, (west, south, east, north))
    part = build_world(SEED, (west + 1700, south + 900, east - 2100, north - 1300))
    row, column = round((whole.north_m - part.north_m) / 10), round((part.west_m - whole.west_m) / 10)
    rows, columns = part.zone.shape
    for name in ("zone", "state"):
        window = getattr(whole, name)[row : row + rows, column : column + columns]
        assert np.mean(window != getattr(part, name)) < 1e-3


def test_two_utm_zones_see_the_same_landscape() -> None:
    world = build_world(SEED, _bounds(9000))
    here, there = (look_at(world, _granule(epsg, 600)) for epsg in (32634, 32635))
    to_there = Transformer.from_crs(32634, 32635, always_xy=True)
    columns, rows = np.meshgrid(np.arange(100, 500, 7), np.arange(100, 500, 7))
    x, y = to_there.transform(here.lattice.ulx_m + columns * 10 + 5, here.lattice.uly_m - rows * 10 - 5)
    row = np.floor((there.lattice.uly_m - y) / 10).astype(int)
    column = np.floor((x - there.lattice.ulx_m) / 10).astype(int)
    # Half a pixel of play at the outlines.
    assert np.mean(here.zone[rows, columns] == there.zone[row, column]) > 0.97


def test_corine_agrees_with_the_landscape_but_not_at_every_edge(tmp_path: Path) -> None:
    bounds = _bounds(8000)
    path = write_clc(tmp_path, SEED, bounds)
    codes, west, north = zones_at(SEED, bounds, 25)
    _, _, geometry, fields = pyogrio.raw.read(path)
    shapes = zip(from_wkb(geometry), (int(code) for code in fields[0]), strict=True)
    labels = rasterize(shapes, codes.shape, transform=Affine(25, 0, west, 0, -25, north), dtype="int32")
    assert 0.80 < np.mean(labels == codes) < 0.99


def test_colour_alone_does_not_tell_the_classes() -> None:
    world = build_world(SEED, _bounds(13000))
    ground = look_at(world, _granule(32634, 900))
    features = _pixels(observe(ground, CLEAR, "l2a"), 3)
    classes = ground.zone[::3, ::3].ravel()
    train = np.arange(len(classes)) % 2 == 0
    present = np.unique(classes)
    spread = features.std(axis=0)
    centroids = np.stack([features[train & (classes == k)].mean(axis=0) for k in present])
    distance = (((features[~train, None] - centroids) / spread) ** 2).sum(axis=2)
    accuracy = np.mean(present[distance.argmin(axis=1)] == classes[~train])
    majority = np.bincount(classes).max() / len(classes)
    assert len(present) >= 10
    assert majority < accuracy < 0.75


def test_seasons_and_levels_are_plausible() -> None:
    world = build_world(SEED, _bounds(9000))
    ground = look_at(world, _granule(32634, 600))
    ndvi = {}
    for month in (3, 6):
        images = observe(ground, Moment(TIME.replace(month=month), Weather(1, 0.0, 0.0), 0, 4), "l2a").reflectance
        ndvi[month] = (images["B08"] - images["B04"]) / (images["B08"] + images["B04"])
    forest = np.isin(ZONE_CODES[ground.zone], (311,))
    assert ndvi[6][forest].mean() - ndvi[3][forest].mean() > 0.3
    surface, top = observe(ground, CLEAR, "l2a"), observe(ground, CLEAR, "l1c")
    assert "B10" not in surface.reflectance
    assert np.median(top.reflectance["B10"]) < 0.005
    assert np.median(top.reflectance["B01"]) > np.median(surface.reflectance["B01"]) + 0.05
    water = np.isin(ZONE_CODES[ground.zone], (511, 512))
    assert np.mean(surface.scl[water[::2, ::2]] == 6) > 0.85  # thin rivers have mixed banks


def test_clouds_are_bright_and_throw_shadows() -> None:
    world = build_world(SEED, _bounds(9000))
    ground = look_at(world, _granule(32634, 600))
    clear = observe(ground, CLEAR, "l2a")
    cloudy = observe(ground, Moment(TIME, Weather(9, 0.3, 0.0), 0, 4), "l2a")
    blue = cloudy.reflectance["B02"][::2, ::2]
    cloud, shadow = np.isin(cloudy.scl, (8, 9)), cloudy.scl == 3
    assert 0.05 < cloud.mean() < 0.7
    assert shadow.any()
    assert blue[cloud].mean() > 0.35
    assert np.median(cloudy.reflectance["B8A"][shadow] / clear.reflectance["B8A"][shadow]) < 0.85


def test_s2cloudless_finds_the_clouds() -> None:
    s2cloudless = pytest.importorskip("s2cloudless")
    ground = look_at(build_world(SEED, _bounds(9000)), _granule(32634, 600))
    images = observe(ground, Moment(TIME, Weather(9, 0.3, 0.0), 0, 4), "l1c")
    scl = images.scl[1::3, 1::3]
    bands = []
    for band in ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12"):
        factor = 60 // S2_RESOLUTION_M[band]
        bands.append(images.reflectance[band].reshape(len(scl), factor, scl.shape[1], factor).mean(axis=(1, 3)))
    detector = s2cloudless.S2PixelCloudDetector(threshold=0.4, average_over=1, dilation_size=0)
    found = detector.get_cloud_probability_maps(np.stack(bands, axis=-1)[np.newaxis])[0] > 0.4
    assert found[scl == 9].mean() > 0.9
    assert found[np.isin(scl, (4, 5, 6))].mean() < 0.25


def test_olci_and_msi_see_the_same_land() -> None:
    site = Site(32634, (730000.0, 5050020.0, 736000.0, 5056020.0), 0, SEED)
    _, lattice = granule_of(site, 0)
    x, y = lattice_to_world(lattice.epsg, lattice.ulx_m, lattice.uly_m, lattice.rows, lattice.columns, 10)
    images = observe(look_at(build_world(SEED, (x.min(), y.min(), x.max(), y.max())), lattice), CLEAR, "l1c")
    near = images.reflectance["B8A"]
    content = observe_olci(SEED, swath_over(*site.centre_deg, site.side_m, TIME), CLEAR.weather, 3)
    east, north = Transformer.from_crs(4326, lattice.epsg, always_xy=True).transform(
        content.longitude_deg, content.latitude_deg
    )
    row, column = ((lattice.uly_m - north) / 20).astype(int), ((east - lattice.ulx_m) / 20).astype(int)
    inside = (row > 8) & (row < near.shape[0] - 9) & (column > 8) & (column < near.shape[1] - 9)
    msi = np.array(
        [near[r - 7 : r + 8, c - 7 : c + 8].mean() for r, c in zip(row[inside], column[inside], strict=True)]
    )
    assert np.corrcoef(msi, content.radiance[16][inside])[0, 1] > 0.9


def _pixels(images: MsiImages, step: int) -> np.ndarray:
    bands = []
    for band in ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"):
        factor = S2_RESOLUTION_M[band] // 10
        image = np.repeat(np.repeat(images.reflectance[band], factor, axis=0), factor, axis=1)
        bands.append(image[::step, ::step].ravel())
    return np.stack(bands, axis=1)


@pytest.mark.parametrize(("epsg", "x", "y"), [(32633, 513_600, 8_680_740), (32632, 293_700, 6_697_500)])
def test_granules_of_svalbard_and_norway_have_names_that_exist(epsg: int, x: int, y: int) -> None:
    site = Site(epsg, (x - 3000, y - 3000, x + 3000, y + 3000), 0, SEED)
    tiles = [MgrsTile.parse(granule_of(site, tile)[0]) for tile in (0, 1)]
    assert tiles[0].epsg == epsg
    assert tiles[0] != tiles[1]
