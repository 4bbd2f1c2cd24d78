"""The subscription: events come until they are acknowledged, and no other subscription is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shapely.geometry import box

from services.ingest.fetch.errors import Misconfigured, Unavailable
from services.ingest.fetch.provider import Query
from services.ingest.fetch.providers.subscription import Subscription
from tests.services.ingest.fetch.conftest import StoodClock
from tests.services.ingest.fetch.providers.test_cdse import EFR, Site, name
from tools.servers.catalogue import Product


@pytest.fixture
def site(tmp_path: Path, stood: StoodClock) -> Iterator[Site]:
    made = Site(tmp_path, stood)
    yield made
    for each in made.open:
        each.close()
    made.server.close()


EVERYWHERE = box(-179, -80, 179, 80)


def subscribed(site: Site) -> Subscription:
    subscription = site.cdse().subscription([Query("S2MSI2A", EVERYWHERE)])
    assert subscription.read() == []
    return subscription


def test_events_come_until_they_are_acknowledged(site: Site) -> None:
    subscription = subscribed(site)
    for number in (10, 11, 12):
        site.server.shelf.put(Product.named(name(number)))
    site.server.shelf.put(Product.named(EFR.replace("4320", "4500")))
    events = subscription.read()
    assert [(each.kind, each.offer and each.offer.name) for each in events] == [
        ("created", name(number)) for number in (10, 11, 12)
    ]
    assert subscription.read() == events
    subscription.acknowledge(events[1])
    assert subscription.read() == events[2:]
    subscription.acknowledge(events[1])
    subscription.acknowledge(events[2])
    assert subscription.read() == []


def test_a_changed_product_is_described_as_it_is_now(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    subscription = subscribed(site)
    site.server.shelf.republish(offer.id)
    event = subscription.read()[0]
    assert event.kind == "modified"
    assert event.offer is not None
    assert event.offer.checksums != offer.checksums
    assert event.offer.checksums == cdse.describe(offer).checksums


def test_after_a_restart_the_same_subscription_goes_on(site: Site) -> None:
    subscribed(site)
    site.server.shelf.put(Product.named(name(10)))
    assert len(site.cdse().subscription([Query("S2MSI2A", EVERYWHERE)]).read()) == 1


def test_a_subscription_to_something_else_is_left_alone(site: Site) -> None:
    subscribed(site)
    with pytest.raises(Misconfigured, match="something else"):
        site.cdse().subscription([Query("S2MSI1C", EVERYWHERE)]).read()


def test_what_is_wanted_may_change_and_our_subscription_is_opened_anew(site: Site) -> None:
    before = subscribed(site)
    elsewhere = [Query("S2MSI2A", box(0, 0, 1, 1))]
    with pytest.raises(Misconfigured, match="something else"):
        site.cdse().subscription(elsewhere).read("c0ffee00-0000-4000-8000-000000000000")
    after = site.cdse().subscription(elsewhere)
    assert after.read(before.id) == []
    assert after.id != before.id
    site.server.shelf.put(Product.named(name(10)))
    assert after.read() == [], "it is to what is wanted now"
    with pytest.raises(Unavailable, match="has ended"):
        before.read()


def test_a_subscription_that_ended_is_opened_anew(site: Site) -> None:
    subscription, other = subscribed(site), subscribed(site)
    other.cancel()
    with pytest.raises(Unavailable, match="has ended"):
        subscription.read()
    assert subscription.read() == []


def test_an_event_without_its_product_is_looked_up(site: Site) -> None:
    subscription = subscribed(site)
    offer = site.first(site.cdse())
    stripped = {"AckId": "a", "SubscriptionEvent": "created", "ProductId": offer.id, "value": None}
    found = subscription._event(stripped)
    assert found.offer is not None
    assert found.offer.name == offer.name
    for broken in (stripped | {"ProductId": "x"}, stripped | {"value": {"Id": 1}}):
        assert subscription._event(broken).offer is None
    with pytest.raises(Unavailable):
        subscription._event({"AckId": "a\n"})
