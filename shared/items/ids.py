"""Ids of items, and the digests that they hold."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

from shared.items.weeks import BadKey

_ID = re.compile(r"^(?P<product>.+)--v(?P<version>\d+)-(?P<digest>[0-9a-f]{8})\Z")
_NUMBERED = re.compile(r"^(?P<name>.+)-(?P<number>\d{6})\Z")


def canonical(value: Any) -> bytes:
    """Return canonical JSON: sorted keys, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest8(value: Any) -> str:
    """First 8 hex digits of the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()[:8]


def product_number(product: str) -> int:
    """First 64 bits of the sha256 of a product's full name: its number in a ledger."""
    return int.from_bytes(hashlib.sha256(product.encode()).digest()[:8], "big")


def make_id(product: str, version: int, digest: str) -> str:
    """Return `<product>--v<stage version>-<digest8>`."""
    return f"{product}--v{version}-{digest}"


class ItemId(NamedTuple):
    """An item's id, taken apart.

    Attributes:
        product: root of the id: a scene's product name, an area's name, a sheet and week.
        version: version of the stage that made it; 0 in a numbered collection.
        digest: digest8 of inputs and result-bearing settings; empty in a numbered collection.
        number: from 1 in a numbered collection; 0 elsewhere.
        text: the id itself.
    """

    product: str
    version: int
    digest: str
    number: int
    text: str


def split_id(item_id: str) -> ItemId:
    """Take an item's id apart.

    Raises:
        BadKey: the id is not of either grammar.
    """
    match = _ID.match(item_id)
    if match is not None:
        return ItemId(match["product"], int(match["version"]), match["digest"], 0, item_id)
    numbered = _NUMBERED.match(item_id)
    if numbered is not None:
        return ItemId(numbered["name"], 0, "", int(numbered["number"]), item_id)
    raise BadKey(f"{item_id!r} is not an item id such as S2A_...--v1-0a1b2c3d or area-000001")


def numbered_id(name: str, number: int) -> str:
    """Return an id of a numbered collection, `<name>-<number, 6 digits>`; numbers are taken one after the other."""
    return f"{name}-{number:06d}"
