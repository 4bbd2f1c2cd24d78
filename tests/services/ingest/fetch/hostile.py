"""What the tests of hostile catalogues share: a fetcher at a server's mercy, ingest's own eyes, and what leaked."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.ingest.fetch import ending, term
from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.network.http import Limits
from services.ingest.fetch.provider import Credentials, Provider
from services.ingest.fetch.providers.cdse import Cdse
from services.ingest.fetch.providers.cogs import Cogs
from services.ingest.fetch.providers.dhus import Dhus
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.spans import Catalogue
from services.ingest.process import process
from services.ingest.stage import IngestSettings
from shared.area.source import CdseSource, DhusSource, StacSource
from shared.items.landing import PREFIX, LandingUnit
from shared.run.deliver import deliver
from shared.run.failure import is_void, read_records
from shared.stage import Job, LocalUnit, RejectScene, Task
from shared.stage.source import LandingSource
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of
from tests.services.ingest.fetch.conftest import Hurried
from tests.services.ingest.fetch.workshop import QUICKLY, Bench, Intake
from tools.servers.catalogue import Account, CatalogueServer, Product

BRISK = Limits(2.0, 2.0, 4.0)

ACCOUNT = Account(password=f"password-{uuid4().hex}", secret_key=f"secret-{uuid4().hex}")
"""Whose secrets no other process can know."""

TOKENS = ("access-", "refresh-", "Bearer ", "Basic ")
"""How what the server gives for them begins, and how it is shown."""


class Leak(NamedTuple):
    """A secret where none belongs."""

    where: str
    secret: str


@contextmanager
def quickly() -> Iterator[None]:
    """Let a fetcher wait for nothing that tests need not wait for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(ending, "ONCE_OFFLINE_S", 0.01)
        patch.setattr(term, "IDLE_S", 0.01)
        yield


@dataclass
class Watch:
    """What may hold a secret: lines of logs, and command lines of processes."""

    logs: list[str] = field(default_factory=list)
    processes: set[bytes] = field(default_factory=set)

    def look(self) -> None:
        """Note the command line of each process."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # it has ended
                self.processes.add(path.read_bytes())


class Examining(Intake):
    """Stands in for ingest, and takes what lies in `landing/` as ingest itself does: what it refuses has a record.

    Args:
        store: of `landing/`.
        folder: where it unpacks.
        examined: products that are looked at; all others are stubs, which are registered.
    """

    def __init__(self, store: FolderStore, folder: Path, examined: frozenset[str]) -> None:
        super().__init__(store)
        self._folder, self._examined = folder, examined

    def refusal(self, unit: LandingUnit, product: str) -> bytes | None:
        """See `Intake.refusal`."""
        if product not in self._examined:
            return None
        folder = self._folder / product
        folder.mkdir(parents=True)
        path = folder / unit.name
        path.write_bytes(self.store.get(f"{PREFIX}{unit.name}"))
        job = Job("", "", "", delivery=LandingSource(unit))
        try:
            process(Task(job, (), (), LocalUnit(unit, path), AREA, IngestSettings(), folder / "out"))
        except RejectScene as error:
            said = {"file": error.file, "fault": error.fault, "remedy": error.remedy}
            return json.dumps({"stage": "ingest", "id": f"{product}--00000000", "input": product, **said}).encode()
        return None


@dataclass
class Mercy:
    """A store and a server that fills it.

    Attributes:
        server: that is asked.
        folder: of all that is written.
        examined: products that ingest itself looks at.
        watch: what may hold a secret.
    """

    server: CatalogueServer
    folder: Path
    examined: frozenset[str] = frozenset()
    watch: Watch = field(default_factory=Watch)

    @property
    def bench(self) -> Bench:
        """The store, as tests ask about it."""
        return Bench(FolderStore(self.folder / "store"), self.folder / "fetch")

    def run(self, kind: str = "cdse", within_s: float = 20.0, **source: Any) -> Fetcher:
        """Fetch all that can be had; it must come to an end."""
        store = FolderStore(self.folder / "store")
        fetcher = self._fetcher(store, *provider_of(self.server, kind, **source))
        thread = Thread(target=fetcher.run, daemon=True)
        with _logs(self.watch.logs), Examining(store, self.folder / "ingest", self.examined):
            thread.start()
            end_s = time.monotonic() + within_s
            while thread.is_alive() and time.monotonic() < end_s:
                self.watch.look()
                thread.join(0.1)
            assert not thread.is_alive(), "a run must end"
        return fetcher

    def _fetcher(self, store: FolderStore, source: Catalogue, provider: Provider) -> Fetcher:
        stop = Event()
        return Fetcher(
            Setup(
                area=AREA,
                source=source,
                provider=provider,
                store=store,
                settings=FetchSettings(**(QUICKLY | {"attempts": 2, "back_off_s": 0.001})),
                folder=self.folder / "fetch",
                put=partial(deliver, store, stop=stop),
                stop=stop,
                withdraw=lambda *_: None,
                restore=lambda *_: None,
                once=True,
                alone=True,
            )
        )

    def records(self) -> list[dict[str, Any]]:
        """Return the failure records that stand."""
        store, foreign = FolderStore(self.folder / "store"), dict[str, str]()
        found = [r for r in read_records(store, foreign) if not is_void(r, store, catalogue_of(()))]
        assert not foreign
        return found

    def leaks(self) -> list[Leak]:
        """Return every secret that lies in a log, a file or a process list."""
        account = self.server.account
        secrets = [account.password, account.secret_key]
        places = {"log": "\n".join(self.watch.logs).encode()}
        places |= {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        found = [Leak(where, s) for where, held in places.items() for s in [*secrets, *TOKENS] if s.encode() in held]
        return found + [Leak("process", s) for line in self.watch.processes for s in secrets if s.encode() in line]

    def outside(self) -> list[str]:
        """Return what was written beside the folders that are for it."""
        return sorted({path.name for path in self.folder.iterdir()} - {"store", "fetch", "ingest"})


def provider_of(server: CatalogueServer, kind: str, **given: Any) -> tuple[Catalogue, Provider]:
    """A source of an area file, and the client that the process starts for it."""
    account, clock = server.account, Hurried().clock()
    credentials = Credentials(account.username, account.password, account.access_key, account.secret_key)
    if kind == "dhus":
        node = DhusSource(kind="dhus", products=("S2MSI2A",), api_url=server.dhus_url)
        return node, Dhus(node, credentials, rate=1e6, limits=BRISK, clock=clock)
    if kind == "stac":
        api = StacSource(kind="stac", api_url=server.earth_url, asset_hosts=(), **given)
        return api, Cogs(api, credentials, rate=1e6, limits=BRISK, clock=clock)
    source = CdseSource(kind="cdse", **{"products": ("S2MSI2A",), **server.addresses, **given})
    rates = dict.fromkeys(server.addresses.values(), 1e6)
    return source, Cdse(source, credentials, rates=rates, limits=BRISK, clock=clock)


def product(name: str, path: Path | None = None, **given: Any) -> Product:
    """A product of the area."""
    return Product.named(name, path=path, cloud_percent=1.0, footprint=AREA.polygon.buffer(0.1), **given)


@contextmanager
def _logs(lines: list[str]) -> Iterator[None]:
    """Keep what is logged, by us and by every library."""

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    keeper, root = Keeper(), logging.getLogger()
    before = root.level
    root.addHandler(keeper)
    root.setLevel(logging.INFO)
    try:
        with capture_logs() as said:
            yield
        lines.extend(map(str, said))
    finally:
        root.setLevel(before)
        root.removeHandler(keeper)
