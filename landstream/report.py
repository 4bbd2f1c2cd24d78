"""What a store can say of itself: status, items, maps, failures."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from typing import Any

from services.sweeper import Sweep
from shared.area import Area
from shared.bus import OBJECTS
from shared.items.catalogue import Catalogue
from shared.run.context import Context
from shared.stage import registry
from shared.stage.due import standing_failures
from shared.store import Store

LAST_SCENES = 100


def status(store: Store, area: Area, kafka: str = "") -> dict[str, Any]:
    """`{"stages": {NAME: {"done", "waiting", "failed"}}, "freshness_s"}`; with Kafka also "lag" and "consumers".

    Args:
        store: the store.
        area: its area.
        kafka: `HOST:PORT`; empty = no look at it.

    Raises:
        BusError: Kafka does not answer, or cannot be spoken to.
    """
    context, stages = Context.of_store(store, area), registry.all_stages()
    catalogue = context.reader.snapshot()
    surveys = Sweep(stages, context).survey(catalogue, context.units())
    failed = Counter(key.split("/")[1] for key in standing_failures(stages, catalogue))
    counts = {n: {"done": s.done, "waiting": len(s.due), "failed": failed[n]} for n, s in surveys.items()}
    if kafka:
        for name, (lag, consumers) in _groups(kafka, {s.name: context.group(s.name) for s in stages}).items():
            counts[name] |= {"lag": lag, "consumers": consumers}
    return {"stages": counts, "freshness_s": freshness_s(store, catalogue)}


def _groups(kafka: str, groups: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Service -> (events that its group has not acknowledged, members of the group)."""
    from shared.bus.kafka import KafkaBus, KafkaSettings

    bus = KafkaBus(KafkaSettings(servers=kafka))
    try:
        return {name: bus.group(OBJECTS, group) for name, group in groups.items()}
    finally:
        bus.close()


def freshness_s(store: Store, catalogue: Catalogue) -> float | None:
    """Median seconds from a scene's item to the first map that holds it, over the last 100 mapped scenes."""
    times = {info.key: info.modified_s for info in store.list("items/")}
    maps = catalogue.items("land-cover-maps")
    ages = []
    for update in catalogue.current("cube-updates"):
        if update.properties["landstream:sensor"] != "msi":
            continue
        scene = next((i for i in catalogue.inputs(update) if i.collection.startswith("sentinel-2")), None)
        if scene is None or scene.key not in times:
            continue
        arrived = times[scene.key]
        mapped = [times[m.key] for m in maps if (update.collection, update.id) in m.derived_from]
        if mapped:
            ages.append((arrived, min(mapped) - arrived))
    latest = [age for _, age in sorted(ages)[-LAST_SCENES:]]
    return round(statistics.median(latest), 3) if latest else None


def items(store: Store, catalogue: Catalogue, collection: str, everything: bool) -> Iterator[str]:
    """One STAC item (JSON) a line, with a `self` link from which the relative ones can be resolved."""
    for item in catalogue.items(collection) if everything else catalogue.current(collection):
        link = {"rel": "self", "href": f"{store.location}/{item.key}", "type": "application/geo+json"}
        yield json.dumps({**item.json, "links": [*item.json["links"], link]}, sort_keys=True)


def failures(store: Store, catalogue: Catalogue) -> Iterator[str]:
    """One failure record (JSON) a line."""
    for key in standing_failures(registry.all_stages(), catalogue):
        yield json.dumps(json.loads(store.get(key)), sort_keys=True)
