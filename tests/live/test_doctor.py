"""Real servers, as `landstream doctor` sees them."""

from __future__ import annotations

import pytest

from landstream.doctor.servers import look_at_kafka, look_at_store
from landstream.workspace import bind
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.store import open_store
from tests.catalogues import AREA
from tests.conftest import Servers

pytestmark = pytest.mark.live


def test_a_bucket_is_looked_at_and_left_as_it_was(bucket: str) -> None:
    store = open_store(f"s3://{bucket}")
    states = {finding.what: finding.state for finding in look_at_store(store.location)}
    assert states == {"store": "ok", "format": "warn", "writing": "ok", "clock": "ok"}
    bind(store, AREA)
    states = {finding.what: finding.state for finding in look_at_store(store.location)}
    assert set(states.values()) == {"ok"}
    assert list(store.keys("")) == ["area.json"]


def test_an_absent_bucket_is_to_be_made(servers: Servers) -> None:
    (found,) = look_at_store("s3://landstream-absent")
    assert (found.state, "without this bucket" in found.text) == ("warn", True)


def test_wrong_keys_and_a_store_that_is_away_fail(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    (refused,) = look_at_store("s3://landstream-absent")
    monkeypatch.setenv("LANDSTREAM_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("LANDSTREAM_S3_TRIES", "1")
    (away,) = look_at_store("s3://landstream-absent")
    for found in (refused, away):
        assert (found.state, bool(found.text.strip()), bool(found.remedy)) == ("fail", True, True)


def test_kafka_answers(servers: Servers) -> None:
    bus = KafkaBus(KafkaSettings(servers=servers.kafka))
    bus.ensure_topics()
    bus.close()
    assert look_at_kafka(servers.kafka).state == "ok"
