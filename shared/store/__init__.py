"""Object stores: a protocol and its adapters, which pass one contract suite."""

from shared.store.area import AREA_KEY, FORMAT, OtherFormat, area_json, read_area, read_format
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
    StoreFull,
    StoreLocked,
    StoreUnavailable,
    UnsafeStore,
)

__all__ = [
    "AREA_KEY",
    "FORMAT",
    "ChecksumMismatch",
    "FolderStore",
    "Forbidden",
    "NotFound",
    "ObjectInfo",
    "OtherFormat",
    "PreconditionFailed",
    "Store",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreUnavailable",
    "UnsafeStore",
    "area_json",
    "open_store",
    "probe",
    "read_area",
    "read_format",
]
