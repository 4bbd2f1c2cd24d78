"""Training requests and promotions: what whoever drives the stream creates, each a pure function of the items."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import champion, last_promotion
from shared.items.collections import MODELS, PROMOTIONS, REQUESTS
from shared.items.ids import canonical, digest8, make_id, numbered_id
from shared.items.item import Item
from shared.items.keys import item_key
from shared.items.stac import make_item
from shared.items.summary import TRAINED_ON, WeekSummary, cube_state, current_labels
from shared.items.weeks import STATIC, rfc3339, week_bounds
from shared.observe.failpoint import failpoint
from shared.store import PreconditionFailed, Store

REQUEST_VERSION = 1
DRIVER = "driver"


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
    state, training = cube_state(summaries, labels), area.policy.training.model_dump(mode="json")
    trained = [s for s in summaries if any(sensor in s.digests for sensor in TRAINED_ON)]
    item_id = make_id(state, REQUEST_VERSION, digest8([state, training]))
    properties = {
        **_span(trained[0].week, trained[-1].week),
        "landstream:cube_state": state,
        "landstream:training": training,
        "landstream:asked_by": asked_by,
        "landstream:digests": {s.week: {k: v for k, v in s.digests.items() if k in TRAINED_ON} for s in trained},
        "landstream:tile_weeks": {s.week: sum(s.tile_weeks.get(k, 0) for k in TRAINED_ON) for s in trained},
    }
    return item_key(REQUESTS, STATIC, item_id), canonical(_item(REQUESTS, item_id, properties, labels, area))


def request_training(store: Store, catalogue: Catalogue, summaries: Sequence[WeekSummary], area: Area) -> str | None:
    """Create the training request of the present cube state; return its key, or None where it exists."""
    key, data = training_request(summaries, current_labels(catalogue), area)
    if key.rpartition("/")[2].removesuffix(".json") in catalogue.ids(REQUESTS):
        return None
    try:
        store.put(key, data, create_only=True)
    except PreconditionFailed:
        return None
    failpoint("driver.training_requested")
    return key


def promote(store: Store, catalogue: Catalogue, summaries: Sequence[WeekSummary], area: Area) -> Item | None:
    """Promote the model of the present cube state unless it is the champion; return the model, or None.

    Of models of one state, that of the area's present training settings comes first. The first champion may be of any
    state: a stream that never rests has maps, too.
    """
    state, training = cube_state(summaries, current_labels(catalogue)), area.policy.training.model_dump(mode="json")
    present, last = champion(catalogue), last_promotion(catalogue)
    models = catalogue.items(MODELS)
    fitting = [m for m in models if m.properties.get("landstream:cube_state") == state]
    if not fitting and present is None:
        fitting = [m for m in models if "landstream:training" in m.properties]
    if not fitting:
        return None

    def rank(model: Item) -> tuple[bool, int, str]:
        return model.properties.get("landstream:training") == training, model.stage_version, model.id

    best = max(fitting, key=rank)
    if present is not None and present.id == best.id:
        return None
    number = (last.number if last else 0) + 1
    item_id = numbered_id(area.name, number)
    span = {n: best.properties[n] for n in ("start_datetime", "end_datetime")}
    properties = {
        "datetime": None,
        **span,
        "landstream:model": best.id,
        "landstream:rule": "always" if best.properties.get("landstream:cube_state") == state else "first",
    }
    with suppress(PreconditionFailed):  # another driver was faster: the next look sees what it promoted
        data = canonical(_item(PROMOTIONS, item_id, properties, [best], area))
        store.put(item_key(PROMOTIONS, STATIC, item_id), data, create_only=True)
        return best
    return None


def _span(first: str, last: str) -> dict[str, Any]:
    start, end = week_bounds(first)[0], week_bounds(last)[1]
    return {"datetime": None, "start_datetime": rfc3339(start), "end_datetime": rfc3339(end)}


def _item(collection: str, item_id: str, properties: dict[str, Any], inputs: Sequence[Item], area: Area) -> Any:
    west, south, east, north = area.polygon.bounds
    return make_item(
        collection=collection,
        week=STATIC,
        item_id=item_id,
        geometry=area.aoi,
        bbox=(west, south, east, north),
        properties=properties,
        assets={},
        inputs=inputs,
        stage=DRIVER,
        stage_version=REQUEST_VERSION,
    )
