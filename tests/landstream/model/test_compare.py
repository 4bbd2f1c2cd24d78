"""Two models side by side: when their scores mean the same, and what the trainer found."""

from __future__ import annotations

from typing import Any

import pytest

from landstream.model.compare import are_scored_alike, comparisons, spell_comparison
from landstream.model.history import Model, models_of
from shared.items.item import Item
from shared.items.properties import EvaluationFacts
from tests.catalogues import catalogue_of, make


def model(version: int, **facts: Any) -> Model:
    return Model(make("models", "small", week="static", version=version, **facts), (), False)


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ({"hold_out": "clc-1", "weeks": ["2018-W20"]}, {"hold_out": "clc-1", "weeks": ["2018-W20"]}, True),
        ({"hold_out": "clc-1", "weeks": ["2018-W20"]}, {"hold_out": "clc-2", "weeks": ["2018-W20"]}, False),
        ({"hold_out": "clc-1", "weeks": ["2018-W20"]}, {"hold_out": "clc-1", "weeks": ["2018-W21"]}, False),
        ({"weeks": ["2018-W20"]}, {"weeks": ["2018-W20"]}, False),
    ],
)
def test_scores_are_alike_on_one_hold_out_and_the_same_weeks(
    first: dict[str, Any], second: dict[str, Any], alike: bool
) -> None:
    assert are_scored_alike(model(1, **first), model(2, **second)) is alike


def test_what_the_trainer_found_is_told_whichever_was_champion() -> None:
    one, other, third = (make("models", "small", week="static", version=v) for v in (1, 2, 3))
    facts = EvaluationFacts(
        challenger=other.id,
        champion=one.id,
        promotion="small-000001",
        hold_out=1,
        verdict="better",
        gain={"miou": [0.01, 0.05], "accuracy": [0.0, 0.02]},
        allowance=0.0,
        blocks=15,
        scores={},
        snapshot="S",
    )
    made = make("evaluations", "small", [other, one], week="static")
    evaluation = Item({**made.json, "properties": {**made.properties, **facts.properties()}}, "static")
    catalogue = catalogue_of([one, other, third, evaluation])
    first, second, last = sorted(models_of(catalogue), key=lambda m: m.item.id)
    assert comparisons(first, second, catalogue) == comparisons(second, first, catalogue) == [facts]
    assert comparisons(first, last, catalogue) == []
    assert spell_comparison(facts) == (
        f"{other.id} against {one.id}: better, gain in mIoU [+0.010, +0.050] on 15 blocks"
    )
