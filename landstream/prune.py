"""Free space: what a store holds and nothing needs any more."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.sweeper.sweep import Sweep
from shared.items.ids import split_id
from shared.items.item import BadItem, Item
from shared.items.keys import ARTIFACTS, CUBE, SCRATCH, item_key, receipt_key, split_item_key, split_scratch_key
from shared.items.landing import LandingUnit, unit_keys
from shared.items.stac import asset_key
from shared.items.week_index import PREFIX as INDEXES
from shared.items.week_index import age_rank, index_key, index_prefix
from shared.items.weeks import BadKey, check_week
from shared.run.context import Context
from shared.stage import published, registry
from shared.stage.due import LANDING
from shared.store import NotFound, ObjectInfo, Store

SNAPSHOTS: Final = f"{CUBE}snapshots/"
LEFT_FOR: Final = timedelta(days=1)
"""Artifacts without an item are left behind after so long: no job uploads for a day."""


@dataclass(frozen=True)
class Freed:
    """What was, or would be, freed.

    Attributes:
        what: what it is, in words.
        objects: how many objects.
        size: their bytes.
    """

    what: str
    objects: int
    size: int


def prune(context: Context, now: datetime, keep: timedelta, *, landing: bool, rehearse: bool) -> Iterator[Freed]:
    """Free what nothing needs, one kind after the other.

    Args:
        context: of the store.
        now: the time, in UTC.
        keep: for how long a snapshot of the cube stays after a newer one replaced it.
        landing: remove landing units that were taken in, too.
        rehearse: only say what would be freed.

    Raises:
        StoreError: the store refuses, or does not answer.
    """
    yield prune_cube(context, now, keep, rehearse=rehearse)
    yield _remove(context.store, "replaced indexes", replaced_indexes(context), rehearse)
    yield _remove(context.store, "left by killed runs", left_behind(context, now), rehearse)
    if landing:
        yield remove_units(context, taken_in(context), rehearse=rehearse)


def prune_cube(context: Context, now: datetime, keep: timedelta, *, rehearse: bool) -> Freed:
    """Expire snapshots of the cube; see `shared.cube.expire`."""
    from shared.cube import expire  # it takes the libraries of a cube, and a second to load

    expired = expire.prune_cube(context.store, context.cube, keep, now, rehearse=rehearse)
    return Freed(f"cube: {expired.snapshots} snapshots", expired.objects, expired.size)


def count_snapshots(store: Store) -> int:
    """Return how many snapshots a store's cube holds."""
    return sum(1 for _ in store.keys(SNAPSHOTS))


def replaced_indexes(context: Context) -> list[ObjectInfo]:
    """Return the indexes that another one replaced: all of a collection's week but the exact one, else the newest."""
    weeks = defaultdict[tuple[str, str], list[ObjectInfo]](list)
    for stored in context.store.list(INDEXES):
        if stored.key.count("/") == 3:  # what was found out of a week is replaced in its place
            _, collection, week, _ = stored.key.split("/")
            with suppress(BadKey):  # somebody else's
                index_prefix(collection, check_week(week))
                weeks[collection, week].append(stored)
    return [o for (collection, week), found in weeks.items() for o in _replaced(context, collection, week, found)]


def _replaced(context: Context, collection: str, week: str, found: list[ObjectInfo]) -> list[ObjectInfo]:
    # Listed after the indexes: one that is written meanwhile is not among them.
    exact = index_key(collection, week, context.reader.stored(collection, week))
    kept = max(found, key=lambda o: (o.key == exact, age_rank(o)))
    return [o for o in found if o is not kept]


def left_behind(context: Context, now: datetime) -> list[ObjectInfo]:
    """Return the artifacts whose item does not exist, and checkpoints: a day old and of no job that is due.

    A job that is due may be under way: it takes what lies there for its own, and names it in its item.
    """
    found = [o for group in _without_item(context.store) if _is_old(group, now) for o in group]
    checkpoints = [o for o in context.store.list(SCRATCH) if _is_old([o], now)]
    if not found and not checkpoints:
        return []
    stages = registry.all_stages()
    counts = Sweep(stages, context).look(everything=True)
    due = {job.id for count in counts.values() for job in count.due}
    # Only its result tells the id of what a landing unit becomes.
    arriving = {c for s in stages if LANDING in s.consumes and counts[s.name].due for c in published(s)}
    left = [o for o in found if _collection(o) not in arriving and _job(o) not in due]
    return [*left, *(o for o in checkpoints if _is_left(o.key, due))]


def _is_left(checkpoint: str, due: Set[str]) -> bool:
    """Return whether a checkpoint's job will not come back for it; what does not lie as one is somebody else's."""
    try:
        _, job, _ = split_scratch_key(checkpoint)
    except BadKey:
        return False
    return job not in due


def _without_item(store: Store) -> Iterator[list[ObjectInfo]]:
    """Yield the artifacts of each id that has no item; what does not lie as artifacts do is left alone."""
    items = dict[tuple[str, str], set[str]]()
    lying = (o for o in store.list(ARTIFACTS) if o.key.count("/") == 4)
    for (_, collection, week, item_id), group in itertools.groupby(lying, key=lambda o: o.key.split("/")[:4]):
        try:
            split_id(item_id)
        except BadKey:
            continue
        artifacts = list(group)
        if (collection, week) not in items:
            items[collection, week] = set(store.children(f"items/{collection}/{week}/"))
        # The listing may be older than the item.
        if f"{item_id}.json" not in items[collection, week] and not store.exists(item_key(collection, week, item_id)):
            yield artifacts


def _is_old(artifacts: Iterable[ObjectInfo], now: datetime) -> bool:
    return max(o.modified_s for o in artifacts) < (now - LEFT_FOR).timestamp()


def _collection(artifact: ObjectInfo) -> str:
    return artifact.key.split("/")[1]


def _job(artifact: ObjectInfo) -> str:
    """Return the id of the job that made an artifact."""
    item_id = split_id(artifact.key.split("/")[3])
    return f"{item_id.product}--{item_id.digest}"


def taken_in(context: Context) -> Iterator[LandingUnit]:
    """Yield the landing units whose receipt names an item that exists with all its artifacts."""
    return (unit for unit in context.units() if _is_taken_in(context.store, unit))


def _is_taken_in(store: Store, unit: LandingUnit) -> bool:
    try:
        key = str(json.loads(store.get(receipt_key(unit.name, unit.receipt_id)))["item"])
        item = Item.parse(store.get(key), split_item_key(key)[1])
        return all(store.head(asset_key(item, name)).size == a["file:size"] for name, a in item.assets.items())
    except (NotFound, BadItem, BadKey, KeyError, ValueError):
        return False  # no receipt, a failure's, or an item that is not whole


def remove_units(context: Context, units: Iterable[LandingUnit], *, rehearse: bool) -> Freed:
    """Remove landing units that were taken in; one to which something came meanwhile stays."""
    count = objects = size = 0
    for unit in units:
        if not rehearse:
            now = context.unit(unit.name)
            if now is None or now.receipt_id != unit.receipt_id:
                continue
            for key, _ in unit_keys(unit):
                context.store.delete(key)
        count, objects, size = count + 1, objects + len(unit.objects), size + sum(o.size for o in unit.objects)
    return Freed(f"landing: {count} units", objects, size)


def _remove(store: Store, what: str, found: list[ObjectInfo], rehearse: bool) -> Freed:
    if not rehearse:
        for stored in found:
            store.delete(stored.key)
    return Freed(what, len(found), sum(o.size for o in found))
