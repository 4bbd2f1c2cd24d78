"""Brings one file over HTTP: from where an earlier try stopped where the service can, from its beginning otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from services.ingest.fetch.errors import Corrupt, FetchError, Refused, Unavailable
from services.ingest.fetch.network.answers import trouble
from services.ingest.fetch.network.bounded import read_body
from services.ingest.fetch.network.deadline import within
from services.ingest.fetch.network.hosts import place
from services.ingest.fetch.network.http import Bearer, Http, chunks
from services.ingest.fetch.network.receive import SIZE_LIMIT, Span, Speed, receive
from services.ingest.fetch.network.resume import Version, range_start
from services.ingest.fetch.provider import Progress

_ERROR_LIMIT: Final = 2**16


def _as_it_comes(address: str, pieces: Iterator[bytes], speed: Speed) -> Iterator[bytes]:
    return pieces


@dataclass(frozen=True)
class Kind:
    """What a file is.

    Attributes:
        noun: for messages: `archive`.
        whole: what it is a part of, for messages: `product`.
        limit: bytes of one whose size nobody states.
        begin: looks at the first pieces of what comes from its beginning, and returns all of them.
    """

    noun: str
    whole: str
    limit: int = SIZE_LIMIT
    begin: Callable[[str, Iterator[bytes], Speed], Iterator[bytes]] = _as_it_comes


def bring(
    http: Http,
    address: str,
    part: Path,
    span: Span,
    kind: Kind,
    progress: Progress,
    speed: Speed,
    bearer: Bearer | None = None,
    version: Version | None = None,
) -> None:
    """Bring a partial file to its end; from its beginning where the service does not answer the range asked for.

    Args:
        http: what is asked through.
        address: of the file.
        part: what has come so far.
        span: where it stands.
        kind: what it is.
        progress: is told how far it has come.
        speed: what is too slow.
        bearer: shown to the hosts that it is for.
        version: of what has come, which is gone on with alone; None = a checksum tells whether it is the same.

    Raises:
        Unavailable: it does not come now; what has come stays.
        Corrupt: it is not of the size that was promised.
        FetchError: as `trouble` says.
    """
    with ExitStack() as stack:
        response = _ask(http, address, span.done, version, bearer, stack)
        if span.done and response.status_code in {206, 416} and not _goes_on(response, span, version):
            stack.close()
            response = _ask(http, address, 0, None, bearer, stack)
        done = _begin(http, address, response, span, kind)
        total = _total(address, response, Span(done, span.total), kind)
        if version and not done:
            version.begin(response.headers.get("etag", ""))
        pieces = chunks(response) if done else kind.begin(address, chunks(response), speed)
        with open(part, "ab" if done else "wb") as file:
            done = receive(pieces, file, Span(done, total), progress, speed, kind.limit)
    if total is not None and done < total:
        raise Unavailable(f"{place(address)} broke off after {done} of {total} bytes")


def _ask(
    http: Http, address: str, start: int, version: Version | None, bearer: Bearer | None, stack: ExitStack
) -> httpx.Response:
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-"} | ({"If-Range": version.text} if version else {})
    with within(http.limits.whole_s):
        return stack.enter_context(http.stream("GET", address, headers=headers, bearer=bearer))


def _goes_on(response: httpx.Response, span: Span, version: Version | None) -> bool:
    """Return whether an answer is the rest of what has come: a service may not know of `If-Range`."""
    if response.status_code != 206 or range_start(response.headers.get("content-range", ""), span) != span.done:
        return False
    return version is None or response.headers.get("etag", "") == version.text


def _begin(http: Http, address: str, response: httpx.Response, span: Span, kind: Kind) -> int:
    """Return the byte that the body begins with.

    Raises:
        FetchError: the answer is not a file's.
    """
    if response.status_code not in {200, 206}:
        raise _refusal(http, address, response)
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise Unavailable(f"{place(address)}: a page came where an {kind.noun} was to come")
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise Refused(f"{place(address)}: the {kind.noun} has an encoding that was not asked for")
    if response.status_code == 200:
        return 0
    if not span.done or range_start(response.headers.get("content-range", ""), span) != span.done:
        raise Unavailable(f"{place(address)}: a range came that was not asked for")
    return span.done


def _total(address: str, response: httpx.Response, span: Span, kind: Kind) -> int | None:
    """Return how long the whole will be.

    Raises:
        Corrupt: what is sent has another size than was promised.
        Refused: nothing of the kind is so large.
    """
    length = response.headers.get("content-length", "")
    if not length.isdecimal():
        return span.total
    total = span.done + int(length[:15])
    if span.total is None and total > kind.limit:
        raise Refused(f"{place(address)} has {total} bytes: no {kind.whole} is so large")
    if span.total is not None and total != span.total:
        raise Corrupt(f"{place(address)} has {total} bytes, and not the {span.total} that were promised")
    return total


def _refusal(http: Http, address: str, response: httpx.Response) -> FetchError:
    with within(http.limits.read_s):
        body = read_body(chunks(response), response.headers.get("content-encoding", ""), _ERROR_LIMIT)
    error = trouble(response.status_code, response.headers, body, address, http.clock.today())
    assert error is not None, "only successes have no error"
    http.heed(address, error)
    return error
