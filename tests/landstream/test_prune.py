"""What nothing needs is told, and removed only when asked; what something needs stays."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from landstream.prune import Freed, left_behind, prune, replaced_indexes, taken_in
from landstream.workspace import bind
from shared.cube import open_cube
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import SCRATCH, item_key, receipt_key, scratch_key
from shared.items.week_index import Stored, index_key, pack
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import plan_jobs
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, chain, scene
from tests.conftest import AREAS, landstream

NOW = datetime.now(UTC)
MONTH = timedelta(days=30)
PRODUCT = "S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """An empty store."""
    store = FolderStore(tmp_path / "store")
    bind(store, AREA)
    return Context.of_store(store, AREA)


def put_item(context: Context, item: Item, artifacts: Mapping[str, bytes] = {}) -> Item:
    """Put an item with artifacts, as a stage commits it."""
    assets = {}
    for name, data in artifacts.items():
        key = f"artifacts/{item.collection}/{item.week}/{item.id}/{name}-0123456789ab.tif"
        context.store.put(key, data)
        assets[name] = {"href": f"../../../{key}", "file:size": len(data)}
    whole = Item({**item.json, "assets": assets}, item.week)
    context.store.put(whole.key, canonical(whole.json))
    return whole


def age(context: Context, key: str, days: float) -> None:
    """Let an object be some days old."""
    path = Path(context.store.location) / key
    moment = path.stat().st_mtime - days * 86_400
    os.utime(path, (moment, moment))


def keys(context: Context) -> set[str]:
    return set(context.store.keys(""))


def put_index(context: Context, collection: str, objects: list[Stored], days: float) -> str:
    """Lay an index of some objects, made some days ago."""
    key = index_key(collection, WEEK, objects)
    context.store.put(key, pack(dict.fromkeys(objects, b"{}")))
    age(context, key, days)
    return key


def test_an_exact_index_replaces_all_others_however_new(context: Context) -> None:
    put_item(context, scene(PRODUCT, 500))
    listed = context.reader.stored("sentinel-2-l2a", WEEK)
    exact = put_index(context, "sentinel-2-l2a", listed, days=5)
    others = [put_index(context, "sentinel-2-l2a", [Stored(f"items/x{n}", n, "e")], days=n) for n in (1, 9)]
    assert sorted(o.key for o in replaced_indexes(context)) == sorted(others)
    assert exact not in others


def test_without_an_exact_index_the_newest_stays(context: Context) -> None:
    for collection in ("cloud-masks", "cube-updates"):
        for n in (3, 1, 2):
            put_index(context, collection, [Stored(f"items/{collection}/x{n}", n, "e")], days=n)
    found = {o.key for o in replaced_indexes(context)}
    kept = {index_key(c, WEEK, [Stored(f"items/{c}/x1", 1, "e")]) for c in ("cloud-masks", "cube-updates")}
    assert len(found) == 4
    assert not found & kept


def test_what_is_not_an_index_is_left_alone(context: Context) -> None:
    for key in ("index/views/old/notes.json", "index/a b/2018-W23/x", "index/sentinel-2-l2a/2018-W99/x"):
        context.store.put(key, b"notes")
    assert replaced_indexes(context) == []


def artifact(context: Context, item: Item, days: float, name: str = "mask") -> str:
    """Lay an artifact whose run was killed before the item, some days ago."""
    key = f"artifacts/{item.collection}/{item.week}/{item.id}/{name}-0123456789ab.tif"
    context.store.put(key, b"12345")
    age(context, key, days)
    return key


def test_what_killed_runs_left_goes_after_a_day(context: Context) -> None:
    registered, mask, update = chain(scene(PRODUCT, 500), [[0, 1, 1]])
    put_item(context, mask, {"mask": b"123"})
    age(context, f"artifacts/cloud-masks/{WEEK}/{mask.id}/mask-0123456789ab.tif", 9)
    old = [artifact(context, update, 2, "a"), artifact(context, update, 3, "b")]
    half = [artifact(context, registered, 2, "a"), artifact(context, registered, 0.5, "b")]
    context.store.put("artifacts/odd", b"1")
    context.store.put(f"artifacts/cloud-masks/{WEEK}/not-an-id/x", b"1")
    age(context, f"artifacts/cloud-masks/{WEEK}/not-an-id/x", 9)
    assert sorted(o.key for o in left_behind(context, NOW)) == sorted(old)
    assert sorted(o.key for o in left_behind(context, NOW + timedelta(days=1))) == sorted(old + half)


def test_checkpoints_go_a_day_after_their_job_is_no_longer_due(context: Context) -> None:
    item, stage = put_item(context, scene(PRODUCT, 500)), registry.load("cloudmask")
    (due,) = plan_jobs(stage, item, context.reader.snapshot(), stage.settings())
    due_s, done, young = (scratch_key("cloudmask", job, "checkpoint") for job in (due.id, "a--01234567", "b--01234567"))
    foreign = [f"{SCRATCH}notes", f"{SCRATCH}trainer/a/b/c"]
    for key in (due_s, done, young, *foreign):
        context.store.put(key, b"123")
    for key in (due_s, done, *foreign):
        age(context, key, 2)
    assert [o.key for o in left_behind(context, NOW)] == [done]
    context.store.delete(item.key)
    assert [o.key for o in left_behind(Context.of_store(context.store, AREA), NOW)] == sorted([due_s, done])


def test_what_a_due_job_left_stays_for_it(mapped: Path, tmp_path: Path) -> None:
    store = FolderStore(shutil.copytree(mapped, tmp_path / "store"))
    context, later = Context.of_store(store, AREA), NOW + timedelta(days=3)
    assert left_behind(context, later) == []
    masks = sorted(store.keys("items/cloud-masks/"))
    store.delete(masks[0])  # due again: its scene is there
    assert left_behind(context, later) == []
    scenes = [key for key in store.keys("items/sentinel-2-l2a/") if masks[0].split("/")[3][:60] in key]
    assert len(scenes) == 1
    store.delete(scenes[0])

    def found() -> set[str]:
        return {o.key.split("/")[1] for o in left_behind(Context.of_store(store, AREA), later)}

    assert found() == {"cloud-masks"}, "a copied file has another etag: what lies in landing/ is due, whatever it is"
    land_as_delivered(store)
    assert found() == {"cloud-masks", "sentinel-2-l2a"}, "the receipts stand"


def land_as_delivered(store: FolderStore) -> None:
    """Give what lies in the landing/ of a copied store the etags that its receipts are made of."""
    for key in list(store.keys("landing/")):
        store.put(key, store.get(key))


def land(context: Context, name: str, outcome: Mapping[str, str]) -> None:
    """Put a folder into landing/, and its receipt."""
    for path in ("manifest.safe", "GRANULE/a"):
        context.store.put(f"landing/{name}/{path}", f"{name} {path}".encode())
    unit = context.unit(name)
    assert unit is not None
    context.store.put(receipt_key(name, unit.receipt_id), canonical({"unit": name, **outcome}))


def test_a_landing_unit_is_taken_in_once_its_item_is_whole(context: Context) -> None:
    item = put_item(context, scene(PRODUCT, 500), {"B02": b"12", "B03": b"123"})
    torn = put_item(context, scene(f"{PRODUCT[:-1]}1", 500, "other"), {"B02": b"12"})
    context.store.put(f"artifacts/{torn.collection}/{torn.week}/{torn.id}/B02-0123456789ab.tif", b"1")
    absent = item_key("sentinel-2-l2a", WEEK, "S2A--v1-01234567")
    for name, outcome in {
        "whole": {"item": item.key}, "torn": {"item": torn.key}, "absent": {"item": absent},
        "refused": {"failure": "failures/ingest/x.json"}, "foreign": {"item": "items/x"},
    }.items():  # fmt: skip
        land(context, name, outcome)
    context.store.put("landing/arriving/a", b"1")
    assert [unit.name for unit in taken_in(context)] == ["whole"]
    context.store.put("landing/whole/GRANULE/b", b"sent anew")
    assert list(taken_in(context)) == []


def freed(context: Context, *, landing: bool = False, rehearse: bool = False) -> list[Freed]:
    return list(prune(context, NOW, MONTH, landing=landing, rehearse=rehearse))


def test_nothing_is_removed_in_a_rehearsal_and_the_same_is_then(context: Context) -> None:
    put_item(context, scene(PRODUCT, 500), {"B02": b"12"})
    land(context, "whole", {"item": scene(PRODUCT, 500).key})
    for n in (1, 2):
        put_index(context, "sentinel-2-l2a", [Stored(f"items/x{n}", n, "e")], days=n)
    left = artifact(context, chain(scene(PRODUCT, 500), [])[2], 2)
    before = keys(context)
    told = freed(context, landing=True, rehearse=True)
    assert keys(context) == before
    assert [(f.what, f.objects) for f in told] == [
        ("cube: 0 snapshots", 0), ("replaced indexes", 1), ("left by killed runs", 1), ("landing: 1 units", 2),
    ]  # fmt: skip
    assert all(f.size > 0 for f in told[1:])
    assert freed(context) == told[:3]
    assert freed(context, landing=True) == [*(Freed(f.what, 0, 0) for f in told[:3]), told[3]]
    gone = before - keys(context)
    assert {left, "landing/whole/manifest.safe", "landing/whole/GRANULE/a"} < gone
    assert len(gone) == 4
    assert not any(f.objects for f in freed(context, landing=True))


def test_a_store_says_the_same_after_all_that_can_go_is_gone(mapped: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(mapped, tmp_path / "store")
    store = FolderStore(folder)
    land_as_delivered(store)
    digest = landstream("digest", "--store", folder).stdout
    shown = landstream("prune", "--store", folder, "--landing").stdout.splitlines()
    assert shown[0].split() == ["objects", "bytes"]
    assert shown[-1] == "nothing was removed; --yes removes it"
    assert list(store.keys("landing/"))
    done = landstream("prune", "--store", folder, "--landing", "--yes").stdout.splitlines()
    assert done == shown[:-1]
    assert not list(store.keys("landing/"))
    assert landstream("digest", "--store", folder).stdout == digest
    sweep = [json.loads(line) for line in landstream("sweep", "--store", folder).stdout.splitlines()]
    assert sweep == []
    assert landstream("failures", "--store", folder).stdout == ""


def test_a_run_prunes_a_cube_of_many_snapshots_at_its_end(tmp_path: Path) -> None:
    store = tmp_path / "store"
    cube = open_cube(str(store / "cube"), AREA, "write")
    cube.write_labels(lambda group, again: group["class"].__setitem__((0, 0), 3), "labels")
    snapshots = len(list((store / "cube" / "snapshots").iterdir()))

    def pruned(keep: int) -> bool:
        (store / ".landstream" / "log.jsonl").unlink(missing_ok=True)
        landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", "--keep-snapshots", keep)
        return any("pruned" in line for line in (store / ".landstream" / "log.jsonl").read_text().splitlines())

    assert not pruned(snapshots)
    assert pruned(snapshots - 1)


def test_a_store_in_use_is_not_pruned(context: Context) -> None:
    assert isinstance(context.store, FolderStore)
    with context.store.exclusive():
        result = landstream("prune", "--store", context.store.location, "--yes", check=False)
        assert result.returncode == 2
        assert "another run uses this store" in result.stderr
        assert "--yes removes it" in landstream("prune", "--store", context.store.location).stdout
