"""Reads what a server sends within bounds: of bytes once decoded, and of JSON's depth and number of values."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any, Final

from services.ingest.fetch.errors import Refused, Unavailable

BODY_LIMIT: Final = 32 * 2**20
"""Bytes of an answer, decoded."""
DEPTH_LIMIT: Final = 40
VALUES_LIMIT: Final = 600_000
CONTAINERS_LIMIT: Final = 300_000
"""Lists and objects of an answer: thirty bytes of memory come from each byte of `[[],[],..`."""
DIGITS_LIMIT: Final = 400
"""Digits of a whole number: more than the largest of floating point has."""
_WINDOWS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


def read_body(chunks: Iterable[bytes], encoding: str, limit: int = BODY_LIMIT) -> bytes:
    """Return a body, decoded.

    Args:
        chunks: as they come from the network.
        encoding: the header `Content-Encoding`; empty = none.
        limit: bytes, decoded.

    Raises:
        Refused: it is longer, or of an encoding that was not asked for (several on top of each other, too).
        Unavailable: it is cut off, or not of its encoding.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return _plain(chunks, limit)
    if encoding not in _WINDOWS:
        raise Refused("an answer has an encoding that was not asked for")
    return _inflated(chunks, _WINDOWS[encoding], limit)


def _plain(chunks: Iterable[bytes], limit: int) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise Refused(f"an answer is longer than {limit} bytes")
    return bytes(body)


def _inflated(chunks: Iterable[bytes], window: int, limit: int) -> bytes:
    inflater = zlib.decompressobj(window)
    body = bytearray()
    try:
        for chunk in chunks:
            body += inflater.decompress(chunk, limit + 1 - len(body))
            if len(body) > limit:
                raise Refused(f"an answer is longer than {limit} bytes")
            if inflater.unused_data:
                raise Refused("an answer goes on after the end of its encoding")
    except zlib.error:
        raise Unavailable("an answer is not of the encoding that it states") from None
    if not inflater.eof:
        raise Unavailable("an answer is cut off")
    return bytes(body)


def parse_json(body: bytes | str) -> Any:
    """Return what JSON says.

    Raises:
        Refused: it is too deep, or holds too many values, or a number that is too long.
        Unavailable: it is not JSON; a page in HTML is called a maintenance page.
    """
    data = body.encode() if isinstance(body, str) else body
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise Unavailable("a maintenance page came where JSON was to come")
    if data.count(b"[") + data.count(b"{") > CONTAINERS_LIMIT or data.count(b",") > VALUES_LIMIT:
        raise Refused("an answer holds too many values")
    try:
        value = json.loads(data, parse_constant=_no_number, parse_int=_whole_number)
    except RecursionError:
        raise Refused("an answer is nested too deeply") from None
    except ValueError:
        raise Unavailable("an answer is not JSON") from None
    _check_depth(value)
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _whole_number(text: str) -> int:
    if len(text) > DIGITS_LIMIT:
        raise Refused(f"an answer holds a number of more than {DIGITS_LIMIT} digits")
    return int(text)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise Refused(f"an answer is nested more than {DEPTH_LIMIT} deep")


def _children(value: Any) -> Iterable[Any]:
    nested = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (child for child in nested if isinstance(child, dict | list))
