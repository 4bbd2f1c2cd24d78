"""The Icechunk repository of a cube: opened or made, and written to one at a time on a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import icechunk

MAIN = "main"

# Its warning that a folder is not safe for concurrent commits goes to standard output: the lock sees to that.
icechunk.set_logs_filter("error")


def open_repository(location: str) -> icechunk.Repository:
    """Open the repository at a location, made if absent."""
    config = icechunk.RepositoryConfig.default()
    # A week's manifest is read and rewritten alone, however many years the cube holds.
    split = icechunk.ManifestSplittingConfig.from_dict(
        {icechunk.ManifestSplitCondition.AnyArray(): {icechunk.ManifestSplitDimCondition.DimensionName("week"): 1}}
    )
    config.manifest = icechunk.ManifestConfig(splitting=split)
    if "://" not in location:
        # Two ranges of a chunk are read at once, each in one go; a single one would come 8 KiB at a time.
        requests = icechunk.StorageConcurrencySettings(
            max_concurrent_requests_for_object=2, ideal_concurrent_request_size=4096
        )
        config.storage = icechunk.StorageSettings(concurrency=requests)
    storage = _storage(location)
    if icechunk.Repository.exists(storage):
        return icechunk.Repository.open(storage, config=config)
    with one_at_a_time(location):
        try:
            return icechunk.Repository.open_or_create(storage, config=config)
        except icechunk.IcechunkError:  # two that create at once: the other was faster
            return icechunk.Repository.open(storage, config=config)


def _storage(location: str) -> icechunk.Storage:
    if "://" not in location:
        Path(location).mkdir(parents=True, exist_ok=True)
        return icechunk.local_filesystem_storage(location)
    # Its settings are the store's, and boto3 knows every place where keys may be.
    import boto3

    from shared.store.s3 import S3Settings

    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    settings, session = S3Settings(), boto3.session.Session()
    keys = session.get_credentials()
    found = keys.get_frozen_credentials() if keys else None
    return icechunk.s3_storage(
        bucket=bucket,
        prefix=prefix,
        region=settings.region,
        endpoint_url=settings.endpoint or None,
        allow_http=settings.endpoint.startswith("http://"),
        force_path_style=bool(settings.endpoint),
        access_key_id=found.access_key if found else None,
        secret_access_key=found.secret_key if found else None,
        session_token=found.token if found else None,
        from_env=None if found else True,
    )


@contextmanager
def one_at_a_time(location: str) -> Iterator[None]:
    """Hold the lock beside a cube's folder: Icechunk on a folder loses commits of concurrent writers, so they wait.

    On S3 commits are conditional writes, and writers need not wait.
    """
    if "://" in location:
        yield
        return
    folder = Path(location)
    with (folder.parent / f".{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
