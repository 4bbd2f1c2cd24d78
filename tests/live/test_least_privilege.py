"""What each user of the store may do on versitygw: the declared table, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from landstream.provision.grants import Grant, grants
from landstream.provision.users import VersityAdministration, read_credentials
from shared.stage import registry
from shared.store import StoreError
from shared.store.s3 import S3Settings, S3Store
from tests.conftest import running
from tools.make_secrets import make_secrets
from tools.servers.versitygw import Versitygw

pytestmark = pytest.mark.live

BUCKET, OTHER = "matrix", "another"
STAGES = registry.all_stages()
TABLE = grants(STAGES)
COLLECTIONS = sorted({c for s in STAGES for c in (*s.publishes, *s.consumes)} - {"landing"})
KEYS = [
    "area.json",
    "stack.json",
    "landing/S2A_x.SAFE/manifest.safe",
    "receipts/0a.json",
    *(f"items/{c}/2018-W23/x--v1-0a1b2c3d.json" for c in COLLECTIONS),
    *(f"artifacts/{c}/2018-W23/x--v1-0a1b2c3d/a-0a1b2c3d4e5f.tif" for c in COLLECTIONS),
    *(f"failures/{s.name}/x.json" for s in STAGES),
    "cube/snapshots/x",
    "cube/refs/branch.main/ref.json",
    "cube/refs/tag.x/ref.json",
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
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder)
    keys = read_credentials(folder / "users", TABLE)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in gateway.variables().items():
            patch.setenv(name, value)
        store = S3Store(BUCKET, S3Settings())
        store.make_bucket()
        for _ in range(2):  # what is there already is no error
            VersityAdministration(store, gateway.admin_url).grant(TABLE, keys)
        store.client.create_bucket(Bucket=OTHER)
        for key in KEYS:
            store.client.put_object(Bucket=BUCKET, Key=key, Body=b"1")
    return {grant.user: connect(gateway, *keys[grant.user]) for grant in TABLE}


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
    reads = [pattern for patterns in grant.reads for pattern in patterns]
    for key in KEYS:
        where = {"Bucket": BUCKET, "Key": key}
        # Who writes an object may look at it.
        yield f"get {key}", lambda c, w=where: c.get_object(**w), may([*reads, *grant.writes], key)
        yield f"put {key}", lambda c, w=where: c.put_object(**w, Body=b"2"), may(grant.writes, key)
        yield f"delete {key}", lambda c, w=where: c.delete_object(**w), False
    for prefix in PREFIXES:
        yield f"list {prefix!r}", lambda c, p=prefix: c.list_objects_v2(Bucket=BUCKET, Prefix=p), "" in reads
    yield "head bucket", lambda c: c.head_bucket(Bucket=BUCKET), "" in reads


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
    yield "copy what is foreign", lambda c: c.copy_object(**here, Key=mine, CopySource=f"{BUCKET}/{key}")
    yield "copy to what is foreign", lambda c: c.copy_object(**here, Key=key, CopySource=f"{BUCKET}/area.json")
    yield "list another bucket", lambda c: c.list_objects_v2(**other)
    yield "put into another bucket", lambda c: c.put_object(**other, Key=mine, Body=b"2")
    yield "delete several", lambda c: refused_each(c.delete_objects(**here, Delete={"Objects": [{"Key": mine}]}))


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


def test_what_is_not_there_is_not_called_forbidden(clients: dict[str, Any]) -> None:
    assert answer(lambda c: c.get_object(Bucket=BUCKET, Key="items/models/static/y.json"), clients["tiler"]) == (
        "404 NoSuchKey"
    )


def test_a_policy_that_the_store_cannot_hold_is_said(gateway: Versitygw, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in gateway.variables().items():
        monkeypatch.setenv(name, value)
    store = S3Store("long", S3Settings())
    store.make_bucket()
    table = [Grant("u", (), tuple(f"{'x' * 200}{n}/*" for n in range(400)))]
    with pytest.raises(StoreError, match="XFS"):
        VersityAdministration(store, gateway.admin_url).grant(table, {"u": ("someone", "s" * 20)})
