"""Products as they are offered: keys, states told by a listing, and what is no state."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.products import (
    OPEN,
    STATES,
    Standing,
    expected_key,
    history,
    offer_key,
    product_prefix,
    reason_of,
    standing,
    standings,
    state_key,
    weeks_of,
)
from shared.items.weeks import BadKey
from shared.store import FolderStore

L2A, WEEK = "sentinel-2-l2a", "2018-W23"


class Keys:
    """A store of keys alone."""

    def __init__(self, keys: list[str]) -> None:
        self.held = keys

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.held if key.startswith(prefix))

    def children(self, prefix: str) -> list[str]:
        return sorted({key.removeprefix(prefix).split("/")[0] for key in self.keys(prefix)})

    def get(self, key: str) -> bytes:
        raise AssertionError(f"{key} is read, and a listing tells")


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 12), st.sampled_from(STATES))))
def test_the_highest_number_holds_and_a_listing_tells_it(said: list[tuple[str, int, str]]) -> None:
    keys = [state_key(L2A, WEEK, product, number, state) for product, number, state in said]  # type: ignore[arg-type]
    keys += [offer_key(L2A, WEEK, product) for product, *_ in said]
    keys += [f"{product_prefix(L2A, WEEK, product)}claims/{number:06d}.json" for product, number, _ in said]
    found = {each.product: each for each in standings(Keys(keys), L2A, WEEK)}
    assert set(found) == {product for product, *_ in said}
    for product, each in found.items():
        assert each.number == max(number for name, number, _ in said if name == product)
        assert each.key in keys
        assert standing(Keys(keys), L2A, WEEK, product) == each
        states = history(Keys(keys), L2A, WEEK, product)
        assert states[-1] == each
        assert states[0] == Standing(L2A, WEEK, product, 0, "found")
        assert [one.number for one in states] == sorted(one.number for one in states)


def test_what_was_described_alone_is_found_and_open() -> None:
    keys = Keys([offer_key(L2A, WEEK, "A")])
    assert list(standings(keys, L2A, WEEK)) == [Standing(L2A, WEEK, "A", 0, "found")]
    assert "found" in OPEN
    assert reason_of(keys, Standing(L2A, WEEK, "A", 0, "found")) == ""


def test_what_is_no_state_is_left_alone() -> None:
    prefix = product_prefix(L2A, WEEK, "A")
    keys = Keys([f"{prefix}{name}" for name in ("1-found.json", "000001-lost.json", "000001-found.txt", "notes")])
    assert list(standings(keys, L2A, WEEK)) == []
    assert standing(keys, L2A, WEEK, "A") is None
    assert history(keys, L2A, WEEK, "A") == []


def test_weeks_are_those_that_are_some() -> None:
    keys = Keys([offer_key(L2A, week, "A") for week in ("2018-W23", "2017-W01")] + [f"products/{L2A}/notes/x"])
    assert weeks_of(keys, L2A) == ["2017-W01", "2018-W23"]


@pytest.mark.parametrize("product", ["../x", "", "x\n"])
def test_a_name_that_no_key_can_have_makes_none(product: str) -> None:
    with pytest.raises(BadKey):
        offer_key(L2A, WEEK, product)


def test_a_week_that_is_none_makes_no_key() -> None:
    for make in (lambda: expected_key(L2A, "2018-W60"), lambda: offer_key(L2A, "..", "A")):
        with pytest.raises(BadKey):
            make()


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b'{"reason": "cloudy"}', "cloudy"), (b"{", "its state is damaged"), (b"[]", "its state is damaged")],
)
def test_a_reason_is_read_and_a_damaged_one_says_so(tmp_path: Path, body: bytes, reason: str) -> None:
    store, found = FolderStore(tmp_path / "store"), Standing(L2A, WEEK, "A", 1, "unwanted")
    with pytest.raises(LookupError):
        reason_of(store, found)
    store.put(found.key, body)
    assert reason_of(store, found) == reason
