"""A disk that is full or read-only: recognized whoever meets it, and said in one line.

It is the trouble of the store, or of this machine's scratch, and never a product's: what met it is tried again.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.store.protocol import StoreError, StoreFull

_FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user is used up",
    errno.EROFS: "the disk is read-only",
}
_TEXTS = {os.strerror(code): fault for code, fault in _FAULTS.items()}
_NO_ERRNO = {"icechunk", "rasterio", "tensorflow", "zarr"}
"""Libraries whose errors carry the system's text and no number; the text of others may come from a product."""


def space_fault(error: BaseException) -> str | None:
    """Return what ails the disk if that is the cause of an error, and None if something else is."""
    return next((fault for cause in _causes(error) if (fault := _fault(cause))), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _fault(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in _FAULTS:
        return _FAULTS[error.errno]
    if type(error).__module__.partition(".")[0] in _NO_ERRNO:
        said = str(error)
        return next((fault for text, fault in _TEXTS.items() if text in said), None)
    return None


def free_bytes(folder: Path) -> int:
    """Return the bytes that an unprivileged user may still write on the disk of a folder, which need not exist yet."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def full(folder: Path, fault: str, needed: int) -> StoreFull:
    """Return the error that says in one line what ails a disk, what is free and what is needed at least.

    Args:
        folder: on the disk.
        fault: see `space_fault`.
        needed: bytes; 0 = unknown.
    """
    if fault == _FAULTS[errno.EROFS]:
        return StoreFull(f"{folder}: {fault}; make it writable, then run the same line again")
    need = f", at least {megabytes(needed)} needed" if needed else ""
    return StoreFull(
        f"{folder}: {fault}: {megabytes(free_bytes(folder))} free{need}; free space (`landstream prune` shows what "
        "nothing needs any more), then run the same line again"
    )


def require_free(folder: Path, needed: int) -> None:
    """Check before the first byte that so many can be written.

    Raises:
        StoreFull: they cannot.
    """
    if free_bytes(folder) < needed:
        raise full(folder, _FAULTS[errno.ENOSPC], needed)


def megabytes(size: int) -> str:
    """Return a size as people read it: `1.2 MB`."""
    return f"{size / 1e6:,.1f} MB"


@contextmanager
def room(folder: Path, needed: int = 0) -> Iterator[None]:
    """Give errors that a full or read-only disk causes their name.

    Args:
        folder: on the disk that is written to.
        needed: bytes that are to be written; 0 = unknown.

    Raises:
        StoreFull: such an error was raised inside.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        if fault := space_fault(error):
            raise full(folder, fault, needed) from error
        raise
