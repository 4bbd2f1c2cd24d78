"""Lets boto3 speak through our own client, whose hosts, limits and pace hold for S3, too.

boto3 signs and reads; before it would send, an event of its own hands the request over, and takes what is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from services.ingest.fetch.errors import Refused, Unavailable
from services.ingest.fetch.network.bounded import read_body
from services.ingest.fetch.network.deadline import within
from services.ingest.fetch.network.http import Http, chunks

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LISTING_LIMIT: Final = 8 * 2**20
"""Bytes of a page of a list: a thousand keys of a thousand characters, several times."""

TAGS_LIMIT: Final = 60_000
"""Tags of a page of a list: a thousand keys with twenty each, three times."""


class Body:
    """An answer's body as botocore reads it: open until it is read or closed."""

    def __init__(self, pieces: Iterator[bytes], stack: ExitStack) -> None:
        """Hold a body.

        Args:
            pieces: as they come.
            stack: closes what is open.
        """
        self._pieces = pieces
        self._stack = stack

    def read(self, amount: int | None = None) -> bytes:
        """Return the next piece, of whatever length; nothing at the end."""
        return next(self._pieces, b"")

    def stream(self) -> Iterator[bytes]:
        """Yield all pieces."""
        yield from self._pieces
        self.close()

    def close(self) -> None:
        """Give up the connection, unless it can be used again."""
        self._stack.close()


def speak_through(client: S3Client, http: Http) -> None:
    """Let a client of boto3 send nothing by itself.

    Args:
        client: whose events are listened to.
        http: what is asked through.
    """

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        return _answer(http, request)

    events: Any = client.meta.events
    events.register_first("before-send.s3", send)


def _answer(http: Http, request: AWSPreparedRequest) -> AWSResponse:
    method = _method(request)
    address = str(request.url)
    with ExitStack() as stack:
        with within(http.limits.whole_s):
            response = stack.enter_context(http.stream(method, address, headers=_texts(request.headers), follow=False))
        if 300 <= response.status_code < 400:
            raise Refused("the S3 endpoint leads elsewhere")
        is_body = response.status_code in {200, 206}
        if is_body and _is_page(response):
            raise Unavailable("a page came where an object was to come")
        headers: Any = dict(response.headers)
        if is_body and not _is_list(response):
            return AWSResponse(address, response.status_code, headers, Body(chunks(response), stack.pop_all()))
        with within(http.limits.whole_s):
            body = read_body(chunks(response), response.headers.get("content-encoding", ""), LISTING_LIMIT)
    if b"<!ENTITY" in body:
        raise Refused("the answer of S3 defines entities, as no list of objects does")
    if body.count(b"<") > TAGS_LIMIT:
        raise Refused(f"an answer of S3 holds more than {TAGS_LIMIT} tags")
    if b"<!DOCTYPE" in body:
        raise Unavailable("a page came where a list of objects was to come")
    return AWSResponse(address, response.status_code, headers, Body(iter([body]), ExitStack()))


def _is_list(response: httpx.Response) -> bool:
    return "list-type" in response.request.url.params


def _is_page(response: httpx.Response) -> bool:
    """Return whether it is a page of the service; products hold pages, too, which are called so."""
    is_html = str(response.headers.get("content-type", "")).lower().startswith("text/html")
    return is_html and not response.request.url.path.lower().endswith((".html", ".htm"))


def _method(request: AWSPreparedRequest) -> Literal["GET", "HEAD"]:
    if request.method == "GET":
        return "GET"
    if request.method == "HEAD":
        return "HEAD"
    raise Refused(f"nothing but reading is done in S3, and no {request.method}")


def _texts(headers: Any) -> dict[str, str]:
    """Return signed headers as texts; objects come as they are stored, and we say our own name."""
    texts = {
        str(name): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
        if str(name).lower() != "user-agent"
    }
    return {"Accept-Encoding": "identity", **texts}
