"""Writes down where each product stands, what failed, and what the provider took away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from threading import RLock

from pydantic_core import from_json

from services.ingest.fetch.errors import Offline, Unavailable
from services.ingest.fetch.lease import utc_now
from services.ingest.fetch.provider import Offer
from shared.items.ids import canonical, digest8
from shared.items.keys import DISMISSED, FAILURES, check_key, failure_key
from shared.items.products import (
    COLLECTIONS,
    FETCH,
    OPEN,
    OWN,
    Standing,
    State,
    answered_key,
    history,
    offer_key,
    reason_of,
    standings,
    weeks_of,
)
from shared.items.weeks import rfc3339
from shared.run.failure import BadRecord, is_fetch_void, parse_record
from shared.store import NotFound, PreconditionFailed, Store

WEEKS = 160
"""Weeks of a collection whose standings are kept in memory: a search goes through its weeks one after the other."""

WHOLE = "lies in landing/"
"""Why a product is `fetching` that was fetched, and is not registered yet."""

_ASKED = ("search-", "recount-", "deletions-", "events-", "credentials-")
"""How the ids of records begin that are neither of a product nor of what is offered and unknown."""

_PASSING = frozenset({f"{cls.__module__}.{cls.__qualname__}" for cls in (Unavailable, Offline)})
"""What mends itself: the provider answers again."""

BY_INGEST = "ingest: "
"""How the reason of a product begins that came whole, and that ingest refused."""


class Overtaken(Exception):
    """Raised when another process said something of a product meanwhile."""


class Book:
    """Where the products of a store stand. Its calls may come from any thread.

    Args:
        store: where it is written.
        now: tells the time, UTC.

    Attributes:
        failed: product -> where it stands, of those with a failure record of ours.
    """

    def __init__(self, store: Store, now: Callable[[], datetime] = utc_now) -> None:
        self._store, self._lock, self._now = store, RLock(), now
        self._weeks: OrderedDict[tuple[str, str], dict[str, Standing]] = OrderedDict()
        self.failed: dict[str, Standing] = {}

    def week(self, collection: str, week: str) -> dict[str, Standing]:
        """Return product -> where it stands, of a week; listed once, then kept up to date with what we say."""
        with self._lock:
            key = (collection, week)
            if key not in self._weeks:
                self._weeks[key] = {s.product: s for s in standings(self._store, collection, week)}
                if len(self._weeks) > WEEKS:
                    self._weeks.popitem(last=False)
            self._weeks.move_to_end(key)
            return self._weeks[key]

    def reread(self, collection: str, week: str, product: str) -> list[Standing]:
        """Return all states of a product, as the store has them now, by number; the last one holds from here on."""
        with self._lock:
            said = history(self._store, collection, week, product)
            known = self.week(collection, week)
            if said:
                known[product] = said[-1]
            else:
                known.pop(product, None)
            return said

    def forget(self) -> None:
        """Read again what others may have changed."""
        with self._lock:
            self._weeks.clear()

    def walk(self) -> Iterator[Standing]:
        """Yield where every product stands that something may be left to do about, newest week first."""
        for collection in COLLECTIONS.values():
            for week in reversed(weeks_of(self._store, collection)):
                with self._lock:
                    found = list(self.week(collection, week).values())
                yield from (s for s in found if s.state in OPEN or s.state == "failed")

    def describe(self, collection: str, week: str, offer: Offer) -> None:
        """Write what the provider says of a product."""
        self._store.put(offer_key(collection, week, offer.name), canonical(offer.model_dump(mode="json")))

    def offer(self, collection: str, week: str, product: str) -> Offer:
        """Return what the provider said of a product.

        Raises:
            NotFound: nothing.
        """
        return Offer.model_validate(from_json(self._store.get(offer_key(collection, week, product))))

    def reason(self, known: Standing) -> str:
        """Return why a product stands where it does; see `reason_of`."""
        return reason_of(self._store, known)

    def waited_s(self, known: Standing) -> float:
        """Return for how many seconds a product has waited: since it was last found; 0 where that cannot be told."""
        said = [known] if known.state == "found" else history(self._store, known.collection, known.week, known.product)
        found = [each for each in said if each.state == "found" and each.number]
        if not found:
            return 0.0
        try:
            at = datetime.fromisoformat(from_json(self._store.get(found[-1].key))["at"])
            return max(0.0, (self._now() - at).total_seconds())
        except (NotFound, ValueError, KeyError, TypeError):
            return 0.0

    def say(
        self, collection: str, week: str, product: str, state: State, reason: str, after: Standing | None = None
    ) -> Standing:
        """Write the next state of a product; the same state with the same or another reason is written over.

        Args:
            collection: that it would be registered in.
            week: of its sensing.
            product: its full name.
            state: the state.
            reason: why, for people.
            after: where it must stand until then; None = anywhere.

        Raises:
            Overtaken: another process, or another thread, said something meanwhile.
        """
        with self._lock:
            known = self.week(collection, week)
            last = known.get(product)
            if after is not None and last != after:
                raise Overtaken(f"{product}: it does not stand where it stood")
            again = last is not None and last.number > 0 and last.state == state
            number = last.number if again and last else (last.number if last else 0) + 1
            said = Standing(collection, week, product, number, state)
            body = canonical({"at": rfc3339(self._now()), "product": product, "reason": reason, "state": state})
            try:
                self._store.put(said.key, body, create_only=not again)
            except PreconditionFailed:
                self._weeks.pop((collection, week), None)
                raise Overtaken(f"{product}: another process says where it stands") from None
            known[product] = said
            return said

    def fail(self, collection: str, week: str, product: str, record: bytes) -> None:
        """Write a failure record of a product, and that it failed."""
        self._store.put(failure_key(FETCH, record_id(product)), record)
        self.failed[product] = self.say(collection, week, product, "failed", str(from_json(record)["fault"]))

    def fail_search(self, name: str, record: bytes) -> None:
        """Write a failure record of a search; it stands until the search is answered."""
        self._store.put(failure_key(FETCH, record_id(name)), record)

    def refuse(self, name: str, record: bytes) -> None:
        """Write a failure record of something that was found, once."""
        with suppress(PreconditionFailed):
            self._store.put(failure_key(FETCH, record_id(name)), record, create_only=True)

    def answered(self, name: str) -> None:
        """Say that a search was answered, where it had failed."""
        if self._store.exists(failure_key(FETCH, record_id(name))):
            self._store.put(answered_key(record_id(name)), b"{}")

    def recorded(self) -> frozenset[str]:
        """Return the ids of fetching's failure records."""
        return self._named(".json")

    def dismissed(self) -> frozenset[str]:
        """Return the ids of those of fetching's failure records that people dismissed."""
        return self._named(DISMISSED)

    def count_unanswered(self) -> int:
        """Return how many searches, and credentials, failed in a way that asks for a person, and still do."""
        names = self.recorded() - self.dismissed()
        return sum(self._is_unanswered(failure_key(FETCH, name)) for name in names if name.startswith(_ASKED))

    def _is_unanswered(self, key: str) -> bool:
        with suppress(NotFound, BadRecord):
            record = parse_record(self._store.get(key), key)
            return record.get("error_class") not in _PASSING and not is_fetch_void(record, self._store)
        return False

    def _named(self, end: str) -> frozenset[str]:
        names = self._store.children(f"{FAILURES}{FETCH}/")
        return frozenset(name.removesuffix(end) for name in names if name.endswith(end))

    def keep(self, name: str, value: object) -> None:
        """Keep something of our own: a cursor, a count."""
        self.keep_at(check_key(f"{OWN}{name}.json"), value)

    def keep_at(self, key: str, value: object) -> None:
        """Keep something of our own under a key; see `keep`."""
        self._store.put(key, canonical(value))

    def kept(self, name: str) -> dict[str, object] | None:
        """Return what was kept; None = nothing, or nothing that can be read."""
        return self.kept_at(check_key(f"{OWN}{name}.json"))

    def kept_at(self, key: str) -> dict[str, object] | None:
        """Return what was kept under a key; see `kept`."""
        try:
            value = from_json(self._store.get(key))
        except (NotFound, ValueError):
            return None
        return value if isinstance(value, dict) else None


def record_id(name: str) -> str:
    """Return the id of a failure record of a product, or of a search."""
    return f"{name}--{digest8([FETCH, name])}"


def make_record(
    name: str, collection: str, week: str, error: BaseException, attempts: int, remedy: str, traceback: str = ""
) -> bytes:
    """Return a failure record of fetching, of the form that every stage's has.

    Args:
        name: the product, or the search.
        collection: that it would be registered in; empty for a search.
        week: of its sensing; empty for a search.
        error: why.
        attempts: how often it was tried.
        remedy: what to do.
        traceback: where nobody expected it.
    """
    said = str(error) or type(error).__name__
    return canonical(
        {
            "id": record_id(name),
            "stage": FETCH,
            "stage_version": 1,
            "job": record_id(name),
            "input": name,
            "inputs": [],
            "collection": collection,
            "week": week,
            "unit": None,
            "receipt": None,
            "attempts": attempts,
            "error_class": f"{type(error).__module__}.{type(error).__qualname__}",
            "message": said,
            "file": name,
            "fault": said,
            "remedy": remedy,
            "broken": False,
            "traceback": traceback,
        }
    )
