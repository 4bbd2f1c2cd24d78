"""Downloads of archives: whole or not at all, resumed where that is right, bounded in bytes and time."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.network.archive import download_archive
from services.ingest.fetch.network.http import Http, Limits
from services.ingest.fetch.network.receive import Speed
from services.ingest.fetch.network.whole import check_archive, check_whole
from tests.services.ingest.fetch.conftest import Asked, Said, Serve, StoodClock


def archive(content: bytes = b"content" * 1000, method: int = zipfile.ZIP_STORED) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as made:
        made.writestr("X.SAFE/manifest.safe", content)
    return memory.getvalue()


ZIP = archive()
MD5 = {"md5": hashlib.md5(ZIP).hexdigest()}


class Host:
    """A host of downloads."""

    def __init__(self, serve: Serve, make: Callable[..., Http], folder: Path) -> None:
        self.body = ZIP
        self.ranges = True
        self.said: Said | None = None
        self.server = serve(self.answer)
        self.http = make(self.server.address, limits=Limits(5.0, 5.0, 5.0))
        self.path = folder / "X.zip"
        self.part = folder / "X.zip.part"

    def answer(self, asked: Asked) -> Said:
        if self.said:
            return self.said
        headers = {"Content-Type": "application/zip"}
        if not self.ranges or "range" not in asked.headers:
            return Said(200, self.body, headers)
        start = int(asked.headers["range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(self.body):
            return Said(416)
        whole = len(self.body)
        return Said(206, self.body[start:], headers | {"Content-Range": f"bytes {start}-{whole - 1}/{whole}"})

    def fetch(self, size: int | None = len(ZIP), checksums: dict[str, str] = MD5, **more: Any) -> Path:
        return download_archive(self.http, self.server.address + "/p?x=hidden", self.path, size, checksums, **more)

    @property
    def ranges_asked(self) -> list[str | None]:
        return [asked.headers.get("range") for asked in self.server.asked]


@pytest.fixture
def host(scripted: Serve, client: Callable[..., Http], tmp_path: Path) -> Host:
    return Host(scripted, client, tmp_path)


@pytest.mark.parametrize(
    "checksums",
    [
        MD5,
        {"blake3": blake3(ZIP).hexdigest()},
        {"sha3-256": hashlib.sha3_256(ZIP).hexdigest()},
        MD5 | {"blake3": blake3(ZIP).hexdigest()},
        {},
        {"unknown": "00"},
    ],
)
def test_an_archive_comes_whole(checksums: dict[str, str], host: Host) -> None:
    heard: list[tuple[int, int | None]] = []
    assert host.fetch(checksums=checksums, progress=lambda done, total: heard.append((done, total))) == host.path
    assert host.path.read_bytes() == ZIP
    assert heard[-1] == (len(ZIP), len(ZIP))
    assert not host.part.exists()
    assert host.server.asked[0].headers["accept-encoding"] == "identity"


def test_what_is_whole_is_not_fetched_again(host: Host) -> None:
    host.fetch()
    host.fetch()
    assert len(host.server.asked) == 1


def test_what_changed_upstream_is_fetched_anew(host: Host) -> None:
    host.path.write_bytes(b"PK older")
    assert host.fetch().read_bytes() == ZIP


def test_it_goes_on_where_it_stopped(host: Host) -> None:
    host.part.write_bytes(ZIP[:3000])
    assert host.fetch().read_bytes() == ZIP
    assert host.ranges_asked == ["bytes=3000-"]


def test_what_had_come_whole_is_only_checked(host: Host) -> None:
    host.part.write_bytes(ZIP)
    assert host.fetch().read_bytes() == ZIP
    assert host.server.asked == []


def test_without_ranges_it_begins_anew(host: Host) -> None:
    host.ranges = False
    host.part.write_bytes(b"PK" + bytes(3000))
    assert host.fetch().read_bytes() == ZIP
    assert host.ranges_asked == ["bytes=3002-"]


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes 0-10/11", "bytes 2999-{last}/{whole}", "bytes 3000-{last}/999999", "bytes 3000-3010/{whole}", "3000"],
)
def test_another_range_than_was_asked_for_is_not_used(content_range: str, host: Host) -> None:
    honest = host.answer
    stated = content_range.format(last=len(ZIP) - 1, whole=len(ZIP))

    def answer(asked: Asked) -> Said:
        return Said(206, ZIP[3000:], {"Content-Range": stated}) if "range" in asked.headers else honest(asked)

    host.server.answer = answer
    host.part.write_bytes(ZIP[:3000])
    assert host.fetch().read_bytes() == ZIP
    assert host.ranges_asked == ["bytes=3000-", None]


def test_a_range_that_cannot_be_had_begins_anew(host: Host) -> None:
    host.part.write_bytes(ZIP + b"more")
    assert host.fetch(size=None).read_bytes() == ZIP
    assert host.ranges_asked == [f"bytes={len(ZIP) + 4}-", None]


def test_a_truncated_body_is_gone_on_with(host: Host) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ZIP)}\r\n\r\n".encode()
    host.said = Said(raw=[head, ZIP[:2000]])
    with pytest.raises(Unavailable) as caught:
        host.fetch()
    assert "hidden" not in str(caught.value)
    assert host.part.read_bytes() == ZIP[:2000]
    host.said = None
    assert host.fetch().read_bytes() == ZIP
    assert host.ranges_asked == [None, "bytes=2000-"]


@pytest.mark.parametrize("size", [len(ZIP), None])
def test_a_flipped_byte_leaves_nothing(size: int | None, host: Host) -> None:
    host.body = ZIP[:500] + bytes([ZIP[500] ^ 1]) + ZIP[501:]
    for checksums in (MD5, {}):
        with pytest.raises(Corrupt):
            host.fetch(size=size, checksums=checksums)
        assert list(host.path.parent.iterdir()) == []


def test_a_prefix_of_another_archive_is_found_out(host: Host) -> None:
    host.part.write_bytes(b"PK" + bytes(2998))
    with pytest.raises(Corrupt):
        host.fetch()
    assert host.fetch().read_bytes() == ZIP


def test_another_size_than_promised_is_told_before_it_comes(host: Host) -> None:
    with pytest.raises(Corrupt, match="promised"):
        host.fetch(size=len(ZIP) + 1)
    assert list(host.path.parent.iterdir()) == []


def test_no_more_than_promised_is_written(host: Host) -> None:
    host.said = Said(raw=[b"HTTP/1.1 200 OK\r\n\r\nPK", *[bytes(100_000)] * 100])
    largest = 0

    def heard(done: int, total: int | None) -> None:
        nonlocal largest
        largest = max(largest, done)

    with pytest.raises(Corrupt, match="more than"):
        host.fetch(progress=heard)
    assert largest <= len(ZIP)
    assert list(host.path.parent.iterdir()) == []


def test_a_size_that_no_product_has_is_refused(host: Host) -> None:
    host.said = Said(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nPK"])
    with pytest.raises(Refused):
        host.fetch(size=None, checksums={})


@pytest.mark.parametrize(
    "said",
    [
        Said(200, b"<html>down</html>", {"Content-Type": "text/html; charset=utf-8"}),
        Said(200, b"\n<html>" + bytes(len(ZIP) - 7)),
        Said(200, b"{" + bytes(len(ZIP) - 1)),
        Said(429, b'{"code":"DAT-ZIP-100"}'),
        Said(503),
        Said(206, ZIP, {"Content-Range": f"bytes 0-{len(ZIP) - 1}/{len(ZIP)}"}),
    ],
)
def test_pages_and_failures_are_unavailable(said: Said, host: Host) -> None:
    host.said = said
    with pytest.raises(Unavailable) as caught:
        host.fetch()
    if said.status == 429:
        assert (caught.value.retry_after_s or 0) >= 60
    assert list(host.path.parent.iterdir()) in ([], [host.part])


@pytest.mark.parametrize(
    ("said", "rest_s"),
    [
        (Said(429, b'{"code":"DAT-ZIP-100"}'), 60),
        (Said(429, headers={"Retry-After": "7"}), 7),
        (Said(503, headers={"Retry-After": "7"}), 7),
    ],
)
def test_a_service_that_wants_to_be_left_alone_is(said: Said, rest_s: float, host: Host, stood: StoodClock) -> None:
    host.said = said
    with pytest.raises(Unavailable):
        host.fetch()
    host.said, before = None, stood.time
    host.fetch()
    assert stood.time - before == pytest.approx(rest_s, abs=0.1)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said(404), Gone),
        (Said(202), Offline),
        (Said(403, b'{"code":"DAT-ZIP-608"}'), Misconfigured),
        (Said(403, b"<html>reference ID 123456</html>"), Unavailable),
        (Said(401), Misconfigured),
        (Said(302, b"", {"Location": "http://127.0.0.1:9/x"}), Refused),
        (Said(200, ZIP, {"Content-Encoding": "gzip"}), Refused),
        (Said(200, b"MZ" + bytes(len(ZIP) - 2)), Corrupt),
    ],
)
def test_each_refusal_has_its_error(said: Said, kind: type[FetchError], host: Host) -> None:
    host.said = said
    with pytest.raises(FetchError) as caught:
        host.fetch()
    assert type(caught.value) is kind


def test_a_hanging_or_dripping_download_ends(host: Host) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ZIP)}\r\n\r\n".encode()
    for raw, pause in (([head, ZIP[:100], b""], 5.0), ([head, *(ZIP[n : n + 1] for n in range(200))], 0.02)):
        host.said = Said(raw=raw, pause_s=pause)
        start = time.monotonic()
        with pytest.raises(Unavailable):
            host.fetch(speed=Speed(bytes_s=1000.0, window_s=0.3))
        assert time.monotonic() - start < 3


def test_what_progress_raises_ends_the_download_and_keeps_what_came(host: Host) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int | None) -> None:
        raise StopError

    with pytest.raises(StopError):
        host.fetch(progress=stop)
    assert host.part.exists()
    assert host.fetch().read_bytes() == ZIP


def test_a_refused_token_is_renewed_once_in_the_middle(host: Host) -> None:
    class Bearer:
        token = "old"

        def is_for(self, address: str) -> bool:
            return True

        def current(self) -> str:
            return self.token

        def renew(self, refused: str) -> str:
            self.token = "new"
            return self.token

    honest = host.answer
    host.server.answer = lambda asked: honest(asked) if asked.headers["authorization"] == "Bearer new" else Said(401)
    host.part.write_bytes(ZIP[:3000])
    assert host.fetch(bearer=Bearer()).read_bytes() == ZIP
    assert host.ranges_asked == ["bytes=3000-", "bytes=3000-"]


def test_archives_that_are_none_or_would_swell(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for body in (b"PK", ZIP[:-30], archive(bytes(70 * 2**20), zipfile.ZIP_DEFLATED)):
        path.write_bytes(body)
        with pytest.raises(Corrupt):
            check_archive(path)
    path.write_bytes(ZIP)
    check_whole(path, len(ZIP), {"md5": MD5["md5"].upper()})
