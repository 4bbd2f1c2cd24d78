"""Object stores: a protocol and its adapters, which pass one contract suite."""

from shared.store.folder import FolderStore
from shared.store.protocol import (
    ChecksumMismatch,
    NotFound,
    ObjectInfo,
    PreconditionFailed,
    Store,
    StoreError,
    StoreLocked,
)

__all__ = [
    "ChecksumMismatch",
    "FolderStore",
    "NotFound",
    "ObjectInfo",
    "PreconditionFailed",
    "Store",
    "StoreError",
    "StoreLocked",
]
