"""Downloads a product object by object from S3 with boto3, into the folder that its archive would hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.network.http import TRIES, Http
from services.ingest.fetch.network.manifest import require_stated
from services.ingest.fetch.network.receive import Span, Speed, receive, settle
from services.ingest.fetch.network.resume import Version, range_start
from services.ingest.fetch.network.s3_wire import speak_through
from services.ingest.fetch.provider import Credentials, Progress, unheard

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

BUCKET: Final = "eodata"
REGION: Final = "default"
OBJECTS_LIMIT: Final = 5_000
"""Objects of a product: twenty times what the largest has."""
BYTES_LIMIT: Final = 16 * 2**30
"""Bytes of a product: several times what the largest has."""
PAGES_LIMIT: Final = 50
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.=+-][A-Za-z0-9_.=+ -]{0,199}\Z", re.ASCII)
_NOT_THERE: Final = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})
_NOT_NOW: Final = frozenset({"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "429"})
_PIECE: Final = 2**16


class StoredObject(NamedTuple):
    """An object of a product.

    Attributes:
        key: in the bucket.
        path: below the product's folder.
        size: bytes.
    """

    key: str
    path: PurePosixPath
    size: int


class S3:
    """The bucket of products at one endpoint; used by many threads at once."""

    def __init__(self, http: Http, endpoint: str, credentials: Credentials, speed: Speed | None = None) -> None:
        """Ask nothing yet.

        Args:
            http: may ask the endpoint's host; everything goes through it.
            endpoint: address.
            credentials: access key and secret key; nothing is looked for elsewhere.
            speed: what is too slow.

        Raises:
            Misconfigured: a key is absent.
        """
        if not credentials.access_key or not credentials.secret_key:
            raise Misconfigured("access key and secret key of S3 are absent: give them in the environment")
        self._speed = speed or Speed()
        self._client: S3Client = boto3.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                retries={"mode": "standard", "total_max_attempts": TRIES},
                proxies={},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        speak_through(self._client, http)

    def close(self) -> None:
        """Give up connections."""
        self._client.close()

    def download(self, prefix: str, folder: Path, size: int | None = None, progress: Progress = unheard) -> Path:
        """Fetch all objects below a prefix, but what an earlier try fetched of them, and return the folder.

        Args:
            prefix: of keys, with a slash at its end.
            folder: the product's, which may be there in part; it gets this name when all is there.
            size: bytes that all may have; None = not known.
            progress: is told how far it has come.

        Raises:
            Gone: there is nothing below the prefix.
            Refused: the list does not end, is too large, or a key would lead out of the folder.
            Corrupt: an object is not of the size that the list states, or not what the product's manifest states.
            Unavailable: the service does not answer well.
            Misconfigured: the keys are wrong, or not enough.
        """
        objects = self.objects(prefix)
        total = sum(each.size for each in objects)
        if size is not None and total > 2 * size + 2**20:
            raise Refused(f"{folder.name} has {total} bytes in S3, and {size} as an archive")
        part = folder.with_name(f"{folder.name}.part")
        target = folder if folder.is_dir() else part
        _check_inside(target, objects)
        done = 0
        for each in objects:
            self._fetch(each, target, Span(done, total), progress)
            done += each.size
            progress(done, total)
        _check_nothing_else(target, objects)
        require_stated(target, folder.name, {each.path.as_posix(): each.size for each in objects})
        if target == part:
            settle(part, folder)
        return folder

    def objects(self, prefix: str) -> list[StoredObject]:
        """Return what lies below a prefix; markers of folders are left out.

        Raises:
            Gone: there is nothing.
            Refused: the list does not end, is too large, or a key would lead out of the folder.
            Unavailable: the service does not answer well.
            Misconfigured: the keys are wrong, or not enough.
        """
        if not prefix.endswith("/") or prefix.startswith("/") or ".." in prefix:
            raise Refused("the place of a product is not a folder of the bucket")
        found: dict[str, StoredObject] = {}
        for key, size in self._listed(prefix):
            if key.endswith("/") and size == 0:
                continue
            found[key] = StoredObject(key, _inside(prefix, key), size)
            if len(found) > OBJECTS_LIMIT or sum(each.size for each in found.values()) > BYTES_LIMIT:
                raise Refused(f"{prefix} holds more than a product does")
        if not found:
            raise Gone(f"there is nothing at {prefix}")
        return list(found.values())

    def _listed(self, prefix: str) -> Iterator[tuple[str, int]]:
        token = ""
        for _ in range(PAGES_LIMIT):
            try:
                more = {"ContinuationToken": token} if token else {}
                page = self._client.list_objects_v2(Bucket=BUCKET, Prefix=prefix, MaxKeys=1000, **more)  # type: ignore[arg-type]
            except (ClientError, BotoCoreError, ValueError) as error:
                raise _told(error, prefix) from error
            for each in page.get("Contents", ()):
                yield each.get("Key", ""), int(each.get("Size", -1))
            following = page.get("NextContinuationToken", "")
            if not page.get("IsTruncated") or not following:
                return
            if following == token:
                break
            token = following
        raise Refused(f"the list of {prefix} does not end")

    def _fetch(self, each: StoredObject, folder: Path, span: Span, progress: Progress) -> None:
        path = folder / each.path
        if path.is_file() and path.stat().st_size == each.size:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        version = Version(part)
        opened, start = self._open(each, version)

        def heard(done: int, total: int | None) -> None:
            progress(span.done + done, span.total)

        try:
            with closing(opened) as body, open(part, "ab" if start else "wb") as file:
                pieces = iter(lambda: body.read(_PIECE), b"")
                done = receive(pieces, file, Span(start, each.size), heard, self._speed)
        except (ClientError, BotoCoreError) as error:
            raise _told(error, each.key) from error
        except Corrupt:
            version.forget()
            raise
        if done != each.size:
            version.forget()
            raise Corrupt(f"{each.path.name} has {done} bytes, and not the {each.size} of the list")
        settle(part, path)
        version.settled()

    def _open(self, each: StoredObject, version: Version) -> tuple[StreamingBody, int]:
        """Ask for an object, or for the rest of the version that has come in part; return what comes, and from where.

        Raises:
            FetchError: as `_told` says.
        """
        start = version.done if version.done < each.size else 0
        try:
            if start and (answer := self._rest(each.key, version, start)):
                stated = range_start(answer.get("ContentRange", ""), Span(start, each.size))
                if stated == start and answer.get("ETag", "") == version.text:
                    return answer["Body"], start
                answer["Body"].close()  # a service may not know of `If-Match`, or of ranges
            answer = self._client.get_object(Bucket=BUCKET, Key=each.key)
        except (ClientError, BotoCoreError, ValueError) as error:
            raise _told(error, each.key) from error
        version.begin(answer.get("ETag", ""))
        return answer["Body"], 0

    def _rest(self, key: str, version: Version, start: int) -> GetObjectOutputTypeDef | None:
        """Ask for an object from a byte on; None = it is another version by now, or not so long."""
        try:
            return self._client.get_object(Bucket=BUCKET, Key=key, Range=f"bytes={start}-", IfMatch=version.text)
        except ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {412, 416}:
                return None
            raise


def _inside(prefix: str, key: str) -> PurePosixPath:
    """Return a key's path below a prefix.

    Raises:
        Refused: it leads elsewhere, or has parts that no product's files have.
    """
    segments = key.removeprefix(prefix).split("/")
    safe = all(_SEGMENT.match(each) and each not in {".", ".."} and not each.endswith(".part") for each in segments)
    if not key.startswith(prefix) or not safe or len(segments) > 12:
        raise Refused(f"a key below {prefix} is not that of a product's file")
    return PurePosixPath(*segments)


def _check_inside(folder: Path, objects: list[StoredObject]) -> None:
    """Refuse files that would lie below files, and folders that lead elsewhere."""
    paths = {each.path for each in objects}
    if any(parent in paths for path in paths for parent in path.parents):
        raise Refused(f"{folder.name} would hold a file that is a folder, too")
    folders = {folder} | {folder / parent for path in paths for parent in path.parents}
    if any(each.is_symlink() for each in folders | {folder / path for path in paths}):
        raise Refused(f"{folder.name} holds a link")


def _check_nothing_else(folder: Path, objects: list[StoredObject]) -> None:
    """Remove what an earlier try left of a product that has changed since."""
    wanted = {folder / each.path for each in objects}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()


def _told(error: Exception, what: str) -> FetchError:
    """Return what an error of boto3 means; its own text is not handed on."""
    if not isinstance(error, ClientError):
        return Unavailable(f"S3 does not answer well about {what}: {type(error).__name__}")
    code = re.sub(r"[^A-Za-z0-9]", "", str(error.response.get("Error", {}).get("Code", "")))[:40]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _NOT_THERE or status == 404:
        return Gone(f"{what} is not in S3: {code}")
    if code in _NOT_NOW or status >= 500 or status == 429:
        return Unavailable(f"S3 does not answer well about {what}: {status} {code}")
    if status in {400, 401, 403}:
        return Misconfigured(f"S3 does not take our keys: {status} {code}")
    return Unavailable(f"S3 answers {status} {code} about {what}")
