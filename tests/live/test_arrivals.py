"""Products come by themselves over real Kafka and S3, by both ways of download and in both lanes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.store.s3 import S3Store
from tests.conftest import Servers, landstream
from tests.landstream.catalogues import cdse, environment, labels_of, scenes_of, write_area
from tests.live.test_up import becomes, up
from tools.servers.catalogue import CatalogueServer, Product

pytestmark = [pytest.mark.live, pytest.mark.chaos, pytest.mark.timeout(2400)]


def in_two_lanes(products: list[Path]) -> list[Product]:
    """Half of a season was published long ago, half is published now, soon after it was sensed as the server says."""
    now = datetime.now(UTC)
    offered = scenes_of(products)
    late = {p.name: Product.at(p.path, published=now + timedelta(seconds=n)) for n, p in enumerate(offered[::2])}
    return [late.get(p.name, p) for p in offered]


@pytest.fixture(params=["odata", "s3"])
def download(request: pytest.FixtureRequest) -> str:
    """How products are fetched."""
    return str(request.param)


def test_the_digest_of_products_by_hand(
    download: str, bucket: str, servers: Servers, six: list[Path], mapped: Path, tmp_path: Path
) -> None:
    expected = landstream("digest", "--store", mapped).stdout.splitlines()
    with CatalogueServer(in_two_lanes(six)) as server:
        area = write_area(tmp_path, cdse(server, download=download))
        # What was sensed in 2018 counts as sensed just now: so both lanes are used.
        given = Servers(
            servers.kafka, servers.s3, environment(server, LANDSTREAM_FETCH_FORWARD_DAYS="100000", **servers.variables)
        )
        with up(area, bucket, given, tmp_path / "work"):
            landstream("deliver", "--store", f"s3://{bucket}", *labels_of(six), env=given.environment())
            becomes(expected, bucket, servers.kafka)
        assert server.seen.forbidden == []
        assert server.seen.whole_twice == []
    states = [key.rpartition("-")[2] for key in S3Store(bucket).keys("products/") if key.count("/") == 4]
    assert states.count("registered.json") == 5
    log = (tmp_path / "work" / "fetch.log").read_text()
    assert server.account.password not in log
    assert {json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")} >= {"started", "ended"}
