"""What Landstream asks of a message bus: the rules of Kafka that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

OBJECTS: Final = "landstream.objects"
"""The one topic of "object created" events; every store can feed one."""

DEAD_LETTER: Final = "landstream.dead-letter"
"""Events that nobody can read, each with the reason."""


class BusError(Exception):
    """Base of the errors of a bus."""


class BusUnavailable(BusError):
    """Raised when a message cannot be published now: it was a hint, and the sweep sends it again."""


class Fenced(BusError):
    """Raised when another process took this member's place: two processes run under one name, and this one must end."""


class ConsumerBroken(BusError):
    """Raised when a member cannot continue, for an unforeseen reason: this process must end and start again."""


@dataclass(frozen=True)
class Message:
    """A message as it was delivered."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes


class Consumer(Protocol):
    """One member of a consumer group."""

    def poll(self, timeout_s: float) -> Message | None:
        """Return the next message of the partitions that this member holds; None after the time-out.

        Raises:
            Fenced: another process took this member's place.
            ConsumerBroken: this member cannot continue.
        """

    def ack(self, message: Message) -> None:
        """Acknowledge the message, and all before it in its partition, for the group.

        Raises:
            Fenced: another process took this member's place.
            ConsumerBroken: this member cannot continue.
        """

    def holds(self, message: Message) -> bool:
        """Return whether the message is still this member's; if not, another one works on it, and this one may end."""

    def close(self) -> None:
        """Leave the group; what was not acknowledged goes to another member."""


class Bus(Protocol):
    """Topics of partitions; each group sees each message at least once, in order per key."""

    def publish(self, topic: str, key: str, value: bytes) -> None:
        """Append a message; messages of one key keep their order.

        Raises:
            BusUnavailable: it was not stored.
        """

    def subscribe(self, topic: str, group: str) -> Consumer:
        """Join a group; a new group starts at the oldest message kept."""

    def ensure_topics(self) -> bool:
        """Make the topics that are missing; return whether any was.

        Raises:
            BusUnavailable: the bus does not answer.
        """

    def reachable(self) -> bool:
        """Return whether the bus answers and has the topic of objects."""

    def close(self) -> None:
        """Give back connections."""
