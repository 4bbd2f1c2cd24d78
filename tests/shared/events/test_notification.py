from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import HINT_SOURCE, BadEvent, ObjectCreated, OtherEvent, make, parse

SEGMENTS = st.text(string.ascii_letters + string.digits + " +%=._-()", min_size=1, max_size=20).filter(
    lambda s: s not in {".", ".."}
)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)

# As MinIO sends it (its documentation, shortened).
MINIO = {
    "EventName": "s3:ObjectCreated:CompleteMultipartUpload",
    "Key": "images/my photo+1.jpg",
    "Records": [
        {
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": "",
            "eventTime": "2018-07-01T00:00:00.000Z",
            "eventName": "s3:ObjectCreated:CompleteMultipartUpload",
            "userIdentity": {"principalId": "minio"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": {"name": "images", "ownerIdentity": {"principalId": "minio"}, "arn": "arn:aws:s3:::images"},
                "object": {
                    "key": "my+photo%2B1.jpg",
                    "size": 5080,
                    "eTag": "a3",
                    "userMetadata": {"X-Amz-Meta-Sha256": "0f", "content-type": "image/jpeg"},
                    "sequencer": "153F",
                },
            },
        }
    ],
}


def test_reads_what_minio_sends() -> None:
    event = parse(json.dumps(MINIO).encode())
    assert event == ObjectCreated(
        "images", "my photo+1.jpg", 5080, "a3", {"sha256": "0f", "content-type": "image/jpeg"}
    )


@given(
    KEYS, st.integers(0, 2**40), st.dictionaries(st.text("abc-", min_size=1, max_size=8), st.text("xyz", max_size=9))
)
def test_parse_of_make_is_the_same(key: str, size: int, metadata: dict[str, str]) -> None:
    event = ObjectCreated("bucket", key, size, "etag", metadata)
    assert parse(make(event)) == event


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
)
def test_anything_else_is_a_typed_error(message: bytes) -> None:
    with pytest.raises(BadEvent):
        parse(message)


def change(**changes: object) -> bytes:
    event = json.loads(json.dumps(MINIO))
    for path, value in changes.items():
        node = event
        *parents, last = path.split("__")
        for name in parents:
            node = node[0 if name == "first" else name]
        node[last] = value
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    "message",
    [
        change(Records__first__eventName="hello"),
        change(Records__first__s3__object__key="..%2Fetc"),
        change(Records__first__s3__object__key="a%00b"),
        change(Records__first__s3__object__key="other.jpg"),
        change(Records=[]),
        change(Records=MINIO["Records"] * 2),
        b"[" * 100_000,
        b"x" * 300_000,
    ],
    ids=["unknown", "dots", "nul", "contradiction", "none", "two", "deep", "large"],
)
def test_refused(message: bytes) -> None:
    with pytest.raises(BadEvent):
        parse(message)


# As versitygw 1.8 sends them: the plain S3 form, keys raw, the etag in its quotes.
RAW_KEY = "landing/a b+c%20d/x.jp2"
PLAIN = {
    "Records": [
        {
            "eventVersion": "2.2",
            "eventSource": "aws:s3",
            "eventName": "s3:ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "kafka-global",
                "bucket": {"name": "b", "arn": "arn:aws:s3:::b/x"},
                "object": {"key": RAW_KEY, "size": 0, "eTag": '"a3"', "versionId": None, "sequencer": "0001"},
            },
        }
    ]
}


def test_raw_keys_are_a_setting_and_no_guess() -> None:
    message = json.dumps(PLAIN).encode()
    assert parse(message, "raw") == ObjectCreated("b", RAW_KEY, 0, "a3")
    assert parse(message, "quoted").key == "landing/a b c d/x.jp2"


def test_a_hint_is_quoted_whatever_the_store_does() -> None:
    hint = make(ObjectCreated("b", RAW_KEY, 0, ""), HINT_SOURCE)
    assert parse(hint, "raw").key == parse(hint, "quoted").key == RAW_KEY


@pytest.mark.parametrize(
    "message",
    [
        change(Records__first__eventName="s3:ObjectRemoved:Delete"),
        change(Records__first__eventName="s3:ObjectTagging:Put"),
        change(Records__first__eventName="s3:ObjectRemoved:Delete", Records__first__s3__object__eTag=None),
        b'{"Event": "s3:TestEvent", "Service": "Amazon S3", "Bucket": "b"}',
    ],
    ids=["removed", "tagged", "removed without etag", "test"],
)
def test_not_about_a_new_object(message: bytes) -> None:
    with pytest.raises(OtherEvent):
        parse(message)
