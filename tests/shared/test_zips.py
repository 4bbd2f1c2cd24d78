"""Zip files whose table of contents is looked at before it is read."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import pytest

from shared import zips
from shared.zips import open_zip


def write_zip(path: Path, members: int, comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(members):
            archive.writestr(f"{number:05}", b"x")
        archive.comment = comment
    return path


def test_a_zip_file_is_opened(tmp_path: Path) -> None:
    with open_zip(write_zip(tmp_path / "a.zip", 3, b"a comment " * 1000)) as opened:
        assert opened.namelist() == ["00000", "00001", "00002"]


def test_a_large_table_of_contents_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "a.zip", 100)
    monkeypatch.setattr(zips, "MOST_BYTES", 100 * (46 + 5))
    open_zip(path).close()
    monkeypatch.setattr(zips, "MOST_BYTES", 100 * (46 + 5) - 1)
    with pytest.raises(zipfile.BadZipFile, match="its table of contents has 5100 bytes, more than 5099"):
        open_zip(path)


@pytest.mark.parametrize("large", [False, True])
def test_one_that_says_to_be_huge_costs_nothing(tmp_path: Path, large: bool) -> None:
    """A hole of 3 GB that calls itself a table of contents; also by the record for large files."""
    path, size = tmp_path / "a.zip", 3 << 30
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFFF if large else size, 0, 0)
    if large:
        end = (
            struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, 0)
            + struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
            + end
        )
    with path.open("wb") as file:
        os.truncate(path, size)
        file.seek(size)
        file.write(end)
    with pytest.raises(zipfile.BadZipFile, match=f"has {size} bytes"):
        open_zip(path)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6", b"x" * 100_000])
def test_what_is_no_zip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(zipfile.BadZipFile):
        open_zip(path)
