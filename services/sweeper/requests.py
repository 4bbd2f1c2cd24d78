"""Training requests: which data and settings a model is to be trained on, a pure function of the items."""

from __future__ import annotations

from collections.abc import Sequence

from services.sweeper.driver_item import DRIVER_VERSION, driver_item
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import REQUESTS
from shared.items.ids import canonical, digest8, make_id
from shared.items.item import Item
from shared.items.keys import item_key
from shared.items.properties import RequestFacts
from shared.items.summary import COUNTED, WeekSummary, cube_state, current_labels, trained_on
from shared.items.weeks import STATIC, span_properties
from shared.observe.failpoint import failpoint
from shared.store import PreconditionFailed, Store


def training_request(
    summaries: Sequence[WeekSummary], labels: Sequence[Item], area: Area, asked_by: str = "policy"
) -> tuple[str, bytes]:
    """Return (key, JSON) of the training request for the present cube state and the area's training settings.

    Args:
        summaries: of all weeks.
        labels: the current label rasters.
        area: the study area.
        asked_by: `policy`, or who ordered it.
    """
    sensors, training = trained_on(area), area.training.model_dump(mode="json")
    state = cube_state(summaries, labels, sensors)
    trained = [s for s in summaries if any(sensor in s.digests for sensor in sensors)]
    item_id = make_id(state, DRIVER_VERSION, digest8([state, training]))
    facts = RequestFacts(
        cube_state=state,
        training=training,
        asked_by=asked_by,
        digests={s.week: {k: v for k, v in s.digests.items() if k in sensors} for s in trained},
        tile_weeks={s.week: sum(s.tile_weeks.get(k, 0) for k in COUNTED) for s in trained},
    )
    properties = span_properties(trained[0].week, trained[-1].week) | facts.properties()
    return item_key(REQUESTS, STATIC, item_id), canonical(driver_item(REQUESTS, item_id, properties, labels, area))


def request_training(
    store: Store, catalogue: Catalogue, summaries: Sequence[WeekSummary], area: Area, asked_by: str = "policy"
) -> str | None:
    """Create the training request of the present cube state; return its key, or None where it exists.

    Args:
        store: where to.
        catalogue: what exists.
        summaries: of all weeks.
        area: the study area.
        asked_by: `policy`, or who ordered it.
    """
    key, data = training_request(summaries, current_labels(catalogue), area, asked_by)
    if _is_there(key, catalogue):
        return None
    try:
        store.put(key, data, create_only=True)
    except PreconditionFailed:
        return None
    failpoint("driver.training_requested")
    return key


def is_requested(catalogue: Catalogue, summaries: Sequence[WeekSummary], area: Area) -> bool:
    """Return whether there is a training request for the present cube state and settings."""
    return _is_there(training_request(summaries, current_labels(catalogue), area)[0], catalogue)


def _is_there(key: str, catalogue: Catalogue) -> bool:
    return key.rpartition("/")[2].removesuffix(".json") in catalogue.ids(REQUESTS)
