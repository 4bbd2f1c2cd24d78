"""One suite for every adapter of `Bus`."""

from __future__ import annotations

import threading
from collections import defaultdict

import pytest

from shared.bus import Bus, MemoryBus, Message

TOPIC = "t"


class BusContract:
    """Inherit, and give `bus`; `wait_s` is how long a poll may take."""

    wait_s = 0.05

    @pytest.fixture
    def bus(self) -> Bus:
        raise NotImplementedError

    def take(self, consumer, count: int) -> list[Message]:
        found = []
        while len(found) < count and (message := consumer.poll(self.wait_s)):
            found.append(message)
        return found

    def test_each_group_sees_each_message(self, bus: Bus) -> None:
        for n in range(20):
            bus.publish(TOPIC, f"k{n}", b"%d" % n)
        for group in ("a", "b"):
            consumer = bus.subscribe(TOPIC, group)
            assert sorted(int(m.value) for m in self.take(consumer, 30)) == list(range(20))

    def test_order_per_key(self, bus: Bus) -> None:
        for n in range(60):
            bus.publish(TOPIC, f"k{n % 7}", b"%d" % n)
        consumer, seen = bus.subscribe(TOPIC, "g"), defaultdict(list)
        for message in self.take(consumer, 60):
            seen[message.key].append(int(message.value))
            consumer.ack(message)
        assert sum(map(len, seen.values())) == 60
        assert all(values == sorted(values) for values in seen.values())

    def test_unacknowledged_comes_again(self, bus: Bus) -> None:
        for n in range(3):
            bus.publish(TOPIC, "k", b"%d" % n)
        first = bus.subscribe(TOPIC, "g")
        a, b = self.take(first, 2)
        first.ack(a)
        first.close()
        second = bus.subscribe(TOPIC, "g")
        assert [m.value for m in self.take(second, 5)] == [b.value, b"2"]

    def test_acknowledged_does_not(self, bus: Bus) -> None:
        bus.publish(TOPIC, "k", b"1")
        first = bus.subscribe(TOPIC, "g")
        first.ack(self.take(first, 1)[0])
        first.close()
        assert bus.subscribe(TOPIC, "g").poll(self.wait_s) is None

    def test_members_share(self, bus: Bus) -> None:
        members = [bus.subscribe(TOPIC, "g") for _ in range(2)]
        for n in range(40):
            bus.publish(TOPIC, f"k{n}", b"%d" % n)
        taken = [self.take(m, 40) for m in members]
        # At least once: what one took before the other had joined may come to both.
        assert {int(m.value) for part in taken for m in part} == set(range(40))
        assert all(taken)

    def test_what_a_member_held_goes_to_another(self, bus: Bus) -> None:
        first, second = (bus.subscribe(TOPIC, "g") for _ in range(2))
        for n in range(40):
            bus.publish(TOPIC, f"k{n}", b"%d" % n)
        mine, others = self.take(first, 40), self.take(second, 40)
        for message in others:
            second.ack(message)
        first.close()
        done = {m.value for m in others}
        again = {m.value for m in self.take(second, 40)}
        assert {m.value for m in mine} - done <= again
        assert len(again | done) == 40

    def test_poll_wakes_up(self, bus: Bus) -> None:
        consumer = bus.subscribe(TOPIC, "g")
        threading.Timer(0.1, bus.publish, (TOPIC, "k", b"1")).start()
        message = consumer.poll(20)
        assert message is not None
        assert message.value == b"1"


class TestMemoryBus(BusContract):
    @pytest.fixture
    def bus(self) -> Bus:
        return MemoryBus()

    def test_lag_and_trimming(self, bus: MemoryBus) -> None:
        consumer = bus.subscribe(TOPIC, "g")
        for n in range(5):
            bus.publish(TOPIC, f"k{n}", b"")
        assert bus.lag(TOPIC, "g") == 5
        for message in self.take(consumer, 5):
            consumer.ack(message)
        assert bus.lag(TOPIC, "g") == 0
        late = bus.subscribe(TOPIC, "late")
        bus.publish(TOPIC, "k", b"new")
        assert [m.value for m in self.take(late, 9)] == [b"new"]
