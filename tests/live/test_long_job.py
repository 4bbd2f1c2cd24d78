"""Work that takes longer than Kafka waits for a poll, and what may happen to a member meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from signal import SIGCONT, SIGSTOP

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from shared.bus import Fenced, Message
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.bus.kafka.member import COMMIT_EVERY_S, KafkaMember, Listener
from tests.conftest import ROOT, Servers

pytestmark = pytest.mark.live

POLL_INTERVAL_S = 2.0
SESSION_S = 6.0
"""The shortest that a broker takes."""
PARTITIONS = 4
WAIT_S = 45.0
"""Longest wait for anything that takes a moment on a quiet machine."""

Join = Callable[..., KafkaMember]


@pytest.fixture
def topic(servers: Servers) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    admin = KafkaAdminClient(bootstrap_servers=servers.kafka)
    admin.create_topics({name: {"num_partitions": PARTITIONS, "replication_factor": 1}}, wait_for_metadata=True)
    yield name
    admin.delete_topics([name])
    admin.close()


def settings_of(kafka: str) -> KafkaSettings:
    return KafkaSettings(servers=kafka, session_s=SESSION_S, poll_interval_s=POLL_INTERVAL_S)


@pytest.fixture
def join(servers: Servers, topic: str) -> Iterator[Join]:
    """Joins the test's group from a bus of its own, as another process would."""
    buses: list[KafkaBus] = []

    def new_member(instance: str = "") -> KafkaMember:
        buses.append(KafkaBus(settings_of(servers.kafka), instance))
        return buses[-1].subscribe(topic, topic)

    yield new_member
    for bus in buses:
        bus.close()


@pytest.fixture
def publish(servers: Servers, topic: str) -> Iterator[Callable[[int], None]]:
    """Publishes so many messages, numbered, over all partitions."""
    bus = KafkaBus(settings_of(servers.kafka))

    def send(count: int) -> None:
        for n in range(count):
            bus.publish(topic, f"k{n}", b"%d" % n)

    yield send
    bus.close()


@pytest.fixture
def rebalances(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When partitions were dealt out anew, also where nothing moved."""
    found: list[float] = []
    monkeypatch.setattr(Listener, "on_partitions_assigned", lambda *_: found.append(time.monotonic()))
    return found


def take(member: KafkaMember) -> Message:
    message = member.poll(WAIT_S)
    assert message is not None, f"nothing came within {WAIT_S:.0f} s"
    return message


def drain(missing: set[int], *members: KafkaMember) -> list[Message]:
    """What the members take in turn, acknowledged: all that is missing, and what comes after it in two seconds."""
    found, missing, end = list[Message](), set(missing), time.monotonic() + WAIT_S
    while time.monotonic() < end:
        for member in members:
            if message := member.poll(0.3):
                found.append(message)
                member.ack(message)
                if missing:
                    missing.discard(int(message.value))
                    end = time.monotonic() + (WAIT_S if missing else 2)
    assert not missing, f"never delivered: {sorted(missing)}"
    return found


def unacknowledged(kafka: str, topic: str) -> int:
    """Messages of the topic that its group has not acknowledged."""
    partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=topic, enable_auto_commit=False)
    try:
        ends = consumer.end_offsets(partitions)
        return sum(ends[p] - (consumer.committed(p) or 0) for p in partitions)
    finally:
        consumer.close()


def test_long_job_is_delivered_once(
    join: Join, publish: Callable[[int], None], rebalances: list[float], servers: Servers, topic: str
) -> None:
    publish(8)
    member = join()
    first = take(member)
    began, dealt_out = time.monotonic(), len(rebalances)
    while (worked_s := time.monotonic() - began) < 10 * POLL_INTERVAL_S:
        assert member.holds(first), f"not its own any more after {worked_s:.0f} s"
        time.sleep(0.2)
    member.ack(first)
    others = drain({*range(8)} - {int(first.value)}, member)
    print(f"a job of {worked_s:.0f} s at a poll interval of {POLL_INTERVAL_S:.0f} s: {len(rebalances)} rebalances")
    assert len(rebalances) == dealt_out
    assert sorted(int(m.value) for m in [first, *others]) == list(range(8))
    member.close()
    assert unacknowledged(servers.kafka, topic) == 0


def test_second_member_joins_during_a_job(
    join: Join, publish: Callable[[int], None], rebalances: list[float], servers: Servers, topic: str
) -> None:
    publish(24)
    first = join()
    message = take(first)
    dealt_out = len(rebalances)
    second = join()
    its_own = take(second)  # partitions that were the first one's: the rebalance is over
    second.ack(its_own)
    assert len(rebalances) > dealt_out
    assert first.holds(message), "given away in good order, the work goes on"
    first.ack(message)
    missing = {*range(24)} - {int(message.value), int(its_own.value)}
    found = [message, its_own, *drain(missing, first, second)]
    times = Counter(int(m.value) for m in found)
    print(f"a member that joins during a job: {len(found)} deliveries of 24 messages")
    assert sorted(times) == list(range(24))
    assert [n for n, count in times.items() if count > 1] in ([], [int(message.value)])
    first.close()
    second.close()
    assert unacknowledged(servers.kafka, topic) == 0


def test_twin_of_one_name_fences_the_first(join: Join, publish: Callable[[int], None]) -> None:
    publish(1)
    first = join("one")
    message = take(first)
    second = join("one")
    assert take(second) == message
    first.ack(message)
    with pytest.raises(Fenced, match="took the place of this member"):
        first.poll(WAIT_S)
    assert not first.holds(message)
    second.ack(message)
    assert second.poll(1) is None


def test_idle_twin_is_fenced_too(join: Join, publish: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.kafka.member.DOUBT_S", 1.0)
    first = join("one")
    publish(1)
    first.ack(take(first))
    time.sleep(2 * COMMIT_EVERY_S)
    second = join("one")
    with pytest.raises(Fenced, match="took the place of this member"):
        first.poll(WAIT_S)
    assert second.poll(4) is None, "the first one takes nothing back"
    publish(1)
    second.ack(take(second))


HOLDER = """
import sys, time
from shared.bus.kafka import KafkaBus, KafkaSettings
from shared.observe.logs import configure_logs
configure_logs(sys.stderr)
kafka, topic, session_s = sys.argv[1:]
bus = KafkaBus(KafkaSettings(servers=kafka, session_s=float(session_s)))
member = bus.subscribe(topic, topic)
message = member.poll(60)
print(message and message.value.decode(), flush=True)
while member.holds(message):
    time.sleep(0.1)
print("lost", flush=True)
member.ack(message)
bus.close()
"""


def test_stopped_member_learns_that_it_lost_its_partitions(
    join: Join, publish: Callable[[int], None], servers: Servers, topic: str
) -> None:
    publish(1)
    # Its poll interval is long: what ends its membership is the session.
    command = [sys.executable, "-c", HOLDER, servers.kafka, topic, str(SESSION_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "0\n"
            holder.send_signal(SIGSTOP)
            other, stopped = join(), time.monotonic()
            message = take(other)
            taken_s = time.monotonic() - stopped
            holder.send_signal(SIGCONT)
            went_on = time.monotonic()
            assert holder.stdout.readline() == "lost\n"
            print(f"stopped: its work was another's after {taken_s:.0f} s; it knew {time.monotonic() - went_on:.1f} s "
                  "after it went on")  # fmt: skip
            other.ack(message)
            assert holder.wait(WAIT_S) == 0
            other.close()
            assert unacknowledged(servers.kafka, topic) == 0
        finally:
            holder.kill()
