from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.items.listing import Listing


class Clock:
    """A second passes whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@given(keys=st.sets(st.text(max_size=3), max_size=30), within_s=st.integers(0, 9))
def test_looks_of_any_length_come_to_the_whole(keys: set[str], within_s: int) -> None:
    listing = Listing(lambda: sorted(keys), key=str, clock=Clock())
    known: set[str] = set()
    for _ in range(len(keys) + 1):
        seen = set(listing.look(within_s))
        assert known <= seen <= keys
        known = seen
    assert listing.whole
    assert set(listing.look()) == keys


def test_what_is_gone_stands_until_the_next_listing_is_through() -> None:
    keys = ["a", "b", "c"]
    listing = Listing(lambda: list(keys), key=str, clock=Clock())
    listing.look()
    keys[:] = ["b", "c", "d"]
    assert [sorted(listing.look(0)) for _ in range(4)] == [["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c", "d"],
                                                           ["b", "c", "d"]]  # fmt: skip


def test_a_listing_that_broke_begins_anew() -> None:
    fail = [True]

    def start() -> Iterator[str]:
        yield "gone" if fail[0] else "a"
        if fail[0]:
            raise OSError("away")
        yield "b"

    listing = Listing(start, key=str)
    with pytest.raises(OSError, match="away"):
        listing.look()
    assert not listing.whole
    fail[0] = False
    assert sorted(listing.look()) == ["a", "b"]
