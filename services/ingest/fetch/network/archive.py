"""Downloads an archive over HTTP: resumed where the service can, and only whole under its name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Final

import httpx

from services.ingest.fetch.errors import Corrupt, FetchError, Refused, Unavailable
from services.ingest.fetch.network.answers import trouble
from services.ingest.fetch.network.bounded import read_body
from services.ingest.fetch.network.deadline import within
from services.ingest.fetch.network.hosts import place
from services.ingest.fetch.network.http import Bearer, Http, chunks
from services.ingest.fetch.network.receive import SIZE_LIMIT, Span, Speed, receive, settle
from services.ingest.fetch.network.whole import check_whole
from services.ingest.fetch.provider import Progress, unheard

_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})\Z", re.ASCII)
_ARCHIVE: Final = b"PK"
_ERROR_LIMIT: Final = 2**16


def download_archive(
    http: Http,
    address: str,
    path: Path,
    size: int | None,
    checksums: Mapping[str, str],
    bearer: Bearer | None = None,
    progress: Progress = unheard,
    speed: Speed | None = None,
) -> Path:
    """Fetch an archive, going on where an earlier try stopped, and return its path.

    Args:
        http: what is asked through.
        address: of the archive.
        path: where it is to lie; beside it, `.part` is what has come so far.
        size: bytes that were promised; None = not known.
        checksums: algorithm -> lower case hex; where there are none, the archive's own are tested.
        bearer: shown to the hosts that it is for.
        progress: is told how far it has come.
        speed: what is too slow.

    Raises:
        Unavailable: it does not come now; what has come stays, and is gone on with.
        Offline: it is to be ordered first.
        Gone: it is not there.
        Corrupt: it is not what was promised; nothing of it is left.
        Misconfigured: credentials are absent or wrong, or not enough for it.
        Refused: the answer, or where it leads, is against the rules.
    """
    if path.exists() and _still_whole(path, size, checksums):
        return path
    part = path.with_name(f"{path.name}.part")
    done = part.stat().st_size if part.exists() else 0
    if size is not None and done > size:
        part.unlink()
        done = 0
    if size is None or done < size:
        try:
            _fetch(http, address, part, Span(done, size), bearer, progress, speed or Speed())
        except Corrupt:
            part.unlink(missing_ok=True)
            raise
    try:
        check_whole(part, size, checksums)
    except Corrupt:
        part.unlink()
        raise
    settle(part, path)
    return path


def _still_whole(path: Path, size: int | None, checksums: Mapping[str, str]) -> bool:
    """Return whether what an earlier try fetched is what is promised now; what is not is removed."""
    try:
        check_whole(path, size, checksums)
    except Corrupt:
        path.unlink()
        return False
    return True


def _fetch(
    http: Http, address: str, part: Path, span: Span, bearer: Bearer | None, progress: Progress, speed: Speed
) -> None:
    """Bring a partial file to its end; from its beginning where the service does not answer the range asked for."""
    with ExitStack() as stack:
        response = _ask(http, address, span.done, bearer, stack)
        if span.done and response.status_code in {206, 416} and _start(response, span) != span.done:
            stack.close()
            response = _ask(http, address, 0, bearer, stack)
        done = _begin(http, address, response, span)
        total = _total(address, response, Span(done, span.total))
        pieces = chunks(response) if done else _archive(address, chunks(response), speed)
        with open(part, "ab" if done else "wb") as file:
            done = receive(pieces, file, Span(done, total), progress, speed)
    if total is not None and done < total:
        raise Unavailable(f"{place(address)} broke off after {done} of {total} bytes")


def _ask(http: Http, address: str, start: int, bearer: Bearer | None, stack: ExitStack) -> httpx.Response:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with within(http.limits.whole_s):
        return stack.enter_context(http.stream("GET", address, headers=headers, bearer=bearer))


def _start(response: httpx.Response, span: Span) -> int | None:
    """Return the first byte of an answered range that goes on to the end of what was promised; None if it does not."""
    match = _RANGE.match(response.headers.get("content-range", ""))
    if response.status_code != 206 or match is None:
        return None
    first, last, total = map(int, match.groups())
    return first if last == total - 1 and span.total in {None, total} else None


def _begin(http: Http, address: str, response: httpx.Response, span: Span) -> int:
    """Return the byte that the body begins with.

    Raises:
        FetchError: the answer is not an archive's.
    """
    if response.status_code not in {200, 206}:
        raise _refusal(http, address, response)
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise Unavailable(f"{place(address)}: a page came where an archive was to come")
    if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise Refused(f"{place(address)}: the archive has an encoding that was not asked for")
    if response.status_code == 200:
        return 0
    if not span.done or _start(response, span) != span.done:
        raise Unavailable(f"{place(address)}: a range came that was not asked for")
    return span.done


def _total(address: str, response: httpx.Response, span: Span) -> int | None:
    """Return how long the whole will be.

    Raises:
        Corrupt: what is sent has another size than was promised.
        Refused: no product is so large.
    """
    length = response.headers.get("content-length", "")
    if not length.isdecimal():
        return span.total
    total = span.done + int(length[:15])
    if span.total is None and total > SIZE_LIMIT:
        raise Refused(f"{place(address)} has {total} bytes: no product is so large")
    if span.total is not None and total != span.total:
        raise Corrupt(f"{place(address)} has {total} bytes, and not the {span.total} that were promised")
    return total


def _archive(address: str, pieces: Iterator[bytes], speed: Speed) -> Iterator[bytes]:
    """Return the same pieces, whose first bytes are those of an archive.

    Raises:
        Unavailable: they are those of a text.
        Corrupt: they are of something else.
    """
    head = b""
    with within(speed.window_s):
        while len(head) < len(_ARCHIVE) and (piece := next(pieces, None)) is not None:
            head += piece
    if head.startswith(_ARCHIVE) or not head:
        return chain([head] if head else [], pieces)
    if head.lstrip()[:1] in {b"<", b"{"}:
        raise Unavailable(f"{place(address)}: a text came where an archive was to come")
    raise Corrupt(f"{place(address)}: what came is not an archive")


def _refusal(http: Http, address: str, response: httpx.Response) -> FetchError:
    with within(http.limits.read_s):
        body = read_body(chunks(response), response.headers.get("content-encoding", ""), _ERROR_LIMIT)
    error = trouble(response.status_code, response.headers, body, address, http.clock.today())
    assert error is not None, "only successes have no error"
    http.heed(address, error)
    return error
