"""The DHuS node, as sentinelsat sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import InvalidKeyError, LTATriggered, QuerySyntaxError, UnauthorizedError

from tests.tools.servers.catalogue.products import ACCOUNT, EFR, FIRST, make_safe, safe
from tools.servers.catalogue import CatalogueServer, Fault, Product


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CatalogueServer]:
    made_up = [Product.named(safe(n), cloud_percent=float(n % 100)) for n in range(1, 250)]
    with CatalogueServer([Product.at(make_safe(tmp_path)), *made_up, Product.named(EFR)]) as server:
        yield server


@pytest.fixture
def api(server: CatalogueServer) -> Iterator[SentinelAPI]:
    api = SentinelAPI(ACCOUNT.username, ACCOUNT.password, server.dhus_url, show_progressbars=False)
    yield api
    api.session.close()


def test_a_query_finds_all_over_pages(api: SentinelAPI, server: CatalogueServer) -> None:
    found = api.query(platformname="Sentinel-2", producttype="S2MSI2A", order_by="-ingestiondate")
    assert [product["title"] for product in found.values()] == [safe(n) for n in reversed(range(250))]
    assert server.seen.requests["dhus"] == 3
    assert not server.seen.forbidden


def test_conditions_hold(api: SentinelAPI) -> None:
    wkt = "POLYGON((10.2 50.2,10.4 50.2,10.4 50.4,10.2 50.2))"
    assert [product["title"] for product in api.query(area=wkt, platformname="Sentinel-2").values()] == [safe(0)]
    assert api.count(cloudcoverpercentage=(0, 10), platformname="Sentinel-2") == 33 - 1
    ingested = (FIRST + timedelta(hours=4, minutes=3), FIRST + timedelta(hours=4, minutes=5))
    assert {product["title"] for product in api.query(ingestiondate=ingested, platformname="Sentinel-2").values()} == {
        safe(3),
        safe(4),
        safe(5),
    }
    assert api.count(producttype="OL_1_EFR___") == 1
    assert api.count(raw=f"(identifier:{safe(7)} OR identifier:{safe(8)})") == 2
    assert api.count(date=("20240502", "NOW")) == 0


def test_a_bad_query_a_bad_id_and_a_bad_password_are_told_as_the_hub_did(
    api: SentinelAPI, server: CatalogueServer
) -> None:
    with pytest.raises(QuerySyntaxError, match="undefined field xxx"):
        api.query(raw="xxx:yyy")
    with pytest.raises(InvalidKeyError):
        api.get_product_odata("98ca202b-2155-4181-be88-000000000000")
    stranger = SentinelAPI("anna", "wrong", server.dhus_url, show_progressbars=False)
    with pytest.raises(UnauthorizedError):
        stranger.count(platformname="Sentinel-2")
    stranger.session.close()


def test_a_product_is_described_and_downloaded(api: SentinelAPI, server: CatalogueServer, tmp_path: Path) -> None:
    product = server.shelf.named(safe(0))
    assert product is not None
    described = api.get_product_odata(product.id, full=True)
    assert described["footprint"].startswith("POLYGON((10 50,11 50")
    assert described["Cloud cover percentage"] == 12.5
    got = api.download(product.id, tmp_path)
    content = Path(got["path"]).read_bytes()
    assert Path(got["path"]).name == f"{safe(0)}.zip"
    assert hashlib.md5(content).hexdigest() == described["md5"]
    assert server.seen.whole == {safe(0): 1}


def test_what_is_broken_off_is_resumed_by_range(api: SentinelAPI, server: CatalogueServer, tmp_path: Path) -> None:
    product = server.shelf.named(safe(0))
    assert product is not None
    whole = server.shelf.archive(product).read_bytes()
    (tmp_path / f"{safe(0)}.zip.incomplete").write_bytes(whole[:30_000])
    got = api.download(product.id, tmp_path)
    assert got["downloaded_bytes"] == len(whole) - 30_000
    assert Path(got["path"]).read_bytes() == whole


def test_an_offline_product_comes_online_after_it_was_asked_for(tmp_path: Path) -> None:
    product = Product.named(safe(1), online=False, askings=2)
    with CatalogueServer([product]) as server:
        api = SentinelAPI(ACCOUNT.username, ACCOUNT.password, server.dhus_url, show_progressbars=False)
        for _ in range(2):
            assert not api.is_online(product.id)
            with pytest.raises(LTATriggered):
                api.download(product.id, tmp_path)
        assert api.is_online(product.id)
        api.download(product.id, tmp_path)
        assert server.seen.whole == {safe(1): 1}
        assert not server.seen.forbidden
        api.session.close()


def test_a_feed_claims_to_have_no_end(api: SentinelAPI, server: CatalogueServer) -> None:
    server.faults.add(Fault("endless", "dhus", match="/search"))
    assert api.count(platformname="Sentinel-3") == 1
    assert len(api.query(platformname="Sentinel-2", limit=120)) == 120
    assert api._load_subquery("platformname:Sentinel-2", limit=2)[1] == 1_000_000_000
