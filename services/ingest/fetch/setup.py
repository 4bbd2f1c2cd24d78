"""What fetching works in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from services.ingest.fetch.provider import Provider
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.spans import Catalogue
from shared.area import Area
from shared.items.landing import LandingUnit
from shared.run.context import Observer, observe_nothing
from shared.store import Store


@dataclass(frozen=True)
class Setup:
    """What fetching works in.

    Attributes:
        area: the study area.
        source: what its file says.
        provider: who is asked.
        store: where products go.
        settings: of fetching.
        folder: for what is under way.
        put: puts a file or folder into `landing/`.
        stop: set to end.
        observer: told what is fetched.
        once: end when everything that can be had was fetched and taken in.
        withdraw: withdraws a product that was taken away upstream: (product, week, reason).
        restore: takes that back, as the product is offered again: (product, week, reason).
        alone: whether this process alone has the store, so that nobody's claim is to be waited for.
        tick: called while all is well.
    """

    area: Area
    source: Catalogue
    provider: Provider
    store: Store
    settings: FetchSettings
    folder: Path
    put: Callable[[Path], LandingUnit]
    stop: Event
    withdraw: Callable[[str, str, str], None]
    restore: Callable[[str, str, str], None]
    observer: Observer = observe_nothing
    once: bool = False
    alone: bool = False
    tick: Callable[[], None] = lambda: None
