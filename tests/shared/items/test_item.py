"""What was read as an item has what each item of ours has, so that nobody else needs to ask."""

from __future__ import annotations

from typing import Any

import pytest

from shared.items.ids import canonical
from shared.items.item import BadItem, Item
from shared.items.stac import make_item
from tests.catalogues import WEEK

POINT = {"type": "Point", "coordinates": [24.0, 46.0]}
SPAN = {"start_datetime": "2018-06-04T00:00:00Z", "end_datetime": "2018-06-10T23:59:59Z"}


def whole(**properties: object) -> dict[str, Any]:
    return make_item(
        collection="cloud-masks", week=WEEK, item_id="p--v1-0a1b2c3d", geometry=POINT, bbox=(24.0, 46.0, 24.0, 46.0),
        properties=properties or {"datetime": "2018-06-05T00:00:00Z"}, assets={}, inputs=[],
        stage="test", stage_version=1,
    )  # fmt: skip


def test_an_item_is_of_a_moment_or_of_a_span() -> None:
    assert Item.parse(canonical(whole()), WEEK).times == ("2018-06-05T00:00:00Z",)
    assert Item.parse(canonical(whole(datetime=None, **SPAN)), WEEK).times == tuple(SPAN.values())


@pytest.mark.parametrize(
    "part",
    [
        {"bbox": None}, {"bbox": [1, 2, 3]}, {"bbox": [24, 46, 24, "x"]}, {"bbox": {"a": 1}}, {"bbox": "west"},
        {"geometry": None}, {"geometry": []}, {"links": 5}, {"assets": []}, {"properties": []}, {"properties": {}},
        {"properties": {"datetime": 5}}, {"properties": {"datetime": None}}, {"properties": {"datetime": ""}},
        {"properties": {"start_datetime": "2018-06-04T00:00:00Z"}}, {"properties": {**SPAN, "end_datetime": 5}},
        {"id": "p"}, {"id": 5}, {"collection": ".."},
    ],
    ids=str,
)  # fmt: skip
def test_what_lacks_a_part_that_each_item_has_is_not_one(part: dict[str, object]) -> None:
    with pytest.raises(BadItem):
        Item.parse(canonical({**whole(), **part}), WEEK)


@pytest.mark.parametrize("name", ["bbox", "geometry", "links", "assets", "properties", "id", "collection"])
def test_a_part_may_not_be_left_out(name: str) -> None:
    json = whole()
    del json[name]
    with pytest.raises(BadItem, match=name):
        Item.parse(canonical(json), WEEK)


@pytest.mark.parametrize("data", [b"", b"null", b"5", b"[]", b"\xff\xfe", b'"text"'])
def test_what_is_not_an_object_is_not_an_item(data: bytes) -> None:
    with pytest.raises(BadItem):
        Item.parse(data, WEEK)
