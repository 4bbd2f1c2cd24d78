"""What is heard of a download while it runs: its claim is kept young by that, and it is interrupted there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from services.ingest.fetch.lease import Lease
from shared.observe.failpoint import failpoint


class Interrupted(Exception):
    """Raised out of a download when the process stops, or another one took the product over."""


class Came:
    """Hears how far a download is.

    Args:
        lease: of the product; renewed in time.
        folder: that it is fetched into, with what an earlier try left.
        stop: set to interrupt.
        report: told of bytes so far, and of how many (0 = unknown).
    """

    def __init__(self, lease: Lease, folder: Path, stop: Event, report: Callable[[int, int], None]) -> None:
        self._lease, self._stop, self._report = lease, stop, report
        self._folder, self._there = folder, bytes_in(folder)
        self._left, self._first, self._done = self._there, True, 0
        self._renewed_s = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        """Take bytes so far, and of how many if that is known.

        Raises:
            Interrupted: the download is to end.
        """
        failpoint("fetch.part")
        if self._first and done < self._left:
            self._left = 0  # it began from the beginning
        self._first, self._done = False, max(self._done, done)
        if self._stop.is_set():
            raise Interrupted
        if time.monotonic() - self._renewed_s > self._lease.lease_s / 3:
            self.keep()
        self._report(done, total or 0)

    def keep(self) -> None:
        """Renew the claim.

        Raises:
            Interrupted: another process has it.
        """
        if not self._lease.renew():
            raise Interrupted
        self._renewed_s = time.monotonic()

    @property
    def fetched(self) -> int:
        """Bytes that came over the network: not those that an earlier try had left."""
        if any(path.is_dir() for path in self._folder.iterdir()):
            # File by file, and the reports count those that were there from the first one on.
            return max(0, bytes_in(self._folder) - self._there)
        return max(0, self._done - self._left)


def bytes_in(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
