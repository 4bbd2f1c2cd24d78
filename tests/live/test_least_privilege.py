"""What each user of the store may do on versitygw: the declared table, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from landstream.provision.grants import Grant, grants, who_may
from landstream.provision.users import VersityAdministration, read_credentials
from shared.stage import published
from shared.store import Forbidden, StoreError
from shared.store.s3 import S3Settings, S3Store
from tests.conftest import running
from tests.landstream.provision.test_grants import stages as many_stages
from tools.make_secrets import access_key, credentials, make_secrets, write_once
from tools.servers.versitygw import Versitygw

pytestmark = pytest.mark.live

BUCKET, OTHER = "matrix", "another"
STAGES = many_stages(14)
"""As many as ext4 has room for, each with rights of its own."""
TABLE = grants(STAGES)
COLLECTIONS = sorted({c for s in STAGES for c in (*published(s), *s.consumes)} - {"landing"})
KEYS = [
    "area.json",
    "stack.json",
    "landing/S2A_x.SAFE/manifest.safe",
    "receipts/x.zip/0a.json",
    *(f"items/{c}/2018-W23/x--v1-0a1b2c3d.json" for c in COLLECTIONS),
    *(f"artifacts/{c}/2018-W23/x--v1-0a1b2c3d/a-0a1b2c3d4e5f.tif" for c in COLLECTIONS),
    *(f"failures/{s.name}/x.json" for s in STAGES),
    "cube/snapshots/x",
    "cube/refs/branch.main/ref.json",
    "cube/refs/tag.x/ref.json",
    "index/olci-grid/2018-W23/0a.json.zst",
    "items/promotions/static/small-000001.json",
    "catalog.json",
    *(f"{c}/collection.json" for c in COLLECTIONS),
    "reprocess/tiler/2018-W23-v1.json",
    "probe/x",
    "foreign/x",
]
PREFIXES = sorted({"", "items", *(k.rpartition("/")[0] + "/" if "/" in k else k for k in KEYS)})
Operation = Callable[[Any], object]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    """A gateway of our own, so that its users are."""
    server = Versitygw(tmp_path_factory.mktemp("versitygw"))
    with running(server):
        yield server


@pytest.fixture(scope="module")
def clients(gateway: Versitygw, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A client for each user of the table, provisioned; every object of the matrix is there."""
    keys = new_keys(tmp_path_factory.mktemp("secrets"), TABLE)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in gateway.variables().items():
            patch.setenv(name, value)
        store = S3Store(BUCKET, S3Settings())
        store.make_bucket()
        for _ in range(2):  # what is there already is no error
            assert VersityAdministration(store, gateway.admin_url).grant(TABLE, keys) == []
        store.client.create_bucket(Bucket=OTHER)
        for key in KEYS:
            store.client.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    return {grant.user: connect(gateway, *keys[grant.user]) for grant in TABLE}


def new_keys(folder: Path, table: Sequence[Grant]) -> dict[str, tuple[str, str]]:
    """Keys of a table's users, as `make secrets` makes them."""
    make_secrets(folder)
    for grant in table:
        write_once(folder / "users" / grant.user, credentials(access_key(grant.user), "s" * 40))
    return read_credentials(folder / "users", table)


def connect(gateway: Versitygw, access: str, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=gateway.endpoint,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def answer(operation: Operation, client: Any) -> str:
    """`allowed`, `refused`, or what else was said."""
    try:
        operation(client)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return "refused" if status == 403 else f"{status} {error.response['Error']['Code']}"
    return "allowed"


def may(patterns: Iterable[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def matrix(grant: Grant) -> Iterator[tuple[str, Operation, bool]]:
    """(name, operation, whether the table allows it) of everything that is done to objects and prefixes."""
    for key in KEYS:
        where = {"Bucket": BUCKET, "Key": key}
        yield f"get {key}", lambda c, w=where: c.get_object(**w), True
        yield f"put {key}", lambda c, w=where: c.put_object(**w, Body=b"2"), may(grant.writes, key)
    # Those that may not, while what is deleted is still there for all others: each deletes its own, put anew by root.
    for key in KEYS:
        if not may(grant.deletes, key):
            yield f"delete {key}", lambda c, k=key: c.delete_object(Bucket=BUCKET, Key=k), False
    for prefix in PREFIXES:
        yield f"list {prefix!r}", lambda c, p=prefix: c.list_objects_v2(Bucket=BUCKET, Prefix=p), True
    yield "head bucket", lambda c: c.head_bucket(Bucket=BUCKET), True


def around(grant: Grant) -> Iterator[tuple[str, Operation]]:
    """(name, operation) of what nobody may do to buckets, access rules, and objects on detours."""
    here, other, key = {"Bucket": BUCKET}, {"Bucket": OTHER}, "foreign/x"
    policy = '{"Version": "2012-10-17", "Statement": []}'
    mine = next((k for k in KEYS if may(grant.writes, k)), key)
    yield "create bucket", lambda c: c.create_bucket(Bucket=f"new-{grant.user}")
    yield "delete bucket", lambda c: c.delete_bucket(**here)
    yield "delete another bucket", lambda c: c.delete_bucket(**other)
    yield "get bucket policy", lambda c: c.get_bucket_policy(**here)
    yield "put bucket policy", lambda c: c.put_bucket_policy(**here, Policy=policy)
    yield "delete bucket policy", lambda c: c.delete_bucket_policy(**here)
    yield "get bucket ACL", lambda c: c.get_bucket_acl(**here)
    yield "put bucket ACL", lambda c: c.put_bucket_acl(**here, ACL="public-read")
    yield (
        "put ownership",
        lambda c: c.put_bucket_ownership_controls(
            **here, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        ),
    )
    yield "put versioning", lambda c: c.put_bucket_versioning(**here, VersioningConfiguration={"Status": "Enabled"})
    yield "get object ACL", lambda c: c.get_object_acl(**here, Key=mine)
    yield "put object ACL", lambda c: c.put_object_acl(**here, Key=mine, ACL="public-read")
    yield "put tags", lambda c: c.put_object_tagging(**here, Key=mine, Tagging={"TagSet": []})
    yield "list versions", lambda c: c.list_object_versions(**here)
    yield "list uploads", lambda c: c.list_multipart_uploads(**here)
    yield "begin an upload", lambda c: c.create_multipart_upload(**here, Key=key)
    yield "copy to what is foreign", lambda c: c.copy_object(**here, Key=key, CopySource=f"{BUCKET}/area.json")
    yield "list another bucket", lambda c: c.list_objects_v2(**other)
    yield "put into another bucket", lambda c: c.put_object(**other, Key=mine, Body=b"2")
    kept = next(k for k in KEYS if not may(grant.deletes, k))
    yield "delete several", lambda c: refused_each(c.delete_objects(**here, Delete={"Objects": [{"Key": kept}]}))


def refused_each(answered: Any) -> None:
    """Turn the errors of a request for several objects into one."""
    if not answered.get("Deleted"):
        raise ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "delete")


def test_everyone_may_do_what_the_table_says_and_nothing_else(clients: dict[str, Any]) -> None:
    def try_all(grant: Grant) -> list[tuple[str, str, str]]:
        client = clients[grant.user]
        wanted = [*matrix(grant), *((name, operation, False) for name, operation in around(grant))]
        return [
            (f"{grant.user}: {name}", answer(operation, client), "allowed" if allowed else "refused")
            for name, operation, allowed in wanted
        ]

    with ThreadPoolExecutor(4) as pool:
        done = [line for lines in pool.map(try_all, TABLE) for line in lines]
    found = Counter(said for _, said, _ in done)
    print(f"least privilege: {len(TABLE)} users, {len(done)} operations, {found['allowed']} allowed, rest refused")
    assert [line for line in done if line[1] != line[2]] == []


def test_who_may_delete_deletes(clients: dict[str, Any]) -> None:
    for grant in TABLE:
        for key in (k for k in KEYS if may(grant.deletes, k)):
            assert answer(lambda c, k=key: c.delete_object(Bucket=BUCKET, Key=k), clients[grant.user]) == "allowed"
            assert answer(lambda c, k=key: c.head_object(Bucket=BUCKET, Key=k), clients[grant.user]) == "404 404"


def test_twenty_stages_have_room_and_say_who_shares_what(
    gateway: Versitygw, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in gateway.variables().items():
        monkeypatch.setenv(name, value)
    store = S3Store("landstream", S3Settings())
    store.make_bucket()
    stages = many_stages(20)
    table = grants(stages)
    keys = new_keys(tmp_path, table)
    lines = VersityAdministration(store, gateway.admin_url).grant(table, keys)
    if not lines:
        pytest.skip("this file system has room for the exact policy: not ext4")
    assert all("may write each other's items" in line for line in lines)
    shared = {name for line in lines for name in line.rpartition(": ")[2].split(", ")}
    assert shared < {s.name for s in stages}
    for stage in stages:
        client = connect(gateway, *keys[stage.name])
        for collection in published(stage):
            key = f"items/{collection}/2018-W23/x--v1-0a1b2c3d.json"
            assert answer(lambda c, k=key: c.put_object(Bucket="landstream", Key=k, Body=b"1"), client) == "allowed"
        for key in ("receipts/x.zip/0a.json", "cube/snapshots/x", "landing/x", "items/withdrawals/static/x.json"):
            refused = not any(fnmatchcase(key, p) for p in next(g.writes for g in table if g.user == stage.name))
            found = answer(lambda c, k=key: c.put_object(Bucket="landstream", Key=k, Body=b"1"), client)
            assert found == ("refused" if refused else "allowed"), (stage.name, key)


def test_a_right_that_lacks_is_named(
    gateway: Versitygw, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials_of = clients["tiler"]._request_signer._credentials
    for name, value in gateway.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials_of.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials_of.secret_key)
    store, key = S3Store(BUCKET, S3Settings()), "failures/tiler/x.json"
    with pytest.raises(Forbidden, match=r"failures/tiler/x\.json: these keys may not delete it") as error:
        store.delete(key)
    assert who_may(error.value.verb, error.value.key) == "operator"
    with pytest.raises(Forbidden, match="may not write it") as error:
        store.put("landing/x", b"1")
    assert who_may(error.value.verb, error.value.key) == "deliver"
    with pytest.raises(Forbidden, match="may not write it"):
        store.put("area.json", b"1", create_only=True)
    assert who_may("write", "area.json") is None


def test_what_is_not_there_is_not_called_forbidden(clients: dict[str, Any]) -> None:
    assert answer(lambda c: c.get_object(Bucket=BUCKET, Key="items/models/static/y.json"), clients["tiler"]) == (
        "404 NoSuchKey"
    )


def test_a_policy_that_the_store_cannot_hold_is_said(gateway: Versitygw, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in gateway.variables().items():
        monkeypatch.setenv(name, value)
    store = S3Store("long", S3Settings())
    store.make_bucket()
    table = [Grant("u", tuple(f"{'x' * 200}{n}/*" for n in range(400)))]
    with pytest.raises(StoreError, match="XFS"):
        VersityAdministration(store, gateway.admin_url).grant(table, {"u": ("someone", "s" * 20)})
