"""What Landstream asks of an object store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class StoreError(Exception):
    """Base of the errors of a store."""


class NotFound(StoreError, LookupError):
    """Raised when there is no object with this key."""


class PreconditionFailed(StoreError):
    """Raised when a conditional put lost: the object exists already."""


class ChecksumMismatch(StoreError):
    """Raised when an object's bytes are not those that its item states."""


class StoreLocked(StoreError):
    """Raised when another run uses a store folder."""


class StoreUnavailable(StoreError):
    """Raised when the store does not answer now: no fault of any job."""


class StoreFull(StoreUnavailable):
    """Raised when a disk or a quota is used up, or became read-only: no fault of any job, and for people to mend."""


class Forbidden(StoreError):
    """Raised when the keys in use may not write or delete an object.

    Args:
        location: the store.
        key: the object's key.
        verb: `write` or `delete`.
    """

    def __init__(self, location: str, key: str, verb: str) -> None:
        super().__init__(f"{location}/{key}: these keys may not {verb} it")
        self.key, self.verb = key, verb


class UnsafeStore(StoreError):
    """Raised when a store lets two conditional creates of one object succeed."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as listed.

    Attributes:
        key: its key.
        size: bytes.
        etag: changes whenever the content does.
        modified_s: seconds since the epoch.
    """

    key: str
    size: int
    etag: str
    modified_s: float


class Store(Protocol):
    """An object store; keys obey `shared.items.keys.check_key`, which raises `BadKey`.

    Attributes:
        bucket: its name in events.
        location: `s3://BUCKET`, or the folder's path.
        remote: whether each request crosses a network, so that few large ones are better than many small ones.
    """

    bucket: str
    location: str
    remote: bool

    def put(
        self,
        key: str,
        data: bytes | Path,
        *,
        create_only: bool = False,
        same_as: ObjectInfo | None = None,
    ) -> ObjectInfo:
        """Store an object atomically and durably: readers see all of it or nothing.

        Args:
            key: its key.
            data: bytes, or a file that is read.
            create_only: refuse to replace.
            same_as: an object of these bytes, as it was fetched: a store that is far away may copy it on its side,
                instead of being sent them again, if it still is that object.

        Raises:
            PreconditionFailed: `create_only` and it exists.
        """

    def get(self, key: str) -> bytes:
        """Return the bytes of a small object.

        Raises:
            NotFound: there is none.
        """

    def fetch(self, key: str, path: Path, sha256: str | None = None) -> ObjectInfo:
        """Stream an object to a new local file, which its reader must not write to.

        Raises:
            NotFound: there is none.
            ChecksumMismatch: its bytes are not those of `sha256`; no file is left.
        """

    def head(self, key: str) -> ObjectInfo:
        """Return the size, etag and time.

        Raises:
            NotFound: there is none.
        """

    def etag_of(self, path: Path) -> str:
        """Return the etag that an object put from this file has."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield all objects below a prefix, page after page."""

    def children(self, prefix: str) -> Iterator[str]:
        """Yield the names directly below a prefix that ends in `/`: of objects, and of what other keys lie below.

        Where the last key below a name was deleted, some stores (SeaweedFS) yield the name for minutes.
        """

    def exists(self, key: str) -> bool:
        """Return whether there is an object with this key."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield all keys below a prefix."""

    def unusable(self, prefix: str) -> Iterator[str]:
        """Return the names that lie below a prefix and are not keys, so that nothing else lists them. For people."""

    def make_bucket(self) -> bool:
        """Make the bucket unless it is there; return whether it was made.

        Raises:
            StoreUnavailable: the store does not answer.
            StoreError: it refuses.
        """

    def reach(self) -> None:
        """Return if the store answers.

        Raises:
            StoreUnavailable: it does not.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
