"""The canary: an object whose event must arrive before a stack calls itself ready."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import Final

from shared.bus import OBJECTS
from shared.bus.kafka import KafkaBus
from shared.events import BadEvent, KeyForm, OtherEvent, parse
from shared.items.landing import PREFIX
from shared.store import Store

AGAIN_S: Final = 5.0
"""A store's events may be lost: another canary is sent after this many seconds without one."""

FORMS: Final[tuple[KeyForm, ...]] = ("quoted", "raw")


def send_canary(store: Store, bus: KafkaBus, within_s: float) -> KeyForm | None:
    """Put objects into `landing/` until the event of one arrives; they are removed again.

    Their names begin with a dot, so that they are not deliveries, and hold what the two forms write differently.

    Returns:
        How the store writes keys in its events; None = no event arrived in time.
    """
    deadline, sent = time.monotonic() + within_s, list[str]()
    with bus.tail(OBJECTS) as tail:
        try:
            while time.monotonic() < deadline:
                sent.append(f"{PREFIX}.canary/a b+c%20d-{uuid.uuid4().hex}")
                store.put(sent[-1], b"canary")
                again = min(deadline, time.monotonic() + AGAIN_S)
                while time.monotonic() < again:
                    for message in tail.poll(0.5):
                        if form := _form(message, store.bucket, sent):
                            return form
        finally:
            for key in sent:
                store.delete(key)
    return None


def _form(message: bytes, bucket: str, sent: list[str]) -> KeyForm | None:
    for form in FORMS:
        with suppress(BadEvent, OtherEvent):
            created = parse(message, form)
            if created.bucket == bucket and created.key in sent:
                return form
    return None
