"""What lies in a store's `landing/` now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from shared.items.landing import PREFIX, LandingUnit, landing_unit, unit_keys
from shared.stage.declare import AnyStage
from shared.stage.registry import resolve
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


def why_incomplete(stage: AnyStage, unit: LandingUnit, store: Store) -> str | None:
    """Return why a landing unit is not whole yet, as far as its listing tells; nothing large is fetched for it.

    A product arrives object by object, and each gives an event: this is all that most of those events cost.

    Args:
        stage: which takes it in.
        unit: as listed.
        store: where it lies.
    """
    if stage.incomplete is None:
        return None
    keys = {relative: key for key, relative in unit_keys(unit)}
    try:
        why: str | None = resolve(stage.incomplete)(unit, lambda path: store.get(keys[path]))
        return why
    except NotFound as error:
        return f"object {error} is not there"
