"""The declared table of who may do what in the bucket, and its form as S3 policies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.items.landing import PREFIX as LANDING_PREFIX
from shared.stage import Stage
from shared.stage.due import LANDING
from shared.sweep.driver import REQUESTS

CATALOGUE = ("failures/", "items/", "receipts/", "reprocess/")
"""What every plan looks at."""

BOUND = ("area.json", "stack.json")


@dataclass(frozen=True)
class Grant:
    """What one user may do; patterns are keys or prefixes that end in `*`. Nobody may delete.

    Attributes:
        user: the service's name.
        reads: objects to get.
        lists: prefixes to list.
        writes: objects to put.
    """

    user: str
    reads: tuple[str, ...]
    lists: tuple[str, ...]
    writes: tuple[str, ...]


def grants(stages: Iterable[Stage]) -> list[Grant]:
    """The table: one line for each service, the sweeper, the model sync and whoever delivers products."""
    stages = list(stages)
    collections = sorted({c for s in stages for c in s.publishes} | {REQUESTS})
    everything = tuple(f"{prefix}*" for prefix in CATALOGUE)
    sweeper = Grant(
        "sweeper",
        reads=(*BOUND, *everything, "catalog.json", *(f"{c}/collection.json" for c in collections)),
        lists=(*CATALOGUE, LANDING_PREFIX),
        writes=(f"items/{REQUESTS}/*", "catalog.json", *(f"{c}/collection.json" for c in collections)),
    )
    sync = Grant("model-sync", (*BOUND, *everything, "artifacts/models/*"), CATALOGUE, ())
    deliver = Grant("deliver", (), (LANDING_PREFIX,), (f"{LANDING_PREFIX}*",))
    return [*map(_of_stage, stages), sweeper, sync, deliver]


def _of_stage(stage: Stage) -> Grant:
    """A service reads the catalogue and artifacts, and writes its own results, failures and receipts."""
    reads = [*BOUND, *(f"{prefix}*" for prefix in CATALOGUE), "artifacts/*"]
    lists = list(CATALOGUE)
    writes = [f"failures/{stage.name}/*"]
    for collection in stage.publishes:
        writes += [f"artifacts/{collection}/*", f"items/{collection}/*"]
    if LANDING in stage.consumes:
        reads.append(f"{LANDING_PREFIX}*")
        lists.append(LANDING_PREFIX)
        writes.append("receipts/*")
    if stage.cube:
        reads.append("cube/*")
        lists.append("cube/")
        # Who reads the cube may keep the snapshot that it read, under a tag.
        writes.append("cube/*" if stage.cube == "write" else "cube/refs/tag.*")
    return Grant(stage.name, tuple(reads), tuple(lists), tuple(writes))


def statements(grant: Grant, bucket: str, principal: str | None = None) -> list[dict[str, Any]]:
    """A grant as statements of an S3 policy.

    Args:
        grant: the grant.
        bucket: the bucket.
        principal: the user, where the policy is the bucket's; None = the policy is the user's own.
    """
    who = {"Principal": {"AWS": [principal]}} if principal else {}
    arn = f"arn:aws:s3:::{bucket}"

    def allow(actions: list[str], resources: list[str], **condition: Any) -> dict[str, Any]:
        return {"Effect": "Allow", **who, "Action": actions, "Resource": resources, **condition}

    found = [
        allow(
            ["s3:ListBucket"],
            [arn],
            Condition={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in grant.lists]}},
        )
    ]
    if grant.reads:
        found.append(allow(["s3:GetObject"], [f"{arn}/{pattern}" for pattern in grant.reads]))
    if grant.writes:
        # Who wrote an object looks at it: the answer to a put may have been lost.
        actions = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
        found.append(allow(actions, [f"{arn}/{pattern}" for pattern in grant.writes]))
    return found


def bucket_policy(table: Iterable[Grant], bucket: str) -> dict[str, Any]:
    """One policy of the bucket for all users, where the store has no policies of users."""
    return {"Version": "2012-10-17", "Statement": [s for g in table for s in statements(g, bucket, g.user)]}


def user_policy(grant: Grant, bucket: str) -> dict[str, Any]:
    """The policy of one user."""
    return {"Version": "2012-10-17", "Statement": statements(grant, bucket)}
