"""`/odata/v1/Subscriptions`: events that wait to be read and acknowledged."""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tools.servers.catalogue.exchange import Answer, Request, json_answer, missing
from tools.servers.catalogue.odata_filter import Condition, parse_filter
from tools.servers.catalogue.odata_record import deletion, facts, record
from tools.servers.catalogue.product import Product, iso
from tools.servers.catalogue.shelf import Removed, Shelf
from tools.servers.catalogue.tokens import Tokens

LONGEST = 100_000
"""Messages that wait at most; the oldest are dropped."""
RUNNING = 1
"""Subscriptions of an account that may run at once."""
_PATH = re.compile(r"(?:\(([0-9a-f-]{36})\))?(?:/(Info|Read|Ack))?")


@dataclass
class _Subscription:
    body: dict[str, Any]
    fits: Condition
    submitted: datetime
    status: str = "running"
    messages: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LONGEST))
    made: int = 0


class Subscriptions:
    """Pull subscriptions, of one account.

    Args:
        shelf: whose changes are told.
        tokens: that open the door.
        base: gives the address of the server.
    """

    def __init__(self, shelf: Shelf, tokens: Tokens, base: Callable[[], str]) -> None:
        self._shelf = shelf
        self._tokens = tokens
        self._base = base
        self._held: dict[str, _Subscription] = {}
        self._lock = threading.RLock()
        shelf.heard.append(self._hear)

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        if refusal := self._tokens.refusal(request.bearer):
            return refusal
        match = _PATH.fullmatch(request.path)
        if match is None:
            return missing(f"Subscriptions{request.path} is not here")
        with self._lock:
            if match[1] is None:
                return self._create(request) if request.method == "POST" else self._all(request)
            held = self._held.get(match[1])
            if held is None or held.status == "cancelled":
                return missing(f"Subscription {match[1]} is not here")
            return self._one(request, match[1], held, match[2] or "")

    def _one(self, request: Request, name: str, held: _Subscription, part: str) -> Answer:
        match (request.method, part):
            case ("GET", "" | "Info"):
                return json_answer(_described(name, held))
            case ("GET", "Read"):
                top = int(request.parameter("$top", "1"))
                if not 1 <= top <= 20:
                    return json_answer({"detail": "$top is from 1 to 20"}, 422)
                return json_answer(list(held.messages)[:top])
            case ("POST", "Ack"):
                return _acknowledge(held, request.parameter("$ackid"))
            case ("PATCH", ""):
                held.status = json.loads(request.body)["Status"]
                return json_answer(_described(name, held))
            case ("DELETE", ""):
                held.status = "cancelled"
                return Answer(204)
        return json_answer({"detail": "not a method of subscriptions"}, 405)

    def _all(self, request: Request) -> Answer:
        running = [(name, held) for name, held in self._held.items() if held.status != "cancelled"]
        return json_answer([_described(name, held) for name, held in running])

    def _create(self, request: Request) -> Answer:
        try:
            body = json.loads(request.body)
            fits = parse_filter(body["FilterParam"]) if body.get("FilterParam") else lambda _: True
            wrong = body["SubscriptionType"] != "pull" or not body["SubscriptionEvent"]
        except (ValueError, KeyError, TypeError) as error:
            return json_answer({"detail": str(error)}, 400)
        if wrong:
            return json_answer({"detail": "only pull subscriptions are served, to one event or more"}, 400)
        if sum(held.status == "running" for held in self._held.values()) >= RUNNING:
            return json_answer({"detail": f"no more than {RUNNING} may run"}, 400)
        name = str(uuid.uuid4())
        self._held[name] = _Subscription(body, fits, datetime.now(UTC))
        return json_answer(_described(name, self._held[name]), 201)

    def _hear(self, event: str, product: Product, removed: Removed | None) -> None:
        there = removed or Removed(product, product.modified, "")
        with self._lock:
            for name, held in self._held.items():
                if held.status == "running" and event in held.body["SubscriptionEvent"] and held.fits(facts(there)):
                    held.messages.append(self._message(name, held, event, there, removed is not None))

    def _message(self, name: str, held: _Subscription, event: str, there: Removed, gone: bool) -> dict[str, Any]:
        held.made += 1
        product = there.product
        value = deletion(there) if gone else record(self._shelf, product, self._base(), {"Attributes", "Locations"})
        return {
            "@odata.context": "$metadata#Notification/$entity",
            "SubscriptionEvent": event,
            "ProductId": product.id,
            "ProductName": product.folder,
            "SubscriptionId": name,
            "NotificationDate": iso(datetime.now(UTC), 3),
            "AckId": base64.b64encode(f"{held.made:09d}:{event}?".encode()).decode(),
            "value": value,
        }


def _acknowledge(held: _Subscription, ack: str) -> Answer:
    """Remove a message and all older ones."""
    ids = [message["AckId"] for message in held.messages]
    if ack not in ids:
        return missing(f"AckId {ack!r} is not here")
    number = ids.index(ack) + 1
    for _ in range(number):
        held.messages.popleft()
    return json_answer({"AckMessagesNum": number, "CurrentQueueLength": len(held.messages), "MaxQueueLength": LONGEST})


def _described(name: str, held: _Subscription) -> dict[str, Any]:
    state = {"Id": name, "Status": held.status, "SubmissionDate": iso(held.submitted, 3)}
    return held.body | state | {"CurrentQueueLength": len(held.messages)}
