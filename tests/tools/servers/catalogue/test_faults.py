"""Faults come as commanded, and only so."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.tools.servers.catalogue.products import GRANT, safe
from tools.servers.catalogue import CatalogueServer, Fault, Limits, Product, Stranger

TLS = ssl.create_default_context()
"""Loaded once: each client would load it anew."""

PRODUCT = Product.named(safe(1))
Get = Callable[..., httpx.Response]


@contextmanager
def serving(*faults: Fault, products: int = 0) -> Iterator[tuple[CatalogueServer, Get]]:
    """Serve, and give what downloads the product."""
    many = [Product.named(safe(n)) for n in range(2, products)]
    with CatalogueServer([PRODUCT, *many], faults=faults) as server, httpx.Client(trust_env=False, timeout=5) as http:
        token = http.post(server.token_url, data=GRANT).json()["access_token"]

        def get(
            address: str = f"{server.download_url}/Products({PRODUCT.id})/$value", **options: object
        ) -> httpx.Response:
            bearer = {"Authorization": f"Bearer {token}"} if "/download/" in address else {}
            return http.get(address, headers=bearer, **options)  # type: ignore[arg-type]

        yield server, get


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault("401", "download", count=1), 401, "DAT-ZIP-604"),
        (Fault("403", "download", count=1), 403, "DAT-ZIP-608"),
        (Fault("expired", "download", count=1), 401, "DAT-ZIP-109"),
        (Fault("vanish", "download", count=1), 404, "DAT-ZIP-101"),
        (Fault("offline", "download", count=1), 422, "DAT-ZIP-120"),
        (Fault("500", "download", count=1), 500, "maintenance"),
        (Fault("503", "download", count=1), 503, "maintenance"),
        (Fault("maintenance", "download", count=1), 200, "maintenance"),
        (Fault("429", "download", count=1), 429, "Rate limit exceeded"),
    ],
)
def test_an_answer_is_another_one(fault: Fault, status: int, code: str) -> None:
    with serving(fault) as (server, get):
        answer = get()
        assert (answer.status_code, code in answer.text) == (status, True)
        assert server.seen.faults == {fault.kind: 1}
        assert not server.seen.whole
        assert not server.seen.forbidden


def test_a_fault_ends_with_its_count() -> None:
    with serving(Fault("429", "download", count=2, retry_after_s=2)) as (server, get):
        answers = [get() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 429, 200]
        assert [answer.headers.get("Retry-After") for answer in answers] == ["2", "2", None]
        assert server.seen.whole == {PRODUCT.name: 1}
        assert server.seen.early["download"] == 2


def test_a_share_falls_on_the_same_requests_in_any_order() -> None:
    def refused(order: int) -> set[int]:
        with serving(Fault("500", "odata", share=0.1, seed=3)) as (server, get):
            numbers = range(100)[::order]
            return {n for n in numbers if get(f"{server.odata_url}/Products?$top={n}").status_code == 500}

    forwards = refused(1)
    assert forwards == refused(-1)
    assert 3 <= len(forwards) <= 20


@pytest.mark.parametrize("kind", ["truncate", "cut"])
def test_a_connection_is_cut(kind: str) -> None:
    with serving(Fault(kind, "download", count=1)) as (server, get):  # type: ignore[arg-type]
        with pytest.raises(httpx.RemoteProtocolError):
            get()
        assert not server.seen.whole
        assert get().status_code == 200
        assert server.seen.whole == {PRODUCT.name: 1}


@pytest.mark.parametrize("kind", ["flip", "short"])
def test_a_body_is_spoiled_silently(kind: str) -> None:
    with serving(Fault(kind, "download", count=1)) as (server, get):  # type: ignore[arg-type]
        spoiled, good = get().content, get().content
        assert spoiled != good
        assert len(spoiled) == (len(good) if kind == "flip" else len(good) // 2)
        assert server.seen.whole == {PRODUCT.name: 1}


def test_an_archive_changes_between_description_and_download() -> None:
    with serving(Fault("checksum", "download", count=1)) as (server, get):
        address = f"{server.odata_url}/Products({PRODUCT.id})"
        before = get(address).json()
        get()
        after = get(address).json()
        assert before["Checksum"] != after["Checksum"]
        assert before["ModificationDate"] < after["ModificationDate"]
        assert len(get().content) == after["ContentLength"]
        assert server.seen.whole == {f"{PRODUCT.name} v1": 1}


def test_a_server_hangs_until_the_client_leaves() -> None:
    with serving(Fault("hang", "download", count=1)) as (server, get):
        with pytest.raises(httpx.ReadTimeout):
            get(timeout=0.1)
        began = time.monotonic()
        assert get().status_code == 200
        assert time.monotonic() - began < 1
        assert server.seen.most_streams == 1


def test_a_body_drips() -> None:
    with serving(Fault("drip", "download", count=1, seconds=0.2)) as (_, get):
        began = time.monotonic()
        get()
        assert time.monotonic() - began >= 0.2


def test_a_redirect_leads_to_a_stranger_who_sees_all() -> None:
    with Stranger() as stranger, serving(Fault("redirect", "download", to=stranger.address + "/x")) as (_, get):
        assert get().headers["Location"] == stranger.address + "/x"
        httpx.get(stranger.other_name + "/x", headers={"Authorization": "Bearer careless"}, trust_env=False)
        assert [visit.target for visit in stranger.visits] == ["/x"]
        assert stranger.credentials == ["Bearer careless"]


def test_addresses_point_to_a_stranger() -> None:
    fault = Fault("foreign", "odata", to="http://stranger.invalid")
    with serving(fault, products=10) as (server, get):
        page = get(f"{server.odata_url}/Products?$top=2").json()
        assert page["@odata.nextLink"].startswith("http://stranger.invalid/odata/v1/Products?")


def test_pages_repeat_and_are_in_another_order() -> None:
    with serving(Fault("duplicate", "odata"), Fault("reorder", "stac"), products=10) as (server, get):
        address = f"{server.odata_url}/Products?$orderby=PublicationDate+asc&$top=3"
        first, second = (get(f"{address}&$skip={skip}").json()["value"] for skip in (0, 3))
        assert len(first) == 4
        assert first[0] == first[-1]
        assert second[0] == first[2]
        items = get(f"{server.stac_url}/search?sortby=published").json()["features"]
        assert [item["id"] for item in items] == [safe(n) for n in reversed(range(1, 10))]


def test_a_list_has_no_end() -> None:
    kinds = [Fault("endless", "odata"), Fault("endless", "stac"), Fault("endless", "dhus")]
    with serving(*kinds, products=5) as (server, get):
        seen = set()
        address = f"{server.odata_url}/Products?$top=2"
        for _ in range(8):
            seen.add(address)
            address = get(address).json()["@odata.nextLink"]
        assert len(seen) == 8
        tokens = set()
        link = {"href": f"{server.stac_url}/search?limit=2"}
        for _ in range(8):
            page = get(link["href"]).json()
            assert len(page["features"]) == 2
            (link,) = [link for link in page["links"] if link["rel"] == "next"]
            tokens.add(link["href"])
        assert len(tokens) == 8


def test_a_list_goes_on_at_a_strangers() -> None:
    to = "http://stranger.invalid/"
    with serving(Fault("astray", "odata", to=to), Fault("astray", "stac", to=to), products=5) as (server, get):
        assert get(f"{server.odata_url}/Products?$top=2").json()["@odata.nextLink"] == to
        links = get(f"{server.stac_url}/search?limit=2").json()["links"]
        assert [link["href"] for link in links if link["rel"] == "next"] == [to]


def test_faults_are_added_and_cleared_while_it_runs() -> None:
    with serving() as (server, get):
        server.faults.add(Fault("500", "download", match=PRODUCT.id))
        assert get().status_code == 500
        server.faults.clear()
        assert get().status_code == 200


def test_an_offline_product_comes_online_after_its_record_was_asked_for() -> None:
    product = Product.named(safe(5), online=False, askings=2)
    with CatalogueServer([product]) as server:
        address = f"{server.odata_url}/Products({product.id})"
        assert [httpx.get(address).json()["Online"] for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize("streams", [2, 1])
def test_more_downloads_at_once_than_allowed_are_noted(streams: int) -> None:
    fault = Fault("drip", "download", seconds=0.3)
    with CatalogueServer([PRODUCT], faults=[fault], limits=Limits(streams=streams)) as server:
        token = httpx.post(server.token_url, data=GRANT).json()["access_token"]
        address = f"{server.download_url}/Products({PRODUCT.id})/$value"
        bearer = {"Authorization": f"Bearer {token}"}
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: httpx.get(address, headers=bearer), range(2)))
        assert server.seen.most_streams == 2
        assert server.seen.forbidden == ([] if streams == 2 else ["more than 1 downloads at once"])


@pytest.mark.parametrize(
    "fault", [None, Fault("redirect", "download", to="http://x.invalid"), Fault("404", "download")]
)
def test_downloads_one_after_another_are_never_at_once(fault: Fault | None) -> None:
    with serving(*([fault] if fault else [])) as (server, get), httpx.Client(verify=TLS, trust_env=False) as other:
        for _ in range(50):
            get()
            other.get(f"{server.download_url}/Products({PRODUCT.id})/$value")
        assert server.seen.most_streams == 1


@pytest.mark.parametrize("wrong", [("no", "stac", ""), ("500", "no", ""), ("redirect", "stac", "")])
def test_a_fault_that_would_never_befall_is_refused(wrong: tuple[Any, Any, str]) -> None:
    with pytest.raises(ValueError, match="fault"):
        Fault(wrong[0], wrong[1], to=wrong[2])
