"""The declared table of who may do what in the bucket, and its form as S3 policies."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from shared.items.landing import PREFIX as LANDING_PREFIX
from shared.stage import AnyStage, published, registry
from shared.stage.deployment import Patterns, Service
from shared.stage.due import LANDING

BUCKET: Final = ""
"""The pattern of the bucket itself, whose objects may be listed."""

EVERYTHING: Patterns = (BUCKET, "*")
"""What every user reads: plans look at the whole catalogue, jobs at what others published; nothing in it is secret.

Everybody may list the bucket: without that right, S3 calls an absent object forbidden, and nobody learns whether the
bucket answers.
"""

LANDED: Patterns = (f"{LANDING_PREFIX}*",)
CUBE: Patterns = ("cube/*",)
RESULTS: Patterns = ("artifacts/*", "failures/*")
"""What every stage writes: nothing is true before an item names it, and a failure stops one job at most."""

TAGS: Patterns = ("cube/refs/tag.*",)
"""A stage that reads the cube may keep the snapshot that it read."""

ROOM: Final = 3891
"""Bytes of a bucket's policy that versitygw can keep on ext4, in an extended attribute."""

_MANY: Final = 3
"""From so many users with the same right on, one statement names them all: that is shorter than one statement each."""


@dataclass(frozen=True)
class Grant:
    """What one user may do beside reading.

    Attributes:
        user: name of a service, or of whoever acts beside them.
        writes: objects to put.
        deletes: objects to delete.
    """

    user: str
    writes: Patterns = ()
    deletes: Patterns = ()


PEOPLE: Final = (
    Grant("deliver", LANDED),
    Grant(
        "operator",
        (
            *RESULTS,  # a failure record is dismissed by an object beside it; one right for both keeps the policy short
            "items/withdrawals/*",
            "items/training-requests/*",
            "items/model-imports/*",
            "items/promotions/*",
            "reprocess/*",
        ),
        ("failures/*", "receipts/*"),
    ),
    # The oldest snapshot that stays is written again, as one without a predecessor.
    Grant("prune", ("cube/snapshots/*",), ("artifacts/*", "cube/*", "index/*", *LANDED)),
)
"""Who acts beside the services: whoever delivers products, who runs the installation, and who frees space."""


def grants(stages: Iterable[AnyStage] | None = None, services: Iterable[Service] | None = None) -> list[Grant]:
    """Return the table: one line for each stage, each other service, and whoever acts beside them.

    Args:
        stages: the stages; those of the registry where not given.
        services: the services without a stage; those of the registry where not given.
    """
    stages = registry.all_stages() if stages is None else stages
    services = registry.other_services() if services is None else services
    stages = list(stages)
    everywhere = frozenset(collection for stage in stages for collection in published(stage))
    of_stages = (_of_stage(stage, everywhere - {*published(stage)}) for stage in stages)
    return [*of_stages, *(Grant(s.name, s.writes, s.deletes) for s in services), *PEOPLE]


def _of_stage(stage: AnyStage, others: Set[str]) -> Grant:
    """Return the grant of a stage: its own items, and results, failures and receipts."""
    own = _items_of(published(stage), others)
    if LANDING in stage.consumes:
        own.append("receipts/*")
    if stage.cube:
        own += CUBE if stage.cube == "write" else TAGS
    return Grant(stage.name, (*RESULTS, *own))


def _items_of(collections: Sequence[str], others: Set[str]) -> list[str]:
    """Return the patterns of a stage's items: one for several that begin alike, where nobody else's do.

    The policy of a bucket has to be short, and nobody else may write below such a beginning.
    """
    families = [f"{collection.partition('-')[0]}-" for collection in collections]
    one_for_all = {
        family for family in families if families.count(family) > 1 and not any(o.startswith(family) for o in others)
    }
    patterns = (
        f"items/{family}*" if family in one_for_all else f"items/{collection}/*"
        for collection, family in zip(collections, families, strict=True)
    )
    return list(dict.fromkeys(patterns))


def who_may(verb: str, key: str) -> str | None:
    """Return who beside the services may write or delete an object; None where nobody may.

    Args:
        verb: `write` or `delete`.
        key: the object's key.
    """
    for grant in PEOPLE:
        if any(fnmatchcase(key, pattern) for pattern in {"write": grant.writes, "delete": grant.deletes}[verb]):
            return grant.user
    return None


def user_policy(grant: Grant, bucket: str) -> dict[str, Any]:
    """Return the policy of one user."""
    rights = ((_READ, EVERYTHING), (_WRITE, grant.writes), (_DELETE, grant.deletes))
    statements = [_allow(actions, patterns, bucket) for actions, patterns in rights if patterns]
    return {"Version": "2012-10-17", "Statement": statements}


def bucket_policy(table: Sequence[Grant], bucket: str) -> dict[str, Any]:
    """Return one policy of the bucket for all users, where the store has no policies of users.

    It says what the table says and nothing else, in few bytes.
    """
    return _document([*_shared(table), *_own(table)], bucket)


def coarse_bucket_policy(table: Sequence[Grant], bucket: str, room: int = ROOM) -> dict[str, Any]:
    """Return a policy of the bucket that fits, in which stages share the right to write each other's items.

    As few of them as make it fit, each with as few others as may be; only who writes nothing of its own but items.

    Args:
        table: the grants.
        bucket: the bucket's name.
        room: bytes that the store can keep.
    """
    shared, own = _shared(table), _own(table)
    while size_of(policy := _document([*shared, *own], bucket)) > room:
        mergeable = [s for s in own if s[0] == _WRITE and all(p.startswith("items/") for p in s[2])]
        if len(mergeable) < 2:
            break
        first, second = sorted(mergeable, key=lambda s: len(s[1]))[:2]
        own = [s for s in own if s not in (first, second)]
        own.append((_WRITE, (*first[1], *second[1]), (*first[2], *second[2])))
    return policy


def size_of(policy: dict[str, Any]) -> int:
    """Return the bytes of a policy as it is sent."""
    return len(as_sent(policy))


def as_sent(policy: dict[str, Any]) -> str:
    """Return a policy as JSON without spaces."""
    return json.dumps(policy, separators=(",", ":"))


_Actions = tuple[str, ...]
_Statement = tuple[_Actions, tuple[str, ...], Patterns]
"""(actions, users, patterns)."""

# Giving up an upload takes its id, which only the user who began it knows.
_READ: Final[_Actions] = ("s3:GetObject", "s3:AbortMultipartUpload", "s3:ListBucket")
_WRITE: Final[_Actions] = ("s3:PutObject",)
_DELETE: Final[_Actions] = ("s3:DeleteObject",)


def _shared(table: Sequence[Grant]) -> list[_Statement]:
    """Return the statements of many users: what all may read, and what many may write."""
    writers = defaultdict[tuple[str, ...], list[str]](list)
    for pattern, users in _users_of(table).items():
        if len(users) >= _MANY:
            writers[users].append(pattern)
    reading: _Statement = (_READ, tuple(grant.user for grant in table), EVERYTHING)
    return [reading, *((_WRITE, users, tuple(patterns)) for users, patterns in writers.items())]


def _own(table: Sequence[Grant]) -> list[_Statement]:
    """Return the statements of one user: what few others may write, and what it may delete."""
    many = {pattern for pattern, users in _users_of(table).items() if len(users) >= _MANY}
    writes: list[_Statement] = [(_WRITE, (g.user,), tuple(p for p in g.writes if p not in many)) for g in table]
    deletes: list[_Statement] = [(_DELETE, (g.user,), g.deletes) for g in table]
    return [statement for statement in (*writes, *deletes) if statement[2]]


def _users_of(table: Sequence[Grant]) -> dict[str, tuple[str, ...]]:
    """Return who may write each pattern."""
    return {p: tuple(g.user for g in table if p in g.writes) for grant in table for p in grant.writes}


def _document(statements: Iterable[_Statement], bucket: str) -> dict[str, Any]:
    """Return a policy that leaves out what versitygw does without: the version, and lists of one."""
    said = ((_allow(actions, patterns, bucket), users) for actions, users, patterns in statements)
    return {"Statement": [{**allowed, "Principal": _short(users)} for allowed, users in said]}


def _allow(actions: _Actions, patterns: Patterns, bucket: str) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}/{pattern}" if pattern else f"arn:aws:s3:::{bucket}" for pattern in patterns]
    return {"Effect": "Allow", "Action": _short(actions), "Resource": _short(resources)}


def _short(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
