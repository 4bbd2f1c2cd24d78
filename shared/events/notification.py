"""Parse and make the "object created" notification of S3: MinIO's form, and the plain one of other stores.

Source: MinIO `cmd/event-notification.go`, AWS S3 event message structure 2.1: `Records[0].s3.object.key` is
URL-quoted (a blank is `+`), MinIO's top-level `Key` is `bucket/key` as it is. Some stores (versitygw) send the object's
key raw: nothing in the message tells, so it is a setting of the store, never a guess.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote_plus, unquote_plus

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.items.keys import check_key
from shared.items.weeks import BadKey

MAX_EVENT_BYTES = 256 * 1024


class BadEvent(ValueError):
    """Raised when a message is not an event that Landstream knows; the message says what is wrong."""


class OtherEvent(ValueError):
    """Raised for a notification that is well and not about a new object: a deletion, a store's test event."""


HINT_SOURCE: Final = "landstream:sweep"
"""`eventSource` of our own hints, whose keys are quoted whatever the store does."""

KeyForm = Literal["quoted", "raw"]
"""How a store writes the object's key in `Records[0].s3.object.key`."""


@dataclass(frozen=True)
class ObjectCreated:
    """A new object.

    Attributes:
        bucket: bucket name.
        key: key as it is (not quoted).
        size: bytes.
        etag: as the store gives it.
        metadata: user metadata, names in lower case without `x-amz-meta-`.
    """

    bucket: str
    key: str
    size: int
    etag: str
    metadata: dict[str, str] = field(default_factory=dict)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Bucket(_Lenient):
    name: str


class _Object(_Lenient):
    key: str
    size: int | None = None  # deletions have neither
    eTag: str | None = None
    userMetadata: dict[str, str] = Field(default_factory=dict)


class _S3(_Lenient):
    bucket: _Bucket
    object: _Object


class _Record(_Lenient):
    eventName: str
    eventSource: str = ""
    s3: _S3


class _Message(_Lenient):
    Key: str = ""
    Records: list[_Record] = Field(min_length=1, max_length=1)


class _TestEvent(_Lenient):
    Event: Literal["s3:TestEvent"]


def parse(message: bytes, keys: KeyForm = "quoted") -> ObjectCreated:
    """Read one notification.

    Args:
        message: its JSON.
        keys: how the store writes keys.

    Raises:
        OtherEvent: it is a store's test event, or about something else than a new object.
        BadEvent: too large, not JSON, of another shape, or its two keys contradict each other.
    """
    if len(message) > MAX_EVENT_BYTES:
        raise BadEvent(f"event of {len(message)} bytes is larger than {MAX_EVENT_BYTES}")
    try:
        record = _Message.model_validate_json(message)
    except ValidationError as error:
        if _is_test(message):
            raise OtherEvent("the store's test event") from None
        first = error.errors()[0]
        raise BadEvent(f"not an S3 event: {'.'.join(map(str, first['loc'])) or 'message'}: {first['msg']}") from error
    event, object_ = record.Records[0].eventName, record.Records[0].s3.object
    kind = event.removeprefix("s3:").split(":")[0]
    if not kind.startswith("Object"):
        raise BadEvent(f"event {event[:80]!r} is not the event of an object")
    if kind != "ObjectCreated":
        raise OtherEvent(f"event {event[:80]!r} is not about a new object")
    quoted = keys == "quoted" or record.Records[0].eventSource == HINT_SOURCE
    bucket, key = record.Records[0].s3.bucket.name, unquote_plus(object_.key) if quoted else object_.key
    try:
        check_key(key)
    except BadKey as error:
        raise BadEvent(str(error)) from error
    if record.Key and record.Key != f"{bucket}/{key}":
        raise BadEvent(f"keys contradict: {record.Key[:200]!r} and {bucket + '/' + key!r}")
    metadata = {n.lower().removeprefix("x-amz-meta-"): v for n, v in object_.userMetadata.items()}
    return ObjectCreated(bucket, key, object_.size or 0, (object_.eTag or "").strip('"'), metadata)


def _is_test(message: bytes) -> bool:
    try:
        _TestEvent.model_validate_json(message)
    except ValidationError:
        return False
    return True


def make(created: ObjectCreated, source: str = "minio:s3") -> bytes:
    """Write one notification in MinIO's form; `parse` of it gives the same object."""
    name = "s3:ObjectCreated:Put"
    metadata = {f"X-Amz-Meta-{n}": v for n, v in created.metadata.items()}
    object_: dict[str, Any] = {
        "key": quote_plus(created.key),
        "size": created.size,
        "eTag": created.etag,
        "userMetadata": metadata,
    }
    record = {
        "eventVersion": "2.0",
        "eventSource": source,
        "eventName": name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": created.bucket}, "object": object_},
    }
    return json.dumps({"EventName": name, "Key": f"{created.bucket}/{created.key}", "Records": [record]}).encode()
