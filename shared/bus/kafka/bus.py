"""Publish, subscribe, and look after topics and groups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove, OffsetSpec
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

from shared.bus.kafka.member import KafkaMember, KnownMember
from shared.bus.kafka.settings import KafkaSettings
from shared.bus.protocol import DEAD_LETTER, OBJECTS, BusUnavailable

POSITION_MS: Final = 10_000


class KafkaBus:
    """See `shared.bus.Bus`.

    Args:
        settings: where and how; from the environment where not given.
        instance: name of this process among its like, kept over restarts (a pod's name): static membership, so that a
            restart moves no partition. Empty = the member leaves when it closes.

    Raises:
        BusError: the settings are wrong, or a file that they name cannot be read.
    """

    def __init__(self, settings: KafkaSettings | None = None, instance: str = "") -> None:
        self.settings, self._instance = settings or KafkaSettings(), instance
        self.settings.addresses()  # a fault in the settings shows now, not in a thread
        self.settings.arguments()
        self._lock = Lock()
        self._producer: KafkaProducer | None = None
        self._admin: KafkaAdminClient | None = None
        self._members: list[KafkaMember] = []

    def publish(self, topic: str, key: str, value: bytes) -> None:
        """See `Bus.publish`."""
        try:
            with self._lock:
                if self._producer is None:
                    self._producer = self.settings.client(
                        KafkaProducer, acks="all", max_block_ms=10_000, delivery_timeout_ms=20_000,
                        request_timeout_ms=10_000,
                    )  # fmt: skip
                sent = self._producer.send(topic, key=key.encode(), value=value)
            sent.get(timeout=20)
        except KafkaError as error:
            raise self.settings.unavailable(error) from error

    def subscribe(self, topic: str, group: str) -> KafkaMember:
        """See `Bus.subscribe`."""
        instance = self._instance and f"{group}.{self._instance}"
        member = KafkaMember(self.settings, topic, group, instance, self._members_of, self._expel)
        self._members.append(member)
        return member

    @contextmanager
    def tail(self, topic: str) -> Iterator[Tail]:
        """Read what is published to a topic from now on, without a group.

        Raises:
            BusUnavailable: no broker answers, or the topic is missing.
        """
        consumer = self.settings.client(KafkaConsumer, allow_auto_create_topics=False)
        try:
            self._go_to_end(consumer, topic)
            yield Tail(consumer, self.settings)
        finally:
            consumer.close(timeout_ms=5000)

    def _go_to_end(self, consumer: KafkaConsumer, topic: str) -> None:
        try:
            partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
            if not partitions:
                raise BusUnavailable(f"Kafka at {self.settings.servers}: there is no topic {topic}")
            consumer.assign(partitions)
            consumer.seek_to_end(*partitions)
            for partition in partitions:  # now, not at the first poll
                if consumer.position(partition, timeout_ms=POSITION_MS) is None:
                    raise KafkaTimeoutError(f"partition {partition.partition} of {topic} does not say where it ends")
        except KafkaError as error:
            raise self.settings.unavailable(error) from error

    def ensure_topics(self) -> bool:
        """See `Bus.ensure_topics`."""
        settings = self.settings
        try:
            missing = {OBJECTS, DEAD_LETTER} - set(self.admin().list_topics())
            if missing:
                configs = {"retention.ms": str(int(settings.retention_s * 1000))}
                topic = {
                    "num_partitions": settings.partitions,
                    "replication_factor": settings.replication,
                    "configs": configs,
                }
                self.admin().create_topics(dict.fromkeys(sorted(missing), topic))
            return bool(missing)
        except TopicAlreadyExistsError:
            return True  # somebody else was faster
        except KafkaError as error:
            raise settings.unavailable(error) from error

    def reachable(self) -> bool:
        """See `Bus.reachable`."""
        try:
            return OBJECTS in self.admin().list_topics()
        except (KafkaError, BusUnavailable):
            return False

    def group(self, topic: str, group: str) -> tuple[int, int]:
        """Return how many messages of a topic a group has not acknowledged, and how many members it has.

        Raises:
            BusUnavailable: no broker answers.
        """
        try:
            admin = self.admin()
            committed = admin.list_group_offsets({group: None})[group]
            latest = admin.list_partition_offsets(
                {TopicPartition(topic, n): OffsetSpec.LATEST for n in self._partitions(topic)}
            )
            earliest = admin.list_partition_offsets(dict.fromkeys(latest, OffsetSpec.EARLIEST))
            done = {p: committed[p].offset if p in committed else earliest[p].offset for p in latest}
            lag = sum(max(0, latest[p].offset - done[p]) for p in latest)
            return lag, len(self._members_of(group))
        except KafkaError as error:
            raise self.settings.unavailable(error) from error

    def _partitions(self, topic: str) -> list[int]:
        return [int(p["partition_index"]) for t in self.admin().describe_topics([topic]) for p in t["partitions"]]

    def _members_of(self, group: str) -> dict[str, KnownMember]:
        """Return the members of a group by id, as the broker knows them."""
        described = self.admin().describe_groups([group])[group]
        return {str(m["member_id"]): KnownMember.of(m) for m in described["members"]}

    def _expel(self, group: str, member_id: str, instance: str) -> None:
        """Take a member out of its group, so that all partitions are dealt out again when it joins again."""
        self.admin().remove_group_members(group, [MemberToRemove(member_id, instance or None)])

    def admin(self) -> KafkaAdminClient:
        """Return a client for topics, offsets and groups.

        Raises:
            BusUnavailable: no broker answers.
        """
        with self._lock:
            if self._admin is None:
                self._admin = self.settings.client(KafkaAdminClient, request_timeout_ms=10_000)
            return self._admin

    def close(self) -> None:
        """See `Bus.close`."""
        for member in self._members:
            member.close()
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=5)
            if self._admin is not None:
                self._admin.close()
            self._producer = self._admin = None


class Tail:
    """See `KafkaBus.tail`."""

    def __init__(self, consumer: KafkaConsumer, settings: KafkaSettings) -> None:
        self._consumer, self._settings = consumer, settings

    def poll(self, timeout_s: float) -> list[bytes]:
        """Return the messages that came.

        Raises:
            BusUnavailable: no broker answers as it should.
        """
        try:
            found = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        except KafkaError as error:
            raise self._settings.unavailable(error) from error
        return [r.value or b"" for records in found.values() for r in records]
