"""`landstream model import`: what it uploads and creates, and what it refuses before anything is uploaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from landstream.model.command import app
from landstream.workspace import bind
from services.trainer.item import describe_signature
from shared.items.item import Item
from shared.items.model_archive import pack
from shared.items.properties import ModelImportFacts
from shared.items.stac import asset_key, sha256_of
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import State, plan_jobs
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_with, make


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """An empty store."""
    opened = FolderStore(tmp_path / "store")
    bind(opened, AREA)
    return opened


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder that looks like a SavedModel: what its graph does is the trainer's business."""
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "assets").mkdir()
    for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Its card."""
    said = {"mlm:name": "one-by-one", "mlm:architecture": "1 x 1", "mlm:tasks": ["semantic-segmentation"]}
    path = tmp_path / "mlm.json"
    path.write_text(json.dumps({"type": "Feature", "properties": said | describe_signature(AREA)}))
    return path


def bring(store: FolderStore, model: Path, card: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["import", str(model), "--card", str(card), "--store", store.location, *more])


def imports(store: FolderStore) -> list[Item]:
    return Context.of_store(store, AREA).reader.snapshot().items("model-imports")


def test_a_model_is_uploaded_with_its_card(store: FolderStore, model: Path, card: Path, tmp_path: Path) -> None:
    done = bring(store, model, card)
    (item,) = imports(store)
    assert done.stdout == f"imported: {item.id}; the next `run`, or the trainer, checks and scores it\n"
    pack(model, tmp_path / "m.tar")
    archive = store.get(asset_key(item, "model"))
    assert archive == (tmp_path / "m.tar").read_bytes()
    assert store.get(asset_key(item, "card")) == card.read_bytes()
    assert sha256_of(item.assets["model"]) == hashlib.sha256(archive).hexdigest()
    facts = ModelImportFacts.of(item)
    assert (facts.name, facts.title) == ("one-by-one", "one-by-one: 1 x 1")
    assert facts.sha256 == hashlib.sha256(archive).hexdigest()
    assert item.id.startswith("small--v1-")


def test_the_trainer_has_something_to_do_once_a_hold_out_is_dealt(store: FolderStore, model: Path, card: Path) -> None:
    bring(store, model, card)
    (item,) = imports(store)
    trainer = registry.load("trainer")
    assert plan_jobs(trainer, item, catalogue_with(store), trainer.settings()) == []
    dealt = make("hold-outs", "clc-1", week="static", number=1, labels=[], blocks={}, classes={})
    (due,) = plan_jobs(trainer, item, catalogue_with(store, dealt), trainer.settings())
    assert (due.state, due.job.collection) == (State.DUE, "models")


def test_a_tar_is_as_good_as_a_folder_and_the_same_is_imported_once(
    store: FolderStore, model: Path, card: Path, tmp_path: Path
) -> None:
    assert bring(store, model, card, "--title", "Mine").exit_code == 0
    pack(model, tmp_path / "m.tar")
    again = bring(store, tmp_path / "m.tar", card)
    (item,) = imports(store)
    assert ModelImportFacts.of(item).title == "Mine"
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)
    assert again.stderr.startswith(f"landstream: {item.id}: was imported before")
    (model / "fingerprint.pb").write_bytes(b"other")
    assert bring(store, model, card).exit_code == 0
    assert len(imports(store)) == 2


def no_card(model: Path, card: Path) -> None:
    card.unlink()


def half_a_card(model: Path, card: Path) -> None:
    card.write_text("{")


def other_bands(model: Path, card: Path) -> None:
    said = json.loads(card.read_text())
    said["properties"]["mlm:input"][0]["bands"] = ["B02"]
    card.write_text(json.dumps(said))


def no_model(model: Path, card: Path) -> None:
    model.rename(model.with_name("elsewhere"))


def a_picture(model: Path, card: Path) -> None:
    no_model(model, card)
    model.write_bytes(b"\x89PNG" * 300)


def a_link(model: Path, card: Path) -> None:
    (model / "fingerprint.pb").unlink()
    (model / "fingerprint.pb").symlink_to(card)


def a_vocabulary(model: Path, card: Path) -> None:
    (model / "assets" / "words.txt").write_text("x")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (no_card, "mlm.json: No such file or directory; check the path"),
        (half_a_card, "mlm.json: not JSON: "),
        (other_bands, "mlm.json: mlm:input msi_10m: bands B02; the cube's are B02, B03, B04, B08"),
        (no_model, "saved: No such file or directory; check the path"),
        (a_picture, "saved: not an uncompressed tar"),
        (a_link, "saved: 'fingerprint.pb' is not a plain file of a SavedModel; export it with"),
        (a_vocabulary, "saved: 'assets/words.txt' is not a plain file of a SavedModel; export it with"),
    ],
)
def test_faults_are_told_in_one_line_and_nothing_is_uploaded(
    store: FolderStore, model: Path, card: Path, change: Any, why: str
) -> None:
    change(model, card)
    done = bring(store, model, card)
    assert done.exit_code == 2
    assert done.stderr.startswith("landstream: ")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert [key for key in store.keys("") if key.startswith(("items/", "artifacts/"))] == []
