"""The declared table of who may do what in the bucket, and its form as S3 policies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from services.sweeper.driver import REQUESTS
from shared.items.landing import PREFIX as LANDING_PREFIX
from shared.stage import Stage
from shared.stage.due import LANDING

Patterns = tuple[str, ...]
"""Keys with `*` for anything; the empty one is the bucket itself, whose objects may be listed."""

BUCKET: Final = ""

SHARED: Patterns = (
    BUCKET,
    "area.json",
    "stack.json",
    "catalog.json",
    "*/collection.json",
    "artifacts/*",
    "failures/*",
    "items/*",
    "receipts/*",
    "reprocess/*",
)
"""What every service reads: a plan looks at the whole catalogue, a job at what others published.

All of the bucket is listed: without that right, S3 calls an object that is not there forbidden, and tells nobody
whether the bucket answers.
"""

LANDED: Patterns = (f"{LANDING_PREFIX}*",)
CUBE: Patterns = ("cube/*",)
DELIVERED: Patterns = (BUCKET, "area.json", *LANDED)
TAGS: Patterns = ("cube/refs/tag.*",)
"""Who reads the cube may keep the snapshot that it read."""


@dataclass(frozen=True)
class Grant:
    """What one user may do. Nobody may delete; what may be written may be read too.

    Attributes:
        user: the service's name.
        reads: objects to get, in sets that users share.
        writes: objects to put.
    """

    user: str
    reads: tuple[Patterns, ...]
    writes: Patterns


def grants(stages: Iterable[Stage]) -> list[Grant]:
    """The table: one line for each service, the sweeper, the model sync and whoever delivers products."""
    sweeper = Grant("sweeper", (SHARED,), (f"items/{REQUESTS}/*", "catalog.json", "*/collection.json"))
    sync = Grant("model-sync", (SHARED,), ())
    deliver = Grant("deliver", (DELIVERED,), LANDED)
    return [*map(_of_stage, stages), sweeper, sync, deliver]


def _of_stage(stage: Stage) -> Grant:
    """A service writes its own results, failures and receipts."""
    reads = [SHARED]
    writes = [f"failures/{stage.name}/*"]
    for collection in stage.publishes:
        writes += [f"artifacts/{collection}/*", f"items/{collection}/*"]
    if LANDING in stage.consumes:
        reads.append(LANDED)
        writes.append("receipts/*")
    if stage.cube:
        reads.append(CUBE)
        writes += CUBE if stage.cube == "write" else TAGS
    return Grant(stage.name, tuple(reads), tuple(writes))


def bucket_policy(table: Iterable[Grant], bucket: str) -> dict[str, Any]:
    """One policy of the bucket for all users, where the store has no policies of users.

    Users who may do the same share a statement: versitygw on ext4 has room for 3.8 KB.
    """
    readers, writers = defaultdict[Patterns, list[str]](list), defaultdict[Patterns, list[str]](list)
    for grant in table:
        for patterns in grant.reads:
            readers[patterns].append(grant.user)
        if grant.writes:
            writers[grant.writes].append(grant.user)
    return _policy(
        {**statement, "Principal": {"AWS": users}}
        for may, table in ((_read, readers), (_write, writers))
        for patterns, users in table.items()
        for statement in [may(patterns, bucket)]
    )


def user_policy(grant: Grant, bucket: str) -> dict[str, Any]:
    """The policy of one user."""
    writes = [_write(grant.writes, bucket)] if grant.writes else []
    return _policy([*(_read(patterns, bucket) for patterns in grant.reads), *writes])


def _read(patterns: Patterns, bucket: str) -> dict[str, Any]:
    # To give up an upload takes its id, which only who began it knows.
    actions = ["s3:GetObject", "s3:AbortMultipartUpload"]
    return _allow([*actions, "s3:ListBucket"] if BUCKET in patterns else actions, patterns, bucket)


def _write(patterns: Patterns, bucket: str) -> dict[str, Any]:
    return _allow("s3:PutObject", patterns, bucket)


def _allow(actions: str | list[str], patterns: Patterns, bucket: str) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}/{pattern}" if pattern else f"arn:aws:s3:::{bucket}" for pattern in patterns]
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _policy(statements: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
