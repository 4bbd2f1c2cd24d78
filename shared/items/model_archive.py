"""The archive of a model's item: the tar of a SavedModel, unpacked so that a server sees the whole of it or nothing."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import uuid
from pathlib import Path, PurePosixPath

MOST_BYTES = 2 * 1024**3
MOST_FILES = 64
KEPT_VERSIONS = 2

_MEMBER = re.compile(r"^(saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-\d{5}-of-\d{5}))$")
# ^ What a SavedModel without assets holds. Anything else in the archive was not written by the trainer.


class UnsafeModel(ValueError):
    """Raised when an archive is not a plain SavedModel."""


def unpack(archive: Path, base: Path, version: int) -> Path:
    """Unpack a model's tar so that a server sees the whole version or nothing.

    Args:
        archive: uncompressed tar of a SavedModel folder; its checksum was verified when it was fetched.
        base: folder of the model; made if absent.
        version: name of the folder.

    Returns:
        The version's folder.

    Raises:
        UnsafeModel: a member is not a plain file of a SavedModel, or all together are too large.
    """
    incoming = base / f".incoming-{uuid.uuid4().hex}"
    incoming.mkdir(parents=True)
    try:
        _extract(archive, incoming)
        target = base / str(version)
        incoming.rename(target)
        return target
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def pack(folder: Path, path: Path) -> None:
    """Pack a SavedModel's files into an uncompressed tar: sorted relative names, no owner, no time.

    Raises:
        UnsafeModel: a file is a link or not one of a plain SavedModel, or all together are too large.
    """
    files = files_of(folder)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            entry = tarfile.TarInfo(file.relative_to(folder).as_posix())
            entry.size, entry.mode = file.stat().st_size, 0o644
            with file.open("rb") as stream:
                archive.addfile(entry, stream)


def files_of(folder: Path) -> list[Path]:
    """Return the files of a SavedModel's folder, by name; empty folders count for nothing.

    Raises:
        UnsafeModel: one is a link or not one of a plain SavedModel, or all together are too large.
    """
    found = sorted(p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    for path in found:
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or not _MEMBER.match(name):
            raise UnsafeModel(f"{folder.name}: {name[:100]!r} is not a plain file of a SavedModel")
    if sum(p.stat().st_size for p in found) > MOST_BYTES or len(found) > MOST_FILES:
        raise UnsafeModel(f"{folder.name}: larger than {MOST_BYTES} bytes or {MOST_FILES} files")
    if folder / "saved_model.pb" not in found:
        raise UnsafeModel(f"{folder.name}: holds no saved_model.pb")
    return found


def _extract(archive: Path, folder: Path) -> None:
    """Write the members of a tar, each checked by name, kind and size."""
    total, seen = 0, set[str]()
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if not member.isreg() or not _MEMBER.match(member.name) or member.name in seen:
                    raise UnsafeModel(f"{archive.name}: {member.name[:100]!r} is not a file of a SavedModel")
                seen.add(member.name)
                total += member.size
                if total > MOST_BYTES or len(seen) > MOST_FILES:
                    raise UnsafeModel(f"{archive.name}: larger than {MOST_BYTES} bytes or {MOST_FILES} files")
                source = tar.extractfile(member)
                assert source is not None
                path = folder.joinpath(*name.parts)
                path.parent.mkdir(exist_ok=True)
                with source, path.open("wb") as out:
                    shutil.copyfileobj(source, out)
                    out.flush()
                    os.fsync(out.fileno())
    except tarfile.TarError as error:
        raise UnsafeModel(f"{archive.name}: not an uncompressed tar ({error})") from error
    if "saved_model.pb" not in seen:
        raise UnsafeModel(f"{archive.name}: holds no saved_model.pb")
