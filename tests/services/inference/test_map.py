"""A map as a whole: from the cube over real gRPC to files and an item."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rio_cogeo import cog_validate

from services.inference.connect import embedded
from services.inference.process import process
from services.inference.stage import InferenceSettings
from shared.area import Area, load_area
from shared.items.item import Item
from shared.items.properties import ModelFacts
from shared.raster.applicability import PREDICTORS, Applicability, write_applicability
from shared.stage import Job, LocalItem, RejectScene, RetryLater, Source, Task
from tests.services.inference.conftest import ROOT, Served, rule
from tests.services.trainer.fake_cube import FakeCube

WEEK = "2018-W25"


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(ROOT / "examples" / "areas" / "small.yaml")


@pytest.fixture(scope="module")
def cube(area: Area) -> FakeCube:
    return FakeCube(area)


def make_task(
    area: Area,
    cube: FakeCube,
    folder: Path,
    settings: InferenceSettings,
    version: int = 3,
    model_tar: Path | None = None,
) -> Task:
    facts = ModelFacts(
        cube_state="0" * 64,
        training={},
        snapshot="",
        model_name="rule",
        model_version=version,
        weights_sha256="",
        probe_sha256="",
        weeks=(WEEK,),
        windows={},
        metrics={},
        folds={},
        determinism={},
        classes={},
        attribution="",
    )
    properties = facts.properties()
    model = Item({"id": "small--v1-0000000a", "collection": "models", "properties": properties, "assets": {}}, "static")
    parameters = {"sheet": [0, 0], "ledger": cube.ledger_digest((0, 0), WEEK, "msi")}
    job = Job("land-cover-maps", "small_x", WEEK, (Source(model, ("model",)),), parameters)
    folder.mkdir(exist_ok=True)
    paths = {"model": model_tar} if model_tar else {}
    return Task(job, (LocalItem(model, paths),), (), None, area, settings, folder, cube)  # type: ignore[arg-type]


def inside_by_hand(area: Area) -> np.ndarray:
    """The pixels whose centres lie in the AOI, a box of longitudes and latitudes here."""
    west, south, east, north = area.polygon.bounds
    ny, nx = area.grid.shape_px(10)
    x = area.grid.origin_x_m + (np.arange(nx) + 0.5) * 10
    y = area.grid.origin_y_m - (np.arange(ny) + 0.5) * 10
    lon, lat = Transformer.from_crs(area.grid.crs, 4326, always_xy=True).transform(*np.meshgrid(x, y))
    return (lon > west) & (lon < east) & (lat > south) & (lat < north)


def test_a_map_over_a_given_server(area: Area, cube: FakeCube, served: Served, tmp_path: Path) -> None:
    settings = InferenceSettings(serving_address=served.address)
    result = process(make_task(area, cube, tmp_path / "a", settings))
    expected = rule(cube.msi_10m[WEEK])
    with rasterio.open(tmp_path / "a" / "land_cover.tif") as image:
        assert (image.read(1) == expected).all()
        assert image.shape == (1024, 1024)
        assert image.bounds == tuple(map(float, area.grid.bounds_m))
    with rasterio.open(tmp_path / "a" / "confidence.tif") as image:
        assert (image.read(1) == np.where(expected > 0, 80, 255)).all()
    assert set(result.assets) == {"land_cover", "land_cover_aux", "confidence", "quicklook"}
    assert result.assets["land_cover_aux"].beside == "land_cover"
    properties = json.loads(json.dumps(result.properties, allow_nan=False))
    assert properties["datetime"] is None
    assert properties["start_datetime"] == "2018-06-18T00:00:00Z"
    assert properties["landstream:sheet"] == [0, 0]
    assert properties["landstream:model"] == "small--v1-0000000a"
    inside = inside_by_hand(area)
    assert 0.5 < inside.mean() < 1, "the grid reaches beyond the AOI"
    seen = expected[inside]
    assert properties["landstream:observed_percent"] == round(100 * float((seen > 0).mean()), 3) < 100
    assert properties["landstream:aoi_ha"] == round(inside.sum() / 100, 2)
    assert properties["landstream:observed_ha"] == round(int((seen > 0).sum()) / 100, 2)
    for value, said in properties["landstream:classes"].items():
        assert said["pixels"] == (seen == int(value)).sum()
        assert said["area_km2"] == round(said["pixels"] * 1e-4, 4)
    west, south, east, north = result.bbox
    aoi = area.polygon.bounds
    assert west <= aoi[0] < aoi[2] <= east
    assert south <= aoi[1] < aoi[3] <= north

    process(make_task(area, cube, tmp_path / "b", settings))
    for name in ("land_cover.tif", "land_cover.tif.aux.xml", "confidence.tif", "quicklook.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_map_that_says_where_it_applies(area: Area, cube: FakeCube, served: Served, tmp_path: Path) -> None:
    points = np.full((2, len(PREDICTORS)), 3000, np.int64)
    points[1, 0] += 2
    ones = np.ones(len(PREDICTORS))
    # Only the blue band counts: what lies from 2500 to 3500 is inside.
    known = Applicability(ones * 3000, ones, ones * (np.arange(len(PREDICTORS)) == 0), points, 1.0, 500.0)
    (tmp_path / "applicability.json").write_bytes(write_applicability(known))
    task = make_task(area, cube, tmp_path / "a", InferenceSettings(serving_address=served.address))
    job = Job(**{**vars(task.job), "parameters": {**task.job.parameters, "applicability": True}})
    model = LocalItem(task.inputs[0].item, {"applicability": tmp_path / "applicability.json"})
    result = process(Task(**{**vars(task), "job": job, "inputs": (model,)}))

    blue = cube.msi_10m[WEEK][..., 0].reshape(256, 4, 256, 4).astype(float)
    count = (blue > 0).sum(axis=(1, 3))
    mean = blue.sum(axis=(1, 3)) / np.maximum(count, 1)
    expected = np.ceil(np.minimum(abs(mean - 3000), abs(mean - 3002)) / 5)
    expected = np.where(count > 0, np.minimum(expected, 254), 255)
    with rasterio.open(tmp_path / "a" / "applicability.tif") as image:
        layer = image.read(1)
        assert image.shape == (256, 256)
        assert image.bounds == tuple(map(float, area.grid.bounds_m))
        assert image.nodata == 255
        assert image.overviews(1)
    assert (abs(layer.astype(int) - expected) <= 1).all(), "but for the last bit of a division"
    assert cog_validate(tmp_path / "a" / "applicability.tif", strict=True, quiet=True)[0]
    asset = result.assets["applicability"]
    assert asset.fields["proj:shape"] == [256, 256]
    assert asset.fields["proj:transform"][0] == asset.fields["gsd"] == 40
    mapped = (rule(cube.msi_10m[WEEK]) > 0) & inside_by_hand(area)
    inside = mapped & (layer <= 100).repeat(4, axis=0).repeat(4, axis=1)
    assert result.properties["landstream:applicable_percent"] == round(100 * inside.sum() / mapped.sum(), 3)
    assert 5 < result.properties["landstream:applicable_percent"] < 95

    plain = process(make_task(area, cube, tmp_path / "b", InferenceSettings(serving_address=served.address)))
    assert "landstream:applicable_percent" not in plain.properties
    for name, same in (("land_cover.tif", True), ("confidence.tif", True), ("quicklook.png", False)):
        assert ((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()) == same, name


def test_a_map_of_a_model_that_does_not_know_where_it_applies(
    area: Area, cube: FakeCube, served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = area.model_copy(update={"applicability": True})
    settings = InferenceSettings(serving_address=served.address)
    result = process(make_task(asked, cube, tmp_path / "a", settings))
    assert "applicability" not in result.assets
    assert "nobody knows where the model applies" in "".join(capsys.readouterr())


def test_a_map_over_the_embedded_server(area: Area, cube: FakeCube, model_tar: Path, tmp_path: Path) -> None:
    try:
        process(make_task(area, cube, tmp_path / "a", InferenceSettings(), 77, model_tar))
    finally:
        embedded().stop()
    with rasterio.open(tmp_path / "a" / "land_cover.tif") as image:
        assert (image.read(1) == rule(cube.msi_10m[WEEK])).all()


def test_an_archive_that_is_no_saved_model_is_refused(area: Area, cube: FakeCube, tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(b"no tar")
    with pytest.raises(RejectScene, match="not an uncompressed tar"):
        process(make_task(area, cube, tmp_path / "a", InferenceSettings(), 78, tmp_path / "bad.tar"))
    embedded().stop()


def test_it_waits_for_the_cube_and_for_the_server(area: Area, cube: FakeCube, served: Served, tmp_path: Path) -> None:
    settings = InferenceSettings(serving_address=served.address)
    task = make_task(area, cube, tmp_path, settings)
    behind = Job(**{**vars(task.job), "parameters": {"sheet": [0, 0], "ledger": "another"}})
    with pytest.raises(RetryLater, match="ledger"):
        process(Task(**{**vars(task), "job": behind}))
    with pytest.raises(RetryLater, match="NOT_FOUND"):
        process(make_task(area, cube, tmp_path, settings, version=4))
    closed = InferenceSettings(serving_address="127.0.0.1:1")
    with pytest.raises(RetryLater, match="UNAVAILABLE"):
        process(make_task(area, cube, tmp_path, closed))
