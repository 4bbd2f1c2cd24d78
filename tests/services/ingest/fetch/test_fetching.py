"""Fetching as part of a stream: what an area's `source:` makes of it, and withdrawals that it says."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from services.ingest.fetch.errors import Misconfigured
from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.fetching import fetcher_of
from services.ingest.fetch.providers.cdse import Cdse
from services.ingest.fetch.watched import Watched
from shared.area.source import CdseSource, FolderSource
from shared.bus import MemoryBus
from shared.items.reader import CatalogueReader
from shared.run.context import Context
from shared.run.deliver import deliver
from shared.run.withdraw import say
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.services.ingest.fetch.workshop import name_of

CDSE = CdseSource(kind="cdse", stac_url="http://127.0.0.1:9/stac")


def made(tmp_path: Path, source: Any) -> Fetcher | Watched:
    store = FolderStore(tmp_path / "store")
    area = AREA.model_copy(update={"source": source})
    context = Context.of_store(store, area, MemoryBus(), work=tmp_path / "work", logs=tmp_path, stop=Event())
    return fetcher_of(context, tmp_path / "fetch", partial(deliver, store, stop=Event()), once=True)


def test_a_folder_is_watched(tmp_path: Path) -> None:
    assert isinstance(made(tmp_path, FolderSource(kind="folder", path=str(tmp_path))), Watched)


def test_without_credentials_it_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDSTREAM_CDSE_PASSWORD", raising=False)
    with pytest.raises(Misconfigured, match="LANDSTREAM_CDSE_PASSWORD"):
        made(tmp_path, CDSE)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", "user")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", "hidden")


@pytest.mark.usefixtures("credentials")
def test_deletions_are_asked_for_within_the_area(tmp_path: Path) -> None:
    fetcher = made(tmp_path, CDSE)
    assert isinstance(fetcher, Fetcher)
    provider = fetcher._setup.provider
    assert isinstance(provider, Cdse)
    assert provider.odata.outline == AREA.polygon
    provider.close()


@pytest.mark.usefixtures("credentials")
def test_withdrawals_are_said_once_each_by_fetch(tmp_path: Path) -> None:
    fetcher = made(tmp_path, CDSE)
    assert isinstance(fetcher, Fetcher)
    setup, store = fetcher._setup, FolderStore(tmp_path / "store")
    for _ in range(2):
        setup.withdraw(name_of(), "2018-W23", "Obsolete product")
    assert len(list(store.children("items/withdrawals/static/"))) == 1
    for _ in range(2):
        setup.restore(name_of(), "2018-W23", "offered again")
    keys = sorted(store.keys("items/withdrawals/"))
    assert len(keys) == 2
    assert b'"restored"' in store.get(keys[1])
    assert b"fetch" in store.get(keys[1])
    setup.provider.close()


@pytest.mark.usefixtures("credentials")
def test_what_people_withdrew_is_not_restored_by_fetch(tmp_path: Path) -> None:
    fetcher = made(tmp_path, CDSE)
    assert isinstance(fetcher, Fetcher)
    setup, store = fetcher._setup, FolderStore(tmp_path / "store")
    catalogue = CatalogueReader(store, AREA, {}).snapshot()
    say(store, AREA, catalogue, name_of(), "2018-W23", "withdrawn", "a cow on the lens")
    setup.withdraw(name_of(), "2018-W23", "Obsolete product")
    setup.restore(name_of(), "2018-W23", "offered again")
    (key,) = store.keys("items/withdrawals/")
    assert b"a cow on the lens" in store.get(key)
    setup.restore(name_of(1), "2018-W23", "offered again")
    assert len(list(store.keys("items/withdrawals/"))) == 1
    setup.provider.close()
