"""The fetcher against a server with faults of each kind: all comes, once, and no limit is broken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from services.ingest.fetch import ending
from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.network.http import Limits
from services.ingest.fetch.provider import Credentials
from services.ingest.fetch.providers.cdse import Cdse
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.setup import Setup
from shared.area.source import CdseSource
from shared.items.landing import PREFIX
from shared.run.deliver import deliver
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.services.ingest.fetch.conftest import Hurried
from tests.services.ingest.fetch.workshop import QUICKLY, Bench, Intake, name_of
from tools.servers.catalogue import CatalogueServer, Fault, Product

NAMES = [name_of(days) for days in range(6)]
KINDS = ("401", "expired", "404", "429", "503", "cut", "maintenance", "truncate", "flip")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(ending, "ONCE_OFFLINE_S", 0.01)
    with capture_logs():
        yield


def run(server: CatalogueServer, folder: Path, password: str = "") -> tuple[Bench, Fetcher]:
    """Fetch all that a server offers, on a clock that runs faster than ours."""
    store, stop = FolderStore(folder / "store"), Event()
    source = CdseSource(kind="cdse", products=("S2MSI2A",), **server.addresses)  # type: ignore[arg-type]  # texts
    account = server.account
    provider = Cdse(
        source,
        Credentials(username=account.username, password=password or account.password),
        rates=dict.fromkeys(server.addresses.values(), 1e6),
        limits=Limits(1.0, 1.0, 2.0),
        clock=Hurried().clock(),
    )
    fetcher = Fetcher(
        Setup(
            area=AREA,
            source=source,
            provider=provider,
            store=store,
            settings=FetchSettings(**QUICKLY),
            folder=folder / "fetch",
            put=partial(deliver, store, stop=stop),
            stop=stop,
            withdraw=lambda *_: None,
            restore=lambda *_: None,
            once=True,
        )
    )
    with Intake(store):
        fetcher.run()
    return Bench(store, folder / "fetch"), fetcher


def offered() -> list[Product]:
    return [Product.named(name, cloud_percent=1.0, footprint=AREA.polygon.buffer(0.1)) for name in NAMES]


@pytest.mark.parametrize("kind", KINDS)
def test_all_comes_in_spite_of_faults(tmp_path: Path, kind: str) -> None:
    faults = [
        Fault(kind, on=route, share=0.5, count=4, seed=number)  # type: ignore[arg-type]
        for number, route in enumerate(("download", "odata", "stac"))
        if route == "download" or kind in {"503", "429", "cut", "maintenance"}
    ]
    with CatalogueServer(offered(), faults=faults) as server:
        bench, fetcher = run(server, tmp_path)
        assert server.seen.faults[kind], "no fault befell"
        assert server.seen.forbidden == []
        assert server.seen.whole_twice == []
        assert server.seen.most_streams <= 4
    assert fetcher.quiet
    assert not fetcher.waits()
    assert {bench.state(name) for name in NAMES} == {"registered"}
    assert len(list(bench.store.children(PREFIX))) == len(NAMES)


def test_wrong_credentials_are_shown_once_and_are_in_no_object(tmp_path: Path) -> None:
    with CatalogueServer(offered()) as server:
        bench, fetcher = run(server, tmp_path, password="a-wrong-password")
        assert server.seen.requests["token"] <= 2
        assert server.seen.requests["download"] == 0
    assert len(fetcher.waits()) == 1
    assert fetcher.waits()[0].startswith("fetch: 6 x ")
    assert len(list(bench.store.children("failures/fetch/"))) == 1
    kept = b"".join(bench.store.get(key) for prefix in ("products/", "failures/") for key in bench.store.keys(prefix))
    assert b"a-wrong-password" not in kept
    assert "a-wrong-password" not in str(fetcher.waits())


def test_a_product_that_becomes_online_is_deferred_and_then_comes(tmp_path: Path) -> None:
    products = offered()[:2]
    late = Product.named(name_of(20), footprint=AREA.polygon.buffer(0.1), online=False, askings=2)
    with CatalogueServer([*products, late]) as server:
        bench, _ = run(server, tmp_path)
        assert server.seen.forbidden == []
    assert bench.state(late.name) == "registered"
    states = [key for key in bench.store.keys("products/sentinel-2-l2a/") if late.name in key and "deferred" in key]
    assert len(states) == 1
