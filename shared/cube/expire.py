"""Expire the cube's old snapshots, and remove what only they hold.

No map names a snapshot: it names the ledger that it shows. What stays follows from time alone: a map was made from the
snapshot that was the newest when its job began.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import icechunk

from shared.cube.repository import MAIN, one_at_a_time, open_repository
from shared.items.keys import CUBE
from shared.store import Store, StoreError

CHUNKS: Final = f"{CUBE}chunks/"

READ_FOR: Final = timedelta(hours=1)
"""Who opened the cube reads that snapshot for no longer."""

WRITTEN_WITHIN: Final = timedelta(days=1)
"""Younger objects stay: they may be of a transaction that is not committed yet."""


@dataclass(frozen=True)
class Expired:
    """What was, or would be, expired.

    Attributes:
        snapshots: snapshots that left the history.
        objects: objects removed: chunks, manifests, snapshots and transaction logs.
        size: their bytes.
    """

    snapshots: int
    objects: int
    size: int


def prune_cube(store: Store, location: str, keep: timedelta, now: datetime, *, rehearse: bool) -> Expired:
    """Expire the snapshots that were replaced long ago, and remove what only they, or killed writers, hold.

    Kept are the newest one, those with a tag (what a model was trained on), and those that a job which ended within
    `keep` may have opened; see `expiry`. Objects of the last day stay until another time. Writers may go on meanwhile.

    Args:
        store: what holds the cube, below `cube/`.
        location: the repository's folder, or `s3://BUCKET/PREFIX`.
        keep: for how long a snapshot stays after a newer one replaced it, `READ_FOR` not counted.
        now: the time, in UTC.
        rehearse: do it to a copy, in which chunks are holes of their size: nothing of the store is changed.

    Raises:
        StoreError: the store refuses, or does not answer.
    """
    if not any(True for _ in store.keys(CUBE)):
        return Expired(0, 0, 0)
    try:
        if rehearse:
            with _rehearsal(store) as copy:
                return _expire(copy, keep, now)
        return _expire(location, keep, now)
    except icechunk.IcechunkError as error:
        raise StoreError(f"{location}: {' '.join(str(error).split())[:300]}") from error


def expiry(written: Iterable[datetime], keep: timedelta, now: datetime) -> datetime:
    """Return the moment before which snapshots expire: when the one was written that was the newest as `keep` began.

    Args:
        written: when each snapshot was written, the newest one first.
        keep: for how long one stays after a newer one replaced it, `READ_FOR` not counted.
        now: the time.
    """
    # Its age says little: what was written a year ago may have been the newest until a minute ago.
    begin = now - keep - READ_FOR
    return next((moment for moment in written if moment <= begin), begin)


def _expire(location: str, keep: timedelta, now: datetime) -> Expired:
    repository = open_repository(location)
    with one_at_a_time(location):
        before = expiry((s.written_at for s in repository.ancestry(branch=MAIN)), keep, now)
        # Among those that leave the newest one's history are some that a tag keeps.
        tagged = {repository.lookup_tag(tag) for tag in repository.list_tags()}
        expired = repository.expire_snapshots(before) - tagged
        removed = repository.garbage_collect(now - WRITTEN_WITHIN)
    objects = (
        removed.chunks_deleted
        + removed.manifests_deleted
        + removed.snapshots_deleted
        + removed.attributes_deleted
        + removed.transaction_logs_deleted
    )
    return Expired(len(expired), objects, removed.bytes_deleted)


@contextmanager
def _rehearsal(store: Store) -> Iterator[str]:
    """Copy a cube without the bytes of its chunks, sizes and times as they are."""
    with tempfile.TemporaryDirectory() as folder:
        for stored in store.list(CUBE):
            path = Path(folder) / stored.key
            path.parent.mkdir(parents=True, exist_ok=True)
            if stored.key.startswith(CHUNKS):
                path.touch()
                os.truncate(path, stored.size)
            else:
                store.fetch(stored.key, path)
            os.utime(path, (stored.modified_s, stored.modified_s))
        yield str(Path(folder) / CUBE)
