"""`landstream evaluate` on a real store: a model, served, scored on points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from shared.area import load_area
from tests.conftest import AREAS, landstream

AREA = load_area(AREAS / "small.yaml")


@pytest.fixture(scope="module")
def points(mapped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred pixels of the store's labels, as somebody would bring them from the field."""
    (raster,) = mapped.glob("artifacts/land-cover-labels/**/labels-*.tif")
    with rasterio.open(raster) as opened:
        labels, transform = opened.read(1), opened.transform
    rows, cols = np.nonzero(labels)
    chosen = np.random.default_rng(0).choice(len(rows), 200, replace=False)
    x, y = (np.array(v) for v in rasterio.transform.xy(transform, rows[chosen], cols[chosen]))
    longitude, latitude = Transformer.from_crs(AREA.grid.crs, "EPSG:4326", always_xy=True).transform(x, y)
    codes = [AREA.labels.values[int(v)].code for v in labels[rows[chosen], cols[chosen]]]
    path = tmp_path_factory.mktemp("points") / "visited.csv"
    lines = [f"{lon:.8f},{lat:.8f},{code}" for lon, lat, code in zip(longitude, latitude, codes, strict=True)]
    path.write_text("\n".join(["lon,lat,class", *lines]) + "\n")
    return path


def champion_of(store: Path) -> tuple[str, str]:
    """The champion's id, and a week that it was trained on: one will do, and is quick."""
    models = map(json.loads, landstream("model", "list", "--store", store).stdout.splitlines())
    found = next(m for m in models if m["champion"])
    return found["id"], found["properties"]["landstream:weeks"][0]


def test_a_model_is_scored_on_points(mapped: Path, points: Path) -> None:
    model, week = champion_of(mapped)
    asked = ("evaluate", model, "--against", points, "--store", mapped, "--week", week)
    said = json.loads(landstream(*asked).stdout)
    assert (said["model"], said["labelled"], said["left_out"]) == (model, 200, {})
    assert 0 < said["on_training_blocks"] < 200
    assert list(said["by_week"]) == [week]
    assert said["pixels"] == said["by_week"][week]["pixels"] > 0
    assert said["accuracy"] > 0.5
    held = json.loads(landstream(*asked, "--held-out").stdout)
    assert 0 < held["pixels"] < said["pixels"]


def test_what_cannot_be_scored_is_said(mapped: Path, points: Path) -> None:
    model, _ = champion_of(mapped)
    for arguments, told in (
        (("none", "--against", points), "no model of this id"),
        ((model, "--against", points.with_name("none.csv")), "No such file"),
        ((model, "--against", points, "--week", "2017-W01"), "the cube holds no Sentinel-2 data of this week"),
        ((model, "--against", points, "--map", "A11"), "give a code of the labels and one of the area"),
    ):
        failed = landstream("evaluate", *arguments, "--store", mapped, check=False)
        assert failed.returncode == 2
        assert told in failed.stderr.splitlines()[-1]
