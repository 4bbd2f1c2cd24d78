"""Index objects: the exact bytes of a week's items in one object, so that starting cold costs two requests per week.

An index is a cache. It is named by what it was made of, checked whole before it is used, and never the truth: absent,
stale or damaged, the items themselves are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import zstandard

from shared.items.ids import canonical
from shared.items.keys import check_key

PREFIX: Final = "index/"
MOST_BYTES: Final = 1 << 30
"""An index that unpacks to more is not one of ours: a week of a country has 20 MB."""


class BadIndex(ValueError):
    """Raised when the bytes of an index are not what it was made of."""


class Listed(Protocol):
    """An object as a store lists it."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def etag(self) -> str:
        """Changes whenever the content does."""

    @property
    def modified_s(self) -> float:
        """Seconds since the epoch."""


@dataclass(frozen=True, order=True)
class Stored:
    """An item's object as it is listed: key, size in bytes and etag."""

    key: str
    size: int
    etag: str


def index_prefix(collection: str, week: str) -> str:
    """Return where the indexes of a collection's week lie."""
    return check_key(f"{PREFIX}{collection}/{week}") + "/"


def week_cache_key(name: str, week: str) -> str:
    """Return the key of what was found out of a week, of which nothing is lost either if it is absent."""
    return check_key(f"{PREFIX}{name}/{week}.json")


def index_key(collection: str, week: str, objects: Iterable[Stored]) -> str:
    """Return the key of the index of these objects."""
    listed = [[o.key, o.size, o.etag] for o in sorted(objects)]
    return f"{index_prefix(collection, week)}{hashlib.sha256(canonical(listed)).hexdigest()}.json.zst"


def pack(contents: Mapping[Stored, bytes]) -> bytes:
    """Return an index of objects: a line with the sha256 of what follows, then JSON, compressed by zstd.

    Raises:
        UnicodeDecodeError: an object is not text.
    """
    rows = [[o.key, o.size, o.etag, contents[o].decode()] for o in sorted(contents)]
    body = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    return zstandard.ZstdCompressor(level=3).compress(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def unpack(data: bytes) -> dict[Stored, bytes]:
    """Return the objects of an index.

    Raises:
        BadIndex: it is damaged, or too large.
    """
    try:
        if zstandard.get_frame_parameters(data).content_size > MOST_BYTES:
            raise BadIndex(f"unpacks to more than {MOST_BYTES} bytes")
        text = zstandard.ZstdDecompressor().decompress(data, max_output_size=MOST_BYTES)
        digest, _, body = text.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise BadIndex("its sha256 is another one")
        return {Stored(str(k), int(size), str(etag)): str(t).encode() for k, size, etag, t in json.loads(body)}
    except (zstandard.ZstdError, ValueError, TypeError) as error:
        raise BadIndex(f"damaged index: {error}") from error


class Readable(Protocol):
    """What reading an index needs of a store."""

    def list(self, prefix: str) -> Iterable[Listed]:
        """Yield every object below a prefix."""

    def get(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            LookupError: there is none.
        """


def read_index(objects: Readable, collection: str, week: str, listed: Sequence[Stored]) -> dict[str, bytes]:
    """Return key -> bytes of those objects that an index holds exactly as they are listed now.

    The index of just these objects is looked for first, then the newest of any others.
    """
    exact = index_key(collection, week, listed)
    contents = _read(objects, exact)
    if contents is None:
        others = [o for o in objects.list(index_prefix(collection, week)) if o.key != exact]
        contents = _read(objects, max(others, key=age_rank).key) if others else None
    return {o.key: contents[o] for o in listed if o in contents} if contents else {}


def age_rank(index: Listed) -> tuple[float, str]:
    """Return what puts the indexes of a week in order, the newest last: some stores tell times in whole seconds."""
    return index.modified_s, index.key


def is_whole(objects: Readable, key: str) -> bool:
    """Return whether there is an index of this key that can be read."""
    return _read(objects, key) is not None


def _read(objects: Readable, key: str) -> dict[Stored, bytes] | None:
    try:
        return unpack(objects.get(key))
    except (LookupError, BadIndex):
        return None  # a cache: the items themselves are read
