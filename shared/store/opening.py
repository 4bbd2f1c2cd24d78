"""Open the store that a `--store` option names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.store.folder import FolderStore
from shared.store.protocol import Store

SCHEME: Final = "s3://"
BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""What S3 takes as a bucket's name."""


def open_store(location: str, notify: Callable[[bytes], None] | None = None) -> Store:
    """Return the store at `s3://BUCKET`, or in a folder; it is not looked at yet.

    Args:
        location: where.
        notify: called with each "object created" event; None = nobody, or the store's own notifications.

    Raises:
        ValueError: a URL that names no bucket alone.
    """
    if not location.startswith(SCHEME):
        if "://" in location or location.startswith("s3:"):
            raise ValueError(f"{location}: no store; use s3://BUCKET or a folder")
        return FolderStore(Path(location), notify)
    bucket = location.removeprefix(SCHEME).rstrip("/")
    if not bucket or "/" in bucket:
        raise ValueError(f"{location}: name the bucket alone, as in s3://landstream")
    if not BUCKET.fullmatch(bucket):
        raise ValueError(f"{location}: a bucket's name has 3 to 63 lower case letters, digits, dashes and dots")
    # boto3 takes half a second to load: embedded runs do without it.
    from shared.store.s3 import S3Store

    return S3Store(bucket, notify=notify)
