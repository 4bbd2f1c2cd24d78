"""The bus on Apache Kafka.

One thread owns the client. While the caller works on a message, which may take hours, the thread goes on polling with
all partitions paused, so the member stays in its group; what a poll returns all the same is kept. Offsets are
committed after the work is done, those of quick messages in batches.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any, Final, Literal

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import MemberToRemove, OffsetSpec
from kafka.cluster import collect_hosts
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
)
from kafka.net import KafkaNetClient
from kafka.structs import MemberState, OffsetAndMetadata
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.bus.protocol import DEAD_LETTER, OBJECTS, BusError, BusUnavailable, ConsumerBroken, Fenced, Message
from shared.observe.logs import get_logger

PATIENCE_S: Final = 0.2
"""A caller that is back within this time took a quick message: nothing is paused."""

COMMIT_EVERY_S: Final = 0.5
DOUBT_S: Final = 10.0
"""How often a member asks whether its group knows it: the client (3.0.12) has been seen to wait for ever, or to go on
reading, in a group that had dropped it."""

FORGOTTEN: Final = "the group knows nothing of this member"
REPLACED: Final = "another process has this member's name"
IDLE: Final = "this member holds no partition, and some are nobody's"
"""A static member that comes back is given what it had: nothing, if it had joined before its topic was there."""

JOIN_MS: Final = 10_000
"""How long a poll waits while the member joins: a join that is given up half-way is what the client trips over."""

KNOCK_S: Final = 2.0
"""How long a broker may take to accept a connection before the next one is tried."""

POSITION_MS: Final = 10_000

_POLL_MS: Final = 200
_LOST = (CommitFailedError, IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError)


class KafkaSettings(BaseSettings):
    """Where Kafka is and how it is spoken to."""

    model_config = SettingsConfigDict(
        env_prefix="LANDSTREAM_KAFKA_", extra="ignore", frozen=True, populate_by_name=True
    )

    servers: str = Field("", validation_alias="LANDSTREAM_KAFKA")
    """`HOST:PORT`, or several with commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """As Kafka names it."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """Used with a SASL protocol only."""
    username: str = ""
    """SASL user."""
    password: SecretStr = SecretStr("")
    """SASL password; `password_file` keeps it out of the environment."""
    password_file: Path | None = None
    """File that holds the SASL password."""
    ca_file: Path | None = None
    """Certificate authority of the brokers; the system's where not given."""
    partitions: int = 8
    """Partitions of a topic that is made: as many replicas of one service can share its work."""
    replication: int = -1
    """Copies of a topic that is made; -1 = the cluster's own default."""
    retention_s: float = 7 * 86400.0
    """How long events are kept, in seconds; the sweep gives again what is older."""
    session_s: float = 45.0
    """A member silent for so long loses its partitions, in seconds; a restart within it moves nothing."""
    poll_interval_s: float = 300.0
    """Kafka's `max.poll.interval.ms` in seconds: work may take longer, as polling goes on beside it."""

    def addresses(self) -> list[tuple[str, int]]:
        """The servers as the client reads them.

        Raises:
            BusError: they are not `HOST:PORT`, or several with commas.
        """
        try:
            found = [(host, port) for host, port, _ in collect_hosts(self.servers, randomize=False)]
            if not all(host.encode("idna") and 0 < port < 65536 for host, port in found):
                raise ValueError("no host, or no such port")
        except ValueError as error:
            text = f"LANDSTREAM_KAFKA: {self.servers!r} is not HOST:PORT, or several with commas ({error})"
            raise BusError(text) from error
        return found

    def client(self, kind: Callable[..., Any], **options: Any) -> Any:
        """Make a client of kafka-python.

        Raises:
            BusUnavailable: no broker answers.
            BusError: the settings are wrong, or a file of theirs cannot be read.
        """
        self._knock()
        with ExitStack() as left:  # a client (3.0.12) that fails to start leaves its thread and its sockets

            def connections(**given: Any) -> Any:
                return left.enter_context(closing(KafkaNetClient(**given)))

            try:
                client = kind(**self.arguments(), **options, kafka_client=connections)
            except KafkaError as error:
                raise self.unavailable(error) from error
            left.pop_all()
        return client

    def _knock(self) -> None:
        """Look whether anybody is there at all, which costs a client 5 s to find out.

        Raises:
            BusUnavailable: none of the servers accepts a connection.
        """
        refusals = []
        for address in self.addresses():
            try:
                socket.create_connection(address, timeout=KNOCK_S).close()
                return
            except OSError as error:
                refusals.append(_said(error))
        raise BusUnavailable(f"Kafka at {self.servers}: {'; '.join(refusals)}")

    def arguments(self) -> dict[str, Any]:
        """What every client of kafka-python is given.

        Raises:
            BusError: a file of theirs cannot be read.
        """
        found: dict[str, Any] = {
            "bootstrap_servers": self.servers.split(","),
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": 5000,
            "reconnect_backoff_ms": 50,
            "reconnect_backoff_max_ms": 1000,  # its default keeps a client away for 30 s after a broker's restart
            "metadata_max_age_ms": 5_000,  # a topic that was made again is seen soon
        }
        if self.security_protocol.startswith("SASL"):
            found |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._password(),
            }
        if self.security_protocol.endswith("SSL"):
            try:
                found["ssl_context"] = ssl.create_default_context(cafile=self.ca_file and str(self.ca_file))
            except OSError as error:
                raise BusError(f"LANDSTREAM_KAFKA_CA_FILE: {self.ca_file}: no certificates ({error})") from error
        return found

    def _password(self) -> str:
        if self.password_file is None:
            return self.password.get_secret_value()
        try:
            return self.password_file.read_text().strip()
        except OSError as error:
            raise BusError(f"LANDSTREAM_KAFKA_PASSWORD_FILE: {self.password_file}: {error.strerror}") from error

    def unavailable(self, error: KafkaError) -> BusUnavailable:
        """That no broker answers as it should; the client does not tell refused credentials from a broker away."""
        advice = ""
        if self.security_protocol != "PLAINTEXT":
            advice = "; if it runs, check LANDSTREAM_KAFKA_USERNAME, _PASSWORD_FILE, _SASL_MECHANISM and _CA_FILE"
        return BusUnavailable(f"Kafka at {self.servers}: {_said(error)}{advice}")


class KafkaBus:
    """See `shared.bus.Bus`.

    Args:
        settings: where and how; from the environment where not given.
        instance: name of this process among its like, kept over restarts (a pod's name): static membership, so that a
            restart moves no partition. Empty = the member leaves when it closes.

    Raises:
        BusError: the settings are wrong, or a file of theirs cannot be read.
    """

    def __init__(self, settings: KafkaSettings | None = None, instance: str = "") -> None:
        self.settings, self._instance = settings or KafkaSettings(), instance
        self.settings.addresses()  # what is wrong with the settings is said now, not in a thread
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
        """What is published to a topic from now on, without a group.

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

    def prepare(self) -> bool:
        """See `Bus.prepare`."""
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
        """How many messages of a topic a group has not acknowledged, and how many members it has.

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

    def _members_of(self, group: str) -> dict[str, _Known]:
        """Members of a group by id, as the broker knows them."""
        described = self.admin().describe_groups([group])[group]
        return {str(m["member_id"]): _Known.of(m) for m in described["members"]}

    def _expel(self, group: str, member_id: str, instance: str) -> None:
        """Take a member out of its group, so that all partitions are dealt out anew when it joins again."""
        self.admin().remove_group_members(group, [MemberToRemove(member_id, instance or None)])

    def admin(self) -> KafkaAdminClient:
        """A client for topics, offsets and groups.

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


@dataclass(frozen=True)
class _Known:
    """What a broker knows of a member: its name, which only a static member has, and how many partitions it holds."""

    instance: str | None
    partitions: int

    @classmethod
    def of(cls, member: Mapping[str, Any]) -> _Known:
        dealt = member["member_assignment"]
        topics = dealt.get("assigned_partitions", ()) if isinstance(dealt, Mapping) else ()
        return cls(member["group_instance_id"], sum(len(t["partitions"]) for t in topics))


class Tail:
    """See `KafkaBus.tail`."""

    def __init__(self, consumer: KafkaConsumer, settings: KafkaSettings) -> None:
        self._consumer, self._settings = consumer, settings

    def poll(self, timeout_s: float) -> list[bytes]:
        """The messages that came.

        Raises:
            BusUnavailable: no broker answers as it should.
        """
        try:
            found = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        except KafkaError as error:
            raise self._settings.unavailable(error) from error
        return [r.value or b"" for records in found.values() for r in records]


class KafkaMember:
    """See `shared.bus.Consumer`; nothing is read before the first `poll`."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        instance: str,
        members_of: Callable[[str], dict[str, _Known]],
        expel: Callable[[str, str, str], None],
    ) -> None:
        self._settings, self._topic, self._group, self._instance = settings, topic, group, instance
        self._members_of, self._expel = members_of, expel
        self._log = get_logger(group=group)
        self._changed = Condition()
        self._ready: deque[Message] = deque()
        self._done: dict[TopicPartition, int] = {}
        self._lost: set[TopicPartition] = set()
        self._wanted_until = 0.0
        self._left_at = 0.0
        self._closing = False
        self._fault: BusError | None = None
        self._committed_at = 0.0
        self._options: dict[str, Any] = {
            "group_id": group,
            "group_instance_id": instance or None,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_poll_records": 1,
            "max_poll_interval_ms": int(settings.poll_interval_s * 1000),
            "session_timeout_ms": int(settings.session_s * 1000),
            # A member hears of a rebalance by a heartbeat, and has the poll interval to join it.
            "heartbeat_interval_ms": int(min(3.0, settings.session_s / 3, settings.poll_interval_s / 4) * 1000),
            "partition_assignment_strategy": [CooperativeStickyAssignor],
            "fetch_max_wait_ms": 100,
            "allow_auto_create_topics": False,
        }
        self._thread = Thread(target=self._serve, name=f"kafka-{group}", daemon=True)
        self._thread.start()

    def poll(self, timeout_s: float) -> Message | None:
        """See `Consumer.poll`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._wanted_until = deadline
            self._changed.notify_all()
            while not self._ready:
                self._raise_fault()
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            self._wanted_until, self._left_at = 0.0, time.monotonic()
            if not self._ready:
                return None
            message = self._ready.popleft()
            self._lost.discard(TopicPartition(message.topic, message.partition))
            return message

    def ack(self, message: Message) -> None:
        """See `Consumer.ack`."""
        with self._changed:
            self._raise_fault()
            partition = TopicPartition(message.topic, message.partition)
            if partition not in self._lost:
                self._done[partition] = max(self._done.get(partition, 0), message.offset + 1)

    def holds(self, message: Message) -> bool:
        """See `Consumer.holds`."""
        with self._changed:
            return TopicPartition(message.topic, message.partition) not in self._lost and self._fault is None

    def close(self) -> None:
        """See `Consumer.close`."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(20)

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _serve(self) -> None:
        """Be a member until closed; a thread that ends sooner says why to whoever polls."""
        try:
            while not self._closing and self._fault is None:
                try:
                    consumer = self._settings.client(KafkaConsumer, **self._options)
                except BusUnavailable as error:
                    self._log.warning("no broker answers", error=str(error))
                    self._pause()
                else:
                    self._use(consumer)
        except Exception as error:
            self._end(ConsumerBroken(f"no member of {self._group} any more: {_said(error)}"))
            self._log.exception("the thread of this member ended")

    def _end(self, fault: BusError) -> None:
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def _use(self, consumer: KafkaConsumer) -> None:
        """Take part by a client; one that breaks is to be replaced by a new one."""
        try:
            try:
                # A leader that joins before it knows the topic deals out nothing.
                if consumer.partitions_for_topic(self._topic):
                    consumer.subscribe([self._topic], listener=_Listener(self))
                    self._take_part(consumer)
                else:
                    self._pause()
            except FencedInstanceIdError as error:  # said before the close, which may take long or fail
                self._end(Fenced(f"another process took the place of this member: {_said(error)}"))
            finally:
                consumer.close(timeout_ms=5000)
        except Exception:
            self._log.exception("the client broke")
            self._pause()

    def _pause(self) -> None:
        with self._changed:
            if not self._closing:
                self._changed.wait(1.0)

    def _take_part(self, consumer: KafkaConsumer) -> None:
        """Poll, keep and commit until closed, or until the group has lost this member without its knowing."""
        looked, doubted = time.monotonic(), False
        while not self._closing:
            if time.monotonic() - looked > DOUBT_S:
                fault = self._fault_of_group(consumer)
                if fault and doubted:  # seen twice, so it was not just dealing out anew
                    self._log.warning("joins anew", reason=fault)
                    if fault == REPLACED:  # to join would fence that one in turn
                        raise FencedInstanceIdError(fault)
                    if fault == IDLE:
                        self._expel(self._group, consumer.group_metadata().member_id, self._instance)
                    with self._changed:
                        self._ready.clear()  # it is delivered again
                    return
                looked, doubted = time.monotonic(), bool(fault)
            with self._changed:
                if not self._wants():
                    self._changed.wait(PATIENCE_S / 4)
                wanted = self._wants()
                away = time.monotonic() - self._left_at > PATIENCE_S
            if wanted or away:
                held, member_id = consumer.assignment(), consumer.group_metadata().member_id
                self._fetch(consumer, paused=not wanted)
                if held and consumer.group_metadata().member_id != member_id:
                    # The client that finds itself dropped only as it joins again says nothing of what it lost.
                    self._log.warning("the group had dropped this member: it joins anew")
                    self._drop(held, lost=True)
                    return
            self._commit(consumer)
        self._commit(consumer, at_once=True)

    def _fault_of_group(self, consumer: KafkaConsumer) -> str | None:
        """Why this member is in no good state in its group; None = it is, or nobody can tell."""
        try:
            members = self._members_of(self._group)
            partitions = consumer.partitions_for_topic(self._topic) or ()
        except (KafkaError, BusUnavailable):
            return None
        if consumer.group_metadata().member_id in members:
            dealt = sum(known.partitions for known in members.values())
            return IDLE if not consumer.assignment() and dealt < len(partitions) else None
        named = self._instance and any(known.instance == self._instance for known in members.values())
        return REPLACED if named else FORGOTTEN

    def _wants(self) -> bool:
        return not self._ready and time.monotonic() < self._wanted_until

    def _fetch(self, consumer: KafkaConsumer, paused: bool) -> None:
        held = consumer.assignment()
        if paused:
            consumer.pause(*held)
        elif consumer.paused():
            consumer.resume(*consumer.paused())
        try:
            joined = consumer.group_metadata().state is MemberState.STABLE
            found = consumer.poll(timeout_ms=_POLL_MS if joined else JOIN_MS, max_records=1)
        except FencedInstanceIdError:
            raise
        except KafkaError as error:
            self._log.warning("poll failed", error=_said(error))
            time.sleep(_POLL_MS / 1000)
            return
        with self._changed:
            for records in found.values():
                for r in records:
                    key = (r.key or b"").decode("utf-8", "replace")
                    self._ready.append(Message(r.topic, r.partition, r.offset, key, r.value or b""))
            self._changed.notify_all()

    def _commit(self, consumer: KafkaConsumer, at_once: bool = False) -> None:
        with self._changed:
            if not self._done or (not at_once and time.monotonic() - self._committed_at < COMMIT_EVERY_S):
                return
            done, self._done = self._done, {}
        held = consumer.assignment()
        offsets = {p: OffsetAndMetadata(offset, "", -1) for p, offset in done.items() if p in held}
        self._committed_at = time.monotonic()
        try:
            if offsets:
                consumer.commit(offsets, timeout_ms=5000)
        except FencedInstanceIdError:
            raise
        except _LOST as error:
            self._log.warning("not acknowledged: it will be delivered again", error=_said(error))
        except KafkaError as error:
            self._log.warning("acknowledged later", error=_said(error))
            with self._changed:
                self._done = {p: max(o, self._done.get(p, 0)) for p, o in done.items()} | {
                    p: o for p, o in self._done.items() if p not in done
                }

    def _drop(self, partitions: Iterable[TopicPartition], lost: bool) -> None:
        """Forget what was read of partitions that are another member's now."""
        gone = set(partitions)
        with self._changed:
            self._ready = deque(m for m in self._ready if TopicPartition(m.topic, m.partition) not in gone)
            if lost:
                self._lost |= gone
                self._done = {p: o for p, o in self._done.items() if p not in gone}


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called on the client's own loop: it only notes, and never waits."""

    def __init__(self, member: KafkaMember) -> None:
        self._member = member

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing to do: the next poll pauses what it must, and keeps what comes before."""

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Another member gets them in good order: work at hand goes on, its item decides who was first."""
        self._member._drop(revoked, lost=False)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Another member has them already: work at hand is cancelled."""
        self._member._drop(lost, lost=True)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
