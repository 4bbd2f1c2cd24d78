"""Tells whether a file that was fetched is what was promised."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from blake3 import blake3

from services.ingest.fetch.errors import Corrupt
from services.ingest.fetch.providers.described import HASHES
from shared.observe.logs import get_logger
from shared.zips import open_zip

_PIECE: Final = 2**20
_SWELL: Final = 10
"""How many times an archive's files may be larger than itself; products barely shrink, their texts do."""
_ROOM: Final = 2**26

_log = get_logger(service="fetch")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


def check_whole(path: Path, size: int | None, checksums: Mapping[str, str]) -> None:
    """Check a file's size and all its checksums; an archive's own where there are none.

    Args:
        path: the file.
        size: bytes; None = not known.
        checksums: algorithm -> lower case hex; those that are not in `HASHES` do not count.

    Raises:
        Corrupt: it is not what was promised.
    """
    actual = path.stat().st_size
    if size is not None and actual != size:
        raise Corrupt(f"{path.name} has {actual} bytes, and not the {size} that were promised")
    wanted = {algorithm: digest for algorithm, digest in checksums.items() if algorithm in HASHES}
    if not wanted:
        _log.info("no checksum is stated: the archive's own are tested", file=path.name)
        return check_archive(path)
    digests = _digests(path, wanted)
    for algorithm, digest in wanted.items():
        if digests[algorithm] != digest.lower():
            raise Corrupt(f"{path.name} does not have the {algorithm} that was promised", digests[algorithm])


def check_archive(path: Path) -> None:
    """Check the CRC of each file of an archive.

    Raises:
        Corrupt: one is wrong, it is not an archive, or it would swell beyond measure.
    """
    try:
        with open_zip(path) as archive:
            swollen = sum(member.file_size for member in archive.infolist())
            if swollen > _SWELL * path.stat().st_size + _ROOM:
                raise Corrupt(f"{path.name} would swell to {swollen} bytes")
            bad = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, OSError) as error:
        raise Corrupt(f"{path.name} is not a whole archive: {type(error).__name__}") from error
    if bad is not None:
        raise Corrupt(f"{path.name} holds a file whose CRC is wrong")


def _digests(path: Path, algorithms: Mapping[str, str]) -> dict[str, str]:
    hashes = {algorithm: _hash(algorithm) for algorithm in algorithms}
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            for each in hashes.values():
                each.update(piece)
    return {algorithm: each.hexdigest() for algorithm, each in hashes.items()}


def _hash(algorithm: str) -> _Hash:
    if algorithm == "blake3":
        return blake3()
    return hashlib.new(algorithm.replace("sha3-256", "sha3_256"), usedforsecurity=False)
