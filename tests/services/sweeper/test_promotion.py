"""Promotions: one for each change of champion, and pure functions of the items."""

from __future__ import annotations

from services.sweeper.promotion import promote
from shared.area import Area
from shared.items.champion import champion
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.reader import CatalogueReader
from shared.items.summary import present_state, summaries
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, catalogue_with, chain, labels, make, promotion, scene

CLC = labels("clc", 2018)
LABELS = [CLC, make("land-cover-labels", "clc", [CLC], week="static")]
A, B = chain(scene("a", 500, "a"), [[0, 0, 3]]), chain(scene("b", 500, "b"), [[1, 0, 1]])


TRAINING = AREA.training.model_dump(mode="json")
FIRST, SECOND = [*LABELS, *A], [*LABELS, *A, *B]
"""What the cube holds in two states."""


def model_of(items: list[Item], version: int = 1, **settings: object) -> Item:
    """The model of a state, trained with the area's settings but these."""
    state = present_state(catalogue_of(items))
    made = make("models", "small", week="static", version=version, cube_state=state, training=TRAINING | settings)
    times = {"start_datetime": "2018-06-04T00:00:00Z", "end_datetime": "2018-06-10T23:59:59Z"}
    return Item({**made.json, "properties": {**made.properties, **times}}, "static")


def promoted(store: FolderStore, *items: Item, area: Area = AREA) -> Item | None:
    """What the driver promotes; it promotes nothing when asked again."""
    catalogue = catalogue_with(store, *items)
    found = promote(store, catalogue, summaries(catalogue), area)
    after = catalogue_with(store, *items)
    assert promote(store, after, summaries(after), area) is None
    return found


def promotions(store: FolderStore) -> list[Item]:
    return catalogue_with(store).items("promotions")


def write(store: FolderStore, *items: Item) -> None:
    """Lay items into a store, as far as a reader checks them."""
    for i in items:
        more = {"bbox": list(AREA.polygon.bounds), "properties": {**i.properties, "datetime": "2018-06-05T12:00:00Z"}}
        store.put(i.key, canonical({**i.json, **more}))


def by_hand(store: FolderStore, model: Item, number: int) -> None:
    """Promote a model as a person does: without a rule."""
    write(store, promotion(model, number))


def test_the_model_of_the_present_state_is_promoted_once(store: FolderStore) -> None:
    third = [*SECOND, *chain(scene("c", 500, "c"), [[2, 0, 1]])]
    one, two, other = model_of(FIRST), model_of(SECOND, 2), model_of(SECOND, 3, filters=99)
    assert promoted(store, *SECOND, one) == one, "the first champion may be of any state"
    assert promoted(store, *third, one, two) is None, "its state is no longer the cube's"
    for items, expected, number in ((SECOND, two, 2), (FIRST, one, 3), (SECOND, two, 4)):
        assert promoted(store, *items, one, two, other) == expected
        after = catalogue_with(store, *items, one, two, other)
        assert champion(after) == expected
        assert [p.number for p in after.current("promotions")] == [number]


def test_what_a_person_promotes_stays_until_the_cube_state_changes(store: FolderStore) -> None:
    one, two = model_of(FIRST), model_of(SECOND, 2)
    assert promoted(store, *FIRST, one, two) == one
    by_hand(store, two, 2)
    assert promoted(store, *FIRST, one, two) is None
    assert champion(catalogue_with(store, *FIRST, one, two)) == two
    assert promoted(store, *SECOND, one, two) is None, "it is of the present state now"
    assert promoted(store, *FIRST, one, two) is None, "the driver said nothing else meanwhile"
    by_hand(store, one, 3)
    assert promoted(store, *SECOND, one, two) is None, "a person took it back"
    three = model_of(SECOND, 3)
    assert promoted(store, *SECOND, one, two, three) == three, "nobody ever promoted it"
    assert promoted(store, *FIRST, one, two, three) == one


def test_a_promotion_says_for_which_state_it_was_made(store: FolderStore) -> None:
    one = model_of(FIRST)
    assert promoted(store, *SECOND, one) == one
    by_hand(store, make("models", "small", week="static", version=9), 2)
    assert promoted(store, *FIRST, one, make("models", "small", week="static", version=9)) == one
    states = [p.properties.get("landstream:cube_state") for p in promotions(store)]
    assert states == [present_state(catalogue_of(SECOND)), None, present_state(catalogue_of(FIRST))]


def test_a_promotion_without_a_state_counts_as_of_its_models(store: FolderStore) -> None:
    one, two = model_of(FIRST), model_of(SECOND, 2)
    assert promoted(store, *FIRST, one) == one
    [old] = promotions(store)
    properties = {k: v for k, v in old.properties.items() if k != "landstream:cube_state"}
    store.delete(old.key)
    store.put(old.key, canonical({**old.json, "properties": properties}))
    by_hand(store, two, 2)
    assert promoted(store, *FIRST, one, two) is None
    assert promoted(store, *SECOND, two, model_of(SECOND, 3)) == model_of(SECOND, 3)


def test_going_back_to_other_settings_promotes_their_model_again(store: FolderStore) -> None:
    small, large = model_of(FIRST), model_of(FIRST, 2, filters=99)
    other = AREA.model_copy(update={"training": AREA.training.model_copy(update={"filters": 99})})
    for area, expected in ((AREA, small), (other, large), (AREA, small)):
        assert promoted(store, *FIRST, small, large, area=area) == expected


def test_a_promotion_that_cannot_be_followed_does_not_end_promoting(store: FolderStore) -> None:
    one = model_of(FIRST)
    assert promoted(store, *FIRST, one) == one
    by_hand(store, make("models", "small", week="static", version=9), 2)
    assert promoted(store, *FIRST, one) == one, "there is no such model"
    store.put("items/promotions/static/small-000004.json", b"nonsense")
    reader, two = CatalogueReader(store, AREA, registry.rules()), model_of(SECOND, 2)
    write(store, *FIRST, one)
    catalogue = reader.snapshot()
    assert promote(store, catalogue, summaries(catalogue), AREA) is None, "the one before it holds"
    write(store, *SECOND, two)
    catalogue = reader.snapshot()
    assert promote(store, catalogue, summaries(catalogue), AREA) == catalogue.get("models", two.id)
    assert reader.snapshot().ids("promotions")[-1] == "small-000005"


def test_where_people_promote_the_driver_does_not(store: FolderStore) -> None:
    assert promoted(store, *FIRST, model_of(FIRST), area=AREA.model_copy(update={"promote": "manual"})) is None
    assert promotions(store) == []


ALWAYS, BETTER = (AREA.model_copy(update={"promote": rule}) for rule in ("always", "better"))


def scored(items: list[Item], version: int, accuracy: float) -> Item:
    """A model whose hold-out's commonest class takes half of the pixels."""
    found = model_of(items, version)
    metrics = {"landstream:metrics": {"accuracy": accuracy, "majority_accuracy": 0.5}}
    return Item({**found.json, "properties": found.properties | metrics}, "static")


def judged(challenger: Item, present: Item, verdict: str, low: float = 0.1, promoted_by: int = 1) -> Item:
    facts = {
        "promotion": f"small-{promoted_by:06d}",
        "challenger": challenger.id,
        "champion": present.id,
        "verdict": verdict,
        "gain": {"miou": [low, 0.3]},
    }
    facts |= {"allowance": 0.0, "blocks": 9, "scores": {}, "snapshot": "S"}
    return make("evaluations", "small", [challenger, present], week="static", **facts)


def test_the_first_champion_must_beat_the_commonest_class(store: FolderStore) -> None:
    assert promoted(store, *FIRST, scored(FIRST, 1, 0.5), area=BETTER) is None
    good = scored(FIRST, 2, 0.51)
    assert promoted(store, *FIRST, scored(FIRST, 1, 0.5), good, area=BETTER) == good
    (first,) = promotions(store)
    assert first.properties["landstream:rule"] == "first"


def test_a_challenger_is_promoted_if_it_won_and_only_then(store: FolderStore) -> None:
    one, two, three = (scored(FIRST, version, 0.9) for version in (1, 2, 3))
    assert promoted(store, *FIRST, one, area=BETTER) == one
    assert promoted(store, *SECOND, one, two, area=BETTER) is None, "it was not compared yet"
    lost, incomparable = judged(two, one, "not better"), judged(three, one, "incomparable")
    assert promoted(store, *SECOND, one, two, three, lost, incomparable, area=BETTER) is None
    won, more = judged(two, one, "better", 0.1), judged(three, one, "better", 0.2)
    assert promoted(store, *SECOND, one, two, three, won, more, area=BETTER) == three, "it won more"
    last = promotions(store)[-1].properties
    assert (last["landstream:rule"], last["landstream:evaluation"]) == ("better", more.id)
    assert promoted(store, *SECOND, one, two, three, won, more, area=BETTER) is None, "that was with another champion"
    by_hand(store, one, 3)
    assert promoted(store, *SECOND, one, two, three, won, more, area=BETTER) is None, "nor is a past victory one now"
    four = scored(FIRST, 4, 0.9)
    again = judged(four, one, "better", 0.1, promoted_by=3)
    assert promoted(store, *SECOND, one, two, three, four, won, more, again, area=BETTER) == four


def test_whoever_promoted_meanwhile_is_not_overruled(store: FolderStore) -> None:
    one, two = model_of(FIRST), model_of(SECOND, 2)
    assert promoted(store, *FIRST, one, two) == one
    stale = catalogue_with(store, *SECOND, one, two)
    by_hand(store, one, 2)
    assert promote(store, stale, summaries(stale), AREA) is None
    assert [p.number for p in promotions(store)] == [1, 2]


def test_an_imported_model_is_promoted_where_it_is_better_and_not_for_being_there(store: FolderStore) -> None:
    brought = make("model-imports", "small", week="static", name="one", title="One", sha256="0" * 64)
    made = make("models", "brought", [brought], week="static", metrics={"accuracy": 0.9, "majority_accuracy": 0.5})
    times = {"start_datetime": "2018-06-04T00:00:00Z", "end_datetime": "2018-06-10T23:59:59Z"}
    imported = Item({**made.json, "properties": {**made.properties, **times}}, "static")
    assert promoted(store, *FIRST, brought, imported, area=ALWAYS) is None
    assert promoted(store, *FIRST, brought, imported, area=BETTER) == imported
