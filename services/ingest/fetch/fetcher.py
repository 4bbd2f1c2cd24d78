"""Fetching as a whole: one process leads and works, term after term; others stand by."""

from __future__ import annotations

import time
from collections.abc import Sequence

from services.ingest.fetch.lease import Lease, StoreClock, new_owner
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.term import Term
from shared.items.products import OWN
from shared.observe.logs import get_logger
from shared.store import StoreUnavailable

STANDBY_S = 5.0
"""Seconds between two looks whether the lead is free, at most."""


class Fetcher:
    """Fetches what a source offers for an area, while it holds the lead.

    Args:
        setup: what it works in.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup, self._log = setup, get_logger(service="fetch")
        self._owner = new_owner()
        self._clock = StoreClock(setup.store, self._owner)
        self._lead = Lease(setup.store, f"{OWN}lead/", self._owner, self._clock, setup.settings.lease_s, setup.alone)
        self._term: Term | None = None
        self._is_left = False

    def run(self) -> None:
        """Lead, or stand by to lead, until told to stop; with `once` until all is done, by us or by another process."""
        lease_s, since_s = self._setup.settings.lease_s, time.monotonic()
        try:
            while not self._setup.stop.is_set():
                try:
                    if self._lead.take():
                        self._work()
                        since_s = time.monotonic()
                        if self._setup.once and self.quiet:
                            return
                except StoreUnavailable as error:
                    self._log.warning("fetching continues later", error=str(error))
                    since_s = time.monotonic()
                if self._setup.once and time.monotonic() - since_s > lease_s + STANDBY_S:
                    # Whoever leads was heard of meanwhile, or the lead would be ours: it works without us.
                    self._is_left = True
                    return
                self._setup.tick()
                self._setup.stop.wait(min(lease_s / 3, STANDBY_S))
        finally:
            self._setup.provider.close()

    @property
    def quiet(self) -> bool:
        """Whether everything that can be had now was fetched and taken in, or is left to another process."""
        term = self._term
        return self._is_left or (term is not None and term.quiet)

    def waits(self) -> Sequence[str]:
        """Return what fetching waits for, one line each, for people."""
        if self._is_left:
            return ["fetch: another process fetches for this store"]
        return self._term.waits() if self._term is not None else []

    def _work(self) -> None:
        """Lead until told to stop, done, or overtaken."""
        try:
            self._term = Term(self._setup, self._clock, self._owner)
            self._term.run(self._lead)
        finally:
            try:
                self._lead.release()
            except StoreUnavailable as error:
                self._log.warning("the lead is free later", error=str(error))
