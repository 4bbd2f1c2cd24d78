"""Bodies: bounded while they are decoded, and before they are parsed."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest

from services.ingest.fetch.errors import Refused, Unavailable
from services.ingest.fetch.network.bounded import parse_json, read_body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("", b"abc"), ("identity", b"abc"), ("GZIP", gzip.compress(b"abc", mtime=0)), ("deflate", zlib.compress(b"abc"))],
)
def test_bodies_are_decoded(encoding: str, body: bytes) -> None:
    assert read_body([body[:1], body[1:]], encoding) == b"abc"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_swells(encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = pack(bytes(64 * 2**20))
    tracemalloc.start()
    with pytest.raises(Refused, match="longer than"):
        read_body([bomb], encoding, 2**20)
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()


def test_a_long_body_is_refused() -> None:
    with pytest.raises(Refused):
        read_body((bytes(1000) for _ in range(10**9)), "", 10_000)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip, identity"])
def test_other_and_layered_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(Refused):
        read_body([gzip.compress(gzip.compress(b"abc"))], encoding)


def test_what_follows_an_encoded_body_is_refused() -> None:
    with pytest.raises(Refused):
        read_body([gzip.compress(b"abc") + gzip.compress(b"abc")], "gzip")


@pytest.mark.parametrize("body", [b"abc", gzip.compress(b"abc", mtime=0)[:-3], b""])
def test_a_broken_encoding_is_told(body: bytes) -> None:
    with pytest.raises(Unavailable):
        read_body([body], "gzip")


def test_json_is_parsed() -> None:
    assert parse_json(b'{"a": [1, 2.5, "x", null]}') == {"a": [1, 2.5, "x", None]}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 100 + b"]" * 100,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b"[[]" + b",[]" * 600_000 + b"]",
        b"[0" + b",0" * 2_100_000 + b"]",
        b"1" * 5000,
    ],
)
def test_bombs_in_json_are_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        parse_json(body)


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[Infinity]", b"\xff\xfe", b"{'a': 1}"])
def test_what_is_not_json_is_told(body: bytes) -> None:
    with pytest.raises(Unavailable, match="not JSON"):
        parse_json(body)


def test_a_page_for_people_is_called_one() -> None:
    with pytest.raises(Unavailable, match="maintenance page"):
        parse_json(b"\n <!DOCTYPE html><html></html>")
