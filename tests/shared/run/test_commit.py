"""The commit: artifacts under keys of their content, one item, the receipt; each once."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.items.ids import canonical, make_id
from shared.items.item import Item
from shared.items.keys import item_key, receipt_key
from shared.items.landing import LandingObject, LandingUnit
from shared.items.stac import asset_key, multihash
from shared.run.commit import Committer, artifact_keys, file_id
from shared.stage import Job, NewAsset, NewItem, Settings, Source
from shared.stage.source import LandingSource
from shared.store import FolderStore, ObjectInfo
from tests.catalogues import WEEK, scene
from tests.shared.run.fake import STAGE

SCENE = scene("a", 500)
JOB = Job("cloud-masks", "a", WEEK, (Source(SCENE),))
ID = make_id("a", 1, "0a1b2c3d")
POINT = {"type": "Point", "coordinates": [24.0, 46.0]}
UNIT = LandingUnit("a.SAFE.zip", (LandingObject("", 7, "e1"),))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


def result(folder: Path, text: str = "mask", properties: dict[str, object] | None = None) -> NewItem:
    """A mask with its sidecar, and a table."""
    for name, content in (("mask.tif", text), ("mask.tif.aux.xml", "<x/>"), ("table.json", "{}")):
        (folder / name).write_text(content)
    assets = {
        "mask_aux": NewAsset(folder / "mask.tif.aux.xml", "text/xml", ("metadata",), beside="mask"),
        "mask": NewAsset(folder / "mask.tif", "image/tiff", ("data",), "A mask", {"proj:shape": [2, 3]}),
        "table": NewAsset(folder / "table.json", "application/json"),
    }
    return NewItem(POINT, (24, 46, 24, 46), properties or {"datetime": "2018-06-04T00:00:00Z"}, assets)


def committer(store: FolderStore) -> Committer:
    return Committer(STAGE, Settings(), store)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_an_artifact_is_called_by_its_content_and_a_sidecar_by_what_it_accompanies(folder: Path) -> None:
    digests = {"mask": sha("mask"), "mask_aux": sha("<x/>"), "table": sha("{}")}
    keys = artifact_keys("cloud-masks", WEEK, ID, result(folder).assets, digests)
    mask = f"artifacts/cloud-masks/{WEEK}/{ID}/mask-{sha('mask')[:12]}.tif"
    assert keys == {
        "mask": mask,
        "mask_aux": f"{mask}.aux.xml",
        "table": f"artifacts/cloud-masks/{WEEK}/{ID}/table-{sha('{}')[:12]}.json",
    }


class TellingStore(FolderStore):
    """Notes which objects it is told that a file is the same as."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.told: dict[str, ObjectInfo | None] = {}

    def put(self, key: str, data: bytes | Path, **more: Any) -> ObjectInfo:
        self.told[re.sub(r"-\w{12}", "", key.rpartition("/")[2])] = more.get("same_as")
        return super().put(key, data, **more)


def test_a_file_that_was_fetched_and_not_changed_is_the_same_as_its_object(tmp_path: Path, folder: Path) -> None:
    store, made = TellingStore(tmp_path / "told"), result(folder)
    mask, table = made.assets["mask"].path, made.assets["table"].path
    source, changed = ObjectInfo("landing/u/mask.tif", 4, "e1", 0), ObjectInfo("landing/u/table.json", 2, "e2", 0)
    (tmp_path / "fetched.tif").hardlink_to(mask)
    fetched = {file_id(tmp_path / "fetched.tif"): source, file_id(table): changed}
    table.write_text("changed since")
    committer(store).commit(JOB, ID, made, folder, fetched)
    assert store.told["mask.tif"] == source
    assert store.told["table.json"] is None


def test_what_is_committed_is_told_whole(store: FolderStore, folder: Path) -> None:
    assert committer(store).commit(JOB, ID, result(folder), folder)
    item = json.loads(store.get(item_key("cloud-masks", WEEK, ID)))
    assert (item["id"], item["collection"], item["geometry"]) == (ID, "cloud-masks", POINT)
    assert item["properties"]["landstream:inputs"] == [["sentinel-2-l2a", SCENE.id]]
    mask = item["assets"]["mask"]
    assert (mask["type"], mask["roles"], mask["title"]) == ("image/tiff", ["data"], "A mask")
    assert (mask["file:size"], mask["file:checksum"]) == (4, multihash(sha("mask")))
    assert mask["proj:shape"] == [2, 3]
    assert "title" not in item["assets"]["table"]
    parsed = Item(item, WEEK)
    assert {asset_key(parsed, name) for name in item["assets"]} == set(store.keys("artifacts/"))
    assert not list(store.keys("receipts/"))


def test_an_item_is_created_once_and_the_first_stands(store: FolderStore, folder: Path) -> None:
    commits = committer(store)
    assert commits.commit(JOB, ID, result(folder), folder)
    before = {key: store.get(key) for key in store.keys("")}
    assert not commits.commit(JOB, ID, result(folder), folder)
    assert {key: store.get(key) for key in store.keys("")} == before
    assert not commits.commit(JOB, ID, result(folder, "another"), folder)
    key = item_key("cloud-masks", WEEK, ID)
    assert store.get(key) == before[key]


def test_the_result_of_a_unit_is_named_by_its_content_and_leaves_a_receipt(store: FolderStore, folder: Path) -> None:
    job = Job("", "", "", delivery=LandingSource(UNIT))
    made = replace(result(folder), collection="sentinel-2-l2a", product="S2A_x", week=WEEK)
    assert committer(store).commit(job, "", made, folder)
    (key,) = store.keys("items/")
    assert key.startswith(f"items/sentinel-2-l2a/{WEEK}/S2A_x--v1-")
    receipt = receipt_key("a.SAFE.zip", UNIT.receipt_id)
    assert json.loads(store.get(receipt)) == {"unit": "a.SAFE.zip", "item": key}
    # The same content under another name is the same item; this delivery has a receipt of its own.
    twin = replace(UNIT, name="again.zip")
    again = replace(job, delivery=LandingSource(twin))
    assert not committer(store).commit(again, "", made, folder)
    assert list(store.keys("items/")) == [key]
    assert json.loads(store.get(receipt_key("again.zip", twin.receipt_id)))["item"] == key
    other = replace(result(folder, "other"), collection="sentinel-2-l2a", product="S2A_x", week=WEEK)
    assert committer(store).commit(job, "", other, folder)
    assert json.loads(store.get(receipt))["item"] == key, "the first receipt stands"


def test_a_file_elsewhere_is_refused(store: FolderStore, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    for path in (tmp_path / "secret", folder / "link", folder / ".." / "secret"):
        made = replace(result(folder), assets={"mask": NewAsset(path, "text/plain")})
        with pytest.raises(ValueError, match="is not below the task's folder"):
            committer(store).commit(JOB, ID, made, folder)
    assert not list(store.keys(""))


def test_create_says_whether_it_did(store: FolderStore) -> None:
    commits = committer(store)
    assert commits.create("failures/fake/x.json", canonical({"a": 1}))
    assert not commits.create("failures/fake/x.json", canonical({"a": 2}))
    assert store.get("failures/fake/x.json") == canonical({"a": 1})
