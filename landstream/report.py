"""What a store can say of itself: status, items, maps, failures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from landstream.arrivals.recount import arrivals_line
from landstream.result import map_result, result_of
from landstream.table import Column
from services.sweeper.measures import LAST_SCENES, Measures
from services.sweeper.sweep import Sweep
from services.sweeper.view import Open
from shared.area import Area
from shared.bus import OBJECTS
from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS
from shared.items.item import Item
from shared.items.keys import dismissal_key
from shared.items.products import FETCH
from shared.items.summary import WeekSummary
from shared.items.weeks import STATIC
from shared.run.context import Context
from shared.run.failure import is_void, record_key, standing_failures
from shared.stage import registry
from shared.store import NotFound, Store


def status(store: Store, area: Area, kafka: str = "") -> dict[str, Any]:
    """Return `{"stages": {NAME: {"done", "waiting", "failed"}}, "freshness_s", "arrivals", "tiles", "result", ...}`.

    With Kafka it holds its groups, too; `arrivals` is a line for people, empty where none are fetched; `result` is a
    `landstream.result.Result`; `left_alone` is key -> why, of objects that are not what their place says.

    Args:
        store: the store.
        area: its area.
        kafka: `HOST:PORT`; empty = no look at it.

    Raises:
        BusError: Kafka does not answer, or cannot be spoken to.
    """
    context, stages = Context.of_store(store, area), registry.all_stages()
    measures = Measures(store)

    def see(catalogue: Catalogue, week: str, token: str) -> None:
        # Weeks come newest first: older ones than the last scenes' need not be read, nor any without maps.
        if measures.scenes < LAST_SCENES and week in catalogue.weeks(MAPS):
            measures.see(catalogue, week, token)

    sweep = Sweep(stages, context, visit=see)
    found = sweep.look()
    foreign = context.reader.foreign
    catalogue = context.reader.snapshot()
    failed = Counter(str(r["stage"]) for r in standing_failures(store, catalogue, foreign))
    counts = {n: {"done": c.done, "waiting": len(c.due), "failed": failed[n]} for n, c in found.items()}
    if kafka:
        for name, (lag, consumers) in _groups(kafka, {s.name: context.group(s.name) for s in stages}).items():
            counts[name] |= {"lag": lag, "consumers": consumers}
    tiles = tile_counts(sweep.summaries())
    return {
        "stages": counts,
        "freshness_s": measures.freshness_s,
        "arrivals": arrivals_line(store, area, failed[FETCH]),
        "tiles": tiles,
        "result": result_of(store, catalogue),
        "left_alone": dict(foreign),
    }


def tile_counts(summaries: Iterable[WeekSummary]) -> dict[str, dict[str, int]]:
    """Return how many products of each MGRS tile (or `olci`) were found, registered, masked, tiled and mapped."""
    total: dict[str, Counter[str]] = {}
    for summary in summaries:
        for tile, steps in summary.counts.items():
            total.setdefault(tile, Counter()).update({str(step): count for step, count in steps.items()})
    return {tile: dict(steps) for tile, steps in sorted(total.items())}


def _groups(kafka: str, groups: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Return service -> (events that its group has not acknowledged, members of the group)."""
    from shared.bus.kafka import KafkaBus, KafkaSettings

    bus = KafkaBus(KafkaSettings(servers=kafka))
    try:
        return {name: bus.group(OBJECTS, group) for name, group in groups.items()}
    finally:
        bus.close()


def items(catalogue: Catalogue, collection: str, everything: bool, weeks: Sequence[str] = ()) -> Iterator[Item]:
    """Yield the items of a collection, week after week; each week is let go before the next one is read.

    Args:
        catalogue: what exists.
        collection: which.
        everything: also those that are no longer current.
        weeks: of these alone, where some are given.
    """
    for week in (w for w in catalogue.weeks(collection) if not weeks or w in weeks):
        yield from catalogue.items(collection, week) if everything else catalogue.current(collection, week)
        if week != STATIC:
            catalogue.let_go(week)


def item_line(store: Store, item: Item) -> str:
    """Return a STAC item (JSON) on one line, with a `self` link from which the relative ones can be resolved."""
    link = {"rel": "self", "href": f"{store.location}/{item.key}", "type": "application/geo+json"}
    return json.dumps({**item.json, "links": [*item.json["links"], link]}, sort_keys=True)


ITEM_COLUMNS = Column("week"), Column("time"), Column("id", copied=True), Column("path", copied=True, below=True)
MAP_COLUMNS = Column("week"), Column("sheet"), Column("observed"), Column("path", copied=True, below=True)
DUE_COLUMNS = Column("stage"), Column("week"), Column("product", copied=True)
FAILURE_COLUMNS = (
    Column("when"),
    Column("stage"),
    Column("product or unit", copied=True),
    Column("file", copied=True, below=True),
    Column("why", below=True),
    Column("what to do", below=True),
    Column("id", copied=True, below=True),
)
ALL_FAILURE_COLUMNS = (*FAILURE_COLUMNS, Column("state", below=True))


def item_row(store: Store, item: Item) -> tuple[str, ...]:
    """Return what `ITEM_COLUMNS` say of an item."""
    return item.week, " to ".join(item.times), item.id, f"{store.location}/{item.key}"


def map_row(store: Store, item: Item) -> tuple[str, ...]:
    """Return what `MAP_COLUMNS` say of a map."""
    found = map_result(store, item)
    return found.week, found.sheet, f"{found.observed_percent:.1f} %", found.path


def due_line(job: Open) -> str:
    """Return a due job (JSON) on one line."""
    return json.dumps({"stage": job.stage, "job": job.id, "week": job.week})


def due_row(job: Open) -> tuple[str, ...]:
    """Return what `DUE_COLUMNS` say of a job."""
    return job.stage, job.week, job.id.rpartition("--")[0]


def failure_subject(record: Mapping[str, Any]) -> str:
    """Return the landing unit or the product that a failure record speaks of."""
    return str(record.get("unit") or str(record["id"]).rpartition("--")[0])


def failure_row(store: Store, record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what `FAILURE_COLUMNS` say of a failure record."""
    try:
        when = moment(store.head(record_key(record)).modified_s)
    except NotFound:  # requeued since
        when = ""
    said = (str(record.get(name) or "") for name in ("file", "fault", "remedy", "id"))
    return when, str(record["stage"]), failure_subject(record), *said


def failure_state(store: Store, record: Mapping[str, Any], catalogue: Catalogue) -> dict[str, str]:
    """Return `{"state", "reason"}` of a failure record: `dismissed`, with the reason given, or `void`, or `stands`."""
    try:
        said = from_json(store.get(dismissal_key(str(record["stage"]), str(record["id"]))))
        return {"state": "dismissed", "reason": str(said["reason"])}
    except NotFound:
        return {"state": "void" if is_void(record, store, catalogue) else "stands", "reason": ""}
    except (ValueError, TypeError, KeyError):  # written by something else; that it is there is what counts
        return {"state": "dismissed", "reason": ""}


def any_failure_row(store: Store, record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what `ALL_FAILURE_COLUMNS` say of a failure record with its state."""
    return *failure_row(store, record), ": ".join(filter(None, (record["state"], record["reason"])))


def moment(seconds: float) -> str:
    """Return a time, seconds since the epoch, as clocks here show it, to the minute."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
