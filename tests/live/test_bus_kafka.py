"""The contract of `Bus` on a real Kafka, and what only a group over a network does."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

from shared.bus import DEAD_LETTER, OBJECTS, Bus
from shared.bus.kafka import KafkaBus, KafkaSettings
from tests.conftest import ROOT
from tests.contracts.test_bus import BusContract

pytestmark = pytest.mark.live


@pytest.fixture
def topic(servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The suite's topic, anew for each test: its name is a prefix of what is made on the broker."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    admin = KafkaAdminClient(bootstrap_servers=servers.kafka)
    admin.create_topics({name: {"num_partitions": 8, "replication_factor": 1}}, wait_for_metadata=True)
    monkeypatch.setattr("tests.contracts.test_bus.TOPIC", name)
    yield name
    admin.delete_topics([name])
    admin.close()


@pytest.fixture
def kafka(servers, topic: str) -> Iterator[KafkaBus]:
    bus = KafkaBus(KafkaSettings(servers=servers.kafka, session_s=6, poll_interval_s=10))
    yield bus
    bus.close()


class TestKafkaBus(BusContract):
    wait_s = 8

    @pytest.fixture
    def bus(self, kafka: KafkaBus) -> Bus:
        return kafka


def test_topics_are_made(kafka: KafkaBus) -> None:
    kafka.prepare()
    assert {OBJECTS, DEAD_LETTER} <= set(kafka.admin().list_topics())
    assert kafka.reachable()


NO_BROKER = """
from shared.bus import OBJECTS, BusUnavailable
from shared.bus.kafka import KafkaBus, KafkaSettings
bus = KafkaBus(KafkaSettings(servers="127.0.0.1:9"))
print(bus.reachable())
try:
    bus.publish(OBJECTS, "k", b"")
except BusUnavailable as error:
    print(error)
"""


def test_no_broker() -> None:
    # In a process of its own: a client of kafka-python that fails to start leaves its sockets behind.
    result = subprocess.run([sys.executable, "-c", NO_BROKER], capture_output=True, text=True, cwd=ROOT, timeout=90)
    reachable, said = result.stdout.splitlines()
    assert reachable == "False"
    assert said.startswith("Kafka at 127.0.0.1:9: ")


def test_a_static_member_that_joined_before_its_topic_was_there(servers) -> None:
    name = f"test-{uuid.uuid4().hex[:12]}"
    bus = KafkaBus(KafkaSettings(servers=servers.kafka), instance="x")
    early = KafkaConsumer(
        **bus.settings.arguments(),
        group_id=name,
        group_instance_id=f"{name}.x",
        partition_assignment_strategy=[CooperativeStickyAssignor],
        allow_auto_create_topics=False,
    )
    early.subscribe([name])
    while not bus._members_of(name):
        early.poll(500)
    early.close()  # a static member does not leave: it stays, with no partition
    bus.admin().create_topics({name: {"num_partitions": 8, "replication_factor": 1}}, wait_for_metadata=True)
    bus.publish(name, "k", b"1")
    message = bus.subscribe(name, name).poll(90)
    assert message is not None
    bus.admin().delete_topics([name])
    bus.close()
