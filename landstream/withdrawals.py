"""Withdraw a product by its name, or restore it, as people ask for it."""

from __future__ import annotations

from collections.abc import Mapping

from services.ingest.names import parse_product
from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.properties import WithdrawalState
from shared.items.scenes import RESTORED, WITHDRAWN
from shared.run import withdraw
from shared.run.withdraw import NothingToSay
from shared.store import Store


def say(store: Store, area: Area, catalogue: Catalogue, product: str, state: WithdrawalState, reason: str) -> str:
    """Create the next withdrawal of a product, and return its key; see `shared.run.withdraw.say`.

    Args:
        store: where to.
        area: the study area.
        catalogue: what was said before.
        product: full name, with or without `.SAFE`, `.SEN3` or `.zip`.
        state: `withdrawn` or `restored`.
        reason: for people.

    Raises:
        NothingToSay: not a product's name, or the last word on it is the same.
    """
    parsed = parse_product(product)
    if parsed is None:
        raise NothingToSay(
            f"{product}: not the full name of a Sentinel-2 or OLCI product; `landstream items` lists those that came"
        )
    return withdraw.say(store, area, catalogue, parsed.product, parsed.week, state, reason)


STATES: Mapping[str, WithdrawalState] = {"withdraw": WITHDRAWN, "restore": RESTORED}
"""Command -> what it says."""
