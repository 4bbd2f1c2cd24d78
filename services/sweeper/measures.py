"""What can be measured of a stream, week by week: how fast scenes become maps, when they came, what space they take."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from services.sweeper.week_cache import WeekCache
from shared.items.catalogue import Catalogue
from shared.items.collections import MAPS, OLCI_L1B, SCENES, UPDATES
from shared.items.item import Item
from shared.items.keys import items_prefix
from shared.items.tiles import MSI, OLCI, touches
from shared.items.weeks import STATIC
from shared.store import Store

LAST_SCENES = 100
"""Scenes, of those registered last, over which freshness is told."""

Age = tuple[float, float]
"""When a scene was registered, seconds since the epoch; seconds from then to the first map that holds it."""


@dataclass(frozen=True)
class WeekMeasures:
    """What is measured of a week's items.

    Attributes:
        bytes: collection -> bytes of the files that its items name.
        arrived: sensor -> when its last scene was registered, seconds since the epoch.
        ages: of the scenes that a map holds, those registered last, at most `LAST_SCENES`.
        unmapped: current Sentinel-2 updates with tiles that no current map holds.
    """

    bytes: Mapping[str, int] = field(default_factory=dict)
    arrived: Mapping[str, float] = field(default_factory=dict)
    ages: tuple[Age, ...] = ()
    unmapped: int = 0


class Measures:
    """The measures of a store's weeks, as they were seen last.

    Args:
        store: where the items lie.
        write: keep in the store what was measured, which is for who drives the stream.

    Attributes:
        scenes: how many ages are known so far.
    """

    def __init__(self, store: Store, *, write: bool = False) -> None:
        self._store, self.scenes = store, 0
        self._kept = WeekCache(store, "measures", WeekMeasures, write=write)
        self._weeks: dict[str, tuple[str, WeekMeasures]] = {}

    def see(self, catalogue: Catalogue, week: str, token: str) -> None:
        """Measure a week; nothing is done while its token is the same."""
        known, before = self._weeks.get(week, ("", WeekMeasures()))
        if known == token:
            return
        found = self._kept.load(week, token) or measure(self._store, catalogue, week)
        self._kept.keep(week, token, found)
        self._weeks[week] = token, found
        self.scenes += len(found.ages) - len(before.ages)

    def finish(self, catalogue: Catalogue) -> None:
        """Measure what has no week, once all weeks were seen."""
        weeks = {w for c in catalogue.collections for w in catalogue.weeks(c)}
        for week in self._weeks.keys() - weeks - {STATIC}:
            self.scenes -= len(self._weeks.pop(week)[1].ages)
        self.see(catalogue, STATIC, repr([catalogue.ids(name) for name in catalogue.collections]))

    @property
    def freshness_s(self) -> float | None:
        """Median of the seconds from scene to map over the last scenes; None before the first map."""
        ages = last_ages(chain.from_iterable(m.ages for m in self._all()))
        return round(statistics.median(age for _, age in ages), 3) if ages else None

    @property
    def bytes(self) -> dict[str, int]:
        """Bytes of each collection's files."""
        total: dict[str, int] = {}
        for found in self._all():
            for collection, size in found.bytes.items():
                total[collection] = total.get(collection, 0) + size
        return total

    @property
    def arrived(self) -> dict[str, float]:
        """When the last scene of each sensor was registered, seconds since the epoch."""
        last: dict[str, float] = {}
        for found in self._all():
            for sensor, moment in found.arrived.items():
                last[sensor] = max(moment, last.get(sensor, 0.0))
        return last

    @property
    def unmapped(self) -> int:
        """Sentinel-2 updates with tiles that no current map holds."""
        return sum(found.unmapped for found in self._all())

    def _all(self) -> Iterator[WeekMeasures]:
        return (found for _, found in self._weeks.values())


def last_ages(ages: Iterable[Age]) -> list[Age]:
    """Return the ages of the scenes registered last, at most `LAST_SCENES`."""
    return heapq.nlargest(LAST_SCENES, ages)


def measure(store: Store, catalogue: Catalogue, week: str) -> WeekMeasures:
    """Measure a week: its items, and when the objects of its scenes and maps were made."""
    present = [c for c in catalogue.collections if week in catalogue.weeks(c)]
    sizes = {c: sum(map(bytes_of, catalogue.items(c, week))) for c in present}
    made = {o.key: o.modified_s for c in present if c in (*SCENES, MAPS) for o in store.list(items_prefix(c, week))}
    arrived: dict[str, float] = {}
    for scene in (i for c in present if c in SCENES for i in catalogue.items(c, week)):
        sensor = OLCI if scene.collection == OLCI_L1B else MSI
        arrived[sensor] = max(made.get(scene.key, 0.0), arrived.get(sensor, 0.0))
    updates = [u for u in catalogue.current(UPDATES, week) if touches(u, MSI)] if UPDATES in present else []
    maps = catalogue.items(MAPS, week) if MAPS in present else []
    shown = {item_id for m in maps if catalogue.is_current(m) for item_id in _updates_in(m)}
    ages = tuple(last_ages(_ages(updates, maps, made, catalogue)))
    return WeekMeasures(sizes, arrived, ages, sum(u.id not in shown for u in updates))


def bytes_of(item: Item) -> int:
    """Return the bytes of the files that an item names."""
    return sum(int(asset.get("file:size", 0)) for asset in item.assets.values())


def _ages(
    updates: Iterable[Item], maps: Iterable[Item], made: Mapping[str, float], catalogue: Catalogue
) -> Iterator[Age]:
    """Yield the age of each scene that a map, current or not, holds."""
    first: dict[str, float] = {}
    for item in (m for m in maps if m.key in made):
        for update_id in _updates_in(item):
            first[update_id] = min(made[item.key], first.get(update_id, made[item.key]))
    for update in (u for u in updates if u.id in first):
        for scene in (i for i in catalogue.inputs(update) if i.collection in SCENES and i.key in made):
            yield made[scene.key], first[update.id] - made[scene.key]


def _updates_in(item: Item) -> Iterator[str]:
    """Yield the ids of the cube updates that a map was made of."""
    return (item_id for collection, item_id in item.derived_from if collection == UPDATES)
