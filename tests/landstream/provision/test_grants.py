"""The declared table: what each user needs, no more; and its policies, for as many services as may come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
import typer

from landstream.commands.opening import fail
from landstream.provision.grants import (
    BUCKET,
    CUBE,
    EVERYTHING,
    ROOM,
    TAGS,
    Grant,
    bucket_policy,
    coarse_bucket_policy,
    grants,
    size_of,
    user_policy,
    who_may,
)
from shared.stage import Stage, published, registry
from shared.store import Forbidden
from tools.make_secrets import USERS, access_key

STAGES = registry.all_stages()
TABLE = {grant.user: grant for grant in grants()}
OTHERS = {service.name for service in registry.other_services()}
TODAY = len(registry.all_services())
LAND = "landstream"
Right = tuple[str, str]
"""(action, key)."""


def stages(services: int) -> list[Stage]:
    """The stages among so many services: today's, and further ones as plain as README's example."""
    more = (f"stage-{n:02d}" for n in range(len(STAGES), services - len(OTHERS)))
    like = registry.load("rasterize")

    def plain(name: str) -> Stage:
        own = replace(like.publishes[0], name=f"collection-{name[-2:]}")
        return replace(like, name=name, publishes=(own,))

    return [*STAGES, *map(plain, more)]


def named(table: Sequence[Grant]) -> list[Grant]:
    """A table whose users have access keys as `make secrets` makes them."""
    return [replace(grant, user=f"{n:02d}{access_key(grant.user)[2:]}") for n, grant in enumerate(table)]


def writers(key: str) -> set[str]:
    return {user for user, grant in TABLE.items() if any(fnmatchcase(key, p) for p in grant.writes)}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def may(policy: dict[str, Any], user: str | None, action: str, key: str) -> bool:
    """What S3 would answer: whether a statement names user, action and resource; None = the policy of one user."""
    resource = f"arn:aws:s3:::{LAND}/{key}" if key else f"arn:aws:s3:::{LAND}"
    return any(
        (user is None or user in listed(s["Principal"]))
        and action in listed(s["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in listed(s["Resource"]))
        for s in policy["Statement"]
    )


def allows(grant: Grant, action: str, key: str) -> bool:
    """What the table says."""
    patterns = {"s3:GetObject": EVERYTHING, "s3:PutObject": grant.writes, "s3:DeleteObject": grant.deletes}
    if action == "s3:ListBucket":
        return True
    return any(fnmatchcase(key, pattern) for pattern in patterns[action])


def rights(table: Sequence[Grant]) -> Iterator[Right]:
    """Every action on the bucket, on a key of each pattern of the table, and on foreign ones."""
    patterns = {p for g in table for p in (*g.writes, *g.deletes)}
    yield "s3:ListBucket", BUCKET
    keys = {"area.json", "stack.json", "probe/x", "foreign/x", *(p.replace("*", "x/y") for p in patterns)}
    for key in sorted(keys):
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            yield action, key


def test_every_service_has_a_user_whose_keys_are_made() -> None:
    assert set(TABLE) == {*USERS} == {*registry.names(), *OTHERS, "deliver", "operator", "prune"}


def test_only_who_publishes_a_collection_writes_its_items() -> None:
    for stage in STAGES:
        for collection in published(stage):
            assert writers(f"items/{collection}/2018-W23/x.json") - {"operator"} == {stage.name}
            assert stage.name in writers(f"artifacts/{collection}/2018-W23/x/a.tif")
    assert writers("items/training-requests/static/x.json") == {"sweeper", "operator"}
    assert writers("artifacts/x") == writers("failures/x") == {*registry.names(), "fetch", "operator"}
    assert writers("index/x") == {"sweeper"}


def test_only_the_tiler_writes_the_cube_and_its_readers_tags() -> None:
    assert writers("cube/chunks/x") == writers("cube/refs/branch.main/ref.json") == {"tiler"}
    assert writers("cube/refs/tag.x/ref.json") == {"tiler", "trainer", "inference"}
    assert TABLE["tiler"].writes[-1:] == CUBE
    assert TABLE["trainer"].writes[-1:] == TABLE["inference"].writes[-1:] == TAGS


def test_no_service_writes_what_binds_a_store_or_orders_work() -> None:
    for key in ("area.json", "stack.json", "probe/x"):
        assert writers(key) == set()
    assert writers("reprocess/tiler/2018-W23-v1.json") == {"operator"}
    assert writers("items/withdrawals/static/x.json") == {"fetch", "operator"}, "what the source took away, and people"


def test_deliveries_are_written_by_deliver_and_fetch() -> None:
    assert writers("landing/x/y") == {"deliver", "fetch"}
    assert writers("products/x") == {"fetch"}
    assert writers("receipts/x.zip/0a.json") == {"ingest"}


def test_no_service_deletes_and_two_people_do() -> None:
    assert {user for user, grant in TABLE.items() if grant.deletes} == {"operator", "prune"}
    assert TABLE["operator"].deletes == ("failures/*", "receipts/*")
    assert TABLE["prune"].deletes == ("artifacts/*", "cube/*", "index/*", "landing/*")
    assert TABLE["prune"].writes == ("cube/snapshots/*",), "to expire is to write the oldest one that stays anew"


def test_a_policy_of_a_user_is_its_line_of_the_table() -> None:
    policy = user_policy(Grant("u", ("b/*", "c/*"), ("d/*",)), "land")
    assert policy["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:AbortMultipartUpload", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::land", "arn:aws:s3:::land/*"],
        },
        {
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": ["arn:aws:s3:::land/b/*", "arn:aws:s3:::land/c/*"],
        },
        {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::land/d/*"},
    ]
    assert len(user_policy(TABLE["model-sync"], "land")["Statement"]) == 1  # S3 refuses a statement without resources


@pytest.mark.parametrize("number", [TODAY, 12, 20])
def test_policies_allow_what_the_table_says_and_nothing_else(number: int) -> None:
    table = named(grants(stages(number)))
    policy = bucket_policy(table, LAND)
    for grant in table:
        alone = user_policy(grant, LAND)
        for action, key in rights(table):
            expected = allows(grant, action, key)
            assert may(policy, grant.user, action, key) is expected, (grant, action, key)
            assert may(alone, None, action, key) is expected, (grant, action, key)


@pytest.mark.parametrize("number", [TODAY, 12, 14])
def test_the_exact_policy_of_fourteen_services_fits_a_gateway_on_ext4(number: int) -> None:
    table = named(grants(stages(number)))
    assert size_of(bucket_policy(table, LAND)) <= ROOM
    assert coarse_bucket_policy(table, LAND) == bucket_policy(table, LAND), "no coarser than need be"


@pytest.mark.parametrize("number", [17, 19, 20])
def test_more_services_fit_once_some_may_write_each_others_items(number: int) -> None:
    table = named(grants(stages(number)))
    policy = coarse_bucket_policy(table, LAND)
    assert size_of(policy) <= ROOM < size_of(bucket_policy(table, LAND))
    beyond = set()
    for grant in table:
        for action, key in rights(table):
            if may(policy, grant.user, action, key) is not allows(grant, action, key):
                beyond.add((grant.user, action, key))
    assert beyond
    theirs = {f"items/{c}/x/y" for s in stages(number) for c in published(s)}
    assert {(action, key in theirs) for _, action, key in beyond} == {("s3:PutObject", True)}
    cautious = {g.user for g in table if {"receipts/*", *CUBE, *TAGS} & {*g.writes}}
    assert not cautious & {user for user, _, _ in beyond}, "who writes more than items shares nothing"


def test_as_few_as_may_be_share_a_right() -> None:
    table = named(grants(stages(16)))
    policy = coarse_bucket_policy(table, LAND)
    assert size_of(policy) > ROOM - 200, "the next finer policy would not fit"
    assert max(len(listed(s["Principal"])) for s in policy["Statement"] if "items" in str(s["Resource"])) == 2


def test_who_beside_the_services_may_do_what() -> None:
    assert who_may("delete", "failures/tiler/x.json") == who_may("write", "reprocess/tiler/x.json") == "operator"
    assert who_may("delete", "landing/x/y") == "prune"
    assert who_may("write", "landing/x/y") == "deliver"
    assert who_may("write", "area.json") is who_may("delete", "items/models/x.json") is None


def test_a_command_without_the_right_says_whose_keys_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    for key, whose in (("failures/x.json", "user `operator`"), ("area.json", "store's administrator")):
        with pytest.raises(typer.Exit):
            fail(Forbidden("s3://b", key, "delete"))
        said = f"landstream: s3://b/{key}: these keys may not delete it; use the keys of the {whose}\n"
        assert capsys.readouterr().err == said
