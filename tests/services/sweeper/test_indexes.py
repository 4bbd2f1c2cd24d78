"""An index of a settled week stands for its items, whatever else lies among them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from services.sweeper.sweeper import Sweeper
from shared.items.reader import INDEXED, MOST_BYTES, CatalogueReader
from shared.items.week_index import BadIndex, index_key, index_prefix, unpack
from shared.run.context import Context
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.services.sweeper.test_sweep import put
from tests.shared.run.fake import STAGE
from tests.shared.run.test_runner import WEEK

COLLECTION = "cube-updates"
FOLDER = f"items/{COLLECTION}/{WEEK}"
UPDATE = {"landstream:sensor": "msi", "landstream:product": "p", "landstream:tiles": []}


class FarStore(FolderStore):
    """A folder that is said to be far away, and counts the objects that are read whole."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.remote = True
        self.read: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        self.read[key] += 1
        return super().get(key)


@pytest.fixture
def store(tmp_path: Path) -> FarStore:
    store = FarStore(tmp_path)
    for n in range(INDEXED):
        put(store, COLLECTION, f"p{n:02d}", **UPDATE)
    return store


def sweeper_of(store: FarStore) -> Sweeper:
    return Sweeper([STAGE], Context.of_store(store, AREA))


def reader_of(store: FarStore) -> CatalogueReader:
    return CatalogueReader(store, AREA, registry.rules())


def exact_key(store: FarStore) -> str:
    return index_key(COLLECTION, WEEK, reader_of(store).stored(COLLECTION, WEEK))


def indexes(store: FarStore) -> list[str]:
    return list(store.keys(index_prefix(COLLECTION, WEEK)))


def test_a_week_is_indexed_once_it_is_the_same_as_before(store: FarStore) -> None:
    sweeper = sweeper_of(store)
    sweeper.round()
    assert indexes(store) == []
    sweeper.round()
    assert indexes(store) == [exact_key(store)]
    assert len(unpack(store.get(exact_key(store)))) == INDEXED


@pytest.mark.parametrize("name", ["notes.json", "notes--v1-00000000.json", "README.md", "deeper/x--v1-00000000.json"])
def test_what_is_not_an_item_is_left_out_of_the_index(store: FarStore, name: str) -> None:
    store.put(f"{FOLDER}/{name}", b"\xff\xfe\x00binary")
    sweeper = sweeper_of(store)
    for _ in range(3):
        sweeper.round()
    assert len(unpack(store.get(exact_key(store)))) == INDEXED
    store.read.clear()
    assert len(reader_of(store).snapshot().items(COLLECTION, WEEK)) == INDEXED
    assert store.read[exact_key(store)] == 1
    assert not [key for key in store.read if key.startswith(f"{FOLDER}/p")], "the index stands for them"


@pytest.mark.parametrize("name", ["picture.tif", "picture--v1-00000000.json"])
def test_what_is_too_large_for_an_item_is_never_read(store: FarStore, name: str) -> None:
    with (store.root / FOLDER / name).open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    sweeper = sweeper_of(store)
    for _ in range(3):
        sweeper.round()
    assert store.read[f"{FOLDER}/{name}"] == 0
    assert len(unpack(store.get(exact_key(store)))) == INDEXED


def test_a_damaged_index_is_written_anew(store: FarStore) -> None:
    key = exact_key(store)
    store.put(key, b"damaged")
    sweeper = sweeper_of(store)
    for _ in range(3):
        sweeper.round()
    assert len(unpack(store.get(key))) == INDEXED


def test_an_index_is_looked_into_once_while_its_week_rests(store: FarStore) -> None:
    first = sweeper_of(store)
    for _ in range(2):
        first.round()
    key = exact_key(store)
    written = store.head(key)
    second = sweeper_of(store)
    for _ in range(2):
        second.round()
    store.read.clear()
    for _ in range(3):
        second.round()
    assert (store.read[key], store.head(key)) == (0, written)


def test_damage_that_this_process_did_not_see_is_found_by_the_next(store: FarStore) -> None:
    first = sweeper_of(store)
    for _ in range(2):
        first.round()
    key = exact_key(store)
    store.put(key, store.get(key)[:-1])
    with pytest.raises(BadIndex):
        unpack(store.get(key))
    second = sweeper_of(store)
    for _ in range(2):
        second.round()
    assert len(unpack(store.get(key))) == INDEXED
