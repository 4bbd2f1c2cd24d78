"""What a job is made of: items, or a landing unit; each knows its name and how it is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from shared.items.item import Item
from shared.items.landing import LandingUnit, unit_keys
from shared.items.stac import asset_key, sha256_of


class Fetch(Protocol):
    """Brings an object to a new local file."""

    def __call__(self, key: str, path: Path, sha256: str | None = None) -> object:
        """See `shared.store.Store.fetch`."""


class Unfetchable(Exception):
    """Raised when an object of a landing unit is another's folder, which some stores can hold and no disk can.

    Attributes:
        key: the object.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True)
class Source:
    """An item and those of its assets that a job wants as local files; `None` = all of them."""

    item: Item
    assets: tuple[str, ...] | None = None

    @property
    def id(self) -> str:
        """What failure records call it."""
        return self.item.id

    @property
    def subject(self) -> str:
        """What people call it."""
        return self.item.product

    @property
    def size(self) -> int:
        """Bytes of the wanted assets."""
        return sum(int(self.item.assets[name].get("file:size", 0)) for name in self._wanted)

    @property
    def _wanted(self) -> Iterable[str]:
        return self.item.assets if self.assets is None else self.assets

    def fetch(self, fetch: Fetch, folder: Path) -> dict[str, Path]:
        """Fetch the wanted assets; name -> local file, whose suffix is kept: GDAL's drivers and people go by it."""
        folder.mkdir()
        paths = {}
        for name in self._wanted:
            key = asset_key(self.item, name)
            paths[name] = folder / f"{name}{suffix_of(key)}"
            fetch(key, paths[name], sha256_of(self.item.assets[name]))
        return paths


@dataclass(frozen=True)
class LandingSource:
    """A landing unit."""

    unit: LandingUnit

    @property
    def id(self) -> str:
        """What failure records call it."""
        return f"landing/{self.unit.name}"

    @property
    def subject(self) -> str:
        """What people call it."""
        return self.unit.name

    @property
    def size(self) -> int:
        """Bytes of all its objects."""
        return sum(o.size for o in self.unit.objects)

    @property
    def job_id(self) -> str:
        """Return the name of the job that registers the unit as it is: the product is unknown before."""
        return f"{name_in_id(self.unit.name)}--{self.unit.receipt_id[:8]}"

    @property
    def receipt(self) -> Mapping[str, str]:
        """What the receipt says beside the outcome."""
        return {"unit": self.unit.name}

    def fetch(self, fetch: Fetch, folder: Path) -> dict[str, Path]:
        """Fetch the unit; its name -> local file or folder.

        Raises:
            Unfetchable: an object of it is another's folder.
        """
        place = folder / self.unit.name
        for key, relative in unit_keys(self.unit):
            try:
                fetch(key, place / relative if relative else place)
            except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
                raise Unfetchable(key) from error
        return {self.unit.name: place}


def name_in_id(unit: str) -> str:
    """Return a landing unit's name as job ids hold it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", unit)[:200]


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name, of `.gdb.zip` and `.tar.gz` both parts; empty where it is too long."""
    suffixes = PurePosixPath(name).suffixes[-2:]
    known = "".join(suffixes) if len(suffixes) == 2 and suffixes[0] in {".gdb", ".tar"} else "".join(suffixes[-1:])
    return known if len(known) <= 16 else ""
