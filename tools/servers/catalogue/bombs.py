"""Answers that burst a client which trusts them."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping

from tools.servers.catalogue.exchange import Answer

HUGE = 4 << 30  # bytes that come out, or that are sent
_MIB = 1 << 20
_JSON = {"Content-Type": "application/json"}
_XML = {"Content-Type": "application/xml"}


def bomb(kind: str) -> Answer:
    """Make a bomb.

    Raises:
        KeyError: it is none of `BOMBS`.
    """
    return BOMBS[kind]()


def _json_deep() -> Answer:
    return Answer(200, b'{"features":' + b"[" * _MIB + b"]" * _MIB + b"}", _JSON)


def _json_huge() -> Answer:
    return Answer(200, _repeated(b'{"features":[', b"0," * (_MIB // 2)), _JSON)


def _json_digits() -> Answer:
    return Answer(200, b'{"features":[' + b"9" * _MIB + b"]}", _JSON)


def _json_wide() -> Answer:
    names = ",".join(f'"{number}":0' for number in range(1_000_000))
    return Answer(200, f'{{"type":"FeatureCollection","features":[],{names}}}'.encode(), _JSON)


def _xml_entities() -> Answer:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return Answer(200, f'<!DOCTYPE x [<!ENTITY e0 "bomb">{entities}]><x>&e11;</x>'.encode(), _XML)


def _xml_deep() -> Answer:
    return Answer(200, b"<a>" * _MIB + b"</a>" * _MIB, _XML)


def _xml_huge() -> Answer:
    return Answer(200, _repeated(b"<x>", b"<a></a>" * (_MIB // 7)), _XML)


def _gzip() -> Answer:
    return Answer(200, b"".join(_packed(31)), {**_JSON, "Content-Encoding": "gzip"})


def _deflate() -> Answer:
    return Answer(200, b"".join(_packed(15)), {**_JSON, "Content-Encoding": "deflate"})


def _gzip_twice() -> Answer:
    return Answer(200, gzip.compress(b"".join(_packed(31))), {**_JSON, "Content-Encoding": "gzip, gzip"})


def _headers() -> Answer:
    return Answer(200, b"{}", {**_JSON, **{f"X-Bomb-{number}": "x" * 1000 for number in range(10_000)}})


def _endless_body() -> Answer:
    return Answer(200, _repeated(b"PK\x03\x04", bytes(_MIB)), {"Content-Type": "application/zip"})


def _boast() -> Answer:
    return Answer(200, iter([b"PK\x03\x04"]), {"Content-Type": "application/zip", "Content-Length": str(10**14)})


def _repeated(first: bytes, piece: bytes) -> Iterator[bytes]:
    yield first
    yield from itertools.repeat(piece, HUGE // len(piece))


def _packed(window: int) -> Iterator[bytes]:
    """Yield blanks, packed; the same MiB is packed once and repeated, so that making it costs nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    yield packer.compress(b" ") + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(b" " * _MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    yield from itertools.repeat(piece, HUGE // _MIB)


BOMBS: Mapping[str, Callable[[], Answer]] = {
    "json-deep": _json_deep,
    "json-huge": _json_huge,
    "json-digits": _json_digits,
    "json-wide": _json_wide,
    "xml-entities": _xml_entities,
    "xml-deep": _xml_deep,
    "xml-huge": _xml_huge,
    "gzip": _gzip,
    "deflate": _deflate,
    "gzip-twice": _gzip_twice,
    "headers": _headers,
    "endless-body": _endless_body,
    "boast": _boast,
}
