"""What is known of the trainings of a store."""

from __future__ import annotations

from services.sweeper.schedule import Training
from services.sweeper.trainings import Trainings
from shared.items.ids import canonical
from shared.items.item import Item
from shared.store import FolderStore, ObjectInfo
from tests.catalogues import catalogue_of, labels, make, request

CLC = make("land-cover-labels", "clc", [labels("clc", 2018)], week="static")


def asked(state: str, **weeks: int) -> Item:
    found = request(state * 64, {}, {f"2018-{week}": tiles for week, tiles in weeks.items()})
    inputs = {"landstream:inputs": [[CLC.collection, CLC.id]]}
    return Item({**found.json, "properties": found.properties | inputs}, "static")


class Counting(FolderStore):
    """Counts the questions for times."""

    asked = 0

    def head(self, key: str) -> ObjectInfo:
        self.asked += 1
        return super().head(key)


def test_trainings_are_requests_with_the_time_of_their_model(store: FolderStore) -> None:
    counting = Counting(store.root)
    done, pending = asked("a", W20=3, W21=4), asked("b", W20=9)
    model = make("models", "small", [done], week="static")
    foreign = make("models", "imported", week="static")
    brought = make("model-imports", "small", week="static", name="one", title="One", sha256="0" * 64)
    imported = make("models", "small", [brought], week="static")
    items = (done, pending, model, foreign, brought, imported)
    for item in items:
        counting.put(item.key, canonical(item.json))
    trainings, catalogue = Trainings(counting), catalogue_of([CLC, *items])
    times = [counting.head(item.key).modified_s for item in items]
    counting.asked = 0
    expected = [
        Training(times[0], times[2], {"2018-W20": 3, "2018-W21": 4}, frozenset({CLC.id})),
        Training(times[1], None, {"2018-W20": 9}, frozenset({CLC.id})),
        Training(times[3], times[3], {}, frozenset()),
    ]
    found = trainings.of(catalogue)
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert trainings.of(catalogue) == found
    assert counting.asked == 4, "each time is asked for once"
