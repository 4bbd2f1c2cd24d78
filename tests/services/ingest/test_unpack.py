"""Archives that nobody vouches for."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.members import Limits
from services.ingest.refuse import Incomplete, check_relative
from services.ingest.unpack import unpack
from shared.stage import RejectScene

LIMITS = Limits(100, 64 << 20, 200)


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def test_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    members = {"a/b.txt": b"one", "a/c/d.bin": bytes(1000), "e": b""}
    assert unpack(pack(tmp_path / "x.zip", members), tmp_path / "out", LIMITS).files == sorted(members)
    assert {n: (tmp_path / "out" / n).read_bytes() for n in members} == members


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "a\\..\\x", "C:/x", "a//x", "a/./x", "a\x07", "ä/../x", "\\\\x"]
)
def test_unsafe_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="unsafe path"):
        unpack(pack(tmp_path / "x.zip", {name: b"x"}), tmp_path / "out", LIMITS)
    assert not (tmp_path / "out").exists()


def test_links(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(RejectScene, match="link"):
        unpack(tmp_path / "x.zip", tmp_path / "out", LIMITS)


def test_ratio(tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="200 times"):
        unpack(pack(tmp_path / "x.zip", {"bomb": bytes(32 << 20)}), tmp_path / "out", LIMITS)


def test_total(tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="more than 1000 bytes"):
        unpack(pack(tmp_path / "x.zip", {"a": bytes(600), "b": bytes(600)}), tmp_path / "out", Limits(9, 1000, 200))


def test_members(tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="11 members"):
        unpack(pack(tmp_path / "x.zip", {str(n): b"" for n in range(11)}), tmp_path / "out", Limits(10, 1000, 200))


def test_a_lying_size(tmp_path: Path) -> None:
    """The table of contents declares fewer bytes than the member inflates to."""
    path = pack(tmp_path / "x.zip", {"a": bytes(100_000)})
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    for offset in (22, central + 24):
        data[offset : offset + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with pytest.raises(RejectScene):
        unpack(path, tmp_path / "out", LIMITS)
    assert (tmp_path / "out" / "a").stat().st_size <= 1000


def test_overlapping_members(tmp_path: Path) -> None:
    """Two entries of the table of contents share one member: CPython 3.11.7 reads both."""
    path = pack(tmp_path / "x.zip", {"aaaa": bytes(5000)})
    data = path.read_bytes()
    central, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[central:end]
    second = entry.replace(b"aaaa", b"aaab")
    tail = bytearray(data[end:])
    tail[8:12] = struct.pack("<HH", 2, 2)
    tail[12:16] = struct.pack("<I", 2 * len(entry))
    path.write_bytes(data[:central] + entry + second + bytes(tail))
    with pytest.raises(RejectScene, match="overlap"):
        unpack(path, tmp_path / "out", LIMITS)


@pytest.mark.parametrize("names", [("a", "A"), ("a", "a/b")])
def test_clashing_names(names: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(RejectScene):
        unpack(pack(tmp_path / "x.zip", dict.fromkeys(names, b"x")), tmp_path / "out", LIMITS)


def test_a_wrong_crc(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a": b"payload payload"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"payload payload", b"payload Payload"))
    with pytest.raises(RejectScene, match="CRC"):
        unpack(path, tmp_path / "out", LIMITS)


@given(cut=st.integers(0, 400))
def test_a_truncated_archive_never_unpacks(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = pack(folder / "x.zip", {"a": bytes(range(256)), "b": b"b"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises((Incomplete, RejectScene)):
        unpack(path, folder / "out", LIMITS)


@given(st.text(max_size=40))
def test_a_checked_path_stays_inside(path: str) -> None:
    try:
        checked = check_relative(path, "x")
    except RejectScene:
        return
    assert not checked.startswith("/")
    assert ".." not in checked.split("/")
    assert checked == (Path("/root") / checked).resolve().relative_to("/root").as_posix()
