"""Message buses: a protocol and its adapters, which pass one contract suite."""

from shared.bus.memory import MemoryBus
from shared.bus.protocol import Bus, Consumer, Message

OBJECTS = "landstream.objects"
"""The one topic of "object created" events."""

__all__ = ["OBJECTS", "Bus", "Consumer", "MemoryBus", "Message"]
