from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.ids import digest8, make_id, product_number, split_id
from shared.items.keys import (
    check_key,
    item_key,
    order_key,
    scratch_key,
    split_item_key,
    split_order_key,
    split_scratch_key,
)
from shared.items.weeks import BadKey, iso_week, rfc3339, week_bounds

NAMES = st.text("abcXYZ019_-.", min_size=1, max_size=40).filter(lambda s: s not in {".", ".."})


@given(NAMES, st.integers(0, 99), st.integers(0, 2**32 - 1))
def test_ids_come_apart_as_they_were_made(product: str, version: int, number: int) -> None:
    digest = f"{number:08x}"
    item_id = make_id(product, version, digest)
    assert split_id(item_id) == (product, version, digest, 0, item_id)
    assert split_item_key(item_key("c", "2018-W23", item_id)) == ("c", "2018-W23", item_id)


@pytest.mark.parametrize(
    "key", ["items/c/w/x.json", "items/c/2018-W54/x.json", "items/c/static/d/x.json", "a/c/static/x.json"]
)
def test_other_keys_are_no_items(key: str) -> None:
    with pytest.raises(BadKey):
        split_item_key(key)


@given(st.sampled_from(["tiler", "model-sync"]), st.sampled_from(["all", "2018-W23", "static"]), st.integers(0, 99))
def test_orders_come_apart_as_they_were_made(stage: str, week: str, version: int) -> None:
    assert split_order_key(order_key(stage, week, version)) == (stage, week, version)


@pytest.mark.parametrize(
    "name", ["note.txt", "tiler/note.txt", "tiler/all.json", "tiler/all-vx.json", "tiler/all-v1",
             "tiler/2018-W54-v1.json", "tiler/all-v1.json/x", "tiler/all-v-1.json", "tiler/-v1.json",
             "a/tiler/all-v1.json"],
)  # fmt: skip
def test_other_keys_are_no_orders(name: str) -> None:
    with pytest.raises(BadKey):
        split_order_key(f"reprocess/{name}")


@given(st.text(max_size=300))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    try:
        key = check_key(text)
    except BadKey:
        return
    segments = key.split("/")
    assert all(s and s not in {".", ".."} and len(s) <= 255 and s.isprintable() and s.isascii() for s in segments)


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        (datetime(2018, 6, 4, tzinfo=UTC), "2018-W23"),
        (datetime(2018, 12, 31, tzinfo=UTC), "2019-W01"),
        (datetime(2021, 1, 3, 23, 59, 59, tzinfo=UTC), "2020-W53"),
    ],
)
def test_weeks(moment: datetime, week: str) -> None:
    assert iso_week(moment) == week
    start, end = week_bounds(week)
    assert start <= moment <= end
    assert (start.weekday(), end.weekday()) == (0, 6)


def test_numbers_and_digests_are_those_of_sha256() -> None:
    assert product_number("abc") == 0xBA7816BF8F01CFEA
    assert digest8({"b": 1, "a": 2}) == digest8({"a": 2, "b": 1}) != digest8({"a": 1, "b": 2})


def test_times_are_utc() -> None:
    assert rfc3339(datetime(2018, 6, 4, 9, 20, 31, 24_000, tzinfo=UTC)) == "2018-06-04T09:20:31.024000Z"
    assert rfc3339(datetime(2018, 6, 4, tzinfo=UTC)) == "2018-06-04T00:00:00Z"


def test_scratch_is_named_by_stage_and_job() -> None:
    key = scratch_key("trainer", "small--01234567", "checkpoint")
    assert key == "artifacts/scratch/trainer/small--01234567/checkpoint"
    assert split_scratch_key(key) == ("trainer", "small--01234567", "checkpoint")
    for other in ("artifacts/scratch/notes", f"{key}/x", "artifacts/models/static/a--v1-01234567/card-0.html"):
        with pytest.raises(BadKey):
            split_scratch_key(other)
