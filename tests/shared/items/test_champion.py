from __future__ import annotations

from shared.items.champion import champion, is_champion, promotion_number
from tests.catalogues import catalogue_of, make, promotion

ONE, TWO = (make("models", "small", week="static", version=v, cube_state=str(v)) for v in (1, 2))


def test_the_champion_is_the_model_of_the_highest_promotion() -> None:
    assert champion(catalogue_of([ONE, TWO])) is None
    history = [promotion(ONE, 1), promotion(TWO, 2), promotion(ONE, 3)]
    for count, expected in ((1, ONE), (2, TWO), (3, ONE)):
        catalogue = catalogue_of([ONE, TWO, *history[:count]])
        assert champion(catalogue) == expected
        assert [m for m in catalogue.items("models") if is_champion(m, catalogue)] == [expected]
        assert [p.number for p in catalogue.current("promotions")] == [count]


def test_a_model_was_promoted_when_it_was_last() -> None:
    catalogue = catalogue_of([ONE, TWO, promotion(ONE, 1), promotion(ONE, 3)])
    assert promotion_number(ONE.id, catalogue) == 3
    assert promotion_number(TWO.id, catalogue) == 0
