"""Put products of the command line into `landing/`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event
from urllib.parse import quote

from shared.items.keys import is_key
from shared.items.landing import PREFIX, LandingUnit, landing_unit
from shared.items.weeks import BadKey
from shared.observe.failpoint import failpoint
from shared.store import FolderStore, NotFound, ObjectInfo, Store, StoreError

EMPTY_FOLDER = ".empty-folder"
"""Object that stands for a folder without files, which an object store cannot hold."""


class DeliveryStopped(Exception):
    """Raised when the run is told to stop while a product is being sent."""


def deliver(store: Store, path: Path, stop: Event, link: bool = False) -> LandingUnit:
    """Put one product, a file or a folder, into `landing/`; what is there already is not sent again.

    Links inside a folder are not followed: a product holds its own files.

    Args:
        store: where to.
        path: the product.
        stop: set to end the delivery.
        link: link files instead of copying them; they become read-only. For a folder alone.

    Raises:
        DeliveryStopped: `stop` was set; the product is sent in part.
        BadKey: a path in it is too long, or a file where another product of this name has a folder.
        OSError: a file cannot be read.
    """
    path = path.resolve()
    name, put = unit_name(path.name), linker(store) if link else store.put
    infos = []
    for relative, file in _files(path):
        if stop.is_set():
            raise DeliveryStopped
        key = _key(name, relative)
        infos.append(_existing(store, key, file) or put(key, file))
    if not infos:
        infos.append(store.put(f"{PREFIX}{name}/{EMPTY_FOLDER}", b""))
    failpoint("landing.unit_uploaded")
    unit = landing_unit(name, infos, lambda _: 0.0)
    assert unit is not None
    return unit


def linker(store: Store) -> Callable[[str, Path], ObjectInfo]:
    """Return what links a file into a store.

    Raises:
        StoreError: it is no folder.
    """
    if not isinstance(store, FolderStore):
        raise StoreError(f"{store.location}: --link is for a store in a folder; leave it out")
    return store.adopt


def missing_bytes(store: Store, products: Sequence[Path]) -> int:
    """Return how many bytes of products are not in `landing/` yet, by name and size."""
    missing = 0
    for product in products:
        path = product.resolve()
        for relative, file in _files(path):
            key, size = _key(unit_name(path.name), relative), file.stat().st_size
            try:
                missing += size if store.head(key).size != size else 0
            except (NotFound, BadKey):
                missing += size
    return missing


def unit_name(name: str) -> str:
    """Return a name that can be a key's segment."""
    return re.sub(r"[^A-Za-z0-9._=+@()-]", "_", name)[:200] or "_"


def _key(name: str, relative: str) -> str:
    return f"{PREFIX}{name}/{relative}" if relative else f"{PREFIX}{name}"


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
        return
    for folder, names, files in os.walk(path):
        names.sort()
        for name in sorted(files):
            file = Path(folder) / name
            if not file.is_symlink():
                relative = file.relative_to(path)
                yield "/".join(map(_segment, relative.parts)), file


def _segment(part: str) -> str:
    """Return a name as a key's segment; what no key can hold is written as in a URL, so that its reader can name it."""
    return unit_name(part) if is_key(part) else quote(os.fsencode(part))[:200]


def _existing(store: Store, key: str, file: Path) -> ObjectInfo | None:
    """Return the object if it has this file's content already."""
    try:
        info = store.head(key)
    except NotFound:
        return None
    same = info.size == file.stat().st_size and info.etag == store.etag_of(file)
    return info if same else None
