"""What lies in a store's `landing/` now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from shared.items.landing import PREFIX, LandingUnit, landing_unit
from shared.store import NotFound, Store


def unit_of(store: Store, name: str, patience_s: Callable[[str], float] = lambda name: 0.0) -> LandingUnit | None:
    """Return a landing unit as it is listed now; None where nothing of it is there.

    Args:
        store: where it lies.
        name: first path segment below `landing/`.
        patience_s: unit name -> how long it may stay incomplete.
    """
    found = list(store.list(f"{PREFIX}{name}/"))
    with suppress(NotFound):
        found.append(store.head(PREFIX + name))
    return landing_unit(name, found, patience_s)
