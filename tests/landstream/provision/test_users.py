"""The keys of the users, read from a folder of files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from landstream.provision.grants import Grant, grants
from landstream.provision.users import own_keys, read_credentials
from shared.store import StoreError
from tools.make_secrets import make_secrets

TABLE = [Grant("tiler")]


def test_what_make_secrets_makes_is_read(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    table = grants()
    keys = read_credentials(tmp_path / "users", table)
    assert list(keys) == [grant.user for grant in table]
    assert all(
        re.fullmatch(rf"{user[0]}[a-z0-9]{{5}}", access) and len(secret) == 40
        for user, (access, secret) in keys.items()
    )


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[other]\naws_access_key_id = a\naws_secret_access_key = b\n",
        "[default]\naws_access_key_id = a\n",
        "[default]\naws_access_key_id =\naws_secret_access_key = b\n",
        "aws_access_key_id = a\n",
        "\xff\xfe",
    ],
)
def test_missing_keys_are_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "tiler").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"tiler: no credentials of the user tiler there; `make secrets`"):
        read_credentials(tmp_path, TABLE)


def test_a_secret_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "tiler").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = 50%/b+c%(d)s\n")
    assert read_credentials(tmp_path, TABLE) == {"tiler": ("a", "50%/b+c%(d)s")}


def test_no_keys_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match="AWS_ACCESS_KEY_ID"):
        own_keys()
