"""Landing units: what lies in `landing/`, one unit for each first path segment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from shared.items.ids import canonical
from shared.items.week_index import Listed

PREFIX = "landing/"


@dataclass(frozen=True)
class LandingObject:
    """One object of a landing unit: its path inside the unit (empty for a file), size in bytes and etag."""

    path: str
    size: int
    etag: str


@dataclass(frozen=True)
class LandingUnit:
    """One delivery in `landing/`: a file, or a folder of files, as listed.

    Attributes:
        name: first path segment below `landing/`.
        objects: sorted by path.
        modified_s: newest modification of its objects, seconds since the epoch.
        patience_s: how long it may stay incomplete; 0 = it is said to be whole.
    """

    name: str
    objects: tuple[LandingObject, ...]
    modified_s: float = 0.0
    patience_s: float = 0.0

    @property
    def receipt_id(self) -> str:
        """sha256 of name, sizes and etags."""
        return hashlib.sha256(
            canonical([self.name, sorted((o.path, o.size, o.etag) for o in self.objects)])
        ).hexdigest()

    @property
    def is_folder(self) -> bool:
        """True for a SAFE or SEN3 folder."""
        return not (len(self.objects) == 1 and self.objects[0].path == "")

    @property
    def key(self) -> str:
        """The key of its first object, whose event leads to the unit."""
        return next(unit_keys(self))[0]


def unit_keys(unit: LandingUnit) -> Iterator[tuple[str, str]]:
    """Yield (key, path inside the unit) of each object of a landing unit."""
    for o in unit.objects:
        yield (f"{PREFIX}{unit.name}/{o.path}" if o.path else f"{PREFIX}{unit.name}"), o.path


def landing_unit(name: str, objects: Iterable[Listed], patience_s: Callable[[str], float]) -> LandingUnit | None:
    """Return the unit of a name; None where nothing of it is there.

    Args:
        name: first path segment below `landing/`.
        objects: its objects, as listed.
        patience_s: unit name -> how long it may stay incomplete.
    """
    found = sorted(objects, key=lambda o: o.key)
    if not found:
        return None
    start = len(PREFIX) + len(name) + 1
    return LandingUnit(
        name,
        tuple(LandingObject(o.key[start:], o.size, o.etag) for o in found),
        modified_s=max(o.modified_s for o in found),
        patience_s=patience_s(name),
    )
