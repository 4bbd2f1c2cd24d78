"""What people see of a hold-out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from landstream.split.command import app
from landstream.workspace import bind
from services.trainer.item import write_split
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import artifact_key
from shared.items.stac import multihash
from shared.store import FolderStore
from tests.catalogues import AREA, make
from tests.landstream.terminal import on_terminal


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with a hold-out and a model without a split."""
    opened = FolderStore(tmp_path / "store")
    bind(opened, AREA)
    text = write_split(AREA, np.array([[0, 1, 1, 2], [2, 2, 0, 0]], np.uint8)).encode()
    sha256 = hashlib.sha256(text).hexdigest()
    classes = {str(v): {"name": c.name, "training": 300, "holdout": 100} for v, c in AREA.labels.values.items()}
    facts = {"number": 1, "labels": ["clc"], "blocks": {"training": 2, "holdout": 3, "new": 5}, "classes": classes}
    made = make("hold-outs", "clc-1", week="static", **facts)
    key = artifact_key("hold-outs", "static", made.id, "hold_out", sha256, ".json")
    asset = {"href": f"../../../{key}", "file:checksum": multihash(sha256)}
    opened.put(key, text)
    for item in (
        Item({**made.json, "assets": {"hold_out": asset}}, "static"),
        make("models", "small", week="static"),
    ):
        opened.put(item.key, canonical({**item.json, "links": []}))
    return tmp_path / "store"


def said(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_newest_hold_out_is_drawn_with_its_classes(store: Path) -> None:
    lines = on_terminal("split", "show", "--store", store, columns=100)
    assert lines[:2] == ["·░░█", "██··"]
    assert lines[2].startswith("░ training, █ hold-out; clc-1--v1-")
    assert lines[4].split()[-4:] == ["3", "1", "25", "%"]


@pytest.mark.parametrize(("name", "begins"), [("map.svg", "<svg "), ("map.geojson", '{"type": "FeatureCollection"')])
def test_it_is_written_as_a_map(store: Path, tmp_path: Path, name: str, begins: str) -> None:
    assert said("show", "--store", store, "--output", tmp_path / name).exit_code == 0
    assert (tmp_path / name).read_text().startswith(begins)


def test_what_cannot_be_shown_is_said(store: Path, tmp_path: Path) -> None:
    assert "ends in .svg or .geojson" in said("show", "--store", store, "--output", tmp_path / "map.png").stderr
    assert "no model of this id" in said("show", "--store", store, "--model", "none").stderr
    assert "has no split" in said("show", "--store", store, "--model", "small").stderr
    empty = FolderStore(tmp_path / "empty")
    bind(empty, AREA)
    assert "no hold-out yet" in said("show", "--store", tmp_path / "empty").stderr
