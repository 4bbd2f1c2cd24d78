"""OLCI frames as candidates of an area: areas on both sides of the antimeridian."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer

from services.reprojection.process import process
from services.tiler.frame import PIXEL_M, Frame
from shared.area import Area
from shared.area.area import parse_area
from shared.items.item import Item
from shared.items.properties import FrameFacts
from shared.stage import Job, LocalItem, Settings, Task
from simulator.olci import observe_olci, swath_over
from simulator.sen3 import write_efr
from simulator.sen3_content import OlciContent
from simulator.sen3_xml import Sen3Name
from simulator.sky import Weather

START = datetime(2018, 6, 5, 22, 5, 31, tzinfo=UTC)
NAME = Sen3Name(
    "S3A", START, START + timedelta(seconds=10), datetime(2018, 6, 6, tzinfo=UTC), 31, 93, 1980, "NT", "003"
)
EARTH_M = 6_371_008.8


@pytest.fixture(scope="module")
def content() -> OlciContent:
    return observe_olci(1, swath_over(179.99, -16.80, 12000, START), Weather(3, 0.0), 5)


@pytest.fixture(scope="module")
def product(content: OlciContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_efr(tmp_path_factory.mktemp("fiji"), NAME, content)


def area_of(aoi: list[float]) -> Area:
    fields = {"name": "here", "aoi": aoi, "labels": "clc-level1", "label_year": 2018, "years": [2018]}
    return parse_area(fields, "test")


def reproject(product: Path, area: Area, folder: Path) -> LocalItem:
    """The frame's item on the lattice, with its files."""
    facts = FrameFacts(
        scene=product.stem,
        product=product.stem,
        product_version=(1, 3, ""),
        attribution="Contains Copernicus Sentinel data [2018]",
        product_type="EFR",
    )
    properties = {"datetime": "2018-06-05T22:05:31Z", "platform": "sentinel-3a"} | facts.properties()
    geometry = {"type": "Point", "coordinates": [180, -16.8]}
    delivered = Item(
        {"id": f"{product.stem}--v1-00000000", "collection": "sentinel-3-olci-l1b", "geometry": geometry}
        | {"bbox": [179, -17, -179, -16], "properties": properties, "assets": {}},
        "2018-W23",
    )
    frame = LocalItem(delivered, {p.stem: p for p in product.glob("*.nc")})
    folder.mkdir()
    made = process(Task(Job("", "", ""), (frame,), (), None, area, Settings(), folder))
    assets = {name: dict(asset.fields) for name, asset in made.assets.items()}
    json = {"id": f"{product.stem}--v2-00000000", "collection": "olci-grid"}
    item = Item(json | {"properties": dict(made.properties), "assets": assets}, "2018-W23")
    return LocalItem(item, {name: asset.path for name, asset in made.assets.items()})


@pytest.mark.parametrize("side", ["east", "west"])
def test_a_frame_over_the_antimeridian_serves_both_sides(
    side: str, product: Path, content: OlciContent, tmp_path: Path
) -> None:
    west, east = (-179.98, -179.95) if side == "east" else (179.95, 179.98)
    area = area_of([west, -16.84, east, -16.76])
    frame = Frame(area.grid, reproject(product, area, tmp_path / "out"))
    y, x, pixels = frame.pixels()
    rows, columns = np.nonzero(pixels.source)
    assert len(rows) > 0.9 * np.prod(area.grid.shape_px(PIXEL_M))
    assert frame.touched(y, x, pixels)
    longitude, latitude = Transformer.from_crs(area.grid.crs, "EPSG:4326", always_xy=True).transform(
        area.grid.bounds_m[0] + (columns + x.start + 0.5) * PIXEL_M,
        area.grid.bounds_m[3] - (rows + y.start + 0.5) * PIXEL_M,
    )
    for k in range(0, len(rows), 97):
        turn = np.radians((content.longitude_deg - longitude[k] + 180) % 360 - 180) * np.cos(np.radians(latitude[k]))
        distance_m = EARTH_M * np.hypot(turn, np.radians(content.latitude_deg - latitude[k]))
        near = content.radiance[16][distance_m < 600]
        assert np.abs(near - pixels.radiance[rows[k], columns[k], 16]).min() < 0.1
