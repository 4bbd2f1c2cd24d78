"""What the runners of one process work in: store, bus, catalogue, scratch and limits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from shared.area import Area
from shared.bus import Bus, MemoryBus
from shared.events import KeyForm
from shared.items.landing import PREFIX, LandingUnit
from shared.items.reader import CatalogueReader
from shared.observe.health import Health
from shared.run.child import GRACE_S
from shared.run.landed import unit_of
from shared.stage import registry
from shared.store import FolderStore, Store, StoreFull


class Observer(Protocol):
    """Hears what a stage does."""

    def __call__(self, stage: str, state: str, subject: str, done: int = 0, total: int = 0, note: str = "") -> None:
        """Take one report: start, progress, done, absorbed, later or failed.

        Args:
            stage: the stage.
            state: one of the above.
            subject: what people call the product.
            done: with progress, how far it has come.
            total: of how many.
            note: with progress, what is counted; with failed and later, why.
        """


def observe_nothing(stage: str, state: str, subject: str, done: int = 0, total: int = 0, note: str = "") -> None:
    """Ignore the report."""


def wait_for_space(error: StoreFull) -> None:
    """Go on trying, as somebody may free space at any time."""


@dataclass(frozen=True)
class Context:
    """What a runner works in.

    Attributes:
        store: the object store.
        bus: the message bus.
        area: the study area.
        reader: the catalogue's reader, shared by the stages of one process.
        cube: where the cube is.
        work: a folder for scratch, on the store's disk where the store is one.
        patience_s: landing unit's name -> how long it may stay incomplete.
        keys: how the store writes keys in its events.
        attempts: how often an unexpected error is tried.
        back_off_s: pause after the first failed attempt, doubled after each.
        grace_s: how long a job may continue after a stop was requested.
        logs: folder for the workers' output; None = where this process writes its own.
        when_full: told that the disk or the store is full or read-only, each time that a job meets it.
    """

    store: Store
    bus: Bus
    area: Area
    reader: CatalogueReader
    cube: str
    work: Path
    patience_s: Callable[[str], float]
    keys: KeyForm = "quoted"
    attempts: int = 3
    back_off_s: float = 1.0
    grace_s: float = GRACE_S
    logs: Path | None = None
    health: Health = field(default_factory=Health)
    stop: Event = field(default_factory=Event)
    observer: Observer = observe_nothing
    when_full: Callable[[StoreFull], None] = wait_for_space

    @property
    def disk(self) -> Path:
        """The folder that people know of the disk on which jobs work."""
        return self.work if self.store.remote else Path(self.store.location)

    def unit(self, name: str) -> LandingUnit | None:
        """Return a landing unit as it is listed now; None where nothing of it is there."""
        return unit_of(self.store, name, self.patience_s)

    def units(self) -> Iterator[LandingUnit]:
        """Yield every landing unit as it is listed now, by name."""
        for name in sorted(self.store.children(PREFIX)):
            if (unit := self.unit(name)) is not None:
                yield unit

    def group(self, name: str) -> str:
        """Return the consumer group of a service of this store."""
        return f"{self.store.bucket}.{name}"

    @classmethod
    def of_store(cls, store: Store, area: Area, bus: Bus | None = None, **options: Any) -> Context:
        """Return that of a store: its cube lies beside the objects, and the scratch too where the store is a folder.

        Args:
            store: the store.
            area: the study area.
            bus: the bus; one of its own where none is given.
            options: any of the attributes.
        """
        work = store.work if isinstance(store, FolderStore) else Path(tempfile.gettempdir())
        return cls(
            store=store,
            bus=bus or MemoryBus(),
            area=area,
            reader=CatalogueReader(store, area, registry.rules()),
            cube=f"{store.location}/cube",
            **{"patience_s": lambda name: area.patience_s, "work": work, **options},
        )
