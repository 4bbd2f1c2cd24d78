"""Only a plain SavedModel is unpacked, and whole or not at all."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.items import model_archive
from shared.items.model_archive import UnsafeModel, files_of, pack, unpack

GOOD = ("fingerprint.pb", "saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index")


def make_tar(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                entry = tarfile.TarInfo(member[0])
                entry.size = len(member[1])
                archive.addfile(entry, io.BytesIO(member[1]))
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def test_a_saved_model_appears_at_once(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "m.tar", *((name, name.encode()) for name in GOOD))
    folder = unpack(archive, tmp_path / "models" / "small", 7)
    assert folder == tmp_path / "models" / "small" / "7"
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()) == sorted(GOOD)
    assert [p.name for p in folder.parent.iterdir()] == ["7"]


@pytest.mark.parametrize(
    "member",
    [
        ("../escape", b"x"),
        ("/tmp/escape", b"x"),
        ("variables/../../escape", b"x"),
        ("assets/evil.txt", b"x"),
        ("saved_model.pb", b"again"),
        ("variables/variables.index/deeper", b"x"),
        link("variables/variables.index", "/etc/passwd"),
        link("variables/variables.index", "saved_model.pb", tarfile.LNKTYPE),
        link("variables/variables.index", "", tarfile.FIFOTYPE),
        link("variables", "", tarfile.DIRTYPE),
    ],
    ids=lambda m: m[0] if isinstance(m, tuple) else f"{m.name}-{m.type!r}",
)
def test_anything_else_is_refused(tmp_path: Path, member: tuple[str, bytes] | tarfile.TarInfo) -> None:
    archive = make_tar(tmp_path / "m.tar", ("saved_model.pb", b"x"), member)
    with pytest.raises(UnsafeModel):
        unpack(archive, tmp_path / "models", 7)
    assert list((tmp_path / "models").iterdir()) == [], "nothing is left behind"
    assert not (tmp_path / "escape").exists()


def test_no_tar_no_model_and_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.tar").write_bytes(b"no tar at all" * 100)
    cases = [
        tmp_path / "text.tar",
        make_tar(tmp_path / "empty.tar", ("variables/variables.index", b"x")),
        make_tar(tmp_path / "gzip.tar", ("saved_model.pb", b"x"), mode="w:gz"),
    ]
    monkeypatch.setattr(model_archive, "MOST_BYTES", 10)
    cases.append(make_tar(tmp_path / "large.tar", ("saved_model.pb", b"x" * 11)))
    for archive in cases:
        with pytest.raises(UnsafeModel):
            unpack(archive, tmp_path / "models", 7)


def saved_model(folder: Path) -> Path:
    """A folder as TensorFlow writes it: with an empty folder for files that there are none of."""
    for name in GOOD:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (folder / "assets").mkdir()
    return folder


def test_what_is_packed_is_unpacked_and_says_nothing_of_when_and_whose(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "saved")
    pack(folder, tmp_path / "one.tar")
    (folder / "saved_model.pb").touch()
    pack(folder, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    unpacked = unpack(tmp_path / "one.tar", tmp_path / "models", 7)
    assert [p.relative_to(unpacked).as_posix() for p in files_of(unpacked)] == sorted(GOOD)


def add_link(folder: Path) -> None:
    (folder / "fingerprint.pb").unlink()
    (folder / "fingerprint.pb").symlink_to("/etc/passwd")


def add_linked_folder(folder: Path) -> None:
    (folder / "assets").rmdir()
    (folder / "assets").symlink_to("/etc")


def add_asset(folder: Path) -> None:
    (folder / "assets" / "vocabulary.txt").write_text("x")


def remove_graph(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


@pytest.mark.parametrize("change", [add_link, add_linked_folder, add_asset, remove_graph])
def test_a_folder_of_something_else_is_not_packed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    folder = saved_model(tmp_path / "saved")
    change(folder)
    with pytest.raises(UnsafeModel, match="saved: "):
        pack(folder, tmp_path / "m.tar")
    assert not (tmp_path / "m.tar").exists()


def test_a_folder_that_is_too_large_is_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_archive, "MOST_BYTES", 10)
    with pytest.raises(UnsafeModel, match="larger than 10 bytes"):
        pack(saved_model(tmp_path / "saved"), tmp_path / "m.tar")
