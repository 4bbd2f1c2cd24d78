"""Which models there are, which was champion before, and which is meant."""

from __future__ import annotations

import pytest

from landstream.model.history import NoSuchModel, champion_before, find_model, models_of
from shared.items.item import Item
from tests.catalogues import catalogue_of, make, promotion

ONE, TWO, THREE = (make("models", "small", week="static", version=v) for v in (1, 2, 3))
ITEMS = [ONE, TWO, THREE, promotion(ONE, 1), promotion(TWO, 2), promotion(ONE, 3), promotion(ONE, 4)]


def test_the_champion_comes_first_and_what_was_never_promoted_last() -> None:
    models = models_of(catalogue_of(ITEMS))
    assert [m.item for m in models] == [ONE, TWO, THREE]
    assert [m.is_champion for m in models] == [True, False, False]
    assert [[p.number for p in m.promotions] for m in models] == [[1, 3, 4], [2], []]


def test_a_model_is_meant_by_its_id_or_the_beginning_of_it() -> None:
    models = models_of(catalogue_of(ITEMS))
    assert find_model(models, TWO.id).item == TWO
    assert find_model(models, "small--v3").item == THREE
    with pytest.raises(NoSuchModel, match=r"^small: begins 3 ids \(.*\); write more of it$"):
        find_model(models, "small")
    with pytest.raises(NoSuchModel, match=f"did you mean {TWO.id}"):
        find_model(models, TWO.id.replace("small", "smal"))
    with pytest.raises(NoSuchModel, match=r"^x: no model of this id; there are small--v1"):
        find_model(models, "x")
    with pytest.raises(NoSuchModel, match="there is none yet"):
        find_model([], "x")
    with pytest.raises(NoSuchModel, match="no model of this id"):
        find_model(models, "")


@pytest.mark.parametrize(
    ("line", "before"),
    [
        ([ONE, TWO], ONE),
        ([ONE, TWO, TWO], ONE),
        ([ONE, TWO, THREE], TWO),
        ([ONE, TWO, THREE, TWO], ONE),  # gone back once: again goes further back, not forward
        ([ONE, TWO, ONE, THREE], ONE),
    ],
)
def test_the_champion_before_is_one_that_nobody_went_back_from(line: list[Item], before: Item) -> None:
    promotions = [promotion(model, number) for number, model in enumerate(line, 1)]
    assert champion_before(catalogue_of([ONE, TWO, THREE, *promotions])) == before


def test_there_may_be_none_before() -> None:
    for line in ([ONE], [ONE, TWO, ONE]):
        promotions = [promotion(model, number) for number, model in enumerate(line, 1)]
        with pytest.raises(NoSuchModel, match=f"{ONE.id}: no champion before it; `landstream model promote ID`"):
            champion_before(catalogue_of([ONE, TWO, *promotions]))
    with pytest.raises(NoSuchModel, match="no model is champion"):
        champion_before(catalogue_of([ONE]))
