"""Failpoints: named places where a test ends the process, to prove that nothing is lost or doubled.

`LANDSTREAM_FAILPOINT=NAME[:K]` sends SIGKILL to its own process group at the K-th hit (first by default) of NAME,
counted per process.
"""

from __future__ import annotations

import os
import signal
from typing import Final

FAILPOINTS: Final[dict[str, tuple[int, str]]] = {
    # name: (how often the small run hits it at least in one process: 0, 1 or 3; where it is)
    "store.before_link": (3, "a new object is written and synced, and not yet visible"),
    "store.after_link": (3, "a new object is visible, and its folder not yet synced"),
    "landing.unit_uploaded": (3, "a product of the command line lies in landing/"),
    "fetch.searched": (0, "a provider answered a search, its products are written down"),
    "fetch.claimed": (0, "a product is claimed, nothing of it is fetched"),
    "fetch.part": (0, "a part of a product is on the disk"),
    "fetch.downloaded": (0, "a product is whole on the disk, nothing of it is in landing/"),
    "fetch.delivered": (0, "a fetched product lies in landing/, which its state does not say"),
    "runner.planned": (3, "a job is planned and due, nothing is fetched"),
    "runner.fetched": (3, "the inputs of a job are local files"),
    "worker.processed": (3, "the worker has its result, the runner does not know it"),
    "runner.artifact_uploaded": (3, "an artifact is stored, its item is not"),
    "runner.before_item": (3, "all artifacts are stored, the item is not"),
    "runner.after_item": (3, "the item is stored, its receipt and the acknowledgement are not"),
    "runner.before_ack": (3, "all jobs of an event are done, it is not acknowledged"),
    "runner.failure_recorded": (0, "a failure record is stored, its receipt is not"),
    "cube.before_bootstrap": (1, "the arrays of a year are created, and not committed"),
    "cube.before_commit": (3, "a scene is merged, and not committed"),
    "cube.after_commit": (3, "a scene is committed, its cube update is not an item yet"),
    "driver.training_requested": (1, "the training request is an item"),
    "driver.promoted": (1, "the promotion is an item, nothing is mapped with it yet"),
}

_wanted, _, _at = os.environ.get("LANDSTREAM_FAILPOINT", "").partition(":")
_left = int(_at) if _at.isascii() and _at.isdigit() else int(not _at)


class UnknownFailpoint(ValueError):
    """Raised at start when `LANDSTREAM_FAILPOINT` names no failpoint."""


def check_failpoint() -> None:
    """Refuse an unknown name, which would make a kill test pass without a kill.

    Raises:
        UnknownFailpoint: the variable names none.
    """
    if _wanted and _wanted not in FAILPOINTS:
        raise UnknownFailpoint(f"LANDSTREAM_FAILPOINT={_wanted}: no such failpoint; `landstream failpoints` lists them")
    if _wanted and _left < 1:
        raise UnknownFailpoint(f"LANDSTREAM_FAILPOINT={_wanted}:{_at}: the hit is a number from 1 on")


def armed() -> bool:
    """Return whether this process is to be ended at a failpoint."""
    return bool(_wanted)


def _hit(name: str) -> None:
    global _left
    if name == _wanted:
        _left -= 1
        if _left == 0:
            os.killpg(0, signal.SIGKILL)


def _ignore(name: str) -> None:
    """Nothing is armed: a hit costs one call."""


failpoint = _hit if _wanted else _ignore
