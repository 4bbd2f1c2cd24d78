"""Zip files that nobody vouches for: how large the table of contents is, before it is read into memory."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO, Final

MOST_BYTES: Final = 64 << 20
"""Of a table of contents: half a million members, where a product has some hundreds."""

_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_LONGEST_COMMENT: Final = 0xFFFF


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip file whose table of contents fits into memory.

    `zipfile` reads it whole, and makes an object of each member, before anybody can count them. Structures as of
    PKWARE's APPNOTE 6.3.10, 4.3.14 to 4.3.16.

    Args:
        path: the file.

    Raises:
        zipfile.BadZipFile: it is no zip file, or its table of contents is larger than `MOST_BYTES`.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = _directory_bytes(file)
    if size > MOST_BYTES:
        raise zipfile.BadZipFile(f"its table of contents has {size} bytes, more than {MOST_BYTES}")
    return zipfile.ZipFile(path)


def _directory_bytes(file: BinaryIO) -> int:
    """Return the bytes that a zip file says its table of contents has; 0 where no end of it is found."""
    length = file.seek(0, 2)
    start = max(0, length - _END.size - _LONGEST_COMMENT - _LOCATOR_64.size - _END_64.size)
    file.seek(start)
    tail = file.read()
    sizes = [0]
    at = tail.rfind(b"PK\x05\x06")
    if 0 <= at <= len(tail) - _END.size:
        sizes.append(_END.unpack_from(tail, at)[5])
        if sizes[-1] == 0xFFFFFFFF:
            sizes.pop()  # the record for large files says it
        # As zipfile does: right before the locator, wherever that says that it is.
        before = at - _LOCATOR_64.size - _END_64.size
        if before >= 0 and tail[before : before + 4] == b"PK\x06\x06":
            sizes.append(_END_64.unpack_from(tail, before)[8])
    return max(sizes)
