"""`area.json`: which area a store belongs to, and in which format it is kept."""

from __future__ import annotations

import json
from typing import Any, Final

from shared.area import Area
from shared.items.ids import canonical
from shared.store.protocol import Store, StoreError

AREA_KEY: Final = "area.json"
FORMAT: Final = 2
"""Raised when what is in a store is laid out in another way; `landstream migrate` carries a store over."""


class OtherFormat(StoreError):
    """Raised when a store is kept in a format that this version does not read."""


def area_json(area: Area) -> bytes:
    """Return the bytes of `area.json`."""
    return canonical({"format": FORMAT, **area.model_dump(mode="json", by_alias=True)})


def read_area(store: Store) -> Area:
    """Return the area that a store belongs to.

    Raises:
        NotFound: it belongs to none.
        OtherFormat: it is kept in another format.
    """
    found, fields = read_format(store)
    if found != FORMAT:
        remedy = f"run `landstream migrate --store {store.location}`" if found < FORMAT else "use a newer Landstream"
        raise OtherFormat(f"{store.location}: is kept in format {found}, this version reads {FORMAT}; {remedy}")
    return Area.model_validate(fields)


def read_format(store: Store) -> tuple[int, dict[str, Any]]:
    """Return the format of a store, and the fields of its area.

    Raises:
        NotFound: it belongs to no area.
    """
    fields: dict[str, Any] = json.loads(store.get(AREA_KEY))
    found = int(fields.pop("format", 1))
    if found < FORMAT:
        fields.get("policy", {}).get("training", {}).pop("architecture", None)  # there was only ever one
    return found, fields
