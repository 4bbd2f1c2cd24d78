"""The declared table: what each user needs, no more; and its policies."""

from __future__ import annotations

import json
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from landstream.provision.grants import BUCKET, CUBE, LANDED, SHARED, TAGS, Grant, bucket_policy, grants, user_policy
from shared.stage import registry
from tools.make_secrets import USERS, credentials

STAGES = registry.all_stages()
TABLE = {grant.user: grant for grant in grants(STAGES)}
ROOM = 3891
"""Bytes of a bucket's policy that versitygw can keep on ext4."""


def writers(key: str) -> set[str]:
    return {user for user, grant in TABLE.items() if any(fnmatchcase(key, p) for p in grant.writes)}


def test_every_service_has_a_user_whose_keys_are_made() -> None:
    assert set(TABLE) == {*USERS} == {*registry.names(), "sweeper", "model-sync", "deliver"}


def test_only_who_publishes_a_collection_writes_it() -> None:
    for stage in STAGES:
        for collection in stage.publishes:
            assert writers(f"items/{collection}/2018-W23/x.json") == {stage.name}
            assert writers(f"artifacts/{collection}/2018-W23/x/a.tif") == {stage.name}
        assert writers(f"failures/{stage.name}/x.json") == {stage.name}
    assert writers("items/training-requests/static/x.json") == {"sweeper"}


def test_only_the_tiler_writes_the_cube_and_its_readers_tags() -> None:
    assert writers("cube/chunks/x") == writers("cube/refs/branch.main/ref.json") == {"tiler"}
    assert writers("cube/refs/tag.x/ref.json") == {"tiler", "trainer", "inference"}
    assert TABLE["tiler"].writes[-1:] == CUBE
    assert TABLE["trainer"].writes[-1:] == TABLE["inference"].writes[-1:] == TAGS


def test_nobody_writes_what_binds_a_store_or_orders_work() -> None:
    for key in ("area.json", "stack.json", "reprocess/tiler/2018-W23-v1.json", "probe/x"):
        assert writers(key) == set()


def test_deliveries_are_written_by_deliver_and_read_by_ingest() -> None:
    assert writers("landing/x/y") == {"deliver"}
    assert {user for user, grant in TABLE.items() if LANDED in grant.reads} == {"ingest"}
    assert TABLE["deliver"].reads == ((BUCKET, "area.json", "landing/*"),)
    assert writers("receipts/x.json") == {"ingest"}


def test_a_policy_of_a_user_is_its_line_of_the_table() -> None:
    policy = user_policy(Grant("u", ((BUCKET, "a.json", "b/*"),), ("c/*",)), "land")
    assert policy["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:AbortMultipartUpload", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::land", "arn:aws:s3:::land/a.json", "arn:aws:s3:::land/b/*"],
        },
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": ["arn:aws:s3:::land/c/*"]},
    ]
    assert len(user_policy(TABLE["model-sync"], "land")["Statement"]) == 1  # S3 refuses a statement without resources


def test_the_policy_of_the_bucket_says_the_same_as_those_of_the_users() -> None:
    def allowed(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
        actions = [([s["Action"]] if isinstance(s["Action"], str) else s["Action"], s["Resource"]) for s in statements]
        return {(a, r) for acts, resources in actions for a in acts for r in resources}

    policy = bucket_policy(TABLE.values(), "land")
    for user, grant in TABLE.items():
        theirs = [s for s in policy["Statement"] if user in s["Principal"]["AWS"]]
        assert allowed(theirs) == allowed(user_policy(grant, "land")["Statement"]), user
    assert sum(SHARED[-1] in str(s["Resource"]) for s in policy["Statement"]) == 1


def test_the_policy_of_the_bucket_fits_a_gateway_on_ext4() -> None:
    key = credentials("x" * 8, "").split()[3]  # what is appended to a user's name has 8 digits
    named = [replace(grant, user=grant.user + key) for grant in TABLE.values()]
    assert len(json.dumps(bucket_policy(named, "landstream"), separators=(",", ":"))) <= ROOM
