"""Keys: the one place that knows where things lie in a store."""

from __future__ import annotations

import re
from typing import Final

from shared.items.weeks import BadKey, check_week

ITEMS, ARTIFACTS, FAILURES, RECEIPTS, ORDERS = "items/", "artifacts/", "failures/", "receipts/", "reprocess/"
CUBE: Final = "cube/"
"""Where things lie in a store."""

SCRATCH: Final = f"{ARTIFACTS}scratch/"
"""What long jobs keep of their way: below the artifacts, which every stage may write and `prune` may delete."""

DISMISSED: Final = ".dismissed"
"""How the object ends that says that a failure record beside it, which ends in `.json`, was dismissed."""

_SEGMENT = re.compile(r"^[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}\Z")
_KEY = re.compile(
    r"(?:(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}/)*"
    r"(?!\.{1,2}\Z)[A-Za-z0-9._~!$&'()+,;=@ \[\]{}^%#-]{1,255}\Z"
)
# ^ All segments at once, as `_SEGMENT` says of one: a listing checks a million keys.
_ORDER = re.compile(rf"{ORDERS}(?P<stage>[^/]+)/(?P<week>[^/]+)-v(?P<version>\d{{1,9}})\.json\Z", re.ASCII)
MAX_KEY_BYTES = 1024


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


def scratch_key(stage: str, job_id: str, name: str) -> str:
    """Key of what a job keeps for whoever takes it up again."""
    return check_key(f"{SCRATCH}{stage}/{job_id}/{name}")


def split_scratch_key(key: str) -> tuple[str, str, str]:
    """Return (stage, job id, name) of the key of what a job keeps.

    Raises:
        BadKey: it is not such a key.
    """
    parts = check_key(key).split("/")
    if len(parts) != 5 or not key.startswith(SCRATCH):
        raise BadKey(f"{key!r} is not {SCRATCH}<stage>/<job id>/<name>")
    return parts[2], parts[3], parts[4]


def failure_key(stage: str, job_id: str) -> str:
    """Key of a failure record."""
    return check_key(f"{FAILURES}{stage}/{job_id}.json")


def dismissal_key(stage: str, job_id: str) -> str:
    """Key of the object that says that people dismissed a failure record."""
    return check_key(f"{FAILURES}{stage}/{job_id}{DISMISSED}")


def receipt_key(unit: str, receipt_id: str) -> str:
    """Key of the receipt of a landing unit, as it is."""
    return check_key(f"{RECEIPTS}{unit}/{receipt_id}.json")


def order_key(stage: str, week: str, version: int) -> str:
    """Key of the order to make results again that are older than a version of a stage; `all` weeks, or one."""
    return check_key(f"{ORDERS}{stage}/{week}-v{version}.json")


def split_order_key(key: str) -> tuple[str, str, int]:
    """Return (stage, week or `all`, version) of an order's key.

    Raises:
        BadKey: it is not the key of an order.
    """
    match = _ORDER.match(key)
    if match is None:
        raise BadKey(f"{key!r} is not reprocess/<stage>/<week>-v<version>.json")
    week = match["week"] if match["week"] == "all" else check_week(match["week"])
    return match["stage"], week, int(match["version"])
