"""Whether a challenger is better than the champion: what is compared, and the verdict. Nothing is loaded for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.trainer.hold_outs import HOLD_OUT, newest_hold_out
from shared.items.catalogue import Catalogue
from shared.items.champion import champion, last_promotion, promotion_number
from shared.items.claim import FEWEST_BLOCKS
from shared.items.collections import EVALUATIONS, LABELS, REQUESTS
from shared.items.item import Item
from shared.items.model_imports import is_imported
from shared.items.properties import EvaluationFacts, HoldOutFacts, RequestFacts, Verdict
from shared.items.summary import current_labels
from shared.items.weeks import STATIC
from shared.stage.declare import Job
from shared.stage.source import Source

MEASURE: Final = "miou"
"""What a challenger must gain in."""

ALLOWANCE: Final = 0.005
"""What it may lose at the interval's lower end if it has seen newer labels, or enough more data: those count, too."""

PERCENT: Final = 90
"""Of the paired draws of blocks that lie within the interval."""


def plan_judging(model: Item, catalogue: Catalogue) -> list[Job]:
    """Plan the comparison of a model with the champion, once: neither champions, present or past, nor losers again.

    An imported model has no split: whether it has seen the hold-out is not known, and it is compared all the same. One
    that was trained here before models had splits is not: it did see blocks, and which is not known.
    """
    present = champion(catalogue)
    if present is None or promotion_number(model.id, catalogue) or not _is_comparable(model):
        return []
    hold_out = newest_hold_out(catalogue)
    if hold_out is None or not _is_comparable(present):
        return []
    number = HoldOutFacts.of(hold_out).number
    before = [EvaluationFacts.of(e) for e in catalogue.index(EVALUATIONS, STATIC, "challenger").get(model.id, ())]
    if any((e.champion, e.hold_out) != (present.id, number) for e in before):
        return []
    wanted = ("model", "split")
    models = tuple(Source(item, tuple(a for a in wanted if a in item.assets)) for item in (model, present))
    promoted = last_promotion(catalogue)
    notes = {"allowance": allowance_of(model, present, catalogue), "promotion": promoted.id if promoted else ""}
    sources = (*models, Source(hold_out, (HOLD_OUT,)))
    return [Job(EVALUATIONS, catalogue.area.name, STATIC, sources, {"percent": PERCENT}, notes=notes)]


def _is_comparable(model: Item) -> bool:
    return "split" in model.assets or is_imported(model)


def allowance_of(challenger: Item, present: Item, catalogue: Catalogue) -> float:
    """Return what a challenger may lose: nothing, unless it has seen newer labels or `grow_percent` more tile-weeks."""
    theirs, ours = _request_of(present, catalogue), _request_of(challenger, catalogue)
    if theirs is None or ours is None:
        return 0.0
    before, more = _tile_weeks(theirs), _tile_weeks(ours) - _tile_weeks(theirs)
    grown = more > 0 and 100 * more >= catalogue.area.train.grow_percent * before
    newer = _labels(theirs) != {i.id for i in current_labels(catalogue)} == _labels(ours)
    return ALLOWANCE if grown or newer else 0.0


def is_with_champion(item: Item, catalogue: Catalogue) -> bool:
    """Return whether an evaluation is a comparison with the present champion."""
    present = champion(catalogue)
    return present is not None and item.properties["landstream:champion"] == present.id


def verdict_of(gain: Mapping[str, Sequence[float]], allowance: float, blocks: int) -> Verdict:
    """Return the verdict of a comparison.

    Args:
        gain: measure -> [low, high] of the challenger's gain.
        allowance: what it may lose.
        blocks: how many were drawn from.
    """
    if blocks < FEWEST_BLOCKS:
        return "incomparable"
    low = gain[MEASURE][0]
    return "better" if low > 0 or (allowance and low > -allowance) else "not better"


def _request_of(model: Item, catalogue: Catalogue) -> Item | None:
    return next((i for i in catalogue.inputs(model) if i.collection == REQUESTS), None)


def _tile_weeks(request: Item) -> int:
    return sum(RequestFacts.of(request).tile_weeks.values())


def _labels(request: Item) -> set[Any]:
    return {item_id for collection, item_id in request.derived_from if collection == LABELS}
