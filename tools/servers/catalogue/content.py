"""The files of a product, whether it lies in a folder or in a zip, and the archive that it is delivered as."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class File:
    """A file of a product.

    Attributes:
        name: path below the product's folder, with slashes.
        size: bytes.
    """

    name: str
    size: int


@dataclass(frozen=True)
class Digests:
    """What the catalogue states of an archive: size in bytes, checksums in lower case hex."""

    size: int
    md5: str
    blake3: str


@lru_cache(maxsize=1000)
def files_of(path: Path) -> tuple[File, ...]:
    """List the files of a product, in order of their names."""
    if path.is_dir():
        files = [File(str(file.relative_to(path)), file.stat().st_size) for file in path.rglob("*") if file.is_file()]
    else:
        with zipfile.ZipFile(path) as archive:
            files = [File(_below(info.filename), info.file_size) for info in archive.infolist() if not info.is_dir()]
    return tuple(sorted(files, key=lambda file: file.name))


def read_file(path: Path, name: str) -> bytes:
    """Read a file of a product.

    Raises:
        KeyError: it has no such file.
    """
    if name not in {file.name for file in files_of(path)}:
        raise KeyError(name)
    if path.is_dir():
        return (path / name).read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(entry for entry in archive.namelist() if _below(entry) == name))


def write_archive(target: BinaryIO, folder: str, path: Path | None, version: int) -> None:
    """Write a product as CDSE delivers it: a zip that is not compressed, with the folder as its root.

    The same content gives the same bytes, and another version other bytes. A zip is stored as it is, and gets another
    comment with another version.

    Args:
        target: where to; may be read and searched.
        folder: name of the product's folder.
        path: folder or zip; None = one small file is made up.
        version: as the catalogue counts it.
    """
    if path is not None and not path.is_dir():
        target.write(path.read_bytes())
        if version:
            with zipfile.ZipFile(target, "a") as archive:
                archive.comment = str(version).encode()
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = str(version).encode() if version else b""
        for file in files_of(path) if path else (File("made-up.txt", 0),):
            info = zipfile.ZipInfo(f"{folder}/{file.name}")
            info.external_attr = 0o644 << 16
            content = read_file(path, file.name) if path else folder.encode()
            archive.writestr(info, content)


def digests_of(path: Path) -> Digests:
    """Measure a file."""
    md5, blake = hashlib.md5(usedforsecurity=False), blake3()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            md5.update(chunk)
            blake.update(chunk)
    return Digests(path.stat().st_size, md5.hexdigest(), blake.hexdigest())


def _below(name: str) -> str:
    """Strip the product's folder off the name of a zip's entry."""
    return name.partition("/")[2]
