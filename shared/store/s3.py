"""The store on S3: one bucket, spoken to with boto3.

Conditional puts decide who was first. Their answer can be lost on the way, and the next try then meets its own
object: such a conflict is resolved by comparing content. Conditional *multipart completion* is broken on some stores,
so nothing rests on it: large objects lie under keys of their own content.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from urllib3.exceptions import HTTPError

from shared.events import ObjectCreated, make
from shared.items.keys import check_key, is_key
from shared.items.weeks import BadKey
from shared.observe.failpoint import failpoint
from shared.settings import settings_config
from shared.store.protocol import (
    ChecksumMismatch,
    Forbidden,
    NotFound,
    ObjectInfo,
    PreconditionFailed,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from shared.store.space import full, space_fault

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_T = TypeVar("_T")
Page = list[ObjectInfo]
_BROKEN = (ConnectionError, HTTPClientError, IncompleteReadError, HTTPError, OSError)
"""What a connection that broke raises: nobody knows whether the request was done."""

_BLOCK: Final = 1 << 20
_PART: Final = 32 << 20
_COPIED: Final = (1 << 20, 5 << 30)
"""Bytes of what is copied within the store: below, a copy costs more requests than it saves; above, S3 refuses."""
_TRANSIENT: Final = {
    "RequestTimeout",
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
    "OperationAborted",
    "ConditionalRequestConflict",  # AWS: two conditional puts met; neither counts yet
}


_VERBS: Final = {
    "PutObject": "write",
    "CopyObject": "write",
    "CreateMultipartUpload": "write",
    "UploadPart": "write",
    "CompleteMultipartUpload": "write",
    "DeleteObject": "delete",
}
"""What a person calls an operation that changes an object."""


_FULL: Final = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded"}
"""What MinIO and Ceph say when a disk or a quota is used up; others answer with status 507."""


class S3Settings(BaseSettings):
    """Settings of the connection to S3; keys come from AWS's own variables or `AWS_SHARED_CREDENTIALS_FILE`."""

    model_config = SettingsConfigDict(**settings_config("s3"), populate_by_name=True)

    endpoint: str = Field("", validation_alias="LANDSTREAM_S3")
    """`http://HOST:PORT` of the store; empty = AWS itself."""
    region: str = Field("us-east-1", validation_alias="AWS_DEFAULT_REGION")
    """Region for which requests are signed; most stores other than AWS accept any."""
    tries: int = 6
    """Attempts at a request, over about 10 s, before the store counts as away."""
    connect_s: float = 3.0
    """Seconds that connecting may take; a store in the same data centre answers in milliseconds."""
    read_s: float = 60.0
    """Seconds between two bytes of an answer; contended conditional puts wait for whole seconds."""


class S3Store:
    """See `shared.store.Store`.

    Args:
        bucket: the bucket; it exists (`landstream provision` makes it).
        settings: where and how; from the environment where not given.
        notify: called with an "object created" event, in MinIO's JSON, after each put; None = the store itself tells.
    """

    def __init__(
        self, bucket: str, settings: S3Settings | None = None, notify: Callable[[bytes], None] | None = None
    ) -> None:
        self.bucket, self.settings, self._notify = bucket, settings or S3Settings(), notify
        self.location, self.remote = f"s3://{bucket}", True
        self.client = connect(self.settings)

    def put(
        self,
        key: str,
        data: bytes | Path,
        *,
        create_only: bool = False,
        same_as: ObjectInfo | None = None,
    ) -> ObjectInfo:
        """See `Store.put`; a large file is put create-only under a key of its content."""
        check_key(key)
        failpoint("store.before_link")
        if same_as is not None and self._copy(same_as, key, create_only):
            pass
        elif isinstance(data, Path) and data.stat().st_size > _PART:
            self._put_large(key, data, create_only)
        else:
            body = data if isinstance(data, bytes) else data.read_bytes()
            self._put_small(key, body, create_only)
        failpoint("store.after_link")
        info = self.head(key)
        if self._notify:
            self._notify(make(ObjectCreated(self.bucket, key, info.size, info.etag)))
        return info

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        check_key(key)

        def read() -> bytes:
            return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

        return self._retry(read, key)

    def fetch(self, key: str, path: Path, sha256: str | None = None) -> ObjectInfo:
        """See `Store.fetch`; an answer that breaks off is taken up where it broke, of the same object."""
        check_key(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, etag, done = hashlib.sha256(), "", 0
        try:
            with path.open("xb", buffering=0) as out:

                def stream() -> None:
                    nonlocal etag, done
                    # A range only to continue: an empty object has none.
                    part: dict[str, Any] = {"Range": f"bytes={done}-", "IfMatch": etag} if done else {}
                    answer = self.client.get_object(Bucket=self.bucket, Key=key, **part)
                    etag = answer["ETag"]
                    with closing(answer["Body"]) as body:
                        for block in body.iter_chunks(_BLOCK):
                            _write(out, block)
                            digest.update(block)
                            done += len(block)

                self._retry(stream, key)
        except ClientError as error:
            path.unlink(missing_ok=True)
            raise StoreError(f"{key}: changed while it was read ({_code(error)}); read it again") from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if sha256 is not None and digest.hexdigest() != sha256:
            path.unlink()
            raise ChecksumMismatch(f"{key}: its bytes are not those of sha256 {sha256[:12]}...; restore the object")
        return ObjectInfo(key, done, _unquoted(etag), path.stat().st_mtime)

    def head(self, key: str) -> ObjectInfo:
        """See `Store.head`."""
        check_key(key)
        answer = self._retry(lambda: self.client.head_object(Bucket=self.bucket, Key=key), key)
        if "ETag" not in answer:  # a gateway, of an object that is replaced at this moment
            raise StoreError(f"{key}: the store names no ETag of it; see that nobody else writes it, then try again")
        return ObjectInfo(
            key,
            answer["ContentLength"],
            _unquoted(answer["ETag"]),
            answer["LastModified"].timestamp(),
        )

    def etag_of(self, path: Path) -> str:
        """See `Store.etag_of`: MD5; of an object sent in parts, that of the parts' MD5s and their number."""
        with path.open("rb") as file:
            parts = [hashlib.md5(b, usedforsecurity=False) for b in iter(lambda: file.read(_PART), b"")]
        if path.stat().st_size <= _PART:
            return (parts or [hashlib.md5(usedforsecurity=False)])[0].hexdigest()
        return f"{hashlib.md5(b''.join(p.digest() for p in parts), usedforsecurity=False).hexdigest()}-{len(parts)}"

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `Store.list`."""
        return (info for info in self._all(prefix) if is_key(info.key))

    def children(self, prefix: str) -> Iterator[str]:
        """See `Store.children`."""
        token, last = "", ""
        while True:
            more = {"ContinuationToken": token} if token else {}
            answer = self._retry(
                lambda more=more: self.client.list_objects_v2(  # type: ignore[misc]
                    Bucket=self.bucket, Prefix=prefix, Delimiter="/", **more
                ),
                "",
            )
            names = [o["Key"] for o in answer.get("Contents", ())]
            names += [p["Prefix"].rstrip("/") for p in answer.get("CommonPrefixes", ())]
            for name in sorted({n.removeprefix(prefix) for n in names}):
                if name != last and is_key(name):
                    yield name
                last = name
            token = answer.get("NextContinuationToken", "")
            if not token:
                return

    def exists(self, key: str) -> bool:
        """See `Store.exists`."""
        try:
            self.head(key)
        except NotFound:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """See `Store.keys`."""
        return (info.key for info in self.list(prefix))

    def unusable(self, prefix: str) -> Iterator[str]:
        """See `Store.unusable`."""
        return (info.key for info in self._all(prefix) if not is_key(info.key))

    def make_bucket(self) -> bool:
        """See `Store.make_bucket`."""
        try:
            self.reach()
        except NotFound:
            self._retry(self._create_bucket, "")
            return True
        return False

    def _create_bucket(self) -> None:
        where: Any = {}
        if not self.settings.endpoint and self.settings.region != "us-east-1":  # AWS takes no name for its first region
            where = {"CreateBucketConfiguration": {"LocationConstraint": self.settings.region}}
        try:
            self.client.create_bucket(Bucket=self.bucket, **where)
        except ClientError as error:
            if _code(error) == "BucketAlreadyExists":
                raise StoreError(f"{self.location}: the bucket is another account's; choose another name") from error
            if _code(error) != "BucketAlreadyOwnedByYou":  # made in the same moment, or by a try whose answer was lost
                raise

    def reach(self) -> None:
        """See `Store.reach`."""
        self._retry(lambda: self.client.head_bucket(Bucket=self.bucket), "")

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        check_key(key)
        with suppress(NotFound):
            self._retry(lambda: self.client.delete_object(Bucket=self.bucket, Key=key), key)

    def _all(self, prefix: str) -> Iterator[ObjectInfo]:
        token = ""
        while True:
            page, token = self._page(Prefix=prefix, **({"ContinuationToken": token} if token else {}))
            yield from page
            if not token:
                return

    def _page(self, **arguments: Any) -> tuple[Page, str]:
        """Return a page of names, keys or not, and where the next one begins."""
        answer = self._retry(lambda: self.client.list_objects_v2(Bucket=self.bucket, **arguments), "")
        found = [
            ObjectInfo(o["Key"], o["Size"], _unquoted(o["ETag"]), o["LastModified"].timestamp())
            for o in answer.get("Contents", ())
        ]
        return found, answer.get("NextContinuationToken", "")

    def _copy(self, source: ObjectInfo, key: str, create_only: bool) -> bool:
        """Copy an object within the store; return False where it is another one by now, or too small or large."""
        if not _COPIED[0] <= source.size <= _COPIED[1]:
            return False
        if create_only and self.exists(key):
            raise PreconditionFailed(_conflict(key))
        origin: Any = {"Bucket": self.bucket, "Key": source.key}
        try:
            self._retry(
                lambda: self.client.copy_object(
                    Bucket=self.bucket, Key=key, CopySource=origin, CopySourceIfMatch=source.etag
                ),
                key,
            )
        except (StoreUnavailable, StoreFull):
            raise
        except (NotFound, StoreError, ClientError):
            return False  # the bytes are at hand, so what a store refuses to copy is sent; a refusal of that is told
        return True

    def _put_small(self, key: str, body: bytes, create_only: bool) -> None:
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if create_only else {}
        unsure = False

        def attempt() -> None:
            nonlocal unsure
            try:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **condition)
            except ClientError as error:
                if condition and _status(error) in (404, 412) and _code(error) != "NoSuchBucket":
                    if unsure and self.get(key) == body:
                        return
                    raise PreconditionFailed(_conflict(key)) from error
                unsure = unsure or _status(error) >= 500
                raise
            except _BROKEN:
                unsure = True
                raise

        self._retry(attempt, key)

    def _put_large(self, key: str, path: Path, create_only: bool) -> None:
        if create_only and self.exists(key):
            raise PreconditionFailed(_conflict(key))
        where: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        upload = self._retry(lambda: self.client.create_multipart_upload(**where, ChecksumAlgorithm="SHA256"), key)[
            "UploadId"
        ]
        parts: Any = []
        try:
            with path.open("rb") as file:
                while block := file.read(_PART):
                    parts.append(self._put_part(where, upload, len(parts) + 1, block))
            condition: dict[str, Any] = {"IfNoneMatch": "*"} if create_only else {}
            self._complete(where, upload, parts, condition)
        except BaseException:
            with suppress(StoreError, ClientError):
                self._retry(lambda: self.client.abort_multipart_upload(**where, UploadId=upload), key)
            raise

    def _put_part(self, where: dict[str, Any], upload: str, number: int, block: bytes) -> dict[str, Any]:
        answer = self._retry(
            lambda: self.client.upload_part(
                **where, UploadId=upload, PartNumber=number, Body=block, ChecksumAlgorithm="SHA256"
            ),
            where["Key"],
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]}

    def _complete(self, where: dict[str, Any], upload: str, parts: Sequence[Any], condition: dict[str, Any]) -> None:
        unsure = False

        def attempt() -> None:
            nonlocal unsure
            try:
                self.client.complete_multipart_upload(
                    **where, UploadId=upload, MultipartUpload={"Parts": list(parts)}, **condition
                )
            except ClientError as error:
                if unsure and _code(error) in {"NoSuchUpload", "PreconditionFailed"} and self.exists(where["Key"]):
                    return  # completed by the try whose answer was lost
                if condition and _status(error) == 412:
                    raise PreconditionFailed(_conflict(where["Key"])) from error
                unsure = unsure or _status(error) >= 500
                raise
            except _BROKEN:
                unsure = True
                raise

        self._retry(attempt, where["Key"])

    def _retry(self, call: Callable[[], _T], key: str) -> _T:
        """Call until it answers; the pause doubles, with jitter.

        Raises:
            NotFound: there is no such object.
            BadKey: the store cannot hold this key beside what it holds.
            StoreUnavailable: it does not answer, or refuses for now.
            StoreError: it refuses.
        """
        for n in range(self.settings.tries):
            try:
                return call()
            except ClientError as error:
                cause: Exception = error
                if not _is_transient(error) or _is_full(error):
                    raise self._translated(error, key) from error
            except _BROKEN as error:
                cause = error
            except NoCredentialsError as error:
                raise StoreError(
                    f"{self.location}: no keys; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                    "AWS_SHARED_CREDENTIALS_FILE to a file of them"
                ) from error
            except BotoCoreError as error:  # a wrong argument
                raise StoreError(f"{self.location}: {error}") from error
            if n + 1 < self.settings.tries:
                time.sleep(min(5.0, 0.1 * 4**n) * random.uniform(0.5, 1))
        raise StoreUnavailable(
            f"{self.settings.endpoint or 'S3'}: does not answer ({cause}); check LANDSTREAM_S3, and that the store runs"
        ) from cause

    def _translated(self, error: ClientError, key: str) -> Exception:
        code, status = _code(error), _status(error)
        if _is_full(error):
            return StoreFull(f"{self.location}: the store or its quota is full ({code or status}); free or enlarge it")
        if code == "NoSuchBucket":
            return StoreError(
                f"{self.location}: there is no such bucket; check the name, `landstream provision` makes a new one"
            )
        if code in {"ObjectParentIsFile", "ExistingObjectIsDirectory", "DirectoryObjectContainsData"} or (
            status == 409 and code not in {"ConditionalRequestConflict", "OperationAborted"}
        ):
            return BadKey(f"key {key[:200]!r} is another object's folder, or has an object for a folder")
        if status == 404:
            return NotFound(key)
        if code == "AccessDenied" and error.operation_name in _VERBS:
            return Forbidden(self.location, key, _VERBS[error.operation_name])
        if status in (401, 403):
            return StoreError(f"{self.location}/{key}: access denied ({code}); check the keys and this user's policy")
        if status == 412:
            return error
        return StoreError(f"{self.location}/{key}: {error}")


def connect(settings: S3Settings) -> S3Client:
    """Return a boto3 client for any thread; its own retries are off, as they hide that a try may have landed."""
    client: S3Client = boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint or None,
        region_name=settings.region,
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=settings.connect_s,
            read_timeout=settings.read_s,
            max_pool_connections=32,
            s3={"addressing_style": "path" if settings.endpoint else "auto"},
        ),
    )
    return client


def _write(out: FileIO, block: bytes) -> None:
    """Write all of it; a fault of this machine's disk must not look like the connection's, which is tried again."""
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[out.write(rest) :]
    except OSError as error:
        if fault := space_fault(error):
            raise full(Path(str(out.name)).parent, fault, len(block)) from error
        raise StoreError(f"{out.name}: cannot be written ({error.strerror}); check this disk") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_transient(error: ClientError) -> bool:
    status = _status(error)
    return (status >= 500 and status != 501) or status == 429 or _code(error) in _TRANSIENT


def _is_full(error: ClientError) -> bool:
    return _status(error) == 507 or _code(error) in _FULL


def _conflict(key: str) -> str:
    return f"{key} exists"


def _unquoted(etag: str) -> str:
    return etag.strip('"')
