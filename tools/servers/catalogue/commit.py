"""How a fault is committed: instead of an answer, before it, or on it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tools.servers.catalogue import download, s3
from tools.servers.catalogue.bombs import BOMBS, bomb
from tools.servers.catalogue.earth import Earth
from tools.servers.catalogue.exchange import Answer, Request, json_answer, missing, text_answer, zipper
from tools.servers.catalogue.fault import Fault, Faults
from tools.servers.catalogue.product import Product
from tools.servers.catalogue.shelf import Shelf
from tools.servers.catalogue.tokens import Tokens

CHANGES: Final = frozenset({"expired", "vanish", "offline", "checksum"})
"""Kinds that change what there is; then the route answers."""
INSTEAD: Final = frozenset({"401", "403", "404", "429", "500", "503", "hang", "cut", "maintenance", "redirect", *BOMBS})
"""Kinds that the route is not asked for."""
ON_BODY: Final = frozenset({"drip", "truncate", "short", "flip"})
"""Kinds that spoil what is sent."""
ON_PAGE: Final = frozenset({"duplicate", "reorder", "endless", "foreign", "astray"})
"""Kinds that spoil what is listed."""

_PAGE = "<html><head><title>Maintenance</title></head><body><h1>The service is under maintenance</h1></body></html>"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGES = frozenset({"/search", "/Products", "/DeletedProducts"})
_LISTS = ("features", "value", "entry")
_ARCHIVED = {"download": download.OFFLINE, "s3": s3.OFFLINE}
_STEP_S = 0.02  # between looks whether the client has left


def change(fault: Fault, request: Request, shelf: Shelf, earth: Earth, tokens: Tokens) -> Answer | None:
    """Commit one of `CHANGES`; an answer is given where the client could not know of the change."""
    product = asked_for(request, shelf)
    if fault.kind == "expired":
        tokens.expire()
    elif fault.kind == "vanish" and fault.on in {"earth", "assets"}:
        for part in request.path.split("/"):
            earth.remove(part)
    elif product is None:
        return None
    elif fault.kind == "vanish":
        shelf.remove(product.id)
    elif fault.kind == "offline":
        shelf.put(replace(product, online=False))
        return _ARCHIVED.get(fault.on)
    else:
        shelf.republish(product.id)
    return None


def spoiled(faults: Faults, pages: Pages, route: str, request: Request, answer: Answer) -> tuple[Answer, list[str]]:
    """Commit what befalls a good answer; return also the kinds of it."""
    if answer.status not in {200, 206} or request.method == "HEAD":
        return answer, []
    kinds: list[str] = []
    if isinstance(answer.body, bytes):
        listed = request.path in _PAGES or b"<ListBucketResult" in answer.body
        fault = faults.choose(route, request, ON_PAGE if listed else {"foreign"})
        if fault or listed:
            answer = pages.spoil(fault, route, request, answer)
        kinds += [fault.kind] if fault else []
    if fault := faults.choose(route, request, ON_BODY):
        answer = on_body(fault, answer)
        kinds.append(fault.kind)
    return answer, kinds


def asked_for(request: Request, shelf: Shelf) -> Product | None:
    """Return the product whose UUID or folder a request names; None = it names none."""
    if match := _UUID.search(request.path):
        return shelf.get(match[0])
    named = {part for place in (request.path, request.parameter("prefix")) for part in place.split("/")}
    return next((product for product in shelf.all() if product.folder in named), None)


def instead(fault: Fault, gone: Callable[[], bool]) -> Answer | None:
    """Commit one of `INSTEAD`; None = the connection is cut.

    Args:
        fault: that befalls.
        gone: tells whether the client has left.
    """
    if fault.kind in BOMBS:
        return bomb(fault.kind)
    wait = {} if fault.retry_after_s is None else {"retry_after": f"{fault.retry_after_s:g}"}
    match fault.kind:
        case "401":
            return zipper(401, 604, "Token not found")
        case "403":
            return zipper(403, 608, "Access forbidden")
        case "404":
            return missing("not here")
        case "429":
            body = {"error": "WAF", "message": "Rate limit exceeded", "status": 429}
            return json_answer(body, 429).titled(**wait)
        case "500":
            return text_answer(_PAGE, 500, "text/html")
        case "503":
            return text_answer(_PAGE, 503, "text/html").titled(**wait)
        case "maintenance":
            return text_answer(_PAGE, 200, "text/html;charset=utf-8")
        case "redirect":
            return Answer(302, b"", {"Location": fault.to})
        case "hang":
            until = time.monotonic() + fault.seconds
            while time.monotonic() < until and not gone():
                time.sleep(_STEP_S)
    return None


def on_body(fault: Fault, answer: Answer) -> Answer:
    """Commit one of `ON_BODY`."""
    match fault.kind:
        case "drip":
            return replace(answer, drip_s=fault.seconds)
        case "truncate":
            return replace(answer, keep=0.5)
        case "flip":
            return replace(answer, flip=True)
    start, stop = answer.span or (0, len(answer.body) if isinstance(answer.body, bytes) else 0)
    return replace(answer, span=(start, start + (stop - start) // 2), whole="")


class Pages:
    """Commits `ON_PAGE`; remembers the page before."""

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}
        self._laps = 0
        self._lock = threading.Lock()

    def spoil(self, fault: Fault | None, route: str, request: Request, answer: Answer) -> Answer:
        """Remember a page, and commit a fault on it where one befalls."""
        assert isinstance(answer.body, bytes)
        if fault and fault.kind == "foreign":
            return replace(answer, body=answer.body.replace(request.base.encode(), fault.to.encode()))
        if b"<ListBucketResult" in answer.body:
            return self._endless_bucket(answer) if fault and fault.kind == "endless" else answer
        page = json.loads(answer.body)
        held = page.get("feed", page) if isinstance(page, dict) else {}
        name = next((name for name in _LISTS if isinstance(held.get(name), list)), None)
        if name is None:
            return answer
        with self._lock:
            last = self._last.get(route)
            self._last[route] = held[name][-1] if held[name] else None
        if fault is None:
            return answer
        if fault.kind == "duplicate":
            held[name] = [*([last] if last else []), *held[name], *held[name][:1]]
        elif fault.kind == "reorder":
            held[name].reverse()
        elif fault.kind == "astray":
            _lead_astray(held, request, fault.to)
        else:
            self._endless(held, request)
        return replace(answer, body=json.dumps(page).encode())

    def _endless(self, held: dict[str, Any], request: Request) -> None:
        """Give a page a next one, each with another address."""
        with self._lock:
            self._laps += 1
            lap = f"lap:{self._laps}"
        if "opensearch:totalResults" in held:
            held["opensearch:totalResults"] = "1000000000"
        elif "features" in held:
            href = f"{request.address}{request.path}"
            if request.method == "POST":
                body = {**json.loads(request.body), "token": lap}
                _link_next(held, {"method": "POST", "href": href, "body": body})
            else:
                query = re.sub(r"&?token=[^&]*", "", request.query)
                _link_next(held, {"method": "GET", "href": f"{href}?{query}&token={lap}"})
        else:
            query = re.sub(r"&?lap=[^&]*", "", request.query)
            held["@odata.nextLink"] = f"{request.address}{request.path}?{query}&lap={self._laps}"

    def _endless_bucket(self, answer: Answer) -> Answer:
        assert isinstance(answer.body, bytes)
        with self._lock:
            self._laps += 1
            token = f"<IsTruncated>true</IsTruncated><NextContinuationToken>lap:{self._laps}</NextContinuationToken>"
        body = re.sub(rb"<NextContinuationToken>[^<]*</NextContinuationToken>", b"", answer.body)
        return replace(answer, body=re.sub(rb"<IsTruncated>\w+</IsTruncated>", token.encode(), body))


def _lead_astray(held: dict[str, Any], request: Request, to: str) -> None:
    """Give a page a next one that lies elsewhere."""
    if "features" in held:
        body = {"body": json.loads(request.body)} if request.method == "POST" else {}
        _link_next(held, {"method": request.method, "href": to, **body})
    else:
        held["@odata.nextLink"] = to


def _link_next(held: dict[str, Any], link: dict[str, Any]) -> None:
    held["links"] = [*(each for each in held["links"] if each["rel"] != "next"), {"rel": "next", **link}]
