"""What was found out of a settled week is found again by the next process, and believed only as long as it is true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from services.sweeper.driver import Driver
from services.sweeper.sweep import Sweep
from services.sweeper.view import Count
from services.tiler.stage import STAGE as TILER
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.keys import failure_key
from shared.run.context import Context
from shared.stage.declare import Stage
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, chain, scene
from tests.shared.run.fake import STAGE

VIEW, PAGES = f"index/views-remapped/{WEEK}.json", f"index/pages/{WEEK}.json"
OTHER_WEEK = "2018-W30"


class CountingStore(FolderStore):
    """Counts the items that are read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        self.read[key.split("/")[0]] += 1
        return super().get(key)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    store = CountingStore(tmp_path)
    put(store, *chain(scene("old", 206), [[0, 0, 3]]))
    return store


def put(store: FolderStore, *items: Item) -> None:
    for item in items:
        store.put(item.key, canonical(item.json))


def drive(store: FolderStore, stage: Stage = TILER) -> None:
    """Look twice, as who drives the stream does, and keep the pages."""
    driver = Driver([stage], Context.of_store(store, AREA))
    for _ in range(2):
        driver.look()
        driver.keep_pages()


def look(store: CountingStore, stage: Stage = TILER) -> tuple[int, int, list[str]]:
    """What somebody sees who comes anew: done, failed, and what is due."""
    store.read.clear()
    count: Count = Sweep([stage], Context.of_store(store, AREA)).look()[stage.name]
    return count.done, count.failed, [job.id.split("--")[0] for job in count.due]


def settle(store: FolderStore, record: bytes = b"{}") -> str:
    """Let the job that is due fail; the key of its record."""
    (job,) = Sweep([TILER], Context.of_store(store, AREA)).look()["tiler"].due
    store.put(failure_key("tiler", job.id), record)
    return failure_key("tiler", job.id)


def test_a_settled_week_is_not_read_again(store: CountingStore) -> None:
    settle(store)
    drive(store)
    assert look(store) == (0, 1, [])
    assert store.read["items"] == 0
    store.read.clear()
    drive(store)
    assert store.read["items"] == 0, "nor for its pages"


def test_a_week_with_something_due_is_not_kept(store: CountingStore) -> None:
    drive(store)
    assert not store.exists(VIEW)
    assert look(store) == (0, 0, ["old"])


def test_who_only_looks_writes_nothing(store: CountingStore) -> None:
    settle(store)
    look(store)
    assert list(store.keys("index/")) == []


def test_what_arrives_or_is_requeued_is_seen(store: CountingStore) -> None:
    record = settle(store)
    drive(store)
    store.delete(record)
    assert look(store) == (0, 0, ["old"]), "what failed is due again"
    store.put(record, b"{}")
    put(store, *chain(scene("b", 206, "another scene"), [])[:2])
    assert look(store) == (0, 1, ["b"])
    put(store, *chain(scene("c", 206, week=OTHER_WEEK), [])[:2])
    assert look(store) == (0, 1, ["c", "b"])


def test_what_was_dismissed_is_neither_due_nor_failed(store: CountingStore) -> None:
    record = settle(store)
    drive(store)
    dismissal = record.replace(".json", ".dismissed")
    store.put(dismissal, b"{}")
    assert look(store) == (0, 0, [])
    store.delete(dismissal)
    assert look(store) == (0, 1, [])


def test_a_picture_that_is_found_broken_since_is_seen(store: CountingStore) -> None:
    new = chain(scene("new", 500), [])[:2]
    put(store, *new)
    record = settle(store)
    drive(store)
    assert look(store) == (0, 1, [])
    said = {"broken": True, "job": record.split("/")[2].removesuffix(".json"), "inputs": [new[0].id]}
    store.put(record, canonical({**said, "collection": "cube-updates", "week": WEEK}))
    assert look(store) == (0, 0, ["old"])


@pytest.mark.parametrize("damage", [b"", b"{}", b"not JSON", b'{"made_of": "", "value": {}}'])
def test_what_is_damaged_is_found_out_again(store: CountingStore, damage: bytes) -> None:
    settle(store)
    drive(store)
    whole = store.get(VIEW)
    for key in (VIEW, PAGES):
        store.put(key, damage)
    assert look(store) == (0, 1, [])
    drive(store)
    assert store.get(VIEW) == whole


def test_another_version_of_the_code_looks_itself(store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(store)
    drive(store)
    monkeypatch.setattr("services.sweeper.week_cache.code_digest", lambda: "another")
    assert look(store) == (0, 1, [])
    assert store.read["items"] > 0


def test_another_stage_is_not_answered_for(store: CountingStore) -> None:
    settle(store)
    drive(store)
    assert look(store, STAGE) == (0, 0, ["old"])


def test_a_page_that_was_removed_is_written_again(store: CountingStore) -> None:
    settle(store)
    drive(store)
    page = f"cloud-masks/{WEEK}/catalog.json"
    before = store.get(page)
    store.delete(page)
    drive(store)
    assert store.get(page) == before
