"""SIGKILL at each failpoint of fetching: it goes on, with no gap, nothing whole fetched twice, nothing partial kept."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from services.ingest.fetch import ending
from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.provider import Credentials
from services.ingest.fetch.providers.cdse import Cdse
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.setup import Setup
from shared.area.source import CdseSource
from shared.items.landing import PREFIX
from shared.observe import failpoint
from shared.run.deliver import deliver
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.services.ingest.fetch.workshop import QUICKLY, Bench, Intake, name_of
from tools.servers.catalogue import Account, CatalogueServer, Product

NAMES = [name_of(days) for days in range(5)]
FORKS = multiprocessing.get_context("forkserver")


def fetcher(store: Path, folder: Path, addresses: dict[str, str], account: Account) -> Fetcher:
    """A fetcher of the server's products, that ends when all is done."""
    source = CdseSource(kind="cdse", products=("S2MSI2A",), **addresses)  # type: ignore[arg-type]  # texts
    credentials = Credentials(username=account.username, password=account.password)
    kept, stop = FolderStore(store), Event()
    return Fetcher(
        Setup(
            area=AREA,
            source=source,
            provider=Cdse(source, credentials, rates=dict.fromkeys(addresses.values(), 1e6)),
            store=kept,
            settings=FetchSettings(**QUICKLY | {"lease_s": 1.0, "connections": 1}),
            folder=folder,
            put=partial(deliver, kept, stop=stop),
            stop=stop,
            withdraw=lambda *_: None,
            restore=lambda *_: None,
            once=True,
        )
    )


def die_at(name: str, hit: int, *given: object) -> None:
    """Run a fetcher in a process that ends at a failpoint; without one, to its end."""
    os.setsid()
    failpoint._wanted, failpoint._left = name, hit
    for module in list(sys.modules.values()):
        if getattr(module, "failpoint", None) is failpoint._ignore:
            module.failpoint = failpoint._hit  # type: ignore[attr-defined]
    ending.ONCE_OFFLINE_S = 0.05
    fetcher(*given).run()  # type: ignore[arg-type]


def run_until_killed(name: str, hit: int, *given: object) -> None:
    process = FORKS.Process(target=die_at, args=(name, hit, *given))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL, f"{name} was not hit {hit} times"
    process.close()


@pytest.fixture(scope="module", autouse=True)
def _preloaded() -> None:
    """Start what forks once, with all that a fetcher imports."""
    FORKS.set_forkserver_preload([__name__])
    process = FORKS.Process(target=os.getpid)
    process.start()
    process.join(30)
    process.close()


@pytest.fixture(autouse=True)
def _without_syncing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def server() -> Iterator[CatalogueServer]:
    offered = [Product.named(name, cloud_percent=1.0, footprint=AREA.polygon.buffer(0.1)) for name in NAMES]
    with CatalogueServer(offered) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "hit"),
    [
        ("fetch.searched", 3),
        ("fetch.claimed", 1),
        ("fetch.part", 2),
        ("fetch.downloaded", 1),
        ("fetch.delivered", 1),
        ("store.after_link", 9),
    ],
)
def test_fetching_goes_on_where_it_was_killed(
    tmp_path: Path, server: CatalogueServer, monkeypatch: pytest.MonkeyPatch, name: str, hit: int
) -> None:
    monkeypatch.setattr(ending, "ONCE_OFFLINE_S", 0.05)
    given = (tmp_path / "store", tmp_path / "fetch", server.addresses, server.account)
    store = FolderStore(tmp_path / "store")
    with Intake(store) as intake:
        run_until_killed(name, hit, *given)
        fetcher(*given).run()
    bench = Bench(store, tmp_path / "fetch")
    assert {bench.state(each) for each in NAMES} == {"registered"}
    # Of an archive as small as these all may have been sent before its only part is on the disk.
    assert server.seen.whole_twice == [] or name == "fetch.part"
    assert set(server.seen.whole) >= set(NAMES)
    assert server.seen.forbidden == []
    assert intake.taken == dict.fromkeys(NAMES, 1)
    for each in store.children(PREFIX):
        assert store.get(PREFIX + each).startswith(b"PK")
    assert list((tmp_path / "fetch").iterdir()) == []
