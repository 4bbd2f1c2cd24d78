from __future__ import annotations

from pathlib import Path

from shared.items.champion import champion, is_champion, last_promotion, promotion_number
from shared.items.ids import canonical
from shared.items.reader import CatalogueReader
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, make, promotion

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


def test_a_promotion_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for item in (ONE, TWO, promotion(ONE, 1), promotion(TWO, 2)):
        store.put(item.key, canonical(item.json))
    store.put(promotion(ONE, 3).key, b"{}")

    def asked() -> tuple[int, int, str, int]:
        catalogue = reader.snapshot()
        last, model = last_promotion(catalogue), champion(catalogue)
        assert last is not None
        assert model is not None
        numbers = promotion_number(ONE.id, catalogue), promotion_number(TWO.id, catalogue)
        return *numbers, model.id, last.number

    reader = CatalogueReader(store, AREA, registry.rules())
    assert promotion_number("of no promotion", reader.snapshot()) == 0
    assert asked() == (1, 2, TWO.id, 2)
    assert asked() == (1, 2, TWO.id, 2), "the same once it is known for what it is"
