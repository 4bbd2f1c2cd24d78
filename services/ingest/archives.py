"""Archives by their content: tools leave the suffix out, or write the product's own in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from services.ingest.members import Limits, Unpacked
from services.ingest.names import is_packed
from services.ingest.unpack import unpack
from services.ingest.unpack_tar import GZIP, unpack_tar

Unpacker = Callable[[Path, Path, Limits], Unpacked]
"""(archive, folder, limits) -> what came out of it."""

_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257


def unpacker_of(path: Path) -> Unpacker | None:
    """Return what unpacks a file; None where neither its content nor its name is an archive's.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(512)
    name = path.name.lower()
    if name.endswith(".zip") or head.startswith(b"PK\x03\x04"):
        return unpack
    if is_packed(name) or head.startswith(GZIP) or head.startswith(_TAR_MAGIC, _TAR_MAGIC_AT):
        return unpack_tar
    return None
