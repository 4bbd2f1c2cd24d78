"""Withdraw a product, or restore it: a numbered item says so, even before the product arrives."""

from __future__ import annotations

from contextlib import suppress

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import WITHDRAWALS
from shared.items.ids import canonical, numbered_id
from shared.items.item import Item
from shared.items.keys import item_key
from shared.items.properties import WithdrawalFacts, WithdrawalState
from shared.items.scenes import RESTORED, last_word
from shared.items.stac import make_item
from shared.items.weeks import STATIC, rfc3339, week_bounds
from shared.store import PreconditionFailed, Store

TRIES = 10
"""Attempts at a number: others may take it at the same moment."""


class NothingToSay(ValueError):
    """Raised when a withdrawal would change nothing, or does not name a product."""


def say(
    store: Store,
    area: Area,
    catalogue: Catalogue,
    product: str,
    week: str,
    state: WithdrawalState,
    reason: str,
    by: str = "operator",
) -> str:
    """Create the next withdrawal of a product, and return its key.

    Args:
        store: where to.
        area: the study area.
        catalogue: what was said before.
        product: full name.
        week: of its sensing.
        state: `withdrawn` or `restored`.
        reason: for people.
        by: who says so: `operator`, or a service.

    Raises:
        NothingToSay: the last word on it is the same.
    """
    last = last_word(product, catalogue)
    number, said = (last.number, WithdrawalFacts.of(last).state) if last else (0, RESTORED)
    for _ in range(TRIES):
        number += 1
        key = item_key(WITHDRAWALS, STATIC, numbered_id(product, number))
        if said != state:
            with suppress(PreconditionFailed):
                store.put(key, _withdrawal(area, product, week, number, state, reason, by), create_only=True)
                return key
        elif not store.exists(key):
            raise NothingToSay(f"{product}: is {'not withdrawn' if state == RESTORED else 'withdrawn already'}")
        said = WithdrawalFacts.of(Item.parse(store.get(key), STATIC)).state  # said since the catalogue was read
    raise NothingToSay(f"{product}: others withdraw or restore it at this moment; look at what holds now, then repeat")


def _withdrawal(
    area: Area, product: str, week: str, number: int, state: WithdrawalState, reason: str, by: str
) -> bytes:
    west, south, east, north = area.polygon.bounds
    start, end = map(rfc3339, week_bounds(week))
    times = {"datetime": None, "start_datetime": start, "end_datetime": end}
    facts = WithdrawalFacts(product=product, week=week, state=state, reason=reason)
    item = make_item(
        collection=WITHDRAWALS,
        week=STATIC,
        item_id=numbered_id(product, number),
        geometry=area.aoi,
        bbox=(west, south, east, north),
        properties=times | facts.properties(),
        assets={},
        inputs=[],
        stage=by,
        stage_version=1,
    )
    return canonical(item)
