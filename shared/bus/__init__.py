"""Message buses: a protocol and its adapters, which pass one contract suite."""

from shared.bus.memory import MemoryBus
from shared.bus.protocol import (
    DEAD_LETTER,
    OBJECTS,
    Bus,
    BusError,
    BusUnavailable,
    Consumer,
    ConsumerBroken,
    Fenced,
    Message,
)

__all__ = [
    "DEAD_LETTER",
    "OBJECTS",
    "Bus",
    "BusError",
    "BusUnavailable",
    "Consumer",
    "ConsumerBroken",
    "Fenced",
    "MemoryBus",
    "Message",
]
