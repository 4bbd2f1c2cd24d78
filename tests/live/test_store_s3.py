"""The contract of `Store` on a real S3 server, and what only a network can do to it."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.run.deliver import deliver
from shared.store import NotFound, PreconditionFailed, Store, StoreError, StoreUnavailable
from shared.store.s3 import S3Settings, S3Store
from tests.conftest import Servers
from tests.contracts.test_store import StoreContract
from tests.live.proxy import Proxy

pytestmark = pytest.mark.live


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, bucket: str, events: list[bytes]) -> Store:
        return S3Store(bucket, notify=events.append)

    def test_large_file_in_parts(self, store: Store, tmp_path: Path) -> None:
        data = os.urandom(70_000_001)
        (tmp_path / "f").write_bytes(data)
        store.put("artifacts/f", tmp_path / "f", create_only=True)
        with pytest.raises(PreconditionFailed):
            store.put("artifacts/f", tmp_path / "f", create_only=True)
        info = store.fetch("artifacts/f", tmp_path / "back")
        assert info.size == len(data)
        assert info.etag == store.etag_of(tmp_path / "f")
        assert (tmp_path / "back").read_bytes() == data

    def test_more_than_a_page(self, store: Store) -> None:
        threads = [
            threading.Thread(target=lambda n=n: [store.put(f"a/{n}/{i}", b"") for i in range(130)]) for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(store.keys("a/"))) == 8 * 130


def test_who_misspells_a_bucket_is_asked_for_its_name(servers: Servers) -> None:
    with pytest.raises(StoreError, match="no such bucket; check the name"):
        S3Store("landstream-absent").get("area.json")


@pytest.mark.parametrize("size", [2 << 20, 40 << 20])
def test_what_lies_there_already_is_copied_by_the_store(bucket: str, tmp_path: Path, size: int) -> None:
    store, sent = S3Store(bucket), list[str]()
    (tmp_path / "delivered").write_bytes(os.urandom(size))
    store.put("landing/u/f", tmp_path / "delivered")
    fetched = store.fetch("landing/u/f", tmp_path / "f")
    store.client.meta.events.register("before-call.s3", lambda model, **_: sent.append(model.name))
    store.put("artifacts/f", tmp_path / "f", create_only=True, same_as=fetched)
    assert sent == ["HeadObject", "CopyObject", "HeadObject"]
    sent.clear()
    store.put("landing/u/f", b"other bytes")
    store.put("artifacts/g", tmp_path / "f", create_only=True, same_as=fetched)
    assert {"PutObject", "UploadPart"} & set(sent), "it is no longer what was fetched"


def test_names_that_are_no_keys_are_told_apart(bucket: str) -> None:
    store = S3Store(bucket)
    store.client.put_object(Bucket=bucket, Key="landing/Z\u00fcrich.SAFE/f", Body=b"")
    store.put("landing/unit/f", b"")
    assert list(store.keys("landing/")) == ["landing/unit/f"]
    assert list(store.unusable("landing/")) == ["landing/Z\u00fcrich.SAFE/f"]


def test_a_full_disk_is_no_absent_store(bucket: str, tmp_path: Path) -> None:
    store = S3Store(bucket)
    store.put("artifacts/f", os.urandom(3 << 20))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((1 << 20) + 7, limit[1]))
    try:
        with pytest.raises(StoreError, match="cannot be written") as found:
            store.fetch("artifacts/f", tmp_path / "f")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert not isinstance(found.value, StoreUnavailable)
    assert not (tmp_path / "f").exists()


def test_a_bucket_that_another_made_in_the_same_moment(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3Store(bucket)

    def absent() -> None:
        raise NotFound(bucket)

    monkeypatch.setattr(store, "reach", absent)
    store.make_bucket()


def test_a_product_is_sent_once(bucket: str, tmp_path: Path) -> None:
    product = tmp_path / "product.zip"
    product.write_bytes(os.urandom(33 << 20))
    store, puts = S3Store(bucket), list[str]()
    for _ in range(2):
        deliver(store, product, threading.Event())
        puts.append(store.client.head_object(Bucket=bucket, Key="landing/product.zip")["LastModified"].isoformat())
        time.sleep(1.1)
    assert puts[0] == puts[1]


@pytest.fixture
def proxy(servers) -> Iterator[Proxy]:
    with Proxy(servers.s3) as proxy:
        yield proxy


@pytest.fixture
def flaky(proxy: Proxy, bucket: str) -> S3Store:
    """The store behind a proxy that can lose answers."""
    return S3Store(bucket, S3Settings(endpoint=proxy.url, tries=4, connect_s=1, read_s=3))


def test_a_lost_answer_is_no_conflict(flaky: S3Store, proxy: Proxy) -> None:
    for n in range(100):
        proxy.lose_answers(1, method="PUT")
        flaky.put(f"k{n}", b"%d" % n, create_only=True)
        assert flaky.get(f"k{n}") == b"%d" % n
    assert proxy.lost == 100


def test_a_lost_answer_hides_no_conflict(flaky: S3Store, proxy: Proxy) -> None:
    flaky.put("k", b"theirs", create_only=True)
    proxy.lose_answers(1, method="PUT")
    with pytest.raises(PreconditionFailed):
        flaky.put("k", b"mine", create_only=True)
    assert flaky.get("k") == b"theirs"


def test_a_broken_off_answer_is_taken_up(flaky: S3Store, proxy: Proxy, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    flaky.put("artifacts/f", data)
    proxy.break_after(2_000_000)
    flaky.fetch("artifacts/f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == data
    assert proxy.broken == 1


def test_a_store_that_is_away(bucket: str) -> None:
    store = S3Store(bucket, S3Settings(endpoint="http://127.0.0.1:9", tries=2))
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.get("k")
