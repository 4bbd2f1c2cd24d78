from __future__ import annotations

import pytest

from shared.area import load_area
from shared.items.keys import canonical, item_key
from shared.items.reader import CatalogueReader
from shared.items.stac import make_item
from tests.conftest import AREAS

POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}


class Objects(dict[str, bytes]):
    """A store of items; `listed` are keys that a listing gives beside."""

    listed: tuple[str, ...] = ()

    def keys(self, prefix: str) -> list[str]:
        return [key for key in (*sorted(self), *self.listed) if key.startswith(prefix)]

    def get(self, key: str) -> bytes:
        return self[key]

    def arrive(self, product: str) -> str:
        item = make_item(
            collection="cube-updates", week="2018-W23", item_id=f"{product}--v1-00000000", geometry=POLYGON,
            bbox=(0, 0, 1, 1), properties={"datetime": "2018-06-04T00:00:00Z"}, assets={}, inputs=[],
            stage="test", stage_version=1,
        )  # fmt: skip
        key = item_key("cube-updates", "2018-W23", f"{product}--v1-00000000")
        self[key] = canonical(item)
        return key


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def reader(objects: Objects) -> CatalogueReader:
    return CatalogueReader(objects, load_area(AREAS / "small.yaml"))


def products(reader: CatalogueReader) -> list[str]:
    return [item.product for item in reader.snapshot().items("cube-updates")]


def test_the_same_object_while_nothing_changed(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    first = reader.snapshot()
    assert reader.snapshot() is first
    objects.arrive("b")
    assert products(reader) == ["a", "b"]
    objects["receipts/r.json"] = b"{}"
    assert reader.snapshot().receipts == {"receipts/r.json"}


def test_what_vanished_since_the_listing_is_not_waited_for(objects: Objects, reader: CatalogueReader) -> None:
    objects.arrive("a")
    gone = objects.arrive("b")
    del objects[gone]
    objects.listed = (gone,)
    assert (products(reader), reader.whole) == (["a"], False)
    objects.listed = ()
    assert (products(reader), reader.whole) == (["a"], True)


@pytest.mark.parametrize("key", ["items/README.md", "items/cube-updates/2018-W23/x--v1-00000000.json"])
@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"id": "x", "collection": "y", "properties": 1, "assets": 2}'])
def test_what_is_no_item_is_left_alone(objects: Objects, reader: CatalogueReader, key: str, data: bytes) -> None:
    objects.arrive("a")
    objects[key] = data
    assert (products(reader), reader.whole, list(reader.foreign)) == (["a"], True, [key])
    assert reader.snapshot() is reader.snapshot()
