"""Subscriptions: events wait until they are acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.tools.servers.catalogue.products import EFR, GRANT, safe
from tools.servers.catalogue import CatalogueServer, Product

WANTED = {
    "SubscriptionType": "pull",
    "SubscriptionEvent": ["created", "modified", "deleted"],
    "FilterParam": "Collection/Name eq 'SENTINEL-2'",
    "StageOrder": True,
    "Priority": 1,
    "Status": "running",
}


@pytest.fixture
def server() -> Iterator[CatalogueServer]:
    with CatalogueServer() as server:
        yield server


@pytest.fixture
def http(server: CatalogueServer) -> Iterator[httpx.Client]:
    token = httpx.post(server.token_url, data=GRANT).json()["access_token"]
    with httpx.Client(base_url=f"{server.odata_url}/", headers={"Authorization": f"Bearer {token}"}) as http:
        yield http


def subscribe(http: httpx.Client) -> str:
    answer = http.post("Subscriptions", json=WANTED)
    assert answer.status_code == 201
    return str(answer.json()["Id"])


def read(http: httpx.Client, name: str) -> list[dict[str, Any]]:
    return http.get(f"Subscriptions({name})/Read", params={"$top": "20"}).json()


def test_events_wait_and_are_acknowledged_with_all_older_ones(server: CatalogueServer, http: httpx.Client) -> None:
    name = subscribe(http)
    product = Product.named(safe(1))
    server.shelf.put(product)
    server.shelf.put(Product.named(EFR))
    server.shelf.republish(product.id)
    server.shelf.remove(product.id, "Duplicated product")
    messages = read(http, name)
    assert [message["SubscriptionEvent"] for message in messages] == ["created", "modified", "deleted"]
    assert messages[0]["value"]["Checksum"] != messages[1]["value"]["Checksum"]
    assert messages[2]["value"]["DeletionCause"] == "Duplicated product"
    assert read(http, name) == messages
    ack = http.post(f"Subscriptions({name})/Ack", params={"$ackid": messages[1]["AckId"]}).json()
    assert (ack["AckMessagesNum"], ack["CurrentQueueLength"]) == (2, 1)
    assert read(http, name) == messages[2:]
    assert not server.seen.forbidden


def test_one_subscription_runs_until_it_is_cancelled(server: CatalogueServer, http: httpx.Client) -> None:
    name = subscribe(http)
    assert http.post("Subscriptions", json=WANTED).status_code == 400
    assert http.delete(f"Subscriptions({name})").status_code == 204
    assert http.get(f"Subscriptions({name})/Read").status_code == 404
    subscribe(http)
    assert httpx.get(f"{server.odata_url}/Subscriptions").status_code == 401


def test_what_is_not_a_subscription_is_refused(http: httpx.Client) -> None:
    assert http.post("Subscriptions", json={**WANTED, "FilterParam": "Nam eq 1"}).status_code == 400
    assert http.post("Subscriptions", json={"SubscriptionEvent": ["created"]}).status_code == 400
    name = subscribe(http)
    assert http.get(f"Subscriptions({name})/Read", params={"$top": "21"}).status_code == 422
