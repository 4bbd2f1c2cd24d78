"""Further stores (`make test-stores`): the contract on SeaweedFS; the JuiceFS gateway, MinIO's own code, as judge."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from landstream.provision.grants import Grant, grants
from landstream.provision.notify import configure_notifications
from landstream.provision.users import MinioAdministration, read_credentials
from shared.events import ObjectCreated, parse
from shared.store import Store, StoreError, UnsafeStore, probe
from shared.store.s3 import S3Settings, S3Store
from tests.conftest import remove_bucket
from tests.contracts.test_store import StoreContract
from tests.docs.test_events import valid
from tools.make_secrets import make_secrets
from tools.servers import SERVICES, S3Server
from tools.servers.juicefs import JuiceFS
from tools.servers.seaweedfs import SeaweedFS

pytestmark = pytest.mark.stores

QUEUE = "arn:minio:sqs::PRIMARY:webhook"
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def seaweedfs() -> SeaweedFS:
    """The server of `make services-all`, started unless it runs."""
    server = SeaweedFS(SERVICES / "seaweedfs")
    server.start()
    return server


class TestSeaweedFS(StoreContract):
    forgets_at_once = False  # its filer keeps an emptied folder for minutes

    @pytest.fixture
    def store(self, seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch, events: list[bytes]) -> Iterator[Store]:
        yield from new_bucket(seaweedfs, monkeypatch, events.append)

    def test_what_it_lacks_is_left_to_the_operator(self, store: S3Store) -> None:
        assert not MinioAdministration(store).speaks()
        (line,) = configure_notifications(store, QUEUE, print)
        assert line.startswith("notifications: this store is configured at its start")


def new_bucket(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, notify: Callable[[bytes], None] | None = None
) -> Iterator[S3Store]:
    """A store in a bucket of its own; emptied and removed."""
    for name, value in server.variables().items():
        monkeypatch.setenv(name, value)
    store = S3Store(f"test-{uuid.uuid4().hex[:12]}", S3Settings(), notify)
    store.make_bucket()
    yield store
    remove_bucket(store.client, store.bucket)


class Webhook:
    """Takes the events that MinIO sends."""

    def __init__(self) -> None:
        events = self.events = Queue[bytes]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                events.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET = lambda self: self.send_response(200) or self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, within_s: float = PATIENCE_S) -> ObjectCreated | None:
        try:
            message = self.events.get(timeout=within_s)
        except Empty:
            return None
        assert valid("minioForm", message), message
        return parse(message, "quoted")


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture(scope="module")
def juicefs(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook) -> Iterator[JuiceFS]:
    """A gateway of our own: its users are, and its queue is our webhook."""
    server = JuiceFS(tmp_path_factory.mktemp("juicefs"), webhook.url)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def minio(juicefs: JuiceFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    yield from new_bucket(juicefs, monkeypatch)


def test_a_store_without_conditional_writes_is_refused(minio: S3Store) -> None:
    with pytest.raises(UnsafeStore, match=r"conditional creates of one object succeeded.*use a store that honours"):
        probe(minio)


KEYS = [
    "area.json",
    "landing/x",
    "receipts/x.zip/0a.json",
    "items/cloud-masks/2018-W23/x.json",
    "items/models/static/x.json",
    "artifacts/models/static/x/model.tar",
    "failures/trainer/x.json",
    "cube/refs/tag.x/ref.json",
    "cube/refs/branch.main/ref.json",
    "catalog.json",
    "models/collection.json",
    "probe/x",
]


def test_users_may_do_what_the_table_says(minio: S3Store, tmp_path: Path) -> None:
    make_secrets(tmp_path)
    table = grants()
    keys = read_credentials(tmp_path / "users", table)
    admin = MinioAdministration(minio)
    assert admin.speaks()
    for _ in range(2):  # what is there already is no error
        admin.grant(table, keys)
    for key in KEYS:
        minio.put(key, b"1")
    wrong = []
    for grant in table:
        client = connect(minio, *keys[grant.user])
        for key in KEYS:
            where: dict[str, Any] = {"Bucket": minio.bucket, "Key": key}
            for verb, expected, call in (
                ("get", True, lambda w=where, c=client: c.get_object(**w)),
                ("put", may(grant.writes, key), lambda w=where, c=client: c.put_object(**w, Body=b"2")),
                ("delete", may(grant.deletes, key), lambda w=where, c=client: c.delete_object(**w)),
            ):
                if allowed(call) != expected:
                    wrong.append((grant.user, verb, key, expected))
            minio.put(key, b"1")  # for the next one, if it was deleted
        assert allowed(lambda c=client: c.head_bucket(Bucket=minio.bucket)), grant.user
        assert not allowed(lambda c=client: c.create_bucket(Bucket="new-bucket")), grant.user
        assert not allowed(lambda c=client: c.get_bucket_policy(Bucket=minio.bucket)), grant.user
    assert wrong == []


def test_a_changed_table_and_changed_keys_are_made_so(minio: S3Store) -> None:
    admin = MinioAdministration(minio)
    admin.grant([Grant("u", ("a/*",))], {"u": ("changing", "first-secret")})
    admin.grant([Grant("u", ("b/*",))], {"u": ("changing", "second-secret")})
    client = connect(minio, "changing", "second-secret")
    assert not allowed(lambda: client.put_object(Bucket=minio.bucket, Key="a/x", Body=b"1"))
    assert allowed(lambda: client.put_object(Bucket=minio.bucket, Key="b/x", Body=b"1"))
    assert not allowed(lambda: connect(minio, "changing", "first-secret").head_bucket(Bucket=minio.bucket))


def test_only_landing_and_items_notify(minio: S3Store, webhook: Webhook) -> None:
    said: list[str] = []
    for _ in range(2):
        assert configure_notifications(minio, QUEUE, said.append) == []
        assert notifications(minio) == {("landing/", ""), ("items/", ".json")}
    assert said == [f"notifications: landing/*, items/*.json to {QUEUE}"] * 2
    silent = ["area.json", "items/models/a.tif", "artifacts/a.json", "failures/tiler/a.json", "other/landing/a.json"]
    loud = [
        "landing/S2A_x.SAFE/manifest.safe",
        "landing/a b+c%20d=e",
        "landing/a%2Fb/c+d e.xml",
        "items/land-cover-maps/2018-W23/a+b c%25d.json",
        "items/x.json",
    ]
    for key in [*silent, *loud]:
        minio.put(key, b"12")
    minio.delete("landing/S2A_x.SAFE/manifest.safe")
    found = [webhook.next() for _ in loud]
    assert sorted((e.bucket, e.key, e.size) for e in found if e) == sorted((minio.bucket, key, 2) for key in loud)
    assert {e.etag for e in found if e} == {minio.head("items/x.json").etag}
    assert webhook.next(within_s=2) is None


def test_an_unknown_queue_is_said(minio: S3Store) -> None:
    with pytest.raises(StoreError, match="arn:minio:sqs::PRIMARY:kafka are refused"):
        configure_notifications(minio, "arn:minio:sqs::PRIMARY:kafka", print)


def notifications(store: S3Store) -> set[tuple[str, str]]:
    """(prefix, suffix) of what notifies, as the store says."""
    configured = store.client.get_bucket_notification_configuration(Bucket=store.bucket)["QueueConfigurations"]
    rules = [{r["Name"].lower(): r["Value"] for r in c["Filter"]["Key"]["FilterRules"]} for c in configured]
    assert all((c["QueueArn"], c["Events"]) == (QUEUE, ["s3:ObjectCreated:*"]) for c in configured)
    return {(rule["prefix"], rule.get("suffix", "")) for rule in rules}


def connect(store: S3Store, access: str, secret: str) -> Any:
    """A client with the keys of a user."""
    return boto3.client(
        "s3",
        endpoint_url=store.settings.endpoint,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def allowed(call: Callable[[], object]) -> bool:
    """Whether an operation is done; False = 403."""
    try:
        call()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
            raise
        return False
    return True


def may(patterns: Iterable[str], key: str) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)
