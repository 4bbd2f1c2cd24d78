"""Products as a provider offers them: their keys below `products/`, and where their fetch stands.

`products/<collection>/<week>/<product>/offer.json` is what the provider says of a product; beside it lies one object
for each state that its fetch was in, `<number, 6 digits>-<state>.json`, of which the highest number holds. So a listing
tells all states, and only what is under way is read. `claims/<number, 6 digits>.json` are leases of who fetches it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, get_args

from shared.items.collections import OLCI_L1B, SENTINEL_2_L1C, SENTINEL_2_L2A
from shared.items.keys import check_key
from shared.items.weeks import BadKey, check_week

PRODUCTS: Final = "products/"
OWN: Final = f"{PRODUCTS}_source/"
"""Where a fetcher keeps what is of no product: its lead, its cursor, the volume of each day, what it counted."""

FETCH: Final = "fetch"
"""Whose failure records are of products that did not come, and of searches."""

COLLECTIONS: Final[Mapping[str, str]] = {
    "S2MSI2A": SENTINEL_2_L2A,
    "S2MSI1C": SENTINEL_2_L1C,
    "OL_1_EFR___": OLCI_L1B,
}
"""Product type, as ESA calls it -> the collection that its products are registered in."""

State = Literal["found", "deferred", "fetching", "registered", "superseded", "withdrawn", "failed", "unwanted"]
"""Where the fetch of a product stands. `unwanted`: offered, and not to be fetched, for the reason that it says."""

STATES: Final[tuple[State, ...]] = get_args(State)
OPEN: Final[frozenset[State]] = frozenset({"found", "deferred", "fetching"})
"""States that something is still to be done about."""

MISSING: Final[frozenset[State]] = OPEN | {"failed"}
"""States of a product that did not come, and is neither superseded nor taken away."""

OFFER: Final = "offer.json"
_STATE = re.compile(rf"(?P<number>\d{{6}})-(?P<state>{'|'.join(STATES)})\.json\Z", re.ASCII)


class Objects(Protocol):
    """What reading the states needs of a store."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Yield every key below a prefix."""

    def children(self, prefix: str) -> Iterable[str]:
        """Yield the names directly below a prefix."""

    def get(self, key: str) -> bytes:
        """Return the bytes of an object."""


@dataclass(frozen=True)
class Standing:
    """Where the fetch of a product stands.

    Attributes:
        collection: that it is, or would be, registered in.
        week: of its sensing.
        product: its full name.
        number: of the state, from 1; 0 = it was described, and no state was written yet.
        state: the state.
    """

    collection: str
    week: str
    product: str
    number: int
    state: State

    @property
    def key(self) -> str:
        """The key of the state's object."""
        return state_key(self.collection, self.week, self.product, self.number, self.state)


def product_prefix(collection: str, week: str, product: str) -> str:
    """Return the prefix of all that is known of a product."""
    return f"{PRODUCTS}{collection}/{check_week(week)}/{check_key(product)}/"


def offer_key(collection: str, week: str, product: str) -> str:
    """Return the key of what the provider says of a product."""
    return check_key(product_prefix(collection, week, product) + OFFER)


def state_key(collection: str, week: str, product: str, number: int, state: State) -> str:
    """Return the key of a state of a product."""
    return check_key(f"{product_prefix(collection, week, product)}{number:06d}-{state}.json")


def answered_key(record_id: str) -> str:
    """Return the key of the object that says that a search was answered after its failure record was written."""
    return check_key(f"{OWN}answered/{record_id}.json")


def expected_key(collection: str, week: str) -> str:
    """Return the key of what the last recount found in the catalogue: the names of a week's products."""
    return check_key(f"{OWN}expected/{collection}/{check_week(week)}.json")


def standings(objects: Objects, collection: str, week: str) -> Iterator[Standing]:
    """Yield where each product of a collection and week stands, by name; told from a listing alone."""
    prefix = f"{PRODUCTS}{collection}/{check_week(week)}/"
    found: dict[str, Standing] = {}
    for key in objects.keys(prefix):
        parts = key.removeprefix(prefix).split("/")
        if len(parts) != 2:
            continue  # a claim
        product, name = parts
        match = _STATE.match(name)
        if match is None and name != OFFER:
            continue
        number: int = int(match["number"]) if match else 0
        state: State = match["state"] if match else "found"  # type: ignore[assignment]  # what the grammar says
        if product not in found or number >= found[product].number:
            found[product] = Standing(collection, week, product, number, state)
    yield from (found[product] for product in sorted(found))


def standing(objects: Objects, collection: str, week: str, product: str) -> Standing | None:
    """Return where a product stands; None = no provider offered it."""
    said = history(objects, collection, week, product)
    return said[-1] if said else None


def history(objects: Objects, collection: str, week: str, product: str) -> list[Standing]:
    """Return the states that a product was in, the present one last; empty = no provider offered it."""
    said = []
    for name in objects.children(product_prefix(collection, week, product)):
        match = _STATE.match(name)
        if match is None and name != OFFER:
            continue
        number: int = int(match["number"]) if match else 0
        state: State = match["state"] if match else "found"  # type: ignore[assignment]  # what the grammar says
        said.append(Standing(collection, week, product, number, state))
    return sorted(said, key=lambda s: (s.number, s.state))


def weeks_of(objects: Objects, collection: str) -> list[str]:
    """Return the weeks of which products of a collection were offered, ascending."""
    return sorted(week for week in objects.children(f"{PRODUCTS}{collection}/") if _is_week(week))


def _is_week(name: str) -> bool:
    try:
        return check_week(name) == name
    except BadKey:
        return False


def reason_of(objects: Objects, found: Standing) -> str:
    """Return why a product stands where it does, for people; empty where nothing was said.

    Raises:
        LookupError: the state's object is gone.
    """
    if not found.number:
        return ""
    try:
        return str(json.loads(objects.get(found.key)).get("reason", ""))
    except (ValueError, AttributeError):
        return "its state is damaged"
