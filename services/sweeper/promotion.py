"""When the champion is replaced: the promotion of a model, a pure function of the items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.sweeper.driver_item import driver_item
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.champion import champion, last_promotion, promotion_number
from shared.items.collections import EVALUATIONS, MODELS, PROMOTIONS
from shared.items.ids import ItemId, canonical, numbered_id, split_id
from shared.items.item import BadItem, Item
from shared.items.keys import item_key
from shared.items.properties import EvaluationFacts, PromotionFacts
from shared.items.summary import WeekSummary, cube_state, current_labels, trained_on
from shared.items.weeks import STATIC
from shared.observe.failpoint import failpoint
from shared.store import NotFound, PreconditionFailed, Store


def promote(store: Store, catalogue: Catalogue, summaries: Sequence[WeekSummary], area: Area) -> Item | None:
    """Promote the model that the area's rule makes champion, unless it is; return the model, or None."""
    if area.promote == "manual":
        return None
    state = cube_state(summaries, current_labels(catalogue), trained_on(area))
    choose = _better if area.promote == "better" else _of_present_state
    chosen = choose(catalogue, state, area)
    if chosen is None:
        return None
    best, facts = chosen
    # Where another driver was faster, the next look sees what it promoted.
    return best if next_promotion(store, catalogue, best, facts) else None


def _of_present_state(catalogue: Catalogue, state: str, area: Area) -> tuple[Item, PromotionFacts] | None:
    """Return the model of the present cube state unless it is the champion, or was.

    Of models of one state, that of the area's present training settings comes first. The first champion may be of any
    state: a stream that never rests has maps, too. What a person promotes instead stays the champion until another
    state, or other settings, ask for another model.
    """
    present, models = champion(catalogue), catalogue.items(MODELS)
    fitting = [m for m in models if m.properties.get("landstream:cube_state") == state]
    if not fitting and present is None:
        fitting = [m for m in models if "landstream:training" in m.properties]
    if not fitting:
        return None
    best = max(fitting, key=lambda model: _rank(model, state, area))
    history = sorted((split_id(i) for i in catalogue.ids(PROMOTIONS)), key=lambda i: i.number, reverse=True)
    if present is not None and (present.id == best.id or _had_its_turn(best, state, history, catalogue)):
        return None
    rule = "always" if best.properties.get("landstream:cube_state") == state else "first"
    return best, PromotionFacts(model=best.id, cube_state=state, rule=rule)


def _rank(model: Item, state: str, area: Area) -> tuple[bool, bool, int, str]:
    """Return what puts one model before another: of the present state, of the area's settings, of a newer trainer."""
    training = area.training.model_dump(mode="json")
    fits = model.properties.get("landstream:cube_state") == state
    return fits, model.properties.get("landstream:training") == training, model.stage_version, model.id


def _better(catalogue: Catalogue, state: str, area: Area) -> tuple[Item, PromotionFacts] | None:
    """Return the model that won most over the champion; where there is none, one that beats the commonest class."""
    present = champion(catalogue)
    if present is None:
        models = [m for m in catalogue.items(MODELS) if _beats_majority(m)]
        best = max(models, key=lambda model: _rank(model, state, area), default=None)
        return None if best is None else (best, PromotionFacts(model=best.id, cube_state=state, rule="first"))
    found = catalogue.index(EVALUATIONS, STATIC, "champion").get(present.id, ())
    won = [(EvaluationFacts.of(item), item.id) for item in found]
    last = last_promotion(catalogue)
    won = [(facts, i) for facts, i in won if facts.verdict == "better" and last and facts.promotion == last.id]
    for facts, evaluation in sorted(won, key=lambda pair: (pair[0].gain["miou"][0], pair[1]), reverse=True):
        model = catalogue.find(MODELS, facts.challenger)
        if model is not None and not promotion_number(model.id, catalogue):
            return model, PromotionFacts(model=model.id, cube_state=state, rule="better", evaluation=evaluation)
    return None


def _beats_majority(model: Item) -> bool:
    metrics = model.properties.get("landstream:metrics", {})
    return float(metrics.get("accuracy", 0.0)) > float(metrics.get("majority_accuracy", 1.0))


def next_promotion(store: Store, catalogue: Catalogue, model: Item, facts: PromotionFacts) -> str | None:
    """Create the promotion after those that were seen, and return its id; None where there is a newer one.

    Args:
        store: where to.
        catalogue: what the decision is based on: whoever promoted since then is not overruled.
        model: the model.
        facts: what the promotion says.
    """
    number = _number_after(catalogue, store)
    if number is None:
        return None
    item_id = numbered_id(catalogue.area.name, number)
    span = {n: model.properties[n] for n in ("start_datetime", "end_datetime")}
    properties = {"datetime": None, **span, **facts.properties()}
    data = canonical(driver_item(PROMOTIONS, item_id, properties, [model], catalogue.area))
    try:
        store.put(item_key(PROMOTIONS, STATIC, item_id), data, create_only=True)
    except PreconditionFailed:
        return None
    failpoint("driver.promoted")
    return item_id


def _number_after(catalogue: Catalogue, store: Store) -> int | None:
    """Return the number after the last promotion that was seen; None where there is a newer one.

    Numbers that something else took, which is not a promotion, are passed over.
    """
    number = max((split_id(i).number for i in catalogue.ids(PROMOTIONS)), default=0) + 1
    while True:
        key = item_key(PROMOTIONS, STATIC, numbered_id(catalogue.area.name, number))
        try:
            PromotionFacts.of(Item.parse(store.get(key), STATIC))
        except NotFound:
            return number
        except (BadItem, KeyError):
            number += 1
        else:
            return None


def _had_its_turn(model: Item, state: str, history: Iterable[ItemId], catalogue: Catalogue) -> bool:
    """Return whether a model was promoted for a cube state since the driver last decided otherwise.

    Args:
        model: the model.
        state: the present cube state.
        history: ids of the promotions, the newest one first.
        catalogue: holds them.
    """
    for promotion_id in history:
        promotion = catalogue.find(PROMOTIONS, promotion_id.text)
        if promotion is None:
            continue
        said = PromotionFacts.of(promotion)
        if said.model == model.id and said.cube_state in (state, None):
            return True
        if said.rule is not None:  # the driver's; a person follows no rule
            return False
    return False
