"""Facts of items: what is written is read back, and is plain JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.item import Item
from shared.items.properties import FrameFacts, UpdateFacts

FRAME = FrameFacts(
    scene="S3A_EFR_031_093_1980",
    product="S3A_OL_1_EFR____x",
    product_version=(1, 3, "20180606T000000"),
    attribution="Contains Copernicus Sentinel data [2018]",
    product_type="EFR",
    shape=(4091, 4865),
)


def item_of(properties: dict[str, Any]) -> Item:
    said = {"id": "a-000001", "collection": "c", "properties": json.loads(json.dumps(properties))}
    return Item(said, "2018-W23")


def test_what_is_absent_stays_absent() -> None:
    written = FRAME.properties()
    assert written["landstream:product_version"] == [1, 3, "20180606T000000"]
    assert "landstream:bright_percent" not in written
    assert FrameFacts.of(item_of(written)) == FRAME


def test_other_properties_do_not_matter_and_missing_ones_do() -> None:
    written = FRAME.properties() | {"datetime": None, "landstream:inputs": []}
    assert FrameFacts.of(item_of(written)) == FRAME
    del written["landstream:scene"]
    with pytest.raises(KeyError, match="landstream:scene"):
        FrameFacts.of(item_of(written))


RUNS = st.lists(st.tuples(*[st.integers(0, 300)] * 3)).map(tuple)


@given(st.text(), RUNS)
def test_updates_are_read_back(product: str, tiles: tuple[tuple[int, int, int], ...]) -> None:
    facts = UpdateFacts(sensor="msi", week="2018-W23", product=product, tiles=tiles, attribution="x")
    assert UpdateFacts.of(item_of(facts.properties())) == facts
