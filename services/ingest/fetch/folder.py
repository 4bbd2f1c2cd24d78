"""A folder that products are put into by other means: which of them are whole."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.ingest.completeness import why_incomplete
from services.ingest.names import ARRIVING, parse_product
from shared.area.source import FolderSource
from shared.items.landing import LandingObject, LandingUnit

QUIET_S: Final = 30.0
"""Seconds for which nothing of a product changed, so that nobody is writing it; a copy writes all the time."""
MOST_FILES: Final = 20_000
"""Of a product; a SAFE holds about 120."""


def whole_products(source: FolderSource, now: float, quiet_s: float = QUIET_S) -> Iterator[Path]:
    """Yield the products of a folder that are whole, by name: folders and archives; nothing is written there.

    Args:
        source: the folder.
        now: seconds since 1970.
        quiet_s: seconds without a change after which a product is not being written any more.

    Raises:
        OSError: the folder cannot be read.
    """
    for path in sorted(Path(source.path).iterdir()):
        if not path.is_symlink() and _is_product(path.name) and _is_whole(path, now - quiet_s):
            yield path


def _is_product(name: str) -> bool:
    return not name.startswith(".") and not name.lower().endswith(ARRIVING) and parse_product(name) is not None


def _is_whole(path: Path, before: float) -> bool:
    """Return whether a product is there as a whole, and unchanged since a time."""
    try:
        if not path.is_dir():
            return path.suffix.lower() == ".zip" and path.stat().st_mtime <= before and zipfile.is_zipfile(path)
        found = _listed(path)
        if found is None or found.modified_s > before:
            return False
        return why_incomplete(found, lambda relative: (path / relative).read_bytes()) is None
    except FileNotFoundError:  # it was moved or renamed meanwhile
        return False


def _listed(root: Path) -> LandingUnit | None:
    """List a product's folder; None where it is empty, or holds a link or more files than any product does."""
    objects: list[LandingObject] = []
    newest = 0.0
    for folder, folders, names in os.walk(root, followlinks=False):
        for path in (Path(folder) / name for name in (*folders, *names)):
            status = path.lstat()
            if path.is_symlink() or len(objects) > MOST_FILES:
                return None
            newest = max(newest, status.st_mtime)
            if path.is_file():
                objects.append(LandingObject(path.relative_to(root).as_posix(), status.st_size, ""))
    ordered = sorted(objects, key=lambda o: o.path)
    return LandingUnit(root.name, tuple(ordered), newest) if ordered else None
