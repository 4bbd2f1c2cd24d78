"""Fetching from a watched folder: what is whole there is put into `landing/`, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from services.ingest.fetch.book import Book
from services.ingest.fetch.providers.folder import QUIET_S, State, whole_products
from shared.area.source import FolderSource
from shared.items.landing import LandingUnit
from shared.observe.logs import get_logger
from shared.run.context import Observer, observe_nothing
from shared.store import Store, StoreUnavailable

LOOK_S = 5.0
"""Seconds between two looks at the folder."""


@dataclass
class Watched:
    """Watches a folder; see `services.ingest.fetch.fetcher.Fetcher`, in whose place it stands.

    Attributes:
        source: the folder.
        store: where products go.
        put: puts a file or folder into `landing/`.
        stop: set to end.
        observer: told what was brought.
        once: end after one look, which does not wait for what may still be written.
        tick: called while all is well.
        quiet: whether everything that is whole was brought.
    """

    source: FolderSource
    store: Store
    put: Callable[[Path], LandingUnit]
    stop: Event
    observer: Observer = observe_nothing
    once: bool = False
    tick: Callable[[], None] = lambda: None
    quiet: bool = False
    _fault: str = field(default="", init=False)
    _brought: dict[str, State] = field(default_factory=dict, init=False)

    def run(self) -> None:
        """Bring products until told to stop; with `once` those of now."""
        book, quiet_s = Book(self.store), 0.0 if self.once else QUIET_S
        while not self.stop.is_set():
            self.tick()
            try:
                for path, state in whole_products(self.source, time.time(), quiet_s, self._brought):
                    if self.stop.is_set():
                        return
                    self._bring(book, path, state)
                    self._brought[path.name] = state
                self._fault, self.quiet = "", True
            except (OSError, StoreUnavailable) as error:
                self._fault = f"{self.source.path}: {error}"
                get_logger(service="fetch").warning("the folder is looked at later", error=str(error))
                self.quiet = self.once
            if self.once:
                return
            self.stop.wait(LOOK_S)

    def waits(self) -> Sequence[str]:
        """Return what it waits for, for people."""
        return [f"fetch: {self._fault}"] if self._fault else []

    def _bring(self, book: Book, path: Path, state: State) -> None:
        """Put a product into `landing/`, unless it was brought as it is: what was pruned there stays away."""
        name, seen = f"watched/{path.name}", dict[str, object](state._asdict())
        if book.kept(name) == seen:
            return
        self.quiet = False
        self.put(path)
        book.keep(name, seen)
        self.observer("fetch", "done", path.name)
