"""What drives a stream besides events: training requests by the area's policy, and the collections' JSON."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.keys import STATIC, canonical, item_key, make_id, rfc3339, week_bounds
from shared.items.stac import CATALOG, make_catalog, make_collection, make_item
from shared.observe.failpoint import failpoint
from shared.stage.declare import Stage
from shared.stage.due import LANDING
from shared.store import NotFound, PreconditionFailed, Store

REQUESTS, UPDATES = "training-requests", "cube-updates"
REQUEST_VERSION = 1


class TrainingPolicy:
    """When to train: once the stream is quiet for a while, and as it flows after so many new tile-weeks.

    Args:
        area: the study area, whose policy says both.
        once: train when the stream is quiet, at once, and only then.
        clock: seconds, monotonic.
    """

    def __init__(self, area: Area, once: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._every = math.inf if once else area.policy.every
        self._quiet_s, self._clock = 0.0 if once else area.policy.quiet_s, clock
        self._quiet_since: float | None = None

    def decide(self, catalogue: Catalogue, quiet: bool) -> bool:
        """Whether to train now.

        Args:
            catalogue: as it is now.
            quiet: nothing upstream of the cube is due.
        """
        self._quiet_since = (self._quiet_since or self._clock()) if quiet else None
        if self._quiet_since is not None and self._clock() - self._quiet_since >= self._quiet_s:
            return True
        return tile_weeks(catalogue.current(UPDATES)) - trained_tile_weeks(catalogue) >= self._every


def tile_weeks(updates: Iterable[Item]) -> int:
    """How many tiles of a week cube updates touched, together."""
    runs = (run for u in updates for run in u.properties["landstream:tiles"])
    return sum(last - first + 1 for _, first, last in runs)


def trained_tile_weeks(catalogue: Catalogue) -> int:
    """Tile-weeks of the largest training request so far, as far as its updates are current."""
    largest = max(catalogue.items(REQUESTS), key=lambda r: len(r.derived_from), default=None)
    inputs = catalogue.inputs(largest) if largest else []
    return tile_weeks(i for i in inputs if i.collection == UPDATES and catalogue.is_current(i))


def upstream(stages: list[Stage]) -> list[Stage]:
    """The stages that feed the cube: those on the way from `landing/` to `cube-updates`.

    Args:
        stages: upstream first.
    """
    wanted, found = {UPDATES}, []
    for stage in reversed(stages):
        if wanted.intersection(stage.publishes):
            found.append(stage)
            wanted |= set(stage.consumes) - {LANDING}
    return found


def nothing_to_train_on(catalogue: Catalogue) -> str | None:
    """Why there is nothing to train on; None = there is something."""
    updates = catalogue.current(UPDATES)
    sensors = {str(u.properties["landstream:sensor"]) for u in updates}
    if "labels" not in sensors:
        return "no labels: nothing to train on"
    if not catalogue.sheet_weeks():
        return "no Sentinel-2 scene of the area's level with clear land: nothing to train on"
    return None


def training_request(catalogue: Catalogue, area: Area) -> tuple[str, bytes]:
    """(key, JSON) of the training request for the present cube state; a pure function of it."""
    state = catalogue.cube_state()
    inputs = [i for c in (UPDATES, "land-cover-labels") for i in catalogue.current(c)]
    weeks = sorted({week for _, week in catalogue.sheet_weeks()})
    item_id = make_id(state, REQUEST_VERSION, state[:8])
    west, south, east, north = area.polygon.bounds
    item = make_item(
        collection=REQUESTS,
        week=STATIC,
        item_id=item_id,
        geometry=area.aoi,
        bbox=(west, south, east, north),
        properties={
            "datetime": None,
            "start_datetime": rfc3339(week_bounds(weeks[0])[0]),
            "end_datetime": rfc3339(week_bounds(weeks[-1])[1]),
            "landstream:cube_state": state,
        },
        assets={},
        inputs=inputs,
        stage="driver",
        stage_version=REQUEST_VERSION,
    )
    return item_key(REQUESTS, STATIC, item_id), canonical(item)


def request_training(store: Store, catalogue: Catalogue, area: Area) -> bool:
    """Create the training request of the present cube state; False if it exists or there is nothing to train on."""
    if nothing_to_train_on(catalogue):
        return False
    state = catalogue.cube_state()
    if any(r.properties["landstream:cube_state"] == state for r in catalogue.items(REQUESTS)):
        return False
    key, data = training_request(catalogue, area)
    try:
        store.put(key, data, create_only=True)
    except PreconditionFailed:
        return False
    failpoint("driver.training_requested")
    return True


def refresh_collections(store: Store, catalogue: Catalogue, area: Area) -> None:
    """Write `catalog.json` and each `collection.json` anew where they changed; a pure function of the items."""
    attributions = [line for line in (area.labels.attribution,) if line]
    present = catalogue.collections
    for collection in present:
        made = make_collection(collection, catalogue.items(collection), attributions)
        _replace(store, f"{collection}/collection.json", canonical(made))
    _replace(store, CATALOG, canonical(make_catalog(area.name, present)))


def _replace(store: Store, key: str, data: bytes) -> None:
    try:
        if store.get(key) == data:
            return
    except NotFound:
        pass
    store.put(key, data)
