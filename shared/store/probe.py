"""Try a store at start: a store that lets two creates of one object succeed would double or lose results."""

from __future__ import annotations

import threading
import uuid
from typing import Final

from shared.store.protocol import PreconditionFailed, Store, UnsafeStore

PREFIX: Final = "probe/"
"""Prefix of the objects that are raced for; each is deleted again."""


def probe(store: Store, rounds: int = 5, racers: int = 8) -> None:
    """Race conditional creates.

    Raises:
        UnsafeStore: not exactly one of the racers won.
    """
    for _ in range(rounds):
        won = _race(store, f"{PREFIX}{uuid.uuid4().hex}", racers)
        if won != 1:
            raise UnsafeStore(
                f"{store.location}: {won} of {racers} conditional creates of one object succeeded, so results would be "
                "doubled or lost; use a store that honours If-None-Match, such as versitygw, SeaweedFS, MinIO or AWS S3"
            )


def _race(store: Store, key: str, racers: int) -> int:
    """Return how many of the racers created the object."""
    barrier = threading.Barrier(racers)
    won, faults = list[int](), list[Exception]()

    def create(n: int) -> None:
        barrier.wait()
        try:
            store.put(key, b"%d" % n, create_only=True)
            won.append(n)
        except PreconditionFailed:
            pass
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.delete(key)
    if faults and len(won) < 2:  # two winners are a verdict, whatever befell the others
        raise faults[0]
    return len(won)
