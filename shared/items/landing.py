"""Landing units: what lies in `landing/`, one unit a first path segment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol

from shared.items.keys import LandingObject, LandingUnit

PREFIX = "landing/"


class Listed(Protocol):
    """An object as a store lists it."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def etag(self) -> str:
        """Changes whenever the content does."""

    @property
    def modified_s(self) -> float:
        """Seconds since the epoch."""


def landing_units(objects: Iterable[Listed], patience_s: Callable[[str], float]) -> list[LandingUnit]:
    """Group the objects below `landing/` to units, by name.

    Args:
        objects: as listed.
        patience_s: unit name -> how long it may stay incomplete.
    """
    found: dict[str, list[Listed]] = defaultdict(list)
    for listed in objects:
        found[listed.key.removeprefix(PREFIX).split("/")[0]].append(listed)
    return [
        LandingUnit(
            name,
            tuple(
                LandingObject(o.key.removeprefix(PREFIX + name).lstrip("/"), o.size, o.etag)
                for o in sorted(objects_, key=lambda o: o.key)
            ),
            modified_s=max(o.modified_s for o in objects_),
            patience_s=patience_s(name),
        )
        for name, objects_ in sorted(found.items())
    ]
