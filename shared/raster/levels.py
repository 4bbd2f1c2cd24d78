"""Joins GeoTIFFs of one raster at several resolutions into a COG: tiles are moved as they are, not coded again.

So a raster and its overviews are compressed once, as they are written, and nothing is read back.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NEW_SUBFILE_TYPE: Final = 254
_TILE_OFFSETS: Final = 324
_TILE_BYTE_COUNTS: Final = 325
_OF_OVERVIEWS: Final = frozenset(
    {256, 257, 258, 259, 262, 266, 277, 284, 317, 322, 323, _TILE_OFFSETS, _TILE_BYTE_COUNTS, 338, 339, 42113}
)
# ^ what pixels are and how they are coded; where they lie and what they mean stands in the first directory alone
_LONG, _LONG8 = 4, 16
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_FORMATS: Final = {3: "H", 4: "I", 16: "Q"}
_HEADER: Final = struct.Struct("<2sHHHQ")
_COUNT: Final = struct.Struct("<Q")
_ENTRY: Final = struct.Struct("<HHQ8s")
_LAYOUT: Final = (
    b"LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
# ^ by this GDAL knows a COG; when it changes one it turns NO and the blank into YES
_LEADER: Final = struct.Struct("<I")
_TRAILER_BYTES: Final = 4


@dataclass(frozen=True)
class _Entry:
    """A tag's value: its type, number of values, and their bytes."""

    kind: int
    count: int
    value: bytes

    @classmethod
    def of(cls, kind: int, values: Sequence[int]) -> _Entry:
        return cls(kind, len(values), struct.pack(f"<{len(values)}{_FORMATS[kind]}", *values))

    def numbers(self) -> tuple[int, ...]:
        return struct.unpack(f"<{self.count}{_FORMATS[self.kind]}", self.value)


_Directory = dict[int, _Entry]


def join_levels(path: Path, levels: Sequence[Path]) -> None:
    """Write a COG.

    Args:
        path: the file to make, a BigTIFF.
        levels: BigTIFFs of one image each, tiled and of this machine's byte order: the raster, then its overviews, the
            larger first.

    Raises:
        ValueError: one is not such a file.
    """
    directories = [_read_directory(level) for level in levels]
    for overview in directories[1:]:
        for tag in set(overview) - _OF_OVERVIEWS:
            del overview[tag]
        overview[_NEW_SUBFILE_TYPE] = _Entry.of(_LONG, [1])
    sources = [d[_TILE_OFFSETS].numbers() for d in directories]
    counts = [d[_TILE_BYTE_COUNTS].numbers() for d in directories]
    ghost = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n" % len(_LAYOUT) + _LAYOUT
    first = _aligned(_HEADER.size + len(ghost))
    head = first + sum(_size(d) for d in directories)
    targets = _lay_out(head, counts)
    with path.open("wb") as out:
        out.write(_HEADER.pack(b"II", 43, 8, 0, first) + ghost)
        at = first
        for directory, offsets in zip(directories, targets, strict=True):
            directory[_TILE_OFFSETS] = _Entry.of(_LONG8, offsets)
            out.seek(at)
            out.write(_pack(directory, at, last=directory is directories[-1]))
            at += _size(directory)
        out.seek(head)
        for level, source, count in reversed(list(zip(levels, sources, counts, strict=True))):
            with level.open("rb") as data:
                for offset, size in zip(source, count, strict=True):
                    if size:
                        data.seek(offset)
                        tile = data.read(size)
                        out.write(_LEADER.pack(size) + tile + tile[-_TRAILER_BYTES:])


def _read_directory(path: Path) -> _Directory:
    with path.open("rb") as file:
        order, version, size, _, offset = _HEADER.unpack(file.read(_HEADER.size))
        if (order, version, size) != (b"II", 43, 8):
            raise ValueError(f"{path.name} is no BigTIFF of little-endian order")
        file.seek(offset)
        (count,) = _COUNT.unpack(file.read(_COUNT.size))
        directory = {}
        for tag, kind, number, inline in _ENTRY.iter_unpack(file.read(count * _ENTRY.size)):
            length = number * _SIZES[kind]
            value = inline[:length]
            if length > len(inline):
                file.seek(*struct.unpack("<Q", inline))
                value = file.read(length)
            directory[tag] = _Entry(kind, number, value)
    if _TILE_OFFSETS not in directory:
        raise ValueError(f"{path.name} is not tiled")
    return directory


def _lay_out(head: int, counts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Offsets of the tiles of each level: the smallest level first, as COGs have it; 0 = no tile."""
    targets: list[list[int]] = []
    at = head
    for of_level in reversed(counts):
        offsets = []
        for size in of_level:
            offsets.append(at + _LEADER.size if size else 0)
            at += _LEADER.size + size + _TRAILER_BYTES if size else 0
        targets.insert(0, offsets)
    return targets


def _aligned(size: int) -> int:
    return size + -size % 8


def _size(directory: _Directory) -> int:
    """Bytes of a directory and of its values that it does not hold itself; offsets are counted as eight bytes each."""
    beside = sum(_aligned(len(e.value)) for t, e in directory.items() if t != _TILE_OFFSETS and len(e.value) > 8)
    offsets = 8 * directory[_TILE_OFFSETS].count
    return 2 * _COUNT.size + len(directory) * _ENTRY.size + beside + (offsets if offsets > 8 else 0)


def _pack(directory: _Directory, at: int, *, last: bool) -> bytes:
    """Return the bytes of a directory that lies at this offset, the values beside it after it."""
    following = at + _size(directory)
    beside = at + 2 * _COUNT.size + len(directory) * _ENTRY.size
    entries, values = b"", b""
    for tag, entry in sorted(directory.items()):
        inline = entry.value
        if len(inline) > 8:
            inline = _COUNT.pack(beside + len(values))
            values += entry.value + bytes(-len(entry.value) % 8)
        entries += _ENTRY.pack(tag, entry.kind, entry.count, inline)
    return _COUNT.pack(len(directory)) + entries + _COUNT.pack(0 if last else following) + values
