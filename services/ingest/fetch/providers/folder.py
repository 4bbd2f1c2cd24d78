"""A folder that products are put into by other means: which of them are whole."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from services.ingest.completeness import why_incomplete
from services.ingest.names import ARRIVING, parse_product
from shared.area.source import FolderSource
from shared.items.landing import LandingObject, LandingUnit

QUIET_S: Final = 30.0
"""Seconds for which nothing of a product changed, so that nobody is writing it; a copy writes all the time."""
MOST_FILES: Final = 20_000
"""Of a product; a SAFE holds about 120."""


class State(NamedTuple):
    """What tells that nothing of a product changed.

    Attributes:
        modified_ns: when any of its files or folders was changed last, nanoseconds since 1970.
        size: bytes of all its files.
    """

    modified_ns: int
    size: int


def whole_products(
    source: FolderSource, now: float, quiet_s: float = QUIET_S, known: Mapping[str, State] = MappingProxyType({})
) -> Iterator[tuple[Path, State]]:
    """Yield the products of a folder that are whole, by name: folders and archives; nothing is written there.

    Args:
        source: the folder.
        now: seconds since 1970.
        quiet_s: seconds without a change after which a product is not being written any more.
        known: name -> state of those that are left out.

    Raises:
        OSError: the folder cannot be read.
    """
    for path in sorted(Path(source.path).iterdir()):
        if not path.is_symlink() and _is_product(path.name):
            state = _whole(path, now - quiet_s, known.get(path.name))
            if state is not None:
                yield path, state


def _is_product(name: str) -> bool:
    return not name.startswith(".") and not name.lower().endswith(ARRIVING) and parse_product(name) is not None


def _whole(path: Path, before: float, known: State | None) -> State | None:
    """Return the state of a product that is there as a whole, unchanged since a time, and not in a known state."""
    try:
        unit = _listed(path)
        if unit is None:
            return None
        state = State(unit.modified_ns, sum(each.size for each in unit.objects))
        if state == known or state.modified_ns > before * 1e9:
            return None
        if not path.is_dir():
            return state if path.suffix.lower() == ".zip" and zipfile.is_zipfile(path) else None
        landing = LandingUnit(path.name, unit.objects, state.modified_ns / 1e9)
        return state if why_incomplete(landing, lambda relative: (path / relative).read_bytes()) is None else None
    except FileNotFoundError:  # it was moved or renamed meanwhile
        return None


class _Listed(NamedTuple):
    objects: tuple[LandingObject, ...]
    modified_ns: int


def _listed(root: Path) -> _Listed | None:
    """List a product's files; None where there are none, or a link or more files than any product has."""
    status = root.stat()
    if not root.is_dir():
        return _Listed((LandingObject(root.name, status.st_size, ""),), status.st_mtime_ns)
    objects: list[LandingObject] = []
    newest = status.st_mtime_ns
    for folder, folders, names in os.walk(root, followlinks=False):
        for path in (Path(folder) / name for name in (*folders, *names)):
            status = path.lstat()
            if path.is_symlink() or len(objects) > MOST_FILES:
                return None
            newest = max(newest, status.st_mtime_ns)
            if path.is_file():
                objects.append(LandingObject(path.relative_to(root).as_posix(), status.st_size, ""))
    return _Listed(tuple(sorted(objects, key=lambda o: o.path)), newest) if objects else None
