"""Credentials come from the environment or from files of secrets, and are shown to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.ingest.fetch.errors import Misconfigured
from services.ingest.fetch.provider import Credentials
from services.ingest.fetch.providers.credentials import MAX_BYTES, CdseSettings, credentials_for
from shared.area.source import CdseSource, DhusSource, FolderSource, StacSource

CDSE = CdseSource(kind="cdse")
S3 = CdseSource(kind="cdse", download="s3")
DHUS = DhusSource(kind="dhus", api_url="https://node.example/dhus")


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in ("CDSE", "DHUS"):
        for name in ("USERNAME", "PASSWORD", "PASSWORD_FILE", "ACCESS_KEY", "SECRET_KEY", "SECRET_KEY_FILE"):
            monkeypatch.delenv(f"LANDSTREAM_{owner}_{name}", raising=False)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (CDSE, "LANDSTREAM_CDSE_USERNAME and LANDSTREAM_CDSE_PASSWORD"),
        (S3, "LANDSTREAM_CDSE_ACCESS_KEY and LANDSTREAM_CDSE_SECRET_KEY"),
        (DHUS, "LANDSTREAM_DHUS_USERNAME and LANDSTREAM_DHUS_PASSWORD"),
        (
            CdseSource(kind="cdse", download="s3", subscribe=True),
            "LANDSTREAM_CDSE_ACCESS_KEY and LANDSTREAM_CDSE_SECRET_KEY",
        ),
    ],
)
def test_what_is_absent_is_named(source: CdseSource | DhusSource, names: str) -> None:
    with pytest.raises(Misconfigured, match=names):
        credentials_for(source)


def test_a_subscription_needs_the_account_beside_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CDSE_ACCESS_KEY", "key")
    monkeypatch.setenv("LANDSTREAM_CDSE_SECRET_KEY", "secret")
    assert credentials_for(S3).secret_key == "secret"
    with pytest.raises(Misconfigured, match="LANDSTREAM_CDSE_USERNAME"):
        credentials_for(CdseSource(kind="cdse", download="s3", subscribe=True))


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", "user")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", "hidden")
    monkeypatch.setenv("LANDSTREAM_DHUS_USERNAME", "other")
    monkeypatch.setenv("LANDSTREAM_DHUS_PASSWORD", "hidden too")
    assert credentials_for(CDSE) == Credentials(username="user", password="hidden")
    assert credentials_for(DHUS) == Credentials(username="other", password="hidden too")


def test_a_file_of_secrets_goes_before_and_only_its_beginning_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n" + "\n" * 10 * MAX_BYTES + "never read")
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", "user")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", "hidden")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD_FILE", str(file))
    assert credentials_for(CDSE).password == "from a file"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named_with_its_variable_and_nothing_of_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", "user")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD_FILE", str(file))
    with pytest.raises(Misconfigured, match=f"LANDSTREAM_CDSE_PASSWORD_FILE: {file}: ") as raised:
        credentials_for(CDSE)
    assert "xff" not in str(raised.value)


@pytest.mark.parametrize("source", [StacSource(kind="stac"), FolderSource(kind="folder", path="/x")])
def test_what_needs_none_gets_none(source: StacSource | FolderSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", "user")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", "hidden")
    assert credentials_for(source) == Credentials()


def test_nothing_that_can_be_printed_shows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", "user")
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", "hidden")
    assert "hidden" not in f"{CdseSettings()} {CdseSettings()!r} {credentials_for(CDSE)!r}"
