"""Products come by themselves over real Kafka and S3, by both ways of download and in both lanes."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.ingest.fetch.provider import Offer
from services.ingest.fetch.spans import lane_of
from shared.items.products import OFFER, OWN, PRODUCTS
from shared.store.s3 import S3Store
from tests.conftest import Servers, landstream
from tests.landstream.catalogues import LIMITS, cdse, environment, labels_of, scenes_of, write_area
from tests.live.test_up import becomes, up
from tools.servers.catalogue import CatalogueServer

pytestmark = [pytest.mark.live, pytest.mark.chaos, pytest.mark.timeout(2400)]


LOOK_S = 120
FORWARD_DAYS = 100_000.0
"""What was sensed in 2018 counts as sensed just now."""


def has_looked(store: S3Store) -> bool:
    """Whether fetching has asked once for each product type: what is published from here on is new to it."""
    return len([*store.children(f"{OWN}cursors/")]) == 2


def lanes(store: S3Store) -> Counter[str]:
    """How many products came in each lane."""
    began = datetime.fromtimestamp(float(json.loads(store.get(f"{OWN}first-look.json"))["at_s"]), UTC)
    offers = [Offer.model_validate_json(store.get(key)) for key in store.keys(PRODUCTS) if key.endswith(OFFER)]
    return Counter(lane_of(offer.sensed, offer.published, began, FORWARD_DAYS) for offer in offers)


@pytest.fixture(params=["odata", "s3"])
def download(request: pytest.FixtureRequest) -> str:
    """How products are fetched."""
    return str(request.param)


def test_the_digest_of_products_by_hand(
    download: str, bucket: str, servers: Servers, six: list[Path], mapped: Path, tmp_path: Path
) -> None:
    expected = landstream("digest", "--store", mapped).stdout.splitlines()
    offered, store = scenes_of(six), S3Store(bucket)
    with CatalogueServer(offered[1::2], limits=LIMITS) as server:
        area = write_area(tmp_path, cdse(server, download=download))
        soon = {"LANDSTREAM_FETCH_FORWARD_DAYS": str(FORWARD_DAYS), "LANDSTREAM_FETCH_POLL_S": "5"}
        given = Servers(servers.kafka, servers.s3, environment(server, **soon, **servers.variables))
        with up(area, bucket, given, tmp_path / "work"):
            deadline = time.monotonic() + LOOK_S
            while not has_looked(store):
                assert time.monotonic() < deadline, "nothing was asked of the catalogue"
                time.sleep(1)
            for product in offered[::2]:
                server.shelf.put(replace(product, published=datetime.now(UTC)))
            landstream("deliver", "--store", f"s3://{bucket}", *labels_of(six), env=given.environment())
            becomes(expected, bucket, servers.kafka)
        assert server.seen.forbidden == []
        assert server.seen.whole_twice == []
    assert lanes(store) == {"forward": 3, "backfill": 2}
    states = [key.rpartition("-")[2] for key in store.keys("products/") if key.count("/") == 4]
    assert states.count("registered.json") == 5
    log = (tmp_path / "work" / "fetch.log").read_text()
    assert server.account.password not in log
    assert {json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")} >= {"started", "ended"}
