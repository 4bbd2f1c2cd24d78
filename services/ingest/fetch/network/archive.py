"""Downloads an archive over HTTP: resumed where the service can, and only whole under its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from services.ingest.fetch.errors import Corrupt, Unavailable
from services.ingest.fetch.network.bring import Kind, bring
from services.ingest.fetch.network.deadline import within
from services.ingest.fetch.network.hosts import place
from services.ingest.fetch.network.http import Bearer, Http
from services.ingest.fetch.network.receive import Span, Speed, settle
from services.ingest.fetch.network.whole import check_whole
from services.ingest.fetch.provider import Progress, unheard

_ARCHIVE: Final = b"PK"


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
            bring(http, address, part, Span(done, size), _KIND, progress, speed or Speed(), bearer)
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


_KIND: Final = Kind("archive", "product", begin=_archive)
