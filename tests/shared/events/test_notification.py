from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import BadEvent, ObjectCreated, make, parse

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
        change(Records__first__eventName="s3:ObjectRemoved:Delete"),
        change(Records__first__s3__object__key="..%2Fetc"),
        change(Records__first__s3__object__key="a%00b"),
        change(Records__first__s3__object__key="other.jpg"),
        change(Records=[]),
        change(Records=MINIO["Records"] * 2),
        b"[" * 100_000,
        b"x" * 300_000,
    ],
    ids=["removed", "dots", "nul", "contradiction", "none", "two", "deep", "large"],
)
def test_refused(message: bytes) -> None:
    with pytest.raises(BadEvent):
        parse(message)
