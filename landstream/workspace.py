"""A store as the command line opens it: bound to one area."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.area import Area
from shared.items.keys import canonical
from shared.stage import Stage, registry
from shared.store import FolderStore, NotFound, PreconditionFailed, Store

AREA_KEY = "area.json"


class StoreError(ValueError):
    """Raised when a store cannot be used as asked; one line that says why and what to do."""


def bind(store: Store, area: Area) -> None:
    """Bind a store to an area; grid, level and label scheme are for good, the rest follows the area file.

    Raises:
        StoreError: the store belongs to another area; the message names each difference.
    """
    data = canonical(area.model_dump(mode="json", by_alias=True))
    try:
        store.put(AREA_KEY, data, create_only=True)
    except PreconditionFailed:
        before = area_of(store)
        differences = _differences(before.identity, area.identity)
        if differences:
            raise StoreError(
                f"the store belongs to another area: {'; '.join(differences)}; use another --store, or this area's file"
            ) from None
        if store.get(AREA_KEY) != data:
            store.put(AREA_KEY, data)


def area_of(store: Store) -> Area:
    """The area that a store belongs to.

    Raises:
        StoreError: it is no store of Landstream.
    """
    try:
        return Area.model_validate(json.loads(store.get(AREA_KEY)))
    except NotFound:
        raise StoreError(f"no {AREA_KEY} there: `landstream run --area AREA.yaml --store ...` makes a store") from None


def open_store(root: Path) -> tuple[FolderStore, Area]:
    """An existing store in a folder, and its area.

    Raises:
        StoreError: there is none.
    """
    if not (root / AREA_KEY).is_file():
        raise StoreError(f"{root}: no store here ({AREA_KEY} is missing); `landstream run` makes one")
    store = FolderStore(root)
    return store, area_of(store)


def all_stages() -> list[Stage]:
    """Every service's declaration, upstream first."""
    return registry.in_order([registry.load(name) for name in registry.names()])


def _differences(before: dict[str, Any], after: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for name in sorted({*before, *after}):
        a, b = before.get(name), after.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{path}{name}.")
        elif a != b:
            found.append(f"{path}{name} is {str(a)[:60]} there and {str(b)[:60]} here")
    return found
