"""What became of what was fetched: registered, superseded, refused by ingest; and what people put right again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from services.ingest.fetch.arrival import arrival, is_registered, landed
from services.ingest.fetch.book import BY_INGEST, Book, Overtaken, record_id
from services.ingest.fetch.work import Work
from services.ingest.names import parse_product
from shared.area import Area
from shared.items.products import Standing, State, history, reason_of
from shared.items.scenes import rank
from shared.run.landed import unit_of
from shared.store import Store

SOME = 200
"""Failed products that are taken up in each round: whoever leads has to renew its lead between two rounds."""

EACH = 8
"""Products that are looked at in each round, the longest waiting first: each costs some requests to the store."""


class Aftermath:
    """Looks what became of products. One thread calls `settle` and `requeue`, another one may call `resume`.

    Args:
        store: where they lie.
        book: where it is written down.
        work: what is left to do.
        take_up: puts a product of the book into the queue.
        restore: told of each that was taken away, was offered again, and is registered by now.
        area: the study area.
    """

    def __init__(
        self,
        store: Store,
        book: Book,
        work: Work,
        take_up: Callable[[Standing], None],
        restore: Callable[[Standing], None],
        area: Area,
    ) -> None:
        self._store, self._book, self._work, self._take_up = store, book, work, take_up
        self._restore, self._area = restore, area
        self._refused: OrderedDict[str, Standing] = OrderedDict()
        self._to_repair: dict[str, Standing] = {}

    def settle(self) -> None:
        """Look what became of some of those that lie in `landing/`."""
        for wanted, name in self._work.landed(EACH):
            unit = unit_of(self._store, name)
            found = arrival(self._store, wanted.collection, wanted.week, wanted.product, unit)
            if found is None:
                continue
            known = self._book.week(wanted.collection, wanted.week).get(wanted.product)
            is_ours = known is not None and known.state == "fetching"  # it may have been taken away upstream meanwhile
            is_lost = is_ours and unit is None and not found.registered
            if known is not None and is_ours:
                if found.registered:
                    self._register(known)
                elif is_lost:
                    self._say(known, "found", found.fault)
                else:
                    self._refuse(known, found.fault)
            self._work.settle(wanted, is_lost)

    def resume(self) -> None:
        """Go on with all that an earlier term left, the newest first."""
        for known in self._book.walk():
            if known.state != "failed":
                self._take_up(known)
            elif reason_of(self._store, known).startswith(BY_INGEST):
                self._refused[known.product] = known
            else:
                self._book.failed[known.product] = known  # `requeue` looks whether its record still is there

    def requeue(self) -> None:
        """Take up what failed and whose failure record people took away, and what ingest took in after all."""
        failed = list(self._book.failed.items())  # before its records are listed: one that comes later has its own
        recorded = self._book.recorded() if failed else frozenset()
        for product, known in islice((each for each in failed if record_id(each[0]) not in recorded), SOME):
            self._book.failed.pop(product, None)
            self._want_again(known, "requeued")
        for product in list(self._refused)[:EACH]:
            known = self._refused[product]
            self._refused.move_to_end(product)
            if is_registered(self._store, known.collection, known.week, product):
                del self._refused[product]
                self._register(known)
            elif landed(self._store, product) is None:
                del self._refused[product]
                self._want_again(known, "was taken out of landing/ after ingest refused it")

    def begin_repair(self) -> None:
        """Let `repair` try again what failed so far."""
        self._to_repair = dict(self._book.failed)

    def repair(self) -> None:
        """Try some of them again, unless people dismissed them, as `landstream repair` does: they may be mended now."""
        if not self._to_repair:
            return
        dismissed = self._book.dismissed()
        for product in list(islice(self._to_repair, SOME)):
            known = self._to_repair.pop(product)
            if record_id(product) not in dismissed and self._book.failed.pop(product, None) is not None:
                self._want_again(known, "tried again after a recount")

    def count_failed(self) -> int:
        """Return how many failures people have to see to, and did not dismiss: of products, searches, credentials."""
        dismissed = self._book.dismissed() if self._book.failed else frozenset()
        products = sum(record_id(product) not in dismissed for product in list(self._book.failed))
        return products + self._book.count_unanswered()

    def _register(self, known: Standing) -> None:
        said = history(self._store, known.collection, known.week, known.product)
        if any(each.state == "withdrawn" for each in said):
            self._restore(known)  # first: whoever is killed here does it again
        if self._say(known, "registered", "") is not None:
            self._supersede(known)

    def _refuse(self, known: Standing, fault: str) -> None:
        if (said := self._say(known, "failed", BY_INGEST + fault)) is not None:
            self._refused[known.product] = said

    def _supersede(self, known: Standing) -> None:
        """Say of the lower versions of a registered product's scene, or of itself, that they are superseded."""
        own = parse_product(known.product)
        if own is None:
            return
        same = []
        for other in list(self._book.week(known.collection, known.week).values()):
            parsed = parse_product(other.product)
            if parsed is not None and parsed.scene == own.scene and other.state in {"registered", "superseded"}:
                same.append((rank(parsed.version, self._area), other))
        highest = max((version for version, _ in same), default=())
        for version, other in same:
            if version < highest and other.state == "registered":
                self._say(other, "superseded", "a newer version of its scene is registered")

    def _want_again(self, known: Standing, reason: str) -> None:
        if (found := self._say(known, "found", reason)) is not None:
            self._take_up(found)

    def _say(self, known: Standing, state: State, reason: str) -> Standing | None:
        """Say where a product stands; None = another process says so."""
        with suppress(Overtaken):
            return self._book.say(known.collection, known.week, known.product, state, reason)
        return None
