"""A store as the command line opens it: bound to one area, with a folder of this machine to work in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shared.store
from shared.area import Area
from shared.items.ids import digest8
from shared.store import (
    AREA_KEY,
    FolderStore,
    NotFound,
    PreconditionFailed,
    Store,
    area_json,
    open_store,
    probe,
    read_area,
)
from shared.store.folder import exclusive

_NO_AREA = f"{{}}: no {AREA_KEY} there; `landstream run` or `landstream provision` makes it"


class WorkspaceError(ValueError):
    """Raised when a store cannot be used as asked; one line says why, and what to do."""


@contextmanager
def workspace(location: str) -> Iterator[tuple[Store, Path]]:
    """Make a store ready for one `run`, and a folder for its logs and scratch; one run per machine at a time.

    Raises:
        WorkspaceError: the location names no store.
        shared.store.StoreError: another run holds it, it does not answer, or it is unsafe.
    """
    try:
        store = open_store(location)
    except ValueError as error:
        raise WorkspaceError(str(error)) from error
    if isinstance(store, FolderStore):
        with store.exclusive() as folder:
            yield store, folder
        return
    folder = machine_folder(store.bucket, "run")
    with exclusive(folder, location):
        store.make_bucket()
        probe(store)
        yield store, folder


@contextmanager
def existing_workspace(location: str) -> Iterator[tuple[Store, Path]]:
    """Hold a store as `run` does; see `workspace`; nothing is made where there is none.

    Raises:
        WorkspaceError: there is none.
        shared.store.StoreError: another run holds it, it does not answer, or it is unsafe.
    """
    _require_folder(location)
    try:
        found = open_store(location).exists(AREA_KEY)
    except ValueError as error:
        raise WorkspaceError(str(error)) from error
    if not found:
        raise WorkspaceError(_NO_AREA.format(location))
    with workspace(location) as held:
        yield held


def machine_folder(bucket: str, command: str) -> Path:
    """Return this user's folder of logs and scratch for a command that works on a bucket, where none is given.

    Raises:
        WorkspaceError: it cannot be made.
    """
    from shared.store.s3 import S3Settings  # boto3 takes half a second to load

    folder = Path(tempfile.gettempdir()) / f"landstream-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
            raise WorkspaceError(f"{folder}: is another user's; set TMPDIR to a folder of yours")
        found = folder / f"{bucket}-{digest8([S3Settings().endpoint, bucket])}" / command
        found.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{folder}: {error.strerror}; set TMPDIR to a folder of yours") from error
    return found


def bind(store: Store, area: Area) -> list[str]:
    """Bind a store to an area; grid, level and label scheme are fixed for good, the rest follows the area file.

    Returns:
        What the store's area said before and says now, where the file says something else: one text for each key.

    Raises:
        WorkspaceError: the store belongs to another area; the message names each difference.
    """
    data = area_json(area)
    try:
        store.put(AREA_KEY, data, create_only=True)
        return []
    except PreconditionFailed:
        before = area_of(store)
        differences = _differences(before.identity, area.identity, "{} is {} there and {} here")
        if differences:
            raise WorkspaceError(
                f"the store belongs to another area: {'; '.join(differences)}; use another --store, or this area's file"
            ) from None
        if store.get(AREA_KEY) != data:
            store.put(AREA_KEY, data)
        said, says = (one.model_dump(mode="json", exclude={"aoi"}) | {"sensors": one.sensors} for one in (before, area))
        outline = ["the AOI has another outline"] if before.aoi != area.aoi else []
        return outline + _differences(said, says, "{} was {} and is {}")


def area_of(store: Store) -> Area:
    """Return the area that a store belongs to.

    Raises:
        WorkspaceError: it is not a store of Landstream.
    """
    try:
        return read_area(store)
    except NotFound:
        raise WorkspaceError(_NO_AREA.format(store.location)) from None


def open_bound(location: str) -> tuple[Store, Area]:
    """Open an existing store, in a folder or at `s3://BUCKET`, and its area.

    Raises:
        WorkspaceError: there is none, or it does not answer.
    """
    _require_folder(location)
    try:
        store = open_store(location)
        return store, area_of(store)
    except (shared.store.StoreError, ValueError) as error:
        raise WorkspaceError(str(error)) from error


def _require_folder(location: str) -> None:
    """Return if a location is no folder, or that of a store: to open another one would make it."""
    if "://" not in location and not (Path(location) / AREA_KEY).is_file():
        fault, remedy = f"no store here ({AREA_KEY} is missing)", "check the name, `landstream run` makes a new one"
        raise WorkspaceError(f"{location}: {fault}; {remedy}")


def _differences(before: dict[str, Any], after: dict[str, Any], said: str, path: str = "") -> list[str]:
    """Return a text for each key whose values differ: `said`, with the key, the one before and the one after."""
    found = []
    for name in sorted({*before, *after}):
        a, b = before.get(name), after.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, said, f"{path}{name}.")
        elif a != b:
            found.append(said.format(f"{path}{name}", str(a)[:60], str(b)[:60]))
    return found
