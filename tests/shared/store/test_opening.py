"""What a `--store` option may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.store import FolderStore, open_store
from shared.store.s3 import S3Store


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that speaks to nobody."""
    monkeypatch.setenv("LANDSTREAM_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")


@pytest.mark.parametrize("location", ["s3://landstream", "s3://landstream/"])
def test_a_bucket(location: str) -> None:
    store = open_store(location)
    assert isinstance(store, S3Store)
    assert (store.bucket, store.location) == ("landstream", "s3://landstream")


@pytest.mark.parametrize("location", ["s3://", "s3:///", "s3:///key", "s3://bucket/prefix", "s3://bucket/a/b/"])
def test_a_bucket_alone(location: str) -> None:
    with pytest.raises(ValueError, match="name the bucket alone, as in s3://landstream"):
        open_store(location)


@pytest.mark.parametrize(
    "location",
    ["s3://a b", "s3://user:secret@host", "s3://b?x=1", "s3://b#x", "s3://Small_1", "s3://b", "s3://-bucket"],
)
def test_no_bucket_has_such_a_name(location: str) -> None:
    with pytest.raises(ValueError, match="a bucket's name has 3 to 63 lower case letters, digits, dashes and dots"):
        open_store(location)


@pytest.mark.parametrize(
    "location", ["http://host/bucket", "gs://bucket", "file:///tmp/store", "S3://bucket", "s3:/bucket", "s3:bucket"]
)
def test_another_scheme(location: str) -> None:
    with pytest.raises(ValueError, match=r"no store; use s3://BUCKET or a folder"):
        open_store(location)


@pytest.mark.parametrize("name", ["store", "s3:store", "a b"])
def test_a_folder(tmp_path: Path, name: str) -> None:
    store = open_store(str(tmp_path / name))
    assert isinstance(store, FolderStore)
    assert store.location == str(tmp_path / name)
