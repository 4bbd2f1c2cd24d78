"""CDSE's STAC, OData, tokens and downloads, as clients see them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pystac_client
import pytest

from tests.tools.servers.catalogue.products import EFR, FIRST, GRANT, make_safe, safe
from tools.servers.catalogue import CatalogueServer, Limits, Product


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CatalogueServer]:
    products = [
        Product.at(make_safe(tmp_path)),
        *(Product.named(safe(n), cloud_percent=n) for n in range(1, 30)),
        Product.named(EFR),
    ]
    with CatalogueServer(products) as server:
        yield server


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def token(server: CatalogueServer, http: httpx.Client) -> str:
    return str(http.post(server.token_url, data=GRANT).json()["access_token"])


def test_pystac_client_finds_all_over_pages_newest_first(server: CatalogueServer) -> None:
    client = pystac_client.Client.open(server.stac_url)
    for method in ("POST", "GET"):
        search = client.search(
            collections=["sentinel-2-l2a"], sortby=[{"field": "published", "direction": "desc"}], limit=7, method=method
        )
        assert [item.id for item in search.items()] == [safe(n) for n in reversed(range(30))]
    assert not server.seen.forbidden


def test_conditions_hold(server: CatalogueServer) -> None:
    client = pystac_client.Client.open(server.stac_url)
    published = {"timestamp": (FIRST + timedelta(hours=4, minutes=20)).isoformat()}
    condition = {
        "op": "and",
        "args": [
            {"op": "<=", "args": [{"property": "eo:cloud_cover"}, 22]},
            {"op": ">=", "args": [{"property": "published"}, published]},
            {"op": "=", "args": [{"property": "grid:code"}, "MGRS-33UUU"]},
        ],
    }
    found = client.search(collections=["sentinel-2-l2a"], filter=condition)
    assert {item.id for item in found.items()} == {safe(20), safe(21), safe(22)}
    older = client.search(collections=["sentinel-2-l2a"], query={"eo:cloud_cover": {"lt": 2}})
    assert {item.id for item in older.items()} == {safe(1)}
    assert not list(client.search(collections=[EFR], query={"eo:cloud_cover": {"lt": 100}}).items())
    there = client.search(bbox=[10.2, 50.2, 10.4, 50.4], datetime="2024-05-01T00:00:00Z/..")
    assert [item.id for item in there.items()] == [safe(0)]


def test_an_item_tells_what_is_downloaded(server: CatalogueServer, http: httpx.Client) -> None:
    item = next(pystac_client.Client.open(server.stac_url).search(ids=[safe(0)]).items())
    assert item.properties["eo:cloud_cover"] == 12.5
    assert item.properties["datetime"] == "2024-05-01T10:00:00.024000Z"
    asset = item.assets["Product"]
    answer = http.get(asset.href, headers={"Authorization": f"Bearer {token(server, http)}"})
    assert asset.extra_fields["file:checksum"] == "d50110" + hashlib.md5(answer.content).hexdigest()
    assert asset.extra_fields["file:size"] == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert f"{safe(0)}.SAFE/GRANULE/B02.jp2" in archive.namelist()
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert server.seen.whole == {safe(0): 1}
    assert not server.seen.forbidden


def test_odata_counts_pages_and_stops(server: CatalogueServer, http: httpx.Client) -> None:
    condition = (
        "Collection/Name eq 'SENTINEL-2' and ContentDate/Start ge 2024-05-01T00:00:00.000Z and "
        "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((13 52,14 52,14 53,13 52))') and "
        "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'productType' and "
        "att/OData.CSC.StringAttribute/Value eq 'S2MSI2A') and "
        "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
        "att/OData.CSC.DoubleAttribute/Value le 20.00)"
    )
    query = {"$filter": condition, "$orderby": "PublicationDate desc", "$top": "8", "$count": "True"}
    page = http.get(f"{server.odata_url}/Products", params=query).json()
    assert page["@odata.count"] == 20
    names = [record["Name"] for record in page["value"]]
    while "@odata.nextLink" in page:
        page = http.get(page["@odata.nextLink"]).json()
        names += [record["Name"] for record in page["value"]]
    assert names == [f"{safe(n)}.SAFE" for n in range(20, 0, -1)]
    beyond = http.get(f"{server.odata_url}/Products", params={"$skip": "10001"})
    assert beyond.status_code == 422
    assert beyond.json()["detail"][0]["ctx"] == {"le": 10000}


@pytest.mark.parametrize(
    "wrong", ["Nam eq 'x'", "Name eq", "Name eq 'x' and", "(" * 200, "OData.CSC.Intersects(area=x)"]
)
def test_a_filter_that_is_not_understood_is_refused(server: CatalogueServer, http: httpx.Client, wrong: str) -> None:
    assert http.get(f"{server.odata_url}/Products", params={"$filter": wrong}).status_code == 400


def test_what_is_taken_away_is_listed_with_its_cause(server: CatalogueServer, http: httpx.Client) -> None:
    product = server.shelf.named(safe(3))
    assert product is not None
    server.shelf.remove(product.id, "Duplicated product")
    assert http.get(f"{server.odata_url}/Products({product.id})").status_code == 404
    gone = http.get(f"{server.odata_url}/DeletedProducts", params={"$filter": f"Name eq '{product.folder}'"}).json()
    assert [record["DeletionCause"] for record in gone["value"]] == ["Duplicated product"]
    assert http.get(f"{server.odata_url}/DeletedProducts({product.id})").json()["Id"] == product.id


def test_tokens_expire_and_are_refreshed(http: httpx.Client) -> None:
    product = Product.named(safe(1))
    with CatalogueServer([product], access_s=0.2, limits=Limits(sessions=1)) as server:
        given = http.post(server.token_url, data=GRANT).json()
        address = f"{server.download_url}/Products({product.id})/$value"
        server.tokens.expire()
        late = http.get(address, headers={"Authorization": f"Bearer {given['access_token']}"})
        assert (late.status_code, late.json()["code"]) == (401, "DAT-ZIP-109")
        assert http.get(address).json()["code"] == "DAT-ZIP-604"
        refresh = {"client_id": "cdse-public", "grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        fresh = http.post(server.token_url, data=refresh).json()["access_token"]
        assert http.get(address, headers={"Authorization": f"Bearer {fresh}"}).status_code == 200
        assert http.post(server.token_url, data=GRANT).status_code == 429
        assert server.seen.forbidden == ["more than 1 sessions"]


def test_a_range_is_a_part(server: CatalogueServer, http: httpx.Client) -> None:
    product = server.shelf.named(safe(0))
    assert product is not None
    address = f"{server.download_url}/Products({product.id})/$value"
    bearer = {"Authorization": f"Bearer {token(server, http)}"}
    whole = http.get(address, headers=bearer).content
    part = http.get(address, headers={**bearer, "Range": "bytes=100-"})
    assert part.status_code == 206
    assert part.headers["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    assert part.content == whole[100:]
    assert server.seen.whole_twice == [safe(0)]


def test_what_a_client_must_not_do_is_noted(http: httpx.Client) -> None:
    product = Product.named(safe(1), online=False)
    with CatalogueServer([product], limits=Limits(rates={"stac": 2})) as server:
        bearer = {"Authorization": f"Bearer {token(server, http)}"}
        http.get(f"{server.download_url}/Products({product.id})/$value", headers=bearer)
        http.get(server.odata_url, headers=bearer)
        for _ in range(3):
            http.get(server.stac_url)
        assert server.seen.forbidden == [
            f"asked for {safe(1)}, which is offline",
            "a bearer credential on odata",
            "more than 2 requests in 1 s: stac",
        ]


def test_products_are_found_by_a_list_of_names(server: CatalogueServer, http: httpx.Client) -> None:
    body = {"FilterProducts": [{"Name": f"{safe(2)}.SAFE"}, {"Name": f"{EFR}.SEN3"}, {"Name": "nothing"}]}
    found = http.post(f"{server.odata_url}/Products/OData.CSC.FilterList", json=body).json()["value"]
    assert {record["Name"] for record in found} == {f"{safe(2)}.SAFE", f"{EFR}.SEN3"}


def test_the_catalogue_sends_to_the_host_of_downloads(server: CatalogueServer, http: httpx.Client) -> None:
    product = server.shelf.named(safe(0))
    assert product is not None
    answer = http.get(f"{server.odata_url}/Products({product.id})/$value")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{server.download_url}/Products({product.id})/$value"


@pytest.mark.parametrize("wrong", ["bytes=x-", "bytes=-", "bytes=0-1,5-6", "lines=1-2"])
def test_a_range_that_is_none_is_answered_whole(server: CatalogueServer, http: httpx.Client, wrong: str) -> None:
    product = server.shelf.named(safe(0))
    assert product is not None
    headers = {"Authorization": f"Bearer {token(server, http)}", "Range": wrong}
    assert http.get(f"{server.download_url}/Products({product.id})/$value", headers=headers).status_code == 200


def test_the_list_stops_at_ten_thousand_though_more_is_there(http: httpx.Client) -> None:
    with CatalogueServer([Product.named(safe(n)) for n in range(10_010)]) as server:
        query = {"$filter": "Collection/Name eq 'SENTINEL-2'", "$top": "5", "$skip": "9995"}
        page = http.get(f"{server.odata_url}/Products", params=query).json()
        assert "%24skip=10000" in page["@odata.nextLink"]
        last = http.get(page["@odata.nextLink"]).json()
        assert len(last["value"]) == 5
        assert "@odata.nextLink" not in last


def test_a_page_goes_on_behind_a_product_that_vanished(server: CatalogueServer, http: httpx.Client) -> None:
    body = {"collections": ["sentinel-2-l2a"], "limit": 3}
    page = http.post(f"{server.stac_url}/search", json=body).json()
    product = server.shelf.named(page["features"][-1]["id"])
    assert product is not None
    server.shelf.remove(product.id)
    link = next(link for link in page["links"] if link["rel"] == "next")
    following = http.post(link["href"], json=link["body"]).json()
    assert [item["id"] for item in following["features"]] == [safe(n) for n in (26, 25, 24)]


def test_products_lie_as_folders_and_as_zips(http: httpx.Client, tmp_path: Path) -> None:
    folder = make_safe(tmp_path)
    with CatalogueServer([Product.at(folder)]) as server:
        archive = server.shelf.archive(server.shelf.all()[0]).rename(tmp_path / f"{safe(0)}.SAFE.zip")
    zipped = Product.at(archive)
    assert zipped.cloud_percent == 12.5
    with CatalogueServer([zipped]) as server, CatalogueServer([Product.at(folder)]) as other:
        assert server.shelf.digests(zipped) == other.shelf.digests(Product.at(folder))
        before = server.shelf.digests(zipped)
        server.shelf.republish(zipped.id)
        assert server.shelf.digests(server.shelf.all()[0]) != before


@pytest.mark.realdata
def test_real_products_are_described_by_their_metadata(data: Path) -> None:
    for parent in ("s2-safe-metadata", "s3-olci-sen3-metadata"):
        for path in (data / parent).glob("S*.S*"):
            product = Product.at(path)
            west, south, east, north = product.footprint.bounds
            assert product.footprint.is_valid
            assert -180 <= west < east <= 180
            assert -90 < south < north < 90
            assert product.footprint.area < 5000
            assert abs(product.sensed - product.ended) < timedelta(hours=1)
            assert (product.cloud_percent is not None) == product.is_safe
