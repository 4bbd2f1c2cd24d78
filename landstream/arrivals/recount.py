"""The last recount of a catalogue, as fetching keeps it, and how `status` tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json

from shared.area import Area
from shared.area.source import FolderSource
from shared.items.products import OWN
from shared.store import NotFound, Store


@dataclass(frozen=True)
class Recount:
    """A whole recount.

    Attributes:
        at: when it began, UTC.
        missing: state -> products that it and the recount before it named, and that did not come.
    """

    at: datetime
    missing: Mapping[str, int]


def last_recount(store: Store) -> Recount | None:
    """Return the last recount that was whole; None = there was none."""
    try:
        kept = from_json(store.get(f"{OWN}recounted.json"))
    except NotFound:
        return None
    return Recount(datetime.fromisoformat(str(kept["at"])), kept.get("missing", {}))


def arrivals_line(store: Store, area: Area, failed: int) -> str:
    """Return what `status` says of arrivals; empty where products come by hand.

    Args:
        store: what fetching keeps.
        area: the study area.
        failed: failure records of fetching that stand.
    """
    if area.source is None or isinstance(area.source, FolderSource):
        return ""
    recount = last_recount(store)
    said = [f"{failed} failed" if failed == 1 else f"{failed} failures"] if failed else []
    if recount is None:
        said.append(f"the catalogue of {area.source.kind} was not counted whole yet")
    else:
        states = [f"{count} {state}" for state, count in sorted(recount.missing.items()) if state != "failed"]
        lacking = f"named twice and not here: {', '.join(states)}" if states else "nothing that was named twice lacks"
        said.append(f"{lacking}, as of the recount of {recount.at:%Y-%m-%d %H:%M} UTC")
    return f"arrivals: {'; '.join(said)} (`landstream account` says more)"
