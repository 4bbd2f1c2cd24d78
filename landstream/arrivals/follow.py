"""Follow the products of a store, week by week, from the catalogue that offers them to the maps that show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from landstream.arrivals.account import Followed, Step
from landstream.arrivals.recount import last_recount
from landstream.arrivals.standing import Reasons
from landstream.trace.story import Story
from landstream.trace.subject import Subject
from landstream.trace.tracer import Tracer
from services.ingest.fetch.hearing import collection_of
from services.ingest.names import SafeName, parse_product
from shared.area import Area
from shared.area.source import FolderSource
from shared.items.collections import MASKS, OLCI_GRID, SCENES, UPDATES
from shared.items.landing import PREFIX
from shared.items.products import (
    COLLECTIONS,
    FETCH,
    OWN,
    Standing,
    expected_key,
    history,
    standing,
    standings,
    weeks_of,
)
from shared.items.tiles import OLCI
from shared.run.context import Context
from shared.store import NotFound, Store

COUNTED = f"{OWN}expected/"
TAKEN_ON: dict[str, Step] = {MASKS: "masked", OLCI_GRID: "masked", UPDATES: "tiled"}
"""Collection -> the step that a product took of which there is an item in it."""


class Following:
    """Tells how far the products of a store came; a week is read, and let go before the next.

    Args:
        context: the store and its catalogue.
        now: UTC.
    """

    def __init__(self, context: Context, now: datetime | None = None) -> None:
        self._context, self._store = context, context.store
        self._tracer = Tracer(context)
        self._reasons = Reasons(context.store, context.area, now or datetime.now(UTC))
        self._recount = last_recount(context.store)

    def weeks(self) -> list[str]:
        """Return the weeks of which products are expected, offered, registered, or lie in `landing/`, ascending."""
        offered = {week for collection in COLLECTIONS.values() for week in weeks_of(self._store, collection)}
        counted = {
            name.removesuffix(".json")
            for collection in COLLECTIONS.values()
            for name in self._store.children(f"{COUNTED}{collection}/")
            if name.endswith(".json")
        }
        registered = {week for collection in SCENES for week in self._context.reader.weeks(collection)}
        parsed = (parse_product(name) for name in self._store.children(PREFIX))
        landed = {name.week for name in parsed if name is not None}
        return sorted(offered | counted | registered | landed)

    def of(self, week: str) -> Iterator[Followed]:
        """Yield how far each product of a week came, by name."""
        known = {s.product: s for collection in COLLECTIONS.values() for s in standings(self._store, collection, week)}
        expected = {c: expected_products(self._store, c, week) for c in COLLECTIONS.values()}
        counted_in = {p: c for c, products in expected.items() for p in products or ()}
        stories = {story.product: story for story in self._tracer.stories(Subject(week, week=week))}
        for product in sorted({*known, *counted_in, *stories}):
            standing = known.get(product)
            name = parse_product(product)
            counted = expected.get(standing.collection if standing else collection_of(name) if name else "")
            is_expected = None if counted is None else product in counted
            reached, why = self._reached(standing, stories.get(product))
            unexpected = self._why_unexpected(standing) if is_expected is False else ""
            yield Followed(product, place_of(product), reached, why, is_expected, unexpected)

    def _reached(self, standing: Standing | None, story: Story | None) -> tuple[Step, str]:
        if story is not None and story.week:
            return reached_by(story)
        if story is not None and (standing is None or standing.state in {"found", "deferred", "fetching", "failed"}):
            return "found", f"in landing/, not taken in yet: {why_of(story)}"
        return ("expected", "") if standing is None else ("found", self._reasons.of(standing))

    def _why_unexpected(self, standing: Standing | None) -> str:
        if standing is None:
            return "came by hand"
        if self._recount is None or first_heard(self._store, standing) >= self._recount.at:
            return "found since the last recount"
        return "not offered any more"


def why_not_fetched(context: Context, week: str, product: str) -> str:
    """Return why a product that a catalogue offers is not here; empty = none offers it, or nobody knows."""
    for collection in COLLECTIONS.values() if parse_product(product) else ():
        known = standing(context.store, collection, week, product)
        if known is not None:
            return Reasons(context.store, context.area, datetime.now(UTC)).of(known)
    return ""


def place_of(product: str) -> str:
    """Return the MGRS tile that a product's name tells, `T34TFR`; `olci` where it is of none."""
    parsed = parse_product(product)
    return parsed.mgrs_tile if isinstance(parsed, SafeName) else OLCI


def reached_by(story: Story) -> tuple[Step, str]:
    """Return the last step that a registered product took, and why it took no further one; see `Followed`."""
    taken = {TAKEN_ON[s.collection] for s in story.steps if s.state == "done" and s.collection in TAKEN_ON}
    if story.maps:
        return "mapped", why_of(story) if any(s.state in {"failed", "waiting"} for s in story.steps) else ""
    reached: Step = "tiled" if "tiled" in taken else "masked" if "masked" in taken else "fetched"
    why = why_of(story)
    if not why and reached == "tiled" and place_of(story.product) == OLCI:
        why = "no map is drawn of OLCI alone"
    return reached, why


def why_of(story: Story) -> str:
    """Return why a product came no further: what failed or waits, or how its way ended; empty = it does not say."""
    left = [f"failed in {s.stage}: {s.text}" for s in story.steps if s.state == "failed"]
    left += [s.text for s in story.steps if s.state == "waiting"]
    if left:
        return "; ".join(left)
    if any(s.state == "ended" for s in story.steps) or not story.week:
        return ", ".join(s.text for s in story.steps if s.text != "registered")
    return ""


def expected_products(store: Store, collection: str, week: str) -> frozenset[str] | None:
    """Return the products of a week that the last recount found in the catalogue; None = it was not counted."""
    try:
        return frozenset(from_json(store.get(expected_key(collection, week)))["products"])
    except NotFound:
        return None


def first_heard(store: Store, standing: Standing) -> datetime:
    """Return when the first state of a product was written, UTC; the beginning of time where that cannot be read."""
    states = [s for s in history(store, standing.collection, standing.week, standing.product) if s.number]
    try:
        return datetime.fromisoformat(str(from_json(store.get(states[0].key))["at"]))
    except (NotFound, ValueError, KeyError, IndexError):
        return datetime.min.replace(tzinfo=UTC)


def unsearched(store: Store, area: Area, records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why a catalogue may offer more than is known, one line each; none where it was counted whole.

    Args:
        store: what it keeps of searches.
        area: the study area.
        records: the failure records that stand.
    """
    if area.source is None or isinstance(area.source, FolderSource):
        return []
    failing = [f"{r['input']} fails: {r['fault']}" for r in records if r["stage"] == FETCH and not r.get("week")]
    return failing + ([] if last_recount(store) else ["the catalogue was not counted whole yet: more may be offered"])
