"""What Landstream asks of a message bus: the rules of Kafka that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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
        """The next message of the partitions that this member holds; None after the time-out."""

    def ack(self, message: Message) -> None:
        """The message, and all before it in its partition, are done for the group."""

    def close(self) -> None:
        """Leave the group; what was not acknowledged goes to another member."""


class Bus(Protocol):
    """Topics of partitions; each group sees each message at least once, in order per key."""

    def publish(self, topic: str, key: str, value: bytes) -> None:
        """Append a message; messages of one key keep their order."""

    def subscribe(self, topic: str, group: str) -> Consumer:
        """Join a group; a new group starts at the oldest message kept."""
