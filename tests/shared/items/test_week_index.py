from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from shared.items.week_index import BadIndex, Stored, index_key, pack, unpack

KEYS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20)
OBJECTS = st.dictionaries(KEYS, st.text(max_size=200), max_size=20)


@given(OBJECTS)
def test_an_index_holds_the_exact_bytes(contents: dict[str, str]) -> None:
    stored = {Stored(key, len(text.encode()), "etag"): text.encode() for key, text in contents.items()}
    assert unpack(pack(stored)) == stored


@given(OBJECTS, st.integers(0, 10_000), st.integers(1, 255))
def test_a_flipped_byte_is_found_or_harmless(contents: dict[str, str], place: int, flip: int) -> None:
    stored = {Stored(key, len(text.encode()), "etag"): text.encode() for key, text in contents.items()}
    data = bytearray(pack(stored))
    data[place % len(data)] ^= flip
    try:
        assert unpack(bytes(data)) == stored
    except BadIndex:
        return


def test_the_key_names_what_it_was_made_of() -> None:
    one, two = Stored("a", 1, "x"), Stored("b", 2, "y")
    key = index_key("c", "2018-W23", [one, two])
    assert key.startswith("index/c/2018-W23/")
    assert key == index_key("c", "2018-W23", [two, one])
    assert key != index_key("c", "2018-W23", [one, Stored("b", 2, "z")])


@pytest.mark.parametrize("text", [b"", b"abc", b"abc\n[]", b'{"a": 1}'])
def test_what_is_not_an_index_is_refused(text: bytes) -> None:
    with pytest.raises(BadIndex):
        unpack(zstandard.compress(text))
    with pytest.raises(BadIndex):
        unpack(text)
