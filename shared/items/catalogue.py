"""The catalogue: the items of a store, week by week, and which of them are current."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from shared.area import Area
from shared.items.item import Item
from shared.items.keys import split_order_key
from shared.items.partition import Shelf
from shared.items.weeks import STATIC, weeks_apart

if TYPE_CHECKING:
    from shared.items.summary import KeptSummary, WeekSummary

T = TypeVar("T")
Rule = Callable[[Item, "Catalogue"], bool]
"""Whether an item is current; declared by the stage that publishes its collection."""


class Catalogue:
    """A view of one look at a store: a week is listed and read when it is asked for, and no other.

    Every answer is a pure function of the items, never of their order of arrival.

    Args:
        shelf: what the store holds.
        area: the study area.
        rules: collection -> its rule; where none is given, `latest_from_current_inputs`.
        kept: week -> its summary, kept from one look to the next with what it was computed from.

    Attributes:
        memo: what was computed of a week during this look: (week, what) -> value; see `once`.
        asked: product -> ids of its items whose pictures were found broken, of those that were asked for.
        given: the weeks' summaries, where somebody has just made them; see `shared.items.summary`.
    """

    def __init__(
        self, shelf: Shelf, area: Area, rules: Mapping[str, Rule], kept: dict[str, KeptSummary] | None = None
    ) -> None:
        self.area, self._shelf, self._rules = area, shelf, rules
        self._current: dict[tuple[str, str, str], bool] = {}
        self.memo: dict[tuple[str, str], object] = {}
        self.kept = {} if kept is None else kept
        self.asked: dict[str, frozenset[str]] = {}
        self.given: Sequence[WeekSummary] | None = None

    @property
    def collections(self) -> Sequence[str]:
        """Collections that hold an item."""
        return self._shelf.collections()

    def weeks(self, collection: str) -> Sequence[str]:
        """Return the weeks in which a collection holds items, ascending, `static` among them."""
        return self._shelf.weeks(collection)

    def items(self, collection: str, week: str = STATIC) -> list[Item]:
        """Return the items of a collection in a week, by id."""
        return self._shelf.partition(collection, week).all()

    def ids(self, collection: str, week: str = STATIC) -> Sequence[str]:
        """Return the ids of the items of a collection in a week, ascending; nothing is read."""
        return list(self._shelf.partition(collection, week).ids)

    def walk(self, collection: str) -> Iterator[Item]:
        """Yield all items of a collection, week after week, by id; a week is let go before the next one is read."""
        for week in self.weeks(collection):
            yield from self.items(collection, week)
            self.let_go(week)

    def knows(self, week: str) -> bool:
        """Return whether something of a week was decided during this look."""
        return any(key[1] == week for key in self._current)

    @property
    def looks_back(self) -> bool:
        """Whether weeks are read for the sake of later ones: see `history_weeks` of the training settings."""
        return self.area.training.history_weeks > 0

    def let_go(self, week: str) -> None:
        """Forget what was read and decided of a week; asked for again, it is listed again.

        Where weeks are read for the sake of later ones, what lies near stays, and all that lies further off is
        forgotten: whoever walks over the weeks holds a few of them at any time.
        """
        if week == STATIC:
            return
        reach = self.area.training.history_weeks

        def is_gone(other: str) -> bool:
            if not reach:
                return other == week
            return other != STATIC and weeks_apart(other, week) > reach

        self._shelf.let_go(is_gone)
        gone = {w for w in {key[1] for key in self._current} | {key[0] for key in self.memo} if is_gone(w)}
        if gone:
            self._current = {key: value for key, value in self._current.items() if key[1] not in gone}
            self.memo = {key: value for key, value in self.memo.items() if key[0] not in gone}

    def once(self, week: str, what: str, make: Callable[[], T]) -> T:
        """Return what is computed of a week once in this look, until the week is let go.

        Args:
            week: the week.
            what: names it; each name is of one type.
            make: computes it.
        """
        if (week, what) not in self.memo:
            self.memo[week, what] = make()
        return cast("T", self.memo[week, what])

    def current(self, collection: str, week: str = STATIC) -> list[Item]:
        """Return the current items of a collection in a week, by id."""
        items = self.items(collection, week)
        self._read_inputs(items)
        return [i for i in items if self.is_current(i)]

    def _read_inputs(self, items: Iterable[Item]) -> None:
        """Read what items were derived from all at once: one by one, each would be a request of its own."""
        wanted: dict[tuple[str, str], list[str]] = {}
        for item in items:
            for collection, week, item_id in item.sources:
                wanted.setdefault((collection, week), []).append(item_id)
        for (collection, week), ids in wanted.items():
            self._shelf.partition(collection, week).some(ids)

    def get(self, collection: str, item_id: str, week: str = STATIC) -> Item:
        """Return one item.

        Raises:
            KeyError: there is none.
        """
        found = self.find(collection, item_id, week)
        if found is None:
            raise KeyError(item_id)
        return found

    def find(self, collection: str, item_id: str, week: str = STATIC) -> Item | None:
        """Return one item; None where there is none."""
        return self._shelf.partition(collection, week).get(item_id)

    def inputs(self, item: Item) -> list[Item]:
        """Return the items that one was derived from, as far as they exist."""
        found = (self.find(collection, item_id, week) for collection, week, item_id in item.sources)
        return [i for i in found if i is not None]

    def of_product(self, collection: str, product: str, week: str = STATIC) -> list[Item]:
        """Return the items of a product (the root of an id), by id."""
        partition = self._shelf.partition(collection, week)
        return partition.some(i.text for i in partition.by_product.get(product, ()))

    def index(self, collection: str, week: str, name: str) -> Mapping[str, Sequence[Item]]:
        """Return the items of a week by the text of their property `landstream:<name>`."""
        return self._shelf.partition(collection, week).index(name)

    def output_version(self, collection: str, week: str, product: str, digest: str) -> int | None:
        """Return the highest stage version of the items of this product and digest; None where there is none."""
        same = self._shelf.partition(collection, week).by_product.get(product, ())
        return max((i.version for i in same if i.digest == digest), default=None)

    def is_failed(self, stage: str, job_id: str) -> bool:
        """Return whether a job has a failure record."""
        return self._shelf.failed(stage, job_id)

    def is_broken(self, item: Item) -> bool:
        """Return whether a standing failure record says that the picture of a scene's item cannot be decoded."""
        return item.id in self._broken_items(item.product)

    def is_broken_as(self, asked: Mapping[str, frozenset[str]]) -> bool:
        """Return whether the same items of some products are broken as in an earlier look."""
        return all(self._broken_items(product) == broken for product, broken in asked.items())

    def _broken_items(self, product: str) -> frozenset[str]:
        if product not in self.asked:
            standing = (r for r in self._shelf.broken(product) if not self.has_output(r.collection, r.week, r.job))
            self.asked[product] = frozenset(i for record in standing for i in record.inputs)
        return self.asked[product]

    def has_output(self, collection: str, week: str, job_id: str) -> bool:
        """Return whether a job made its item after all: a failure record of it is void."""
        product, _, digest = job_id.rpartition("--")
        return self.output_version(collection, week, product, digest) is not None

    def is_received(self, unit: str, receipt_id: str) -> bool:
        """Return whether a landing unit in its present state has its receipt."""
        return self._shelf.received(unit, receipt_id)

    def version_wanted(self, stage: str, week: str) -> int:
        """Return the stage version below which an output is to be made again; 0 = any will do."""
        return max((v for s, w, v in self._orders if s == stage and w in (week, "all")), default=0)

    def standing_orders(self) -> frozenset[str]:
        """Return the keys of the orders to reprocess."""
        return self._shelf.orders()

    @cached_property
    def _orders(self) -> list[tuple[str, str, int]]:
        """(stage, week or `all`, version) of the standing orders `reprocess/<stage>/<week>-v<version>.json`."""
        return [split_order_key(key) for key in self._shelf.orders()]

    def is_current(self, item: Item) -> bool:
        """Return whether an item is current, by the rule of its collection."""
        key = (item.collection, item.week, item.id)
        if key not in self._current:
            rule = self._rules.get(item.collection, latest_from_current_inputs)
            self._current[key] = rule(item, self)
        return self._current[key]


def latest_from_current_inputs(item: Item, catalogue: Catalogue) -> bool:
    """Return whether an item is of the highest stage version of its product among those derived from current items."""
    return is_latest(item, catalogue, from_current_inputs)


def is_latest(item: Item, catalogue: Catalogue, fits: Rule) -> bool:
    """Return whether an item is of the highest stage version of its product among those that fit."""
    if not fits(item, catalogue):
        return False
    same = catalogue.of_product(item.collection, item.product, item.week)
    fitting = (i for i in same if i.id == item.id or fits(i, catalogue))
    return item.id == max(fitting, key=lambda i: (i.stage_version, i.id)).id


def from_current_inputs(item: Item, catalogue: Catalogue) -> bool:
    """Return whether everything that an item was derived from exists and is current."""
    inputs = catalogue.inputs(item)
    return len(inputs) == len(item.derived_from) and all(map(catalogue.is_current, inputs))


def latest_of_product(item: Item, catalogue: Catalogue) -> bool:
    """Return whether an item is of the highest stage version of its product."""
    same = catalogue.of_product(item.collection, item.product, item.week)
    return item.id == max(same, key=lambda i: (i.stage_version, i.id)).id
