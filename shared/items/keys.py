"""Keys, ids and digests: the one place that knows where things lie in a store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

STATIC = "static"
_ID = re.compile(r"^(?P<product>.+)--v(?P<version>\d+)-(?P<digest>[0-9a-f]{8})\Z")
_WEEK = re.compile(r"^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])\Z")
_SEGMENT = re.compile(r"^[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}\Z")
MAX_KEY_BYTES = 1024


class BadKey(ValueError):
    """Raised when a key breaks the rules: empty or dot segments, not printable ASCII, too long."""


def check_key(key: str) -> str:
    """Return the key if it obeys the rules of the store.

    Raises:
        BadKey: it does not.
    """
    if not key or len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise BadKey(f"key {key[:80]!r} is empty or longer than {MAX_KEY_BYTES} bytes")
    for segment in key.split("/"):
        if segment in {"", ".", ".."} or not _SEGMENT.match(segment):
            raise BadKey(
                f"key {key[:200]!r} has the segment {segment[:80]!r}; use printable ASCII without empty or dot segments"
            )
    return key


def is_key(text: str) -> bool:
    """Whether `check_key` would pass."""
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
    """Monday 00:00:00 UTC and the last second of Sunday of an ISO week."""
    check_week(week)
    year, number = int(week[:4]), int(week[6:])
    monday, sunday = date.fromisocalendar(year, number, 1), date.fromisocalendar(year, number, 7)
    return (
        datetime(monday.year, monday.month, monday.day, tzinfo=UTC),
        datetime(sunday.year, sunday.month, sunday.day, 23, 59, 59, tzinfo=UTC),
    )


def rfc3339(moment: datetime) -> str:
    """UTC time as STAC writes it, microseconds only where there are any."""
    text = (
        moment.astimezone(UTC)
        .replace(tzinfo=None)
        .isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    )
    return text + "Z"


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest8(value: Any) -> str:
    """First 8 hex digits of the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()[:8]


def product_number(product: str) -> int:
    """First 64 bits of the sha256 of a product's full name: its number in a ledger."""
    return int.from_bytes(hashlib.sha256(product.encode()).digest()[:8], "big")


def make_id(product: str, version: int, digest: str) -> str:
    """`<product>--v<stage version>-<digest8>`."""
    return f"{product}--v{version}-{digest}"


def split_id(item_id: str) -> tuple[str, int, str]:
    """(product, stage version, digest) of an item's id.

    Raises:
        BadKey: the id is not of the grammar.
    """
    match = _ID.match(item_id)
    if match is None:
        raise BadKey(f"{item_id!r} is no item id such as S2A_...--v1-0a1b2c3d")
    return match["product"], int(match["version"]), match["digest"]


def item_key(collection: str, week: str, item_id: str) -> str:
    """Key of an item."""
    return check_key(f"items/{collection}/{check_week(week)}/{item_id}.json")


def split_item_key(key: str) -> tuple[str, str, str]:
    """(collection, week, id) of an item's key.

    Raises:
        BadKey: it is not the key of an item.
    """
    parts = check_key(key).split("/")
    if len(parts) != 4 or parts[0] != "items" or not parts[3].endswith(".json"):
        raise BadKey(f"{key!r} is not items/<collection>/<week>/<id>.json")
    return parts[1], check_week(parts[2]), parts[3].removesuffix(".json")


def artifact_key(collection: str, week: str, item_id: str, name: str, sha256: str, suffix: str) -> str:
    """Key of an artifact: named by its content."""
    return check_key(f"artifacts/{collection}/{week}/{item_id}/{name}-{sha256[:12]}{suffix}")


def failure_key(stage: str, job_id: str) -> str:
    """Key of a failure record."""
    return check_key(f"failures/{stage}/{job_id}.json")


def receipt_key(receipt_id: str) -> str:
    """Key of a landing unit's receipt."""
    return check_key(f"receipts/{receipt_id}.json")


@dataclass(frozen=True)
class LandingObject:
    """One object of a landing unit: its path inside the unit (empty for a file), size in bytes and etag."""

    path: str
    size: int
    etag: str


@dataclass(frozen=True)
class LandingUnit:
    """One delivery in `landing/`: a file, or a folder of files, as listed.

    Attributes:
        name: first path segment below `landing/`.
        objects: sorted by path.
        modified_s: newest modification of its objects, seconds since the epoch.
        patience_s: how long it may stay incomplete; 0 = it is said to be whole.
    """

    name: str
    objects: tuple[LandingObject, ...]
    modified_s: float = 0.0
    patience_s: float = 0.0

    @property
    def receipt_id(self) -> str:
        """sha256 of name, sizes and etags."""
        return hashlib.sha256(
            canonical([self.name, sorted((o.path, o.size, o.etag) for o in self.objects)])
        ).hexdigest()

    @property
    def is_folder(self) -> bool:
        """True for a SAFE or SEN3 folder."""
        return not (len(self.objects) == 1 and self.objects[0].path == "")


def unit_keys(unit: LandingUnit) -> Iterable[tuple[str, str]]:
    """(key, path inside the unit) of each object of a landing unit."""
    for o in unit.objects:
        yield (f"landing/{unit.name}/{o.path}" if o.path else f"landing/{unit.name}"), o.path
