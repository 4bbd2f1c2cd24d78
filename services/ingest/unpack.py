"""Archives that nobody vouches for: names, sizes, ratios and overlaps are checked before a byte is written."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from pathlib import Path

from services.ingest.members import SMALL_BYTES, Limits, Members, Unpacked
from services.ingest.refuse import DELIVER_AGAIN, Incomplete
from shared.stage import RejectScene
from shared.zips import open_zip

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_BLOCK = 1 << 20


def unpack(archive: Path, folder: Path, limits: Limits) -> Unpacked:
    """Unpack a zip file into an empty folder.

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
    try:
        with open_zip(archive) as opened:
            members, found = _check_members(archive, opened, limits)
            folder.mkdir(parents=True)
            written = 0
            for path, info in sorted(members.items()):
                written += _extract(opened, info, folder / path, limits.bytes - written)
    except zipfile.BadZipFile as error:
        if not zipfile.is_zipfile(archive):
            raise Incomplete(name, "is a truncated zip: its table of contents is missing") from error
        raise RejectScene(name, f"is a damaged zip ({error})", DELIVER_AGAIN) from error
    except (zlib.error, EOFError, NotImplementedError, UnicodeError, struct.error, OSError) as error:
        raise RejectScene(name, f"cannot be unpacked ({error})", DELIVER_AGAIN) from error
    return found


def _check_members(
    archive: Path, opened: zipfile.ZipFile, limits: Limits
) -> tuple[dict[str, zipfile.ZipInfo], Unpacked]:
    name, infos = archive.name, opened.infolist()
    if len(infos) > limits.members:
        raise RejectScene(name, f"holds {len(infos)} members, more than {limits.members}", DELIVER_AGAIN)
    if sum(i.file_size for i in infos) > limits.bytes:
        raise RejectScene(name, f"unpacks to more than {limits.bytes} bytes", DELIVER_AGAIN)
    _check_overlaps(archive, opened)
    found: dict[str, zipfile.ZipInfo] = {}
    members = Members(name)
    for info in infos:
        path = members.take(info.filename, info.filename.endswith(("/", "\\")))
        shown = ascii(info.filename)[1:120]
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise RejectScene(name, f"{shown} is a link or a device", DELIVER_AGAIN)
        if info.flag_bits & 1:
            raise RejectScene(name, f"{shown} is encrypted", DELIVER_AGAIN)
        if info.file_size > SMALL_BYTES and info.file_size > limits.ratio * max(info.compress_size, 1):
            raise RejectScene(name, f"{shown} unpacks to more than {limits.ratio} times its packed size", DELIVER_AGAIN)
        if path is not None:
            found[path] = info
    return found, members.end()


def _check_overlaps(archive: Path, opened: zipfile.ZipFile) -> None:
    """CPython 3.11.7 reads members that share packed bytes: 48 KB become 1 GB."""
    spans: list[tuple[int, int]] = []
    with archive.open("rb") as raw:
        for info in opened.infolist():
            raw.seek(info.header_offset)
            header = raw.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
                raise RejectScene(archive.name, "is a damaged zip: a member has no header", DELIVER_AGAIN)
            _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
            data = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
            spans.append((info.header_offset, data + info.compress_size))
    spans.sort()
    starts = [*(start for start, _ in spans), opened.start_dir][1:]
    if any(end > start for (_, end), start in zip(spans, starts, strict=True)):
        raise RejectScene(archive.name, "holds members that overlap", DELIVER_AGAIN)


def _extract(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, room: int) -> int:
    """Write one member, never more bytes than it declares; zipfile checks its CRC at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(info) as source, path.open("xb") as target:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > min(info.file_size, room):
                archive = Path(opened.filename or "").name
                raise RejectScene(archive, f"{info.filename} is larger than it says", DELIVER_AGAIN)
            target.write(block)
    if written != info.file_size:
        raise zipfile.BadZipFile(f"{info.filename} is shorter than it says")
    return written
