"""What a route is asked and what it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class Request:
    """A request, seen from its route.

    Attributes:
        method: `GET`.
        path: below the route's prefix, decoded; begins with a slash or is empty.
        query: as it came, without its question mark.
        headers: names in lower case.
        body: whole.
        base: address of the server, `http://127.0.0.1:8000`.
        address: the route's own address, without a slash at its end.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    base: str
    address: str

    @property
    def parameters(self) -> dict[str, list[str]]:
        """Parameters of the query, decoded."""
        return parse_qs(self.query, keep_blank_values=True)

    def parameter(self, name: str, default: str = "") -> str:
        """Return a parameter's first value."""
        return self.parameters.get(name, [default])[0]

    @property
    def bearer(self) -> str:
        """The bearer token; empty where there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        status: of HTTP.
        body: bytes, a file, or pieces whose length is not told.
        headers: beside those that follow from the body.
        whole: what is delivered whole when the last byte is sent; empty = nothing that is counted.
        span: first byte and the byte after the last of a file or bytes; None = all.
        drip_s: seconds between small pieces.
        keep: share of the body after which the connection is cut.
        flip: whether a byte in the middle is changed.
    """

    status: int = 200
    body: bytes | Path | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    whole: str = ""
    span: tuple[int, int] | None = None
    drip_s: float = 0.0
    keep: float = 1.0
    flip: bool = False

    @property
    def spoiled(self) -> bool:
        """Whether what arrives is not what should."""
        return self.flip or self.keep < 1

    def titled(self, **headers: str) -> Answer:
        """Return it with further headers; `retry_after` stands for `Retry-After`."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


def json_answer(value: Any, status: int = 200, content_type: str = "application/json") -> Answer:
    """Answer with JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": content_type})


def text_answer(text: str, status: int = 200, content_type: str = "text/plain;charset=utf-8") -> Answer:
    """Answer with text."""
    return Answer(status, text.encode(), {"Content-Type": content_type})


def zipper(status: int, code: int, message: str) -> Answer:
    """Answer with an error as CDSE's download host words it."""
    return json_answer({"code": f"DAT-ZIP-{code}", "message": message, "trace-id": "0"}, status)


def missing(message: str) -> Answer:
    """Answer that there is nothing of that name, as CDSE's catalogue words it."""
    return json_answer({"detail": {"message": message, "request_id": "0"}}, 404)


def file_answer(request: Request, body: bytes | Path, whole: str, ranges: bool, **headers: str) -> Answer:
    """Answer with a file, or with the range of it that is asked for.

    Args:
        request: with a `Range`, or without.
        body: the file.
        whole: what the file is, where whole deliveries of it are counted.
        ranges: whether ranges are answered; without, a file is always sent from its first byte.
        headers: as of `Answer.titled`.
    """
    size = body.stat().st_size if isinstance(body, Path) else len(body)
    answer = Answer(200, body, {}, whole, (0, size)).titled(**headers)
    if request.headers.get("if-match", etag := headers.get("etag", "")) != etag:
        return Answer(412, b"", {"Etag": etag})
    if request.headers.get("if-range", etag) != etag:
        return answer.titled(accept_ranges="bytes") if ranges else answer
    wanted = _RANGE.fullmatch(request.headers.get("range", "")) if ranges else None
    if wanted is None or not any(wanted.groups()):
        return answer.titled(accept_ranges="bytes") if ranges else answer
    first, last = wanted.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size:
        return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
    part = replace(answer, status=206, span=(start, stop), whole=whole if stop == size else "")
    return part.titled(accept_ranges="bytes", content_range=f"bytes {start}-{stop - 1}/{size}")
