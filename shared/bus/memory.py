"""The in-process bus: Kafka's rules without its durability. Losing it loses hints, never results."""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Condition

from shared.bus.protocol import Message

PARTITIONS = 8


@dataclass
class _Group:
    committed: list[int]
    members: list[MemoryConsumer] = field(default_factory=list)


@dataclass
class _Topic:
    logs: list[list[Message]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    dropped: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    groups: dict[str, _Group] = field(default_factory=dict)

    def group(self, name: str) -> _Group:
        """Return the group of this name; a new one starts at the oldest message kept."""
        return self.groups.setdefault(name, _Group(committed=list(self.dropped)))


class MemoryBus:
    """See `shared.bus.Bus`; shared by the threads of one process."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._topics: dict[str, _Topic] = defaultdict(_Topic)

    def publish(self, topic: str, key: str, value: bytes) -> None:
        """See `Bus.publish`."""
        partition = zlib.crc32(key.encode()) % PARTITIONS
        with self._changed:
            held = self._topics[topic]
            log = held.logs[partition]
            log.append(Message(topic, partition, held.dropped[partition] + len(log), key, value))
            self._changed.notify_all()

    def subscribe(self, topic: str, group: str) -> MemoryConsumer:
        """See `Bus.subscribe`."""
        with self._changed:
            consumer = MemoryConsumer(self, topic, group)
            members = self._topics[topic].group(group).members
            members.append(consumer)
            self._rebalance(topic, group)
            return consumer

    def ensure_topics(self) -> bool:
        """See `Bus.ensure_topics`: a topic is there once it is named."""
        return False

    def reachable(self) -> bool:
        """See `Bus.reachable`."""
        return True

    def close(self) -> None:
        """See `Bus.close`."""

    def lag(self, topic: str, group: str) -> int:
        """Return the messages that the group has not acknowledged."""
        with self._changed:
            held = self._topics[topic]
            ends = [d + len(log) for d, log in zip(held.dropped, held.logs, strict=True)]
            return sum(ends) - sum(held.group(group).committed)

    def wait(self, timeout_s: float) -> None:
        """Wait until something is published or acknowledged, or the time is over."""
        with self._changed:
            self._changed.wait(timeout_s)

    def _rebalance(self, topic: str, group: str) -> None:
        """Deal the partitions out again; each member goes back to what is committed."""
        held = self._topics[topic].group(group)
        for index, member in enumerate(held.members):
            mine = range(index, PARTITIONS, len(held.members))
            # A partition that stays keeps its position, as cooperative rebalancing does.
            member.positions = {p: member.positions.get(p, held.committed[p]) for p in mine}

    def _poll(self, consumer: MemoryConsumer, timeout_s: float) -> Message | None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                held = self._topics[consumer.topic]
                for partition in sorted(consumer.positions, key=lambda p: (p <= consumer.last, p)):
                    index = consumer.positions[partition] - held.dropped[partition]
                    if index < len(held.logs[partition]):
                        consumer.positions[partition] += 1
                        consumer.last = partition
                        return held.logs[partition][index]
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    def _ack(self, consumer: MemoryConsumer, message: Message) -> None:
        with self._changed:
            held = self._topics[consumer.topic]
            group = held.group(consumer.group)
            if message.partition in consumer.positions:
                at = max(group.committed[message.partition], message.offset + 1)
                group.committed[message.partition] = at
                self._trim(held, message.partition)
                self._changed.notify_all()

    def _trim(self, held: _Topic, partition: int) -> None:
        """Forget what every group has acknowledged."""
        done = min(g.committed[partition] for g in held.groups.values()) - held.dropped[partition]
        del held.logs[partition][:done]
        held.dropped[partition] += done

    def _close(self, consumer: MemoryConsumer) -> None:
        with self._changed:
            members = self._topics[consumer.topic].group(consumer.group).members
            if consumer in members:
                members.remove(consumer)
                consumer.positions = {}
                if members:
                    self._rebalance(consumer.topic, consumer.group)
                self._changed.notify_all()


class MemoryConsumer:
    """See `shared.bus.Consumer`."""

    def __init__(self, bus: MemoryBus, topic: str, group: str) -> None:
        self._bus, self.topic, self.group = bus, topic, group
        self.positions: dict[int, int] = {}
        self.last = -1

    def poll(self, timeout_s: float) -> Message | None:
        """See `Consumer.poll`."""
        return self._bus._poll(self, timeout_s)

    def ack(self, message: Message) -> None:
        """See `Consumer.ack`."""
        self._bus._ack(self, message)

    def holds(self, message: Message) -> bool:
        """See `Consumer.holds`."""
        return message.partition in self.positions

    def close(self) -> None:
        """See `Consumer.close`."""
        self._bus._close(self)
