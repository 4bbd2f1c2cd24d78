"""Tar archives that nobody vouches for, plain or packed with gzip: no header, ratio or size is trusted."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

from services.ingest.members import SMALL_BYTES, Limits, Members, Unpacked
from services.ingest.refuse import DELIVER_AGAIN, Incomplete
from shared.stage import RejectScene

GZIP = b"\x1f\x8b"
_BLOCK = 1 << 20
_HEADERS = 1 << 18
"""Bytes that what describes one member may take: long names and extended headers are read into memory."""


def unpack_tar(archive: Path, folder: Path, limits: Limits) -> Unpacked:
    """Unpack a `.tar` or `.tar.gz` file into an empty folder.

    Args:
        archive: the file.
        folder: where to; made here.
        limits: what it may hold at most.

    Raises:
        Incomplete: the archive is empty or ends early.
        RejectScene: it is unsafe or damaged.
    """
    name = archive.name
    if archive.stat().st_size == 0:
        raise Incomplete(name, "is empty (0 bytes)")
    with archive.open("rb") as file:
        is_packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        raw = gzip.GzipFile(fileobj=file) if is_packed else file
        stream = _Bounded(cast("IO[bytes]", raw), name)
        try:
            folder.mkdir(parents=True)
            with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as opened:
                found = _unpack(opened, stream, folder, archive, limits)
        except (EOFError, tarfile.ReadError) as error:
            if isinstance(error, EOFError) or stream.is_at_end:
                raise Incomplete(name, "is a truncated tar: its end is missing") from error
            raise RejectScene(name, f"is a damaged tar ({error})", DELIVER_AGAIN) from error
        except (tarfile.TarError, zlib.error, ValueError, RecursionError, OSError) as error:
            raise RejectScene(name, f"cannot be unpacked ({error})", DELIVER_AGAIN) from error
    if stream.last != bytes(tarfile.BLOCKSIZE):
        raise Incomplete(name, "is a truncated tar: its end is missing")
    return found


def _unpack(opened: tarfile.TarFile, stream: _Bounded, folder: Path, archive: Path, limits: Limits) -> Unpacked:
    name, packed = archive.name, archive.stat().st_size
    members, count, total = Members(name), 0, 0
    while (member := _next(opened, stream)) is not None:
        count, total = count + 1, total + max(member.size, 0)
        if count > limits.members:
            raise RejectScene(name, f"holds more than {limits.members} members", DELIVER_AGAIN)
        if total > limits.bytes:
            raise RejectScene(name, f"unpacks to more than {limits.bytes} bytes", DELIVER_AGAIN)
        if total > SMALL_BYTES and total > limits.ratio * packed:
            raise RejectScene(name, f"unpacks to more than {limits.ratio} times its packed size", DELIVER_AGAIN)
        if member.size < 0 or member.issparse() or not (member.isreg() or member.isdir()):
            raise RejectScene(name, f"{ascii(member.name)[1:120]} is a link, a device or damaged", DELIVER_AGAIN)
        path = members.take(member.name, member.isdir())
        if path is not None:
            stream.room = member.size
            _extract(opened, member, folder / path)
    return members.end()


def _next(opened: tarfile.TarFile, stream: _Bounded) -> tarfile.TarInfo | None:
    stream.room = _HEADERS
    member = opened.next()
    kept = cast("Any", opened)  # typeshed does not know `members`
    kept.members.clear()  # else each member and its headers stay in memory
    kept.pax_headers.clear()
    return member


def _extract(opened: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = opened.extractfile(member)
    assert source is not None
    with source, path.open("xb") as target:
        while block := source.read(_BLOCK):
            target.write(block)


class _Bounded:
    """A file of which no more is read at once than there is room for: `tarfile` believes what a header says of itself.

    Args:
        file: to read.
        archive: its name, for messages.

    Attributes:
        room: bytes that may still be read.
        last: what was read last.
        is_at_end: whether there was less to read than was asked for.
    """

    def __init__(self, file: IO[bytes], archive: str) -> None:
        self._file, self._archive = file, archive
        self.room, self.last, self.is_at_end = _HEADERS, b"", False

    def read(self, size: int = -1) -> bytes:
        """Read some bytes.

        Raises:
            RejectScene: more than there is room for.
        """
        if not 0 <= size <= self.room:
            raise RejectScene(self._archive, f"has a header of more than {_HEADERS} bytes", DELIVER_AGAIN)
        self.last = self._file.read(size)
        self.room -= len(self.last)
        self.is_at_end = len(self.last) < size
        return self.last

    def seek(self, offset: int) -> int:
        """Go to a place."""
        return self._file.seek(offset)

    def tell(self) -> int:
        """Return the present place."""
        return self._file.tell()
