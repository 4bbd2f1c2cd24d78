"""A member of a consumer group.

One thread owns the client. While the caller works on a message, which may take hours, the thread continues to poll with
all partitions paused, so the member stays in its group; what a poll returns nevertheless is kept. Offsets are
committed after the work is done, those of quick messages in batches.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState, OffsetAndMetadata

from shared.bus.kafka.settings import KafkaSettings, said
from shared.bus.protocol import BusError, BusUnavailable, ConsumerBroken, Fenced, Message
from shared.observe.logs import get_logger

PATIENCE_S: Final = 0.2
"""A caller that is back within this time took a quick message: nothing is paused."""

COMMIT_EVERY_S: Final = 0.5
DOUBT_S: Final = 10.0
"""How often a member asks whether its group knows it: the client (3.0.12) has been seen to wait for ever, or to read
on, in a group that had dropped it."""

FORGOTTEN: Final = "the group knows nothing of this member"
REPLACED: Final = "another process has this member's name"
IDLE: Final = "this member holds no partition, although some have no owner"
"""A static member that comes back is given what it had: nothing, if it had joined before its topic was there."""

JOIN_MS: Final = 10_000
"""How long a poll waits while the member joins: the client trips over a join that is abandoned half-way."""

_POLL_MS: Final = 200
_LOST = (CommitFailedError, IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError)


@dataclass(frozen=True)
class KnownMember:
    """What a broker knows of a member: its name, which only a static member has, and how many partitions it holds."""

    instance: str | None
    partitions: int

    @classmethod
    def of(cls, member: Mapping[str, Any]) -> KnownMember:
        """Return one of the members that the broker describes."""
        dealt = member["member_assignment"]
        topics = dealt.get("assigned_partitions", ()) if isinstance(dealt, Mapping) else ()
        return cls(member["group_instance_id"], sum(len(t["partitions"]) for t in topics))


class KafkaMember:
    """See `shared.bus.Consumer`; nothing is read before the first `poll`."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        instance: str,
        members_of: Callable[[str], dict[str, KnownMember]],
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
            self._end(ConsumerBroken(f"no member of {self._group} any more: {said(error)}"))
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
                    consumer.subscribe([self._topic], listener=Listener(self))
                    self._take_part(consumer)
                else:
                    self._pause()
            except FencedInstanceIdError as error:  # said before the close, which may take long or fail
                self._end(Fenced(f"another process took the place of this member: {said(error)}"))
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
                if fault and doubted:  # seen twice, so it was not just a rebalance
                    self._log.warning("joins again", reason=fault)
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
                    self._log.warning("the group had dropped this member: it joins again")
                    self._drop(held, lost=True)
                    return
            self._commit(consumer)
        self._commit(consumer, at_once=True)

    def _fault_of_group(self, consumer: KafkaConsumer) -> str | None:
        """Return what is wrong with this member in its group; None = nothing, or nobody can tell."""
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
            self._log.warning("poll failed", error=said(error))
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
            self._log.warning("not acknowledged: it will be delivered again", error=said(error))
        except KafkaError as error:
            self._log.warning("acknowledged later", error=said(error))
            with self._changed:
                self._done = {p: max(o, self._done.get(p, 0)) for p, o in done.items()} | {
                    p: o for p, o in self._done.items() if p not in done
                }

    def _drop(self, partitions: Iterable[TopicPartition], lost: bool) -> None:
        """Forget what was read from partitions that now belong to another member."""
        gone = set(partitions)
        with self._changed:
            self._ready = deque(m for m in self._ready if TopicPartition(m.topic, m.partition) not in gone)
            if lost:
                self._lost |= gone
                self._done = {p: o for p, o in self._done.items() if p not in gone}


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called on the client's own loop: it only notes, and never waits."""

    def __init__(self, member: KafkaMember) -> None:
        self._member = member

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing to do: the next poll pauses what it must, and keeps what comes before."""

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Another member gets them in good order: a job at hand continues, and its item decides who was first."""
        self._member._drop(revoked, lost=False)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """Another member has them already: the job at hand is cancelled."""
        self._member._drop(lost, lost=True)
