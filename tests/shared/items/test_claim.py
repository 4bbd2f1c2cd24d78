"""A model claims the score on the strictest split that its hold-out allows."""

from __future__ import annotations

from shared.items.claim import FEWEST_BLOCKS, HOLD_OUT, UNSEEN, claim

LOOSE = {"accuracy": 0.9, "miou": 0.7, "blocks": 30}


def test_polygons_never_seen_are_claimed_where_there_are_enough() -> None:
    strict = {"accuracy": 0.8, "miou": 0.5, "blocks": FEWEST_BLOCKS}
    assert claim(LOOSE | {"unseen_polygons": strict}) == (UNSEEN, strict)


def test_else_the_whole_hold_out_is() -> None:
    few = LOOSE | {"unseen_polygons": {"accuracy": 0.8, "miou": 0.5, "blocks": FEWEST_BLOCKS - 1}}
    assert claim(few) == (HOLD_OUT, few)
    assert claim(LOOSE) == (HOLD_OUT, LOOSE), "models of before"
    assert claim({}) == (HOLD_OUT, {}), "one that was never scored"
