"""Downloads from S3: every object inside the folder, of the size listed, and nothing asked of another host."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.network import s3 as module
from services.ingest.fetch.network.http import USER_AGENT, Http, Limits
from services.ingest.fetch.network.receive import Speed
from services.ingest.fetch.network.s3 import S3
from services.ingest.fetch.provider import Credentials
from tests.services.ingest.fetch.conftest import Asked, Said, Serve
from tests.services.ingest.fetch.workshop import name_of

PREFIX = "Sentinel-2/MSI/L2A/2024/05/01/X.SAFE/"
KEYS = Credentials(access_key="ACCESSKEY", secret_key="a-secret-key")


class Bucket:
    """An S3 endpoint with one bucket, in pages of two keys."""

    def __init__(self, serve: Serve, make: Callable[..., Http], folder: Path) -> None:
        self.objects = {
            PREFIX: b"",
            PREFIX + "manifest.safe": b"<manifest/>",
            PREFIX + "GRANULE/L2A_T33UUU/IMG_DATA/B02.jp2": b"jp2" * 50_000,
            PREFIX + "HTML/a b+c.html": b"<html/>",
        }
        self.sizes: dict[str, int] = {}
        self.ranges = True
        self.said: Callable[[Asked], Said | None] = lambda asked: None
        self.server = serve(self.answer)
        self.make = make
        self.folder = folder / "X.SAFE"
        self.open: list[S3] = []

    def s3(self, **more: Any) -> S3:
        http = self.make(self.server.address, limits=Limits(5.0, 5.0, 5.0))
        self.open.append(S3(http, self.server.address, KEYS, **more))
        return self.open[-1]

    def answer(self, asked: Asked) -> Said:
        if said := self.said(asked):
            return said
        parts = urlsplit(asked.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if "list-type" in query:
            return self.page(query)
        key = unquote(parts.path).removeprefix("/eodata/")
        if key not in self.objects:
            return error(404, "NoSuchKey")
        return self.object(asked, self.objects[key])

    def object(self, asked: Asked, body: bytes) -> Said:
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        if asked.headers.get("if-match", etag) != etag:
            return error(412, "PreconditionFailed")
        start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if not start or not self.ranges:
            return Said(200, body, {"ETag": etag})
        stated = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return Said(206, body[start:], {"ETag": etag, "Content-Range": stated})

    def page(self, query: dict[str, str]) -> Said:
        keys = sorted(key for key in self.objects if key.startswith(query["prefix"]))
        start = int(query.get("continuation-token", "0"))
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{self.sizes.get(key, len(self.objects[key]))}</Size></Contents>"
            for key in keys[start : start + 2]
        )
        more = start + 2 < len(keys)
        token = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        return listing(f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}")

    @property
    def gotten(self) -> list[str]:
        return [unquote(asked.path) for asked in self.server.asked if "list-type" not in asked.path]


def listing(rows: str) -> Said:
    return Said(200, f"<ListBucketResult>{rows}</ListBucketResult>".encode(), {"Content-Type": "application/xml"})


def error(status: int, code: str) -> Said:
    return Said(status, f"<Error><Code>{code}</Code><Message>hidden</Message></Error>".encode())


@pytest.fixture
def bucket(scripted: Serve, client: Callable[..., Http], tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket(scripted, client, tmp_path)
    yield made
    for each in made.open:
        each.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_product_comes_object_by_object(bucket: Bucket) -> None:
    heard: list[tuple[int, int | None]] = []
    folder = bucket.s3().download(PREFIX, bucket.folder, progress=lambda done, total: heard.append((done, total)))
    assert folder == bucket.folder
    assert files(folder) == {key.removeprefix(PREFIX): body for key, body in bucket.objects.items() if body}
    total = sum(map(len, bucket.objects.values()))
    assert heard[-1] == (total, total)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    asked = bucket.server.asked[0]
    assert asked.headers["user-agent"] == USER_AGENT
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=ACCESSKEY/")
    assert "a-secret-key" not in str([each.headers for each in bucket.server.asked])


def test_what_is_whole_is_kept_and_what_is_left_over_removed(bucket: Bucket) -> None:
    part = bucket.folder.with_name("X.SAFE.part")
    (part / "GRANULE").mkdir(parents=True)
    (part / "manifest.safe").write_bytes(b"<manifest/>")
    (part / "manifest.safe.part").write_bytes(b"<ma")
    (part / "GRANULE" / "older.jp2").write_bytes(b"older")
    bucket.s3().download(PREFIX, bucket.folder)
    assert f"/eodata/{PREFIX}manifest.safe" not in bucket.gotten
    assert set(files(bucket.folder)) == {"manifest.safe", "GRANULE/L2A_T33UUU/IMG_DATA/B02.jp2", "HTML/a b+c.html"}
    assert not part.exists()
    before = len(bucket.gotten)
    bucket.s3().download(PREFIX, bucket.folder)
    assert len(bucket.gotten) == before


def test_a_broken_download_goes_on(bucket: Bucket) -> None:
    body = bucket.objects[PREFIX + "GRANULE/L2A_T33UUU/IMG_DATA/B02.jp2"]
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    bucket.said = lambda asked: Said(raw=[head, body[:1000]]) if "manifest" in asked.path else None
    with pytest.raises(FetchError):
        bucket.s3().download(PREFIX, bucket.folder)
    assert not bucket.folder.exists()
    bucket.said = lambda asked: None
    bucket.s3().download(PREFIX, bucket.folder)
    assert files(bucket.folder)["manifest.safe"] == b"<manifest/>"


IMAGE = "GRANULE/L2A_T33UUU/IMG_DATA/B02.jp2"


def break_off(bucket: Bucket, came: int) -> bytes:
    """Let the image break off after some bytes, and return all of it."""
    body = bucket.objects[PREFIX + IMAGE]
    etag = hashlib.md5(body).hexdigest()
    head = f'HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: "{etag}"\r\n\r\n'.encode()
    bucket.said = lambda asked: Said(raw=[head, body[:came]]) if "B02" in asked.path else None
    with pytest.raises(Unavailable):
        bucket.s3().download(PREFIX, bucket.folder)
    bucket.said = lambda asked: None
    bucket.server.asked.clear()
    return body


def image_asked(bucket: Bucket) -> list[tuple[str | None, str | None]]:
    asked = [each.headers for each in bucket.server.asked if "B02" in each.path]
    return [(headers.get("range"), headers.get("if-match")) for headers in asked]


def test_an_object_that_broke_off_is_gone_on_with(bucket: Bucket) -> None:
    body = break_off(bucket, 100_000)
    heard: list[int] = []
    bucket.s3().download(PREFIX, bucket.folder, progress=lambda done, total: heard.append(done))
    assert image_asked(bucket) == [("bytes=100000-", f'"{hashlib.md5(body).hexdigest()}"')]
    assert files(bucket.folder)[IMAGE] == body
    assert set(files(bucket.folder)) == {key.removeprefix(PREFIX) for key, body in bucket.objects.items() if body}
    assert heard == sorted(heard)


@pytest.mark.parametrize("knows", [True, False])
def test_an_object_that_changed_since_is_never_mixed(knows: bool, bucket: Bucket) -> None:
    before = break_off(bucket, 100_000)
    body = bucket.objects[PREFIX + IMAGE] = bytes(reversed(before))
    if not knows:  # a service that does not look at `If-Match`
        honest = bucket.object
        bucket.object = lambda asked, body: honest(asked, body) if asked.headers.pop("if-match", 1) else Said()  # type: ignore[method-assign]
    bucket.s3().download(PREFIX, bucket.folder)
    assert files(bucket.folder)[IMAGE] == body
    assert len(image_asked(bucket)) == 2


def test_without_ranges_an_object_begins_anew(bucket: Bucket) -> None:
    body = break_off(bucket, 100_000)
    bucket.ranges = False
    bucket.s3().download(PREFIX, bucket.folder)
    assert files(bucket.folder)[IMAGE] == body


@pytest.mark.parametrize(
    "key",
    ["../x", "a/../../x", "/x", "a//x", "./x", "a\\x", "..", "a/.", "a\x7fx", "ü", "a" * 300, "/".join("a" * 20),
     "manifest.safe/x", "x.part"],
)  # fmt: skip
def test_a_key_that_leads_elsewhere_is_refused(key: str, bucket: Bucket) -> None:
    bucket.objects[PREFIX + key] = b"x"
    with pytest.raises(Refused):
        bucket.s3().download(PREFIX, bucket.folder)
    assert bucket.gotten == []
    assert list(bucket.folder.parent.iterdir()) == []


def test_a_key_outside_of_the_prefix_is_refused(bucket: Bucket) -> None:
    row = "<Contents><Key>Sentinel-2/other</Key><Size>1</Size></Contents>"
    bucket.said = lambda asked: listing(f"<IsTruncated>false</IsTruncated>{row}")
    with pytest.raises(Refused):
        bucket.s3().download(PREFIX, bucket.folder)


def test_a_link_in_the_folder_is_not_written_through(bucket: Bucket, tmp_path: Path) -> None:
    part = bucket.folder.with_name("X.SAFE.part")
    part.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (part / "GRANULE").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="link"):
        bucket.s3().download(PREFIX, bucket.folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("prefix", ["", "X.SAFE", "/X.SAFE/", "a/../X.SAFE/"])
def test_a_place_that_is_no_folder_is_refused(prefix: str, bucket: Bucket) -> None:
    with pytest.raises(Refused):
        bucket.s3().download(prefix, bucket.folder)
    assert bucket.server.asked == []


def test_nothing_there_is_gone(bucket: Bucket) -> None:
    bucket.objects = {PREFIX: b""}
    with pytest.raises(Gone):
        bucket.s3().download(PREFIX, bucket.folder)


def test_an_object_that_vanished_is_gone(bucket: Bucket) -> None:
    bucket.said = lambda asked: error(404, "NoSuchKey") if "manifest" in asked.path else None
    with pytest.raises(Gone):
        bucket.s3().download(PREFIX, bucket.folder)


@pytest.mark.parametrize("off", [-1, 1])
def test_another_size_than_listed_is_corrupt(off: int, bucket: Bucket) -> None:
    key = PREFIX + "manifest.safe"
    bucket.sizes[key] = len(bucket.objects[key]) + off
    with pytest.raises(Corrupt):
        bucket.s3().download(PREFIX, bucket.folder)
    assert not any(path.name.startswith("manifest") for path in bucket.folder.parent.rglob("*"))


def test_lists_that_do_not_end_or_are_too_large_are_refused(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "<Contents><Key>{}x{}</Key><Size>{}</Size></Contents>"
    count = 0

    def ever_new(asked: Asked) -> Said:
        nonlocal count
        count += 1
        rows = row.format(PREFIX, count, 1)
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{count}</NextContinuationToken>"
        return listing(more + rows)

    bucket.said = ever_new
    with pytest.raises(Refused, match="does not end"):
        bucket.s3().download(PREFIX, bucket.folder)
    assert count == module.PAGES_LIMIT
    bucket.said = lambda asked: listing(row.format(PREFIX, 1, 2**40))
    with pytest.raises(Refused, match="more than a product"):
        bucket.s3().download(PREFIX, bucket.folder)
    bucket.said = lambda asked: None
    bucket.objects[PREFIX + "large"] = bytes(2 * 2**20)
    with pytest.raises(Refused, match="as an archive"):
        bucket.s3().download(PREFIX, bucket.folder, size=1000)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (error(403, "AccessDenied"), Misconfigured),
        (error(403, "InvalidAccessKeyId"), Misconfigured),
        (error(400, "AuthorizationHeaderMalformed"), Misconfigured),
        (error(404, "NoSuchBucket"), Gone),
        (Said(200, b"<html>"), Unavailable),
        (Said(200, b"not xml"), Unavailable),
        (Said(200, b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><ListBucketResult>&a;</ListBucketResult>"), Refused),
        (Said(200, b"<a>" * 60_001 + b"</a>" * 60_001), Refused),
        (Said(200, bytes(9 * 2**20)), Refused),
        (Said(301, b"<Error><Code>PermanentRedirect</Code></Error>", {"x-amz-bucket-region": "eu"}), Refused),
    ],
)
def test_each_refusal_has_its_error(said: Said, kind: type[FetchError], bucket: Bucket) -> None:
    bucket.said = lambda asked: said
    with pytest.raises(FetchError) as caught:
        bucket.s3().download(PREFIX, bucket.folder)
    assert type(caught.value) is kind
    assert "hidden" not in str(caught.value)


def test_another_host_is_never_asked(bucket: Bucket, scripted: Serve) -> None:
    other = scripted(lambda asked: listing(""))
    location = {"Location": other.address + "/eodata", "x-amz-bucket-region": "eu-west-1"}
    for status in (301, 302, 307, 308):
        bucket.said = lambda asked, status=status: Said(status, error(status, "PermanentRedirect").body, location)  # type: ignore[misc]
        with pytest.raises(Refused):
            bucket.s3().download(PREFIX, bucket.folder)
    endpoint = f"<Error><Code>PermanentRedirect</Code><Endpoint>{other.address}</Endpoint></Error>".encode()
    bucket.said = lambda asked: Said(400, endpoint, location)
    with pytest.raises(FetchError):
        bucket.s3().download(PREFIX, bucket.folder)
    assert other.asked == []


def test_a_busy_service_is_asked_a_few_times(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    monkeypatch.setattr("botocore.retries.standard.time.sleep", lambda seconds: None, raising=False)
    bucket.said = lambda asked: error(503, "SlowDown")
    with pytest.raises(Unavailable):
        bucket.s3().download(PREFIX, bucket.folder)
    assert len(bucket.server.asked) == 4


def test_a_dripping_object_ends(bucket: Bucket) -> None:
    drip = [b"HTTP/1.1 200 OK\r\nContent-Length: 150000\r\n\r\n", *[b"j"] * 300]
    bucket.said = lambda asked: Said(raw=drip, pause_s=0.02) if "list-type" not in asked.path else None
    start = time.monotonic()
    with pytest.raises(Unavailable):
        bucket.s3(speed=Speed(1000.0, 0.3)).download(PREFIX, bucket.folder)
    assert time.monotonic() - start < 3


def test_keys_are_not_looked_for_elsewhere(client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    with pytest.raises(Misconfigured):
        S3(client("http://127.0.0.1:9"), "http://127.0.0.1:9", Credentials("name", "word"))


def test_an_object_that_its_manifest_does_not_know_is_fetched_again_alone(bucket: Bucket) -> None:
    bucket.folder = bucket.folder.with_name(f"{name_of()}.SAFE")
    path = "GRANULE/L2A_T33UUU/IMG_DATA/B02.jp2"
    body = bucket.objects[PREFIX + path]
    bucket.objects[PREFIX + "manifest.safe"] = (
        f'<m><byteStream size="{len(body)}"><fileLocation href="./{path}"/>'
        f'<checksum checksumName="SHA3-256">{hashlib.sha3_256(body).hexdigest()}</checksum></byteStream></m>'
    ).encode()
    flipped = Said(200, b"J" + body[1:])
    bucket.said = lambda asked: flipped if asked.path.endswith("B02.jp2") else None
    with pytest.raises(Corrupt, match="another sha3_256 checksum than the manifest states"):
        bucket.s3().download(PREFIX, bucket.folder)
    assert not bucket.folder.exists()
    bucket.said, before = lambda asked: None, len(bucket.gotten)
    bucket.s3().download(PREFIX, bucket.folder)
    assert bucket.gotten[before:] == [f"/eodata/{PREFIX}{path}"]
    assert (bucket.folder / path).read_bytes() == body


@pytest.mark.parametrize("manifest", [b"", b"<m/>", b"not XML"])
def test_a_manifest_that_is_none_is_damaged(manifest: bytes, bucket: Bucket) -> None:
    bucket.folder = bucket.folder.with_name(f"{name_of()}.SAFE")
    bucket.objects[PREFIX + "manifest.safe"] = manifest
    with pytest.raises(Corrupt):
        bucket.s3().download(PREFIX, bucket.folder)
    assert not list(bucket.folder.parent.rglob("manifest.safe"))
