"""The store in a local folder: objects are files, below them nothing to install.

An object is written to a temporary file, synced, linked to its place and its folder synced. User metadata and the
etag (MD5, as S3 gives it) lie in a sidecar that is bound to the file by inode, time and size, so that files dropped
in by hand are objects too: their etag is made of inode, time and size.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from shared.events import ObjectCreated, make
from shared.items.keys import ARTIFACTS, check_key, is_key
from shared.items.landing import PREFIX as LANDING
from shared.items.weeks import BadKey
from shared.observe.failpoint import failpoint
from shared.store.protocol import ChecksumMismatch, NotFound, ObjectInfo, PreconditionFailed, StoreError, StoreLocked
from shared.store.space import room

PRIVATE = ".landstream"
"""Folder of temporary files, sidecars and locks; never part of a key."""

_BLOCK = 1 << 20
_READ_ONLY = 0o444
_FICLONE = 0x40049409
"""Linux's ioctl for shared extents (Btrfs, XFS, ZFS); Python names it from 3.12 on."""


class FolderStore:
    """See `shared.store.Store`.

    Args:
        root: the folder, made if absent.
        notify: called with each "object created" event, in MinIO's JSON, after the object is durable.
    """

    def __init__(self, root: Path, notify: Callable[[bytes], None] | None = None) -> None:
        self.root = root.absolute()
        self._root = str(self.root)
        self.bucket, self.location, self.remote = "landstream", str(self.root), False
        self._notify = notify
        self._private = self.root / PRIVATE
        with _usable(self.root):
            for name in ("tmp", "meta", "locks", "work"):
                (self._private / name).mkdir(parents=True, exist_ok=True)

    @property
    def work(self) -> Path:
        """A folder on the store's disk for scratch, so that artifacts move without a copy."""
        return self._private / "work"

    @contextmanager
    def exclusive(self) -> Iterator[Path]:
        """Hold the store for one `run`, which gets a folder for logs and scratch; see `exclusive`."""
        with exclusive(self._private, self.location):
            yield self._private

    def put(
        self,
        key: str,
        data: bytes | Path,
        *,
        create_only: bool = False,
        same_as: ObjectInfo | None = None,
    ) -> ObjectInfo:
        """See `Store.put`; what was fetched is linked, not copied, so `same_as` tells nothing new."""
        return self._store(key, data, create_only, link=False)

    def adopt(self, key: str, file: Path) -> ObjectInfo:
        """Store a file as a hard link to it, which takes no space; on another disk it is copied, as by `put`.

        The file becomes read-only and must not be changed again: artifacts will be the same file.
        """
        return self._store(key, file, create_only=False, link=True)

    def _store(self, key: str, data: bytes | Path, create_only: bool, link: bool) -> ObjectInfo:
        path = self._path(key)
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        with _usable(self.root, 0 if link else size):
            etag, size = self._put(key, path, data, create_only, link)
        info = self.head(key)
        if self._notify:
            self._notify(make(ObjectCreated(self.bucket, key, size, etag)))
        return info

    def _put(self, key: str, path: Path, data: bytes | Path, create_only: bool, link: bool) -> tuple[str, int]:
        temporary = self._private / "tmp" / uuid.uuid4().hex
        try:
            etag, size = self._stage(temporary, data, link)
            with self._locked(key):
                if create_only and self.exists(key):
                    raise PreconditionFailed(f"{key} exists")
                if path.is_dir() or not _make_folders(path.parent):
                    raise BadKey(f"key {key[:200]!r} is another object's folder, or has an object for a folder")
                self._write_sidecar(key, temporary, etag)
                failpoint("store.before_link")
                if create_only:
                    _link_new(temporary, path, key)
                else:
                    temporary.replace(path)
                failpoint("store.after_link")
                _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return etag, size

    def _stage(self, temporary: Path, data: bytes | Path, link: bool) -> tuple[str, int]:
        """Bring data to a durable temporary file: linked if this store wrote it itself, else shared if the disk can."""
        if isinstance(data, bytes):
            return _write(temporary, [data])
        if data.is_relative_to(self.work) and not data.is_symlink():
            os.link(data, temporary)
        elif link and _link_read_only(data, temporary):
            pass
        elif not _share(data, temporary):
            return _write(temporary, _blocks(data))
        return _seal(temporary)

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        try:
            with open(self._existing(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise NotFound(key) from None

    def fetch(self, key: str, path: Path, sha256: str | None = None) -> ObjectInfo:
        """See `Store.fetch`; what this store wrote is linked, as nobody writes to it; what was dropped in is copied."""
        source = self._existing(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if key.startswith(ARTIFACTS):
                os.link(source, path)
            elif key.startswith(LANDING) and self._wrote(key, source):
                Path(source).chmod(_READ_ONLY)  # an artifact will be the same file
                os.link(source, path)
            elif not _share(Path(source), path):
                shutil.copyfile(source, path, follow_symlinks=False)
            if sha256 is not None and _digest(path, hashlib.sha256()) != sha256:
                raise ChecksumMismatch(f"{key}: its bytes are not those of sha256 {sha256[:12]}...; restore the object")
        except FileNotFoundError:
            raise NotFound(key) from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return self.head(key)

    def head(self, key: str) -> ObjectInfo:
        """See `Store.head`."""
        path = self._existing(key)
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            raise NotFound(key) from None
        return ObjectInfo(key, found.st_size, self._read_sidecar(key, found), found.st_mtime)

    def etag_of(self, path: Path) -> str:
        """See `Store.etag_of`."""
        return _digest(path, hashlib.md5(usedforsecurity=False))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `Store.list`."""
        for key in self._walk(prefix):
            with suppress(NotFound):  # deleted between the listing and the look
                yield self.head(key)

    def children(self, prefix: str) -> Iterator[str]:
        """See `Store.children`."""
        try:
            entries = sorted(os.scandir(self.root / prefix), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            usable = (prefix or entry.name != PRIVATE) and is_key(entry.name) and not entry.is_symlink()
            if usable and _holds_file(entry):
                yield entry.name

    def exists(self, key: str) -> bool:
        """See `Store.exists`."""
        try:
            self._existing(key)
        except NotFound:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Store.keys`."""
        return self._walk(prefix)

    def make_bucket(self) -> bool:
        """See `Store.make_bucket`; the folder is there."""
        return False

    def reach(self) -> None:
        """See `Store.reach`."""

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        path = self._path(key)
        with _usable(self.root), self._locked(key):
            path.unlink(missing_ok=True)
            self._sidecar(key).unlink(missing_ok=True)

    def unusable(self, prefix: str) -> Iterator[str]:
        """See `Store.unusable`; links are not objects either."""
        for path, relative in self._files(prefix):
            if path.is_symlink() or not is_key(relative):
                yield relative

    def _path(self, key: str) -> Path:
        if check_key(key).split("/")[0] == PRIVATE:
            raise BadKey(f"key {key[:80]!r} is the store's own")
        return self.root / key

    def _existing(self, key: str) -> str:
        """Return the path of a key's file; a link on the way, which may lead outside, is not an object.

        Paths are texts here: an item is looked at in microseconds, and a store holds a million.
        """
        if check_key(key).partition("/")[0] == PRIVATE:
            raise BadKey(f"key {key[:80]!r} is the store's own")
        path, mode = self._root, 0
        for segment in key.split("/"):
            path = f"{path}/{segment}"
            try:
                mode = os.lstat(path).st_mode
            except (FileNotFoundError, NotADirectoryError):
                raise NotFound(key) from None
            if stat.S_ISLNK(mode):
                raise NotFound(key)
        if not stat.S_ISREG(mode):
            raise NotFound(key)
        return path

    def _files(self, prefix: str) -> Iterator[tuple[Path, str]]:
        """Yield (path, relative name) of the files below a prefix, by relative name; links are not followed."""
        folder = prefix.rpartition("/")[0]
        yield from _scan(self.root / folder, folder, prefix)

    def _walk(self, prefix: str) -> Iterator[str]:
        for path, relative in self._files(prefix):
            if is_key(relative) and not path.is_symlink():
                yield relative

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        # 256 locks instead of one per key: the folder stays small, and two keys on one lock only wait.
        name = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:2]
        with (self._private / "locks" / name).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _sidecar(self, key: str) -> Path:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self._private / "meta" / digest[:2] / f"{digest}.json"

    def _write_sidecar(self, key: str, file: Path, etag: str) -> None:
        path = self._sidecar(key)
        _make_folders(path.parent)
        temporary = self._private / "tmp" / uuid.uuid4().hex
        sidecar = {"file": _identity(file.stat()), "etag": etag}
        _write(temporary, [json.dumps(sidecar).encode()])
        temporary.replace(path)
        _sync(path.parent)

    def _read_sidecar(self, key: str, found: os.stat_result) -> str:
        return self._written_etag(key, found) or "-".join(f"{n:x}" for n in _identity(found))

    def _wrote(self, key: str, path: str) -> bool:
        return self._written_etag(key, os.lstat(path)) is not None

    def _written_etag(self, key: str, found: os.stat_result) -> str | None:
        """Return the etag of a file as this store wrote it; None if somebody else did, or changed it."""
        try:
            sidecar: dict[str, Any] = json.loads(self._sidecar(key).read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return str(sidecar["etag"]) if sidecar.get("file") == _identity(found) else None


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Hold a run's folder; what a killed run left in its scratch, `tmp` and `work`, is removed.

    Raises:
        StoreLocked: another run holds it.
    """
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "run.lock").open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(f"{what}: another run uses this store; wait for it or end it") from None
        with _usable(folder):
            for scratch in (folder / "tmp", folder / "work"):
                if scratch.is_dir():
                    shutil.rmtree(scratch)
                scratch.mkdir()
        yield


@contextmanager
def _usable(folder: Path, needed: int = 0) -> Iterator[None]:
    """Say in one line why a store's folder cannot be written to.

    Raises:
        StoreFull: the disk is full or read-only.
        StoreError: it is not a folder, or not this user's to write to.
    """
    try:
        with room(folder, needed):
            yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        where = error.filename or folder
        raise StoreError(f"{where}: {error.strerror}; give a --store that is a folder you may write to") from error


def _identity(found: os.stat_result) -> list[int]:
    return [found.st_ino, found.st_mtime_ns, found.st_size]


def _holds_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a folder that has one: objects that were deleted leave their folders."""
    if not entry.is_dir(follow_symlinks=False):
        return True
    try:
        with os.scandir(entry.path) as entries:
            return any(map(_holds_file, entries))
    except FileNotFoundError:
        return False


def _scan(folder: Path, relative: str, prefix: str) -> Iterator[tuple[Path, str]]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return

    # A folder sorts as if its name ended in "/": so the walk is ascending by whole key, as S3 lists.
    def order(entry: os.DirEntry[str]) -> str:
        return entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name

    for entry in sorted(entries, key=order):
        if not relative and entry.name == PRIVATE:
            continue
        name = f"{relative}/{entry.name}" if relative else entry.name
        if entry.is_dir(follow_symlinks=False):
            if (name + "/").startswith(prefix) or prefix.startswith(name + "/"):
                yield from _scan(Path(entry.path), name, prefix)
        elif name.startswith(prefix):
            yield Path(entry.path), name


def _share(source: Path, target: Path) -> bool:
    """Make a new file that shares the bytes of another one until either changes; False where the disk cannot."""
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        with target.open("xb") as out:
            fcntl.ioctl(out.fileno(), _FICLONE, reading)
    except OSError as error:
        target.unlink(missing_ok=True)
        if error.errno in {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM}:
            return False
        raise
    finally:
        os.close(reading)
    return True


def _link_read_only(source: Path, target: Path) -> bool:
    """Make a hard link; return False where it cannot be: the file is on another disk, or somebody else's."""
    try:
        os.link(source, target, follow_symlinks=False)
        target.chmod(_READ_ONLY)
    except OSError as error:
        target.unlink(missing_ok=True)
        if error.errno in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP}:
            return False
        raise
    return True


def _seal(path: Path) -> tuple[str, int]:
    """Sync a file that is there; (MD5, size)."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest(), file.tell()


def _write(path: Path, blocks: Iterable[bytes]) -> tuple[str, int]:
    """Write and sync a file; (MD5, size)."""
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("xb") as out:
        for block in blocks:
            digest.update(block)
            size += len(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest(), size


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _digest(path: Path, digest: Any) -> str:
    for block in _blocks(path):
        digest.update(block)
    return str(digest.hexdigest())


def _link_new(source: Path, target: Path, key: str) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise PreconditionFailed(f"{key} exists") from None


def _make_folders(folder: Path) -> bool:
    """Make a folder and those above it, each entry durable; False where a file stands in the way."""
    if folder.is_dir():
        return True
    if not _make_folders(folder.parent):
        return False
    try:
        folder.mkdir(exist_ok=True)  # another thread may have made it since
    except FileExistsError:
        return False
    _sync(folder.parent)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
