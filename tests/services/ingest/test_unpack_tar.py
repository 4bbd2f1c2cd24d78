"""Tar archives that nobody vouches for."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.members import Limits
from services.ingest.refuse import Incomplete
from services.ingest.unpack_tar import unpack_tar
from shared.stage import RejectScene

LIMITS = Limits(100, 64 << 20, 200)
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, target
    return made


def pack(path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w", format=form) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    return path


def files(**contents: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(info(name, len(data)), data) for name, data in contents.items()]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_files_come_out_as_they_went_in(name: str, form: int, tmp_path: Path) -> None:
    long = "/".join(["a" * 40] * 5)
    contents = {"a/b.txt": b"one", "./a/c/d.bin": bytes(1000), "e": b"", "f": bytes(512)}
    if form != tarfile.USTAR_FORMAT:
        contents[long] = b"long"
    path = pack(tmp_path / name, [(info("./", kind=tarfile.DIRTYPE), b""), *files(**contents)], form)
    found = unpack_tar(path, tmp_path / "out", LIMITS)
    assert found.files == sorted(n.removeprefix("./") for n in contents)
    assert {n: (tmp_path / "out" / n).read_bytes() for n in contents} == contents


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "a\\..\\x", "C:/x", "a//x", "a/./x", "ä/../x", "a\x07"])
def test_unsafe_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="unsafe path"):
        unpack_tar(pack(tmp_path / "x.tar", files(**{name: b"x"})), tmp_path / "out", LIMITS)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE]
)
@pytest.mark.parametrize("name", ["link", "ä:link"])
def test_links_and_devices(name: str, kind: bytes, tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", [*files(a=b"x"), (info(name, kind=kind, target="a"), b"")])
    if kind == tarfile.CONTTYPE:
        assert "a" in unpack_tar(path, tmp_path / "out", LIMITS).files
        return
    with pytest.raises(RejectScene, match="link"):
        unpack_tar(path, tmp_path / "out", LIMITS)


def test_sparse_files(tmp_path: Path) -> None:
    member = info("a", 512)
    member.pax_headers = {"GNU.sparse.map": "0,512", "GNU.sparse.size": str(1 << 40), "GNU.sparse.name": "a"}
    with pytest.raises(RejectScene):
        unpack_tar(pack(tmp_path / "x.tar", [(member, bytes(512))]), tmp_path / "out", LIMITS)


def test_the_same_name_twice(tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="twice"):
        unpack_tar(pack(tmp_path / "x.tar", files(a=b"x", A=b"y")), tmp_path / "out", LIMITS)


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a")])
def test_a_file_and_a_folder_of_one_name(names: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(RejectScene):
        unpack_tar(pack(tmp_path / "x.tar", files(**dict.fromkeys(names, b"x"))), tmp_path / "out", LIMITS)


def test_members(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", files(**{str(n): b"" for n in range(11)}))
    with pytest.raises(RejectScene, match="more than 10 members"):
        unpack_tar(path, tmp_path / "out", Limits(10, 1000, 200))


@pytest.mark.parametrize("name", ["a", "ä"])
def test_total(name: str, tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", files(**{name: bytes(600), "b": bytes(600)}))
    with pytest.raises(RejectScene, match="more than 1000 bytes"):
        unpack_tar(path, tmp_path / "out", Limits(9, 1000, 200))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match="200 times"):
        unpack_tar(pack(tmp_path / "x.tar.gz", files(a=bytes(32 << 20))), tmp_path / "out", LIMITS)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_header_is_not_read_into_memory(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(info("x", 24 << 20, kind).tobuf(tarfile.GNU_FORMAT) + bytes(24 << 20), 1))
    tracemalloc.start()
    try:
        with pytest.raises(RejectScene, match="header of more than"):
            unpack_tar(path, tmp_path / "out", LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_headers_of_headers(tmp_path: Path) -> None:
    """Each level is a call of `tarfile`'s own."""
    (tmp_path / "x.tar").write_bytes(info("x", 0, tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT) * 3000)
    with pytest.raises(RejectScene):
        unpack_tar(tmp_path / "x.tar", tmp_path / "out", LIMITS)


def test_a_negative_size(tmp_path: Path) -> None:
    header = bytearray(info("a", 5).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfc\x00"
    header[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(header))[0]
    (tmp_path / "x.tar").write_bytes(bytes(header) * 4 + bytes(1024))
    with pytest.raises(RejectScene):
        unpack_tar(tmp_path / "x.tar", tmp_path / "out", LIMITS)


@pytest.mark.parametrize("data", [bytes(1024), gzip.compress(bytes(1024), mtime=0)], ids=["plain", "packed"])
def test_an_empty_archive(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(RejectScene, match="empty archive"):
        unpack_tar(tmp_path / "x.tar", tmp_path / "out", LIMITS)


@given(cut=st.integers(0, 3071), packed=st.booleans())
def test_a_truncated_archive_never_unpacks(cut: int, packed: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = pack(folder / "x.tar", files(a=bytes(range(256)), b=b"b"), tarfile.USTAR_FORMAT)
    data = path.read_bytes()[:2560]  # both files, and one block of the end
    data = gzip.compress(data, 0) if packed else data
    path.write_bytes(data[: cut % (len(data) - (8 if packed else 0) - 512)])
    with pytest.raises(Incomplete):
        unpack_tar(path, folder / "out", LIMITS)


@given(at=st.integers(0, 2047), value=st.integers(0, 255))
def test_any_damage_is_a_refusal(at: int, value: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = pack(folder / "x.tar", files(a=bytes(range(256)), b=b"b"), tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    data[at] = value
    path.write_bytes(data)
    try:
        found = unpack_tar(path, folder / "out", LIMITS)
    except (Incomplete, RejectScene):
        return
    assert {p.relative_to(folder / "out").as_posix() for p in (folder / "out").rglob("*") if p.is_file()} == {
        *found.files
    }
