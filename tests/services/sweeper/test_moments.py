"""When products took their steps, and that each is told once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.sweeper.lags import Lags
from services.sweeper.moments import arrival_of, lags, mapped_products
from shared.items.ids import canonical
from shared.items.item import Item
from shared.items.products import offer_key, state_key
from shared.items.reader import CatalogueReader
from shared.stage import registry
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, chain, make, scene

L2A = "sentinel-2-l2a"
NAMES = [f"S2A_MSIL2A_20180605T09{minute}31_N0500_R093_T34TFR_20180605T120000" for minute in (20, 21)]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def put(store: FolderStore, item: Item, at_s: float) -> Item:
    store.put(item.key, canonical(item.json))
    os.utime(Path(store.location) / item.key, (at_s, at_s))
    return item


def mapped(store: FolderStore, product: str, at_s: float, *maps_s: float) -> None:
    """A scene that was registered at a moment, masked and tiled 10 s and 30 s later, and mapped at moments."""
    items = chain(scene(product, 500, product), [[0, 0, 3]])
    for item, after_s in zip(items, (0, 10, 30), strict=True):
        put(store, item, at_s + after_s)
    for number, map_s in enumerate(maps_s):
        model = make("models", f"m{number}", week="static")
        put(store, make("land-cover-maps", f"map{product}{number}", [model, items[2]]), map_s)


def offered(store: FolderStore, product: str, *states: tuple[str, str]) -> None:
    said = {"sensed": "1970-01-01T00:10:00Z", "published": "1970-01-01T00:20:00Z"}
    store.put(offer_key(L2A, WEEK, product), canonical(said))
    for number, (state, at) in enumerate(states, 1):
        key = state_key(L2A, WEEK, product, number, state)  # type: ignore[arg-type]  # one of them
        store.put(key, canonical({"at": at, "state": state}))


CAME = (("found", "1970-01-01T00:21:00Z"), ("fetching", "1970-01-01T00:25:00Z"), ("registered", "1970-01-01T00:26:00Z"))


def moments(store: FolderStore) -> dict[str, dict[str, float]]:
    catalogue = CatalogueReader(store, AREA, registry.rules()).snapshot()
    found = mapped_products(store, catalogue, WEEK)
    return {product: {**arrival_of(store, WEEK, product), **made} for product, made in found.items()}


def test_every_step_has_its_time_and_the_first_counts(store: FolderStore) -> None:
    mapped(store, NAMES[0], 1550, 1700, 9000)
    mapped(store, NAMES[1], 1600)
    offered(store, NAMES[0], *CAME)
    assert moments(store) == {
        NAMES[0]: {
            "sensed": 600, "published": 1200, "found": 1260, "fetched": 1500,
            "registered": 1550, "masked": 1560, "tiled": 1580, "mapped": 1700,
        },
    }  # fmt: skip


def test_what_is_fetched_again_later_keeps_the_time_of_the_first(store: FolderStore) -> None:
    again = (("found", "1970-01-02T00:00:00Z"), ("fetching", "1970-01-02T01:00:00Z"))
    offered(store, NAMES[0], *CAME, *again)
    assert arrival_of(store, WEEK, NAMES[0])["fetched"] == 1500
    assert arrival_of(store, WEEK, NAMES[1]) == {}


def test_a_lag_needs_both_ends_and_is_never_negative() -> None:
    assert dict(lags({"registered": 10, "masked": 30, "mapped": 99})) == {"masked": 20}
    assert dict(lags({"published": 10, "found": 8})) == {"found": 0}


def told(step: str) -> tuple[float, float]:
    """How often a step was told so far, and the seconds of all together."""
    labels = {"step": step}
    count = REGISTRY.get_sample_value("landstream_freshness_step_seconds_count", labels) or 0.0
    return count, REGISTRY.get_sample_value("landstream_freshness_step_seconds_sum", labels) or 0.0


def since(step: str, before: tuple[float, float]) -> tuple[float, float]:
    now = told(step)
    return now[0] - before[0], now[1] - before[1]


def test_each_product_is_told_once_when_it_is_newly_mapped(store: FolderStore) -> None:
    mapped(store, NAMES[0], 1550, 1700)
    offered(store, NAMES[0], *CAME)
    watching, before, found = Lags(store), told("mapped"), told("found")

    def see(token: str) -> None:
        watching.see(CatalogueReader(store, AREA, registry.rules()).snapshot(), WEEK, token)
        watching.finish()

    see("a")
    assert since("mapped", before) == (0, 0), "it was mapped before anybody looked"
    mapped(store, NAMES[1], 1800, 1900)
    see("a")
    assert since("mapped", before) == (0, 0), "nothing is read while the token is the same"
    see("b")
    see("c")
    assert since("mapped", before) == (1, 70)
    assert since("found", found) == (0, 0), "it came by hand"


def test_all_of_a_week_that_appears_later_is_new(store: FolderStore) -> None:
    watching, before = Lags(store), told("found")
    watching.finish()
    mapped(store, NAMES[0], 1550, 1700)
    offered(store, NAMES[0], *CAME)
    watching.see(CatalogueReader(store, AREA, registry.rules()).snapshot(), WEEK, "a")
    assert since("found", before) == (1, 60)
