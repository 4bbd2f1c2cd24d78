"""Object stores: a protocol and its adapters, which pass one contract suite."""

from shared.store.folder import FolderStore
from shared.store.opening import open_store
from shared.store.probe import probe
from shared.store.protocol import (
    ChecksumMismatch,
    Forbidden,
    NotFound,
    ObjectInfo,
    PreconditionFailed,
    Store,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    UnsafeStore,
)

__all__ = [
    "ChecksumMismatch",
    "FolderStore",
    "Forbidden",
    "NotFound",
    "ObjectInfo",
    "PreconditionFailed",
    "Store",
    "StoreError",
    "StoreLocked",
    "StoreUnavailable",
    "UnsafeStore",
    "open_store",
    "probe",
]
