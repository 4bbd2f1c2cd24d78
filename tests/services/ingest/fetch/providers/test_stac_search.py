"""Searching STAC through pystac-client: complete, bounded, and from one host."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from shapely import box

from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.provider import Offer, Query
from services.ingest.fetch.providers import stac_search
from services.ingest.fetch.providers.stac_search import search_cdse_stac
from tests.services.ingest.fetch.conftest import Asked, Said, Scripted, Serve, json_said

QUERY = Query("S2MSI2A", box(13, 52, 14, 53))
UUID = "05edf2bb-d103-49f1-a677-9e474138d84f"


def name(number: int, tile: str = "33UUU") -> str:
    return f"S2A_MSIL2A_20240501T101031_N0510_R022_T{tile}_20240501T1{number:05d}"


def item(number: int = 0, tile: str = "33UUU", **changed: Any) -> dict[str, Any]:
    """An item as the Data Space's, as far as an offer needs it."""
    properties = {
        "datetime": "2024-05-01T10:10:31.024Z",
        "start_datetime": "2024-05-01T10:10:31.024Z",
        "published": "2024-05-01T14:00:00.123456Z",
        "product:type": "S2MSI2A",
        "platform": "sentinel-2a",
        "eo:cloud_cover": 12.5,
    }
    href = f"https://elsewhere.example/odata/v1/Products({UUID})/$value"
    assets = {
        "Product": {"href": href, "file:size": 1000, "file:checksum": "d50110" + "ab" * 16},
        "thumbnail": {"href": "https://pictures.example/q.jpg"},
    }
    links = [{"rel": "enclosure", "href": f"s3://eodata/Sentinel-2/MSI/L2A/2024/05/01/{name(number, tile)}.SAFE/"}]
    whole: dict[str, Any] = {
        "type": "Feature", "id": name(number, tile), "properties": properties, "assets": assets, "links": links,
    }  # fmt: skip
    whole["properties"] |= changed.pop("properties", {})
    return whole | changed


def page(items: list[Any], following: dict[str, Any] | None = None) -> Said:
    links = [] if following is None else [{"rel": "next", **following}]
    return json_said({"type": "FeatureCollection", "features": items, "links": links})


def search(server: Scripted, client: Callable[..., Http], query: Query = QUERY) -> list[Offer]:
    stac = server.address + "/v1"
    return list(search_cdse_stac(client(server.address), stac, "https://download.example/odata/v1", query))


def test_an_item_becomes_an_offer(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: page([item()]))
    assert search(server, client) == [
        Offer(
            name=name(0),
            id=UUID,
            product_type="S2MSI2A",
            sensed=datetime(2024, 5, 1, 10, 10, 31, 24000, UTC),
            published=datetime(2024, 5, 1, 14, 0, 0, 123456, UTC),
            size=1000,
            checksums={"md5": "ab" * 16},
            cloud_percent=12.5,
            platform="sentinel-2a",
            mgrs_tile="T33UUU",
            quicklook="https://pictures.example/q.jpg",
            places={
                "archive": f"https://download.example/odata/v1/Products({UUID})/$value",
                "s3": f"Sentinel-2/MSI/L2A/2024/05/01/{name(0)}.SAFE/",
            },
        )
    ]


def test_all_of_the_query_is_asked(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: page([]))
    day = datetime(2024, 5, 1, tzinfo=UTC)
    query = Query("S2MSI1C", box(13, 52, 14, 53), (day, None), (None, day), 40.0, "sentinel-2b", "T33UUU")
    assert search(server, client, query) == []
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/search")
    body = json.loads(asked.body)
    assert body.pop("intersects")["type"] == "Polygon"
    assert body == {
        "collections": ["sentinel-2-l1c"],
        "datetime": "2024-05-01T00:00:00.000Z/..",
        "limit": 100,
        "query": {
            "published": {"lte": "2024-05-01T00:00:00.000Z"},
            "eo:cloud_cover": {"lte": 40.0},
            "platform": {"eq": "sentinel-2b"},
        },
        "sortby": [{"field": "properties.published", "direction": "desc"}],
    }


def test_olci_is_asked_without_cloud_in_both_of_its_collections(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: page([]))
    search(server, client, Query("OL_1_EFR___", box(13, 52, 14, 53), max_cloud_percent=40.0))
    body = json.loads(server.asked[0].body)
    assert "query" not in body
    assert body["collections"] == ["sentinel-3-olci-1-efr-ntc", "sentinel-3-olci-1-efr-nrt"]


def test_pages_are_followed_and_doubles_yielded_once(scripted: Serve, client: Callable[..., Http]) -> None:
    def answer(asked: Asked) -> Said:
        token = json.loads(asked.body).get("token", 0)
        items = [item(token), item(token + 1), item(0)]
        following = {"href": asked_url(), "method": "POST", "body": {"token": token + 1}, "merge": True}
        return page(items, following if token < 4 else None)

    def asked_url() -> str:
        return server.address + "/v1/search"

    server = scripted(answer)
    assert [offer.name for offer in search(server, client)] == [name(number) for number in range(6)]
    assert json.loads(server.asked[1].body)["collections"] == ["sentinel-2-l2a"]


def test_other_tiles_are_left_out(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: page([item(0, "33UUU"), item(1, "33UUV")]))
    query = Query("S2MSI2A", box(13, 52, 14, 53), mgrs_tile="T33UUV")
    assert [offer.mgrs_tile for offer in search(server, client, query)] == ["T33UUV"]


@pytest.mark.parametrize(
    "broken",
    [
        item(1, id="../../etc/passwd"),
        item(1, id="S2A_x/y"),
        item(1, id=7),
        item(1, id="a\x00b"),
        item(1, properties={"published": None}),
        item(1, properties={"published": "yesterday"}),
        item(1, properties={"published": "2024-13-01T00:00:00Z"}),
        item(1, properties={"product:type": ["S2MSI2A"]}),
        item(1) | {"properties": []},
        item(1) | {"assets": "none"},
        item(1, assets={"Product": "no asset"}),
    ],
)
def test_a_broken_item_does_not_end_the_search(broken: Any, scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: page([item(0), broken, item(2)]))
    assert [offer.name for offer in search(server, client)] == [name(0), name(2)]


@pytest.mark.parametrize(
    "assets",
    [{}, {"Product": {"href": "https://x.example/Products(1)/$value"}}, {"Product": {"file:checksum": "d50120ff"}}],
)
def test_an_item_without_an_archive_is_known_by_its_name(
    assets: Any, scripted: Serve, client: Callable[..., Http]
) -> None:
    server = scripted(lambda asked: page([item(0, assets=assets)]))
    offer = search(server, client)[0]
    assert (offer.id, offer.size, offer.checksums) == (name(0), None, {})
    assert "archive" not in offer.places


def test_a_link_to_the_same_page_is_refused(scripted: Serve, client: Callable[..., Http]) -> None:
    def answer(asked: Asked) -> Said:
        body = {"token": "same"}
        following = {"href": server.address + "/v1/search", "method": "POST", "body": body}
        return page([item(len(server.asked))], following)

    server = scripted(answer)
    with pytest.raises(Refused, match="does not end"):
        search(server, client)
    assert len(server.asked) == 2


def test_ever_new_links_without_anything_new_are_refused(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: page([item(0)], {"href": f"{server.address}/v1/{len(server.asked)}"}))
    with pytest.raises(Refused, match="nothing new"):
        search(server, client)
    assert len(server.asked) == 4


def test_ever_new_products_are_refused(
    scripted: Serve, client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stac_search, "PAGES_LIMIT", 20)
    server = scripted(
        lambda asked: page([item(len(server.asked))], {"href": f"{server.address}/v1/{len(server.asked)}"})
    )
    with pytest.raises(Refused, match="does not end"):
        search(server, client)
    assert len(server.asked) == 20


@pytest.mark.parametrize(
    "following",
    [
        {"href": "http://127.0.0.1:9/v1/search"},
        {"href": "/etc/passwd"},
        {"href": "file:///etc/passwd"},
        {"href": "http://169.254.169.254/latest/meta-data"},
        {"href": 7},
        {"href": "SAME", "method": "DELETE"},
        {"href": "SAME", "method": "POST", "body": [1]},
        {},
    ],
)
def test_a_link_elsewhere_is_refused(following: Any, scripted: Serve, client: Callable[..., Http]) -> None:
    def answer(asked: Asked) -> Said:
        mine = following | ({"href": server.address + "/x"} if following.get("href") == "SAME" else {})
        return page([item(0)], mine)

    server = scripted(answer)
    with pytest.raises(Refused):
        search(server, client)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(200, b"<html>"), Unavailable),
        (Said(200, b"[" * 10_000), Refused),
        (json_said([]), Unavailable),
        (json_said({"features": "x"}), Unavailable),
        (json_said({"features": [1]}), Unavailable),
        (json_said({"features": [], "links": 1}), Refused),
        (Said(404), Gone),
        (Said(400), Misconfigured),
    ],
)
def test_a_strange_page_has_its_error(
    said: Said, kind: type[FetchError], scripted: Serve, client: Callable[..., Http]
) -> None:
    with pytest.raises(FetchError) as caught:
        search(scripted(lambda asked: said), client)
    assert type(caught.value) is kind
