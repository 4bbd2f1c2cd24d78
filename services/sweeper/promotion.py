"""When the champion is replaced: the promotion of a model, a pure function of the items."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from services.sweeper.driver_item import driver_item
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import champion, last_promotion
from shared.items.collections import MODELS, PROMOTIONS
from shared.items.ids import canonical, numbered_id
from shared.items.item import Item
from shared.items.keys import item_key
from shared.items.summary import WeekSummary, cube_state, current_labels
from shared.items.weeks import STATIC
from shared.store import PreconditionFailed, Store


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
        data = canonical(driver_item(PROMOTIONS, item_id, properties, [best], area))
        store.put(item_key(PROMOTIONS, STATIC, item_id), data, create_only=True)
        return best
    return None
