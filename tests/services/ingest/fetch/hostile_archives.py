"""Archives that do harm to who unpacks them without looking."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

ESCAPED = "landstream-escaped"
"""Name of every file that would lie elsewhere than it should."""


class Archive(NamedTuple):
    """An archive.

    Attributes:
        write: writes it, of a product's folder: (path, name of the folder).
        says: what the record says.
        stated: whether the catalogue states its size and checksum; then it is ingest that refuses it.
    """

    write: Callable[[Path, str], None]
    says: str
    stated: bool = True


def _pack(path: Path, members: Mapping[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data, method)


def _named(member: str) -> Callable[[Path, str], None]:
    """An archive with a good member and one of a name."""
    return lambda path, folder: _pack(path, {f"{folder}/a": b"a", member: b"x"})


def _swelling(size: int) -> Callable[[Path, str], None]:
    return lambda path, folder: _pack(path, {f"{folder}/a": bytes(size)})


def _many(path: Path, folder: str) -> None:
    _pack(path, {f"{folder}/{number}": b"" for number in range(20_001)}, zipfile.ZIP_STORED)


def _nested(path: Path, folder: str) -> None:
    """Archives in archives, of which the innermost swells."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(32 << 20))
    for _ in range(3):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{number}.zip", inner.getvalue())
        inner = outer
    _pack(path, {f"{folder}/a.zip": inner.getvalue()})


def _link(path: Path, folder: str) -> None:
    info = zipfile.ZipInfo(f"{folder}/a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    _pack(path, {info: b"/etc/passwd"})


def _overlapping(path: Path, folder: str) -> None:
    """Two entries of the table of contents that share the bytes of one member."""
    _pack(path, {f"{folder}/aaaa": bytes(5000)})
    data = path.read_bytes()
    central, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry, tail = data[central:end], bytearray(data[end:])
    tail[8:16] = struct.pack("<HHI", 2, 2, 2 * len(entry))
    path.write_bytes(data[:central] + entry + entry.replace(b"aaaa", b"aaab") + bytes(tail))


def _lying(path: Path, folder: str) -> None:
    """A member that declares fewer bytes than come out of it."""
    _pack(path, {f"{folder}/a": bytes(100_000)})
    data = bytearray(path.read_bytes())
    for offset in (22, data.rindex(b"PK\x01\x02") + 24):
        data[offset : offset + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)


def _twice(path: Path, folder: str) -> None:
    _pack(path, {f"{folder}/a": b"x", f"{folder}/A": b"y"})


ARCHIVES: Mapping[str, Archive] = {
    "swells": Archive(_swelling(32 << 20), "more than 200 times"),
    "swells, and nothing vouches for it": Archive(_swelling(72 << 20), "would swell", stated=False),
    "lies, and nothing vouches for it": Archive(_lying, "whose CRC is wrong", stated=False),
    "holds archives": Archive(_nested, "is missing"),
    "holds many members": Archive(_many, "members, more than 20000"),
    "climbs": Archive(_named(f"../../../../{ESCAPED}"), "unsafe path"),
    "climbs from within": Archive(_named(f"a/../../{ESCAPED}"), "unsafe path"),
    "is absolute": Archive(_named(f"/tmp/{ESCAPED}"), "unsafe path"),
    "has a drive": Archive(_named(f"C:/{ESCAPED}"), "unsafe path"),
    "climbs backwards": Archive(_named(f"..\\{ESCAPED}"), "unsafe path"),
    "holds a link": Archive(_link, "is a link"),
    "overlaps": Archive(_overlapping, "overlap"),
    "lies": Archive(_lying, "is a damaged zip"),
    "has a name twice": Archive(_twice, "twice"),
}
