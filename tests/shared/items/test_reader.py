"""Reading items from a store: at the cost of what is new, week by week, with and without an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.sweeper.ends import ListedEnds
from shared.items.ids import canonical
from shared.items.keys import failure_key, item_key
from shared.items.reader import INDEXED, CatalogueReader
from shared.items.stac import make_item
from shared.items.week_index import Stored, index_key, pack
from shared.stage import registry
from shared.store import FolderStore, ObjectInfo
from tests.catalogues import AREA, WEEK, make, withdrawal

POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
OTHER = "2018-W24"


class Objects(dict[str, bytes]):
    """A store of items that counts what it is asked; `listed` are names that a listing gives beside."""

    remote = True
    listed: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.modified: dict[str, float] = {}

    def keys(self, prefix: str = "") -> Iterator[str]:  # type: ignore[override]
        self.asked["list"] += 1
        return iter([key for key in sorted(self) if key.startswith(prefix)])

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        found = self.keys(prefix)
        return (ObjectInfo(k, len(self[k]), str(hash(self[k])), self.modified.get(k, 0.0)) for k in found)

    def children(self, prefix: str) -> Iterator[str]:
        self.asked["list"] += 1
        found = [key for key in (*sorted(self), *self.listed) if key.startswith(prefix)]
        return iter(sorted({key.removeprefix(prefix).split("/")[0] for key in found}))

    def exists(self, key: str) -> bool:
        self.asked["head"] += 1
        return key in self

    def get(self, key: str) -> bytes:  # type: ignore[override]
        self.asked["get"] += 1
        return self[key]

    def arrive(self, product: str, week: str = WEEK) -> str:
        item = make_item(
            collection="cube-updates", week=week, item_id=f"{product}--v1-00000000", geometry=POLYGON,
            bbox=(0, 0, 1, 1), properties={"datetime": "2018-06-04T00:00:00Z"}, assets={}, inputs=[],
            stage="test", stage_version=1,
        )  # fmt: skip
        key = item_key("cube-updates", week, f"{product}--v1-00000000")
        self[key] = canonical(item)
        return key


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def reader(objects: Objects) -> CatalogueReader:
    return CatalogueReader(objects, AREA, registry.rules())


def products(reader: CatalogueReader, week: str = WEEK) -> list[str]:
    return [item.product for item in reader.snapshot().items("cube-updates", week)]


def test_what_was_read_is_not_read_again(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    assert products(reader) == ["a"]
    objects.asked.clear()
    assert products(reader) == ["a"]
    assert objects.asked == {"list": 1}
    objects.arrive("b")
    objects.asked.clear()
    assert products(reader) == ["a", "b"]
    assert objects.asked == {"list": 1, "get": 1}


def test_a_week_costs_the_same_however_many_others_there_are(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    for n in range(30, 50):
        objects.arrive("b", f"2018-W{n}")
    assert products(reader) == ["a"]
    assert objects.asked == {"list": 1, "get": 1}


def test_during_one_look_a_week_stays_as_it_was_first_seen(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    catalogue = reader.snapshot()
    assert len(catalogue.items("cube-updates", WEEK)) == 1
    objects.arrive("b")
    assert len(catalogue.items("cube-updates", WEEK)) == 1
    catalogue.let_go(WEEK)
    assert len(catalogue.items("cube-updates", WEEK)) == 2


def test_what_vanished_since_the_listing_is_missing(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    gone = objects.arrive("b")
    del objects[gone]
    objects.listed = (gone,)
    assert products(reader) == ["a"]


@pytest.mark.parametrize("name", ["README.md", "x--v1-00000000.json", "no id.json"])
@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"id": "x", "collection": "y", "properties": 1, "assets": 2}'])
def test_what_is_not_an_item_is_left_alone(objects: Objects, reader: CatalogueReader, name: str, data: bytes) -> None:
    objects.arrive("a")
    key = f"items/cube-updates/{WEEK}/{name}"
    objects[key] = data
    assert (products(reader), products(reader), list(reader.foreign)) == (["a"], ["a"], [key])


def test_strange_folders_are_left_alone(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    objects["items/README.md"] = b"hello"
    objects["items/cube-updates/notes/x.json"] = b"{}"
    catalogue = reader.snapshot()
    assert (list(catalogue.collections), catalogue.weeks("cube-updates")) == (["cube-updates"], [WEEK])
    assert sorted(reader.foreign) == ["items/README.md", "items/cube-updates/notes"]


def test_what_is_not_an_order_is_left_alone(objects: Objects, reader: CatalogueReader) -> None:
    objects["reprocess/tiler/note.txt"] = objects["reprocess/tiler/all-v7.json"] = b"{}"
    catalogue = reader.snapshot()
    assert catalogue.version_wanted("tiler", WEEK) == 7
    assert catalogue.standing_orders() == {"reprocess/tiler/all-v7.json"}
    assert list(reader.foreign) == ["reprocess/tiler/note.txt"]


def index(objects: Objects, damage: bytes = b"") -> str:
    stored = [Stored(o.key, o.size, o.etag) for o in objects.list(f"items/cube-updates/{WEEK}/")]
    key = index_key("cube-updates", WEEK, stored)
    objects[key] = pack({o: objects.get(o.key) for o in stored}) + damage
    objects.asked.clear()
    return key


def test_starting_cold_an_index_stands_for_a_weeks_items(objects: Objects, reader: CatalogueReader) -> None:
    for n in range(INDEXED):
        objects.arrive(f"p{n:02d}")
    index(objects)
    assert len(products(reader)) == INDEXED
    assert objects.asked == {"list": 1, "get": 1}


def test_of_a_stale_index_what_still_holds_is_used(objects: Objects, reader: CatalogueReader) -> None:
    for n in range(INDEXED):
        objects.arrive(f"p{n:02d}")
    index(objects)
    objects.arrive("new")
    del objects[item_key("cube-updates", WEEK, "p03--v1-00000000")]
    objects.asked.clear()
    assert len(products(reader)) == INDEXED
    assert objects.asked["get"] == 3, "the exact index, which is not there; the stale one; the new item"


@pytest.mark.parametrize("newer", [0, 1])
def test_of_several_stale_indexes_the_newest_is_used(objects: Objects, reader: CatalogueReader, newer: int) -> None:
    """Which one that is, its name does not tell: it is a hash."""
    half = [objects.arrive(f"p{n:02d}") for n in range(INDEXED // 2)]
    indexes = [index(objects)]
    for key in half:
        del objects[key]
    rest = [objects.arrive(f"q{n:02d}") for n in range(INDEXED)]
    indexes.append(index(objects))
    for n in range(INDEXED // 2):
        objects.arrive(f"p{n:02d}")
    objects.modified = {key: float(n == newer) for n, key in enumerate(indexes)}
    objects.asked.clear()
    assert len(products(reader)) == len(half) + len(rest)
    beside = len(half) if newer else len(rest)
    assert objects.asked["get"] == 2 + beside, "the exact index, which is not there; the newest; what it does not hold"


@pytest.mark.parametrize("damage", [b"x", b"damaged whole"])
def test_a_damaged_index_is_never_believed(objects: Objects, reader: CatalogueReader, damage: bytes) -> None:
    for n in range(INDEXED):
        objects.arrive(f"p{n:02d}")
    key = index(objects)
    data = bytearray(objects[key])
    data[len(data) // 2] ^= 0xFF
    objects[key] = bytes(data) if damage == b"x" else damage
    assert len(products(reader)) == INDEXED


def test_broken_pictures_are_asked_for_by_name(objects: Objects, reader: CatalogueReader) -> None:
    items = {p: make("sentinel-2-l2a", p) for p in "abcde"}

    def record(product: str, job: str = "", broken: bool = True) -> bytes:
        job = job or f"{product}--00000000"
        fields = {"job": job, "collection": "cloud-masks", "week": WEEK, "inputs": [items[product].id]}
        return canonical(fields | {"broken": broken})

    objects[failure_key("cloudmask", "a--00000000")] = record("a")
    objects[failure_key("cloudmask", "b--00000000")] = record("b", broken=False)
    objects[failure_key("tiler", "c--00000000")] = b"not json"
    objects[failure_key("tiler", "e--restored--00000000")] = record("e", "e--restored--00000000")
    catalogue = reader.snapshot()
    assert [p for p, item in items.items() if catalogue.is_broken(item)] == ["a", "e"]
    sweep = reader.snapshot(ListedEnds(objects, objects.keys("failures/"), (), reader.broken_record))  # type: ignore[arg-type]
    assert [p for p, item in items.items() if sweep.is_broken(item)] == ["a", "e"]
    objects[failure_key("cloudmask", "a--00000000")] = record("a", broken=False)
    assert not reader.snapshot().is_broken(items["a"]), "requeued, it ended otherwise"
    assert catalogue.is_failed("cloudmask", "b--00000000")
    assert not catalogue.is_failed("tiler", "b--00000000")


def test_what_people_wrote_halfway_is_left_alone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    whole, half = withdrawal("a", 1), withdrawal("a", 2)
    said = {k: v for k, v in half.properties.items() if k != "landstream:state"}
    store.put(whole.key, canonical(whole.json))
    store.put(half.key, canonical({**half.json, "properties": said}))
    reader = CatalogueReader(store, AREA, registry.rules())
    assert reader.snapshot().items("withdrawals") == [whole]
    assert reader.foreign == {half.key: "not one of withdrawals: lacks landstream:state"}
