"""The contract of `Bus` on a real Kafka, and what only a group over a network does."""

from __future__ import annotations

import errno
import gc
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaConnectionError

from shared.bus import DEAD_LETTER, OBJECTS, Bus, BusError, BusUnavailable, ConsumerBroken
from shared.bus.kafka import KafkaBus, KafkaSettings
from tests.conftest import ROOT
from tests.contracts.test_bus import BusContract

pytestmark = [
    pytest.mark.live,
    # kafka-python leaves a connection that is being made when its client closes to the collector of garbage.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a client left is collected here, where that is expected, and not in a test of another module."""
    yield
    gc.collect()


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
    kafka.ensure_topics()
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
    result = subprocess.run([sys.executable, "-c", NO_BROKER], capture_output=True, text=True, cwd=ROOT, timeout=90)
    reachable, said = result.stdout.splitlines()
    assert reachable == "False"
    assert said.startswith("Kafka at 127.0.0.1:9: ")


LEAKS = """
import gc, os, sys, threading, time
from contextlib import suppress
from shared.bus import OBJECTS, BusUnavailable
from shared.bus.kafka import KafkaBus, KafkaSettings

def held():
    gc.collect()
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

bus = KafkaBus(KafkaSettings(servers=sys.argv[1]))
before = held()
member = bus.subscribe(OBJECTS, "g")
for _ in range(2):
    assert not bus.reachable()
    with suppress(BusUnavailable):
        bus.publish(OBJECTS, "k", b"")
    assert member.poll(3) is None
bus.close()
print(before, held(), sep="\\n")
"""


@pytest.mark.parametrize("silent", [False, True], ids=["away", "silent"])
def test_waiting_for_a_broker_leaks_nothing(silent: bool) -> None:
    # In a process of its own, whose threads and descriptors can be counted.
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"127.0.0.1:{nobody.getsockname()[1]}" if silent else "127.0.0.1:9"
        result = subprocess.run(
            [sys.executable, "-c", LEAKS, address], capture_output=True, text=True, cwd=ROOT, timeout=90
        )
    before, after = result.stdout.splitlines()[-2:]  # the member's log comes first
    assert after == before


def test_a_member_whose_thread_ended_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(**_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("shared.bus.kafka.member.KafkaConsumer", exhausted)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        member = KafkaBus(KafkaSettings(servers=f"127.0.0.1:{somebody.getsockname()[1]}")).subscribe(OBJECTS, "g")
        with pytest.raises(ConsumerBroken, match=f"of g .*{os.strerror(errno.EMFILE)}"):
            member.poll(20)


@pytest.mark.parametrize("servers", ["", "localhost:port", "localhost:99999", "localhost:9092,", "[::1", "a..b:9092"])
def test_servers_that_are_no_addresses(servers: str) -> None:
    with pytest.raises(BusError, match=r"^LANDSTREAM_KAFKA: .* is not HOST:PORT, or several with commas .*$"):
        KafkaBus(KafkaSettings(servers=servers))


def test_a_tail_of_no_topic(kafka: KafkaBus) -> None:
    with pytest.raises(BusUnavailable, match="no topic nowhere"), kafka.tail("nowhere"):
        pass


@pytest.mark.parametrize("method", ["position", "poll"])
def test_a_tail_that_fails(kafka: KafkaBus, topic: str, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KafkaConnectionError("gone")

    monkeypatch.setattr(KafkaConsumer, method, fail)
    with pytest.raises(BusUnavailable, match="gone"), kafka.tail(topic) as tail:
        tail.poll(1)


def test_a_tail_whose_end_nobody_knows(kafka: KafkaBus, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KafkaConsumer, "position", lambda *_, timeout_ms: None)
    with pytest.raises(BusUnavailable, match=f"of {topic} does not say where it ends"), kafka.tail(topic):
        pass


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
