"""Keys, ids and digests: the one place that knows where things lie in a store."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

STATIC = "static"
ITEMS, ARTIFACTS, FAILURES, RECEIPTS, ORDERS = "items/", "artifacts/", "failures/", "receipts/", "reprocess/"
"""Where things lie in a store."""

_ID = re.compile(r"^(?P<product>.+)--v(?P<version>\d+)-(?P<digest>[0-9a-f]{8})\Z")
_NUMBERED = re.compile(r"^(?P<name>.+)-(?P<number>\d{6})\Z")
_WEEK = re.compile(r"^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])\Z")
_SEGMENT = re.compile(r"^[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}\Z")
_KEY = re.compile(
    r"(?:(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}/)*"
    r"(?!\.{1,2}\Z)[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}\Z"
)
# ^ All segments at once, as `_SEGMENT` says of one: a listing checks a million keys.
MAX_KEY_BYTES = 1024


class BadKey(ValueError):
    """Raised when a key breaks the rules: empty or dot segments, not printable ASCII, too long."""


def check_key(key: str) -> str:
    """Return the key if it obeys the rules of the store.

    Raises:
        BadKey: it does not.
    """
    if len(key) <= MAX_KEY_BYTES and _KEY.match(key):
        return key
    if not key or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise BadKey(f"key {key[:80]!r} is empty or longer than {MAX_KEY_BYTES} bytes")
    for segment in key.split("/"):
        if segment in {"", ".", ".."} or not _SEGMENT.match(segment):
            raise BadKey(
                f"key {key[:200]!r} has the segment {segment[:80]!r}; use printable ASCII without empty or dot segments"
            )
    return key


def is_key(text: str) -> bool:
    """Return whether `check_key` would pass."""
    try:
        check_key(text)
    except BadKey:
        return False
    return True


def check_week(week: str) -> str:
    """Return `week` if it is `static` or an ISO week such as 2018-W23.

    Raises:
        BadKey: it is neither.
    """
    if week != STATIC and not _WEEK.match(week):
        raise BadKey(f"{week!r} is neither 'static' nor an ISO week such as 2018-W23")
    return week


def iso_week(moment: datetime) -> str:
    """ISO week in UTC of a datatake or frame start: `2018-W23`."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year:04d}-W{week:02d}"


def week_bounds(week: str) -> tuple[datetime, datetime]:
    """Return Monday 00:00:00 UTC and the last second of Sunday of an ISO week."""
    check_week(week)
    year, number = int(week[:4]), int(week[6:])
    monday, sunday = date.fromisocalendar(year, number, 1), date.fromisocalendar(year, number, 7)
    return (
        datetime(monday.year, monday.month, monday.day, tzinfo=UTC),
        datetime(sunday.year, sunday.month, sunday.day, 23, 59, 59, tzinfo=UTC),
    )


def rfc3339(moment: datetime) -> str:
    """Return UTC time as STAC writes it, microseconds only where there are any."""
    text = (
        moment.astimezone(UTC)
        .replace(tzinfo=None)
        .isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    )
    return text + "Z"


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


def items_prefix(collection: str, week: str) -> str:
    """Prefix of the items of a collection in a week."""
    return f"{ITEMS}{collection}/{check_week(week)}/"


def item_key(collection: str, week: str, item_id: str) -> str:
    """Key of an item."""
    return check_key(f"{items_prefix(collection, week)}{item_id}.json")


def split_item_key(key: str) -> tuple[str, str, str]:
    """Return (collection, week, id) of an item's key.

    Raises:
        BadKey: it is not the key of an item.
    """
    parts = check_key(key).split("/")
    if len(parts) != 4 or f"{parts[0]}/" != ITEMS or not parts[3].endswith(".json"):
        raise BadKey(f"{key!r} is not items/<collection>/<week>/<id>.json")
    return parts[1], check_week(parts[2]), parts[3].removesuffix(".json")


def artifact_key(collection: str, week: str, item_id: str, name: str, sha256: str, suffix: str) -> str:
    """Key of an artifact: named by its content."""
    return check_key(f"{ARTIFACTS}{collection}/{week}/{item_id}/{name}-{sha256[:12]}{suffix}")


def failure_key(stage: str, job_id: str) -> str:
    """Key of a failure record."""
    return check_key(f"{FAILURES}{stage}/{job_id}.json")


def receipt_key(unit: str, receipt_id: str) -> str:
    """Key of the receipt of a landing unit, as it is."""
    return check_key(f"{RECEIPTS}{unit}/{receipt_id}.json")


def order_key(stage: str, week: str, version: int) -> str:
    """Key of the order to make results again that are older than a version of a stage; `all` weeks, or one."""
    return check_key(f"{ORDERS}{stage}/{week}-v{version}.json")


def split_order_key(key: str) -> tuple[str, str, int]:
    """(stage, week or `all`, version) of an order's key."""
    _, stage, name = key.split("/")
    week, _, version = name.removesuffix(".json").rpartition("-v")
    return stage, week, int(version)
