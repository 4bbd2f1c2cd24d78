"""One good product, as people's tools leave it."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event

import pytest

from landstream.verdict import verdict_of
from services.ingest.completeness import why_incomplete
from services.ingest.fetch.network.manifest import require_stated
from services.ingest.members import Limits
from services.ingest.verify import list_files
from shared.area import Area
from shared.run.deliver import deliver
from shared.stage import NewItem, RejectScene, RetryLater
from shared.store import FolderStore
from tests.services.ingest.conftest import unit_of

Run = Callable[..., NewItem]
Rename = Callable[[str], str]


def zipped(root: Path, target: Path, rename: Rename, folders: Sequence[str] = ()) -> Path:
    """Pack a product, each file under the name that a tool would give it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        members = [(folder, b"") for folder in folders]
        members += [(rename(p.relative_to(root).as_posix()), p.read_bytes()) for p in sorted(root.rglob("*.*"))]
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename = name  # the constructor would change back-slashes
            archive.writestr(info, data)
    return target


def tarred(root: Path, target: Path, prefix: str) -> Path:
    """Pack a product with tar, by gzip where the name says so."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w:gz" if target.name.endswith("gz") else "w") as archive:
        archive.add(root, prefix)
    return target


def nested(root: Path, outer: Path) -> Path:
    return Path(shutil.copytree(root, outer / root.name)).parent


def packed_twice(root: Path, inner: Path, target: Path) -> Path:
    """Pack a product's archive once more."""
    zipped(root, inner, lambda n: f"{root.name}/{n}")
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(inner, inner.name)
    return target


PACKED: dict[str, Callable[[Path, Path], Path]] = {
    "folder-of-its-title": lambda p, out: nested(p, out / p.stem),
    "folder-twice": lambda p, out: nested(p, out / p.name),
    "zip-of-folder-twice": lambda p, out: zipped(p, out / f"{p.stem}.zip", lambda n: f"{p.name}/{p.name}/{n}"),
    "zip-of-folder-of-its-title": lambda p, out: zipped(p, out / "a1b2.zip", lambda n: f"{p.stem}/{p.name}/{n}"),
    "zip-in-a-zip": lambda p, out: packed_twice(p, out / "in" / f"{p.stem}.zip", out / f"{p.stem}.zip"),
    "zip-in-a-zip-of-an-order": lambda p, out: packed_twice(p, out / "in" / f"{p.stem}.SAFE.zip", out / "order.zip"),
    "back-slashes": lambda p, out: zipped(
        p, out / f"{p.stem}.zip", lambda n: f"{p.name}/{n}".replace("/", "\\"), (f"{p.name}\\", f"{p.name}\\HTML\\")
    ),
    "dot": lambda p, out: zipped(p, out / f"{p.stem}.zip", lambda n: f"./{p.name}/{n}", ("./", f"./{p.name}/")),
    "zip-named-as-the-product": lambda p, out: zipped(p, out / p.name, lambda n: f"{p.name}/{n}"),
    "zip-without-suffix": lambda p, out: zipped(p, out / p.stem, lambda n: f"{p.name}/{n}"),
    "zip-of-an-id": lambda p, out: zipped(p, out / "5f6c1b1e-0000", lambda n: f"{p.name}/{n}"),
    "tar": lambda p, out: tarred(p, out / f"{p.name}.tar", p.name),
    "tar-dot": lambda p, out: tarred(p, out / f"{p.stem}.tar", f"./{p.name}"),
    "tar-of-files": lambda p, out: tarred(p, out / f"{p.stem}.tar", "."),
    "tar-gz": lambda p, out: tarred(p, out / f"{p.name}.tar.gz", p.name),
    "tgz": lambda p, out: tarred(p, out / f"{p.stem}.tgz", f"{p.stem}/{p.name}"),
    "tar-named-as-the-product": lambda p, out: tarred(p, out / p.name, p.name),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_it_is_the_same_product(
    pack: Callable[[Path, Path], Path], ingest: Run, scene: Path, area: Area, tmp_path: Path
) -> None:
    packed = pack(scene, tmp_path / "packed")
    plain, item = ingest(scene), ingest(packed)
    assert (item.product, item.properties) == (plain.product, plain.properties)
    assert "landstream:left_out" not in item.properties
    assert item.assets["B02_10m"].path.read_bytes() == plain.assets["B02_10m"].path.read_bytes()
    assert verdict_of(packed, area).startswith(("used", "read to tell") if packed.suffix else ("used", "refused: not"))


@pytest.mark.parametrize("pack", [PACKED["tar"], PACKED["folder-of-its-title"]], ids=["tar", "folder"])
def test_a_frame_too(pack: Callable[[Path, Path], Path], ingest: Run, frame: Path, tmp_path: Path) -> None:
    assert ingest(pack(frame, tmp_path / "packed")).properties == ingest(frame).properties


ODD = ("manifest.safe:Zone.Identifier", "Lies mich – bitte.txt", "GRANULE/Überblick/ä.txt", "what?.txt")


@pytest.mark.parametrize("kind", ["folder", "nested", "zip", "tar"])
def test_files_with_odd_names_are_left_out_and_named(kind: str, ingest: Run, scene: Path, tmp_path: Path) -> None:
    plain = ingest(scene)
    for name in ODD:
        (scene / name).parent.mkdir(exist_ok=True)
        (scene / name).write_text("[ZoneTransfer]\nZoneId=3\n")
    path, prefix = scene, ""
    if kind == "nested":
        path, prefix = nested(scene, tmp_path / "nested" / scene.stem), f"{scene.name}/"
    elif kind == "zip":
        path, prefix = zipped(scene, tmp_path / "a.zip", lambda n: f"{scene.name}/{n}"), f"{scene.name}/"
    elif kind == "tar":
        path, prefix = tarred(scene, tmp_path / "a.tar", scene.name), f"{scene.name}/"
    item = ingest(path)
    assert item.properties["landstream:left_out"] == sorted(prefix + name for name in ODD)
    assert {k: v for k, v in item.properties.items() if k != "landstream:left_out"} == plain.properties
    assert not [p for p in tmp_path.glob("task*/**/*") if not p.name.isascii()]


def test_their_names_outlive_the_way_into_the_store(ingest: Run, frame: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(frame, tmp_path / frame.name))
    names = ["Oa01_radiance.nc:Zone.Identifier", "Légende.txt"]
    for name in names:
        (path / name).touch()
    (path / "100%25.txt").touch()
    store = FolderStore(tmp_path / "store")
    unit = deliver(store, path, Event())
    assert ingest(store.root / "landing" / unit.name).properties["landstream:left_out"] == sorted(names)


@pytest.mark.parametrize("name", ["ä%2F..", "%00:x", "%5C:x"])
def test_what_stands_in_a_name_as_in_a_url_leads_nowhere(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(RejectScene, match="unsafe path"):
        list_files(tmp_path, Limits(10, 1000, 200))


def test_what_lies_beside_the_inner_folder_is_named(ingest: Run, frame: Path, tmp_path: Path) -> None:
    path = nested(frame, tmp_path / frame.stem)
    (path / "quicklook.jpg").write_bytes(b"x")
    (path / ".DS_Store").write_bytes(b"x")
    assert ingest(path).properties["landstream:left_out"] == ["quicklook.jpg"]


def test_of_many_some_are_named(ingest: Run, frame: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(frame, tmp_path / frame.name))
    for number in range(60):
        (path / f"{number:02d}:x").touch()
    (path / "L\udce9gende.txt").touch()
    left_out = ingest(path).properties["landstream:left_out"]
    assert left_out[:2] == ["00:x", "01:x"]
    assert left_out[-1] == "and 11 more"
    assert len(left_out) == 51


def test_an_inner_folder_is_waited_for(ingest: Run, scene: Path, tmp_path: Path) -> None:
    path = nested(scene, tmp_path / "nested" / scene.stem)
    read = lambda relative: (path / relative).read_bytes()  # noqa: E731
    assert why_incomplete(unit_of(path), read) is None
    image = next(path.rglob("*_B02_10m.jp2"))
    image.unlink()
    assert "57 of 58 files are there" in (why_incomplete(unit_of(path), read) or "")
    with pytest.raises(RetryLater, match="B02_10m"):
        ingest(path, patience_s=60.0)
    (path / scene.name / "manifest.safe").unlink()
    assert why_incomplete(unit_of(path), read) == "manifest.safe: is missing"


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_a_tar_that_is_still_arriving_is_waited_for(name: str, ingest: Run, frame: Path, tmp_path: Path) -> None:
    path = tarred(frame, tmp_path / name, frame.name)
    data = path.read_bytes()
    for length in (0, 1, 300, 512, len(data) // 3, len(data) * 2 // 3):
        path.write_bytes(data[:length])
        with pytest.raises(RetryLater, match=r"empty|truncated"):
            ingest(path, patience_s=60.0)
    path.write_bytes(data)
    assert ingest(path, patience_s=60.0).product == frame.stem


def test_a_product_of_another_name_inside_is_not_taken(ingest: Run, scene: Path, tmp_path: Path) -> None:
    outer = tmp_path / scene.name.replace("R093", "R094")
    with pytest.raises(RejectScene, match=r"manifest\.safe: is missing"):
        ingest(nested(scene, outer))
    with pytest.raises(RejectScene, match="is not a product"):
        ingest(nested(scene, tmp_path / "holidays"))


@pytest.mark.parametrize("inside", [True, False])
def test_the_long_format_is_refused_by_name(inside: bool, ingest: Run, tmp_path: Path) -> None:
    name = "S2A_OPER_PRD_MSIL1C_PDMC_20160605T162121_R050_V20160605T095032_20160605T095032.SAFE"
    (tmp_path / name).mkdir()
    (tmp_path / name / "manifest.safe").write_text("<x/>")
    path = tmp_path / name
    if inside:
        path = zipped(path, tmp_path / "old.zip", lambda n: f"{name}/{n}")
    with pytest.raises(RejectScene, match=r"long format of before December 2016.*Collection-1"):
        ingest(path)


def test_what_is_packed_alone_is_no_product(ingest: Run, tmp_path: Path) -> None:
    (tmp_path / "note.gz").write_bytes(gzip.compress(b"a note" * 1000))
    with pytest.raises(RejectScene, match="damaged tar"):
        ingest(tmp_path / "note.gz")
    (tmp_path / "note.tar").write_bytes(io.BytesIO(b"a note" * 1000).getvalue())
    with pytest.raises(RejectScene, match="damaged tar"):
        ingest(tmp_path / "note.tar")


def without_what_nobody_reads(scene: Path) -> list[str]:
    """Leave away of a product what mirrors leave away; the paths."""
    gone = [scene / "INSPIRE.xml", next(scene.glob("GRANULE/*/QI_DATA/*_PVI.jp2"))]
    for path in gone:
        path.unlink()
    return sorted(path.relative_to(scene).as_posix() for path in gone)


@pytest.mark.parametrize("packed", [True, False])
def test_a_mirror_leaves_away_what_no_stage_reads(packed: bool, ingest: Run, scene: Path, tmp_path: Path) -> None:
    plain = ingest(scene)
    absent = without_what_nobody_reads(scene)
    path = tarred(scene, tmp_path / "a.tar", scene.name) if packed else scene
    item = ingest(path, patience_s=60.0 if packed else 0.0)
    assert item.properties == plain.properties | {"landstream:absent": absent}
    require_stated(scene, scene.name, {p.relative_to(scene).as_posix(): p.stat().st_size for p in scene.rglob("*.*")})


def test_it_is_waited_for_while_it_may_arrive(ingest: Run, scene: Path) -> None:
    without_what_nobody_reads(scene)
    with pytest.raises(RetryLater, match=r"is missing, as do 1 more"):
        ingest(scene, patience_s=60.0)
    assert why_incomplete(unit_of(scene), lambda relative: (scene / relative).read_bytes())


def test_a_preview_that_is_there_is_whole(ingest: Run, scene: Path) -> None:
    preview = next(scene.glob("GRANULE/*/QI_DATA/*_PVI.jp2"))
    preview.write_bytes(preview.read_bytes()[:-1])
    with pytest.raises(RejectScene, match="_PVI"):
        ingest(scene)


@pytest.mark.parametrize(
    "pattern", ["*_B02_10m.jp2", "*_TCI_10m.jp2", "MTD_TL.xml", "MSK_CLDPRB_20m.jp2", "MTD_DS.xml"]
)
def test_all_else_of_the_manifest_has_to_be_there(pattern: str, ingest: Run, scene: Path) -> None:
    without_what_nobody_reads(scene)
    next(scene.rglob(pattern)).unlink()
    with pytest.raises(RejectScene, match="is missing; "):
        ingest(scene)


def test_a_product_that_is_packed_thrice(scene: Path, ingest: Run, tmp_path: Path) -> None:
    """An archive is looked into once: one that holds itself has no end."""
    once = packed_twice(scene, tmp_path / "in" / f"{scene.stem}.zip", tmp_path / f"{scene.stem}.zip")
    with zipfile.ZipFile(tmp_path / "order.zip", "w") as archive:
        archive.write(once, once.name)
    with pytest.raises(RejectScene, match=r"manifest\.safe: is missing"):
        ingest(tmp_path / "order.zip")


def test_what_is_no_archive_within_one(ingest: Run, tmp_path: Path) -> None:
    name = "S2A_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T120000"
    with zipfile.ZipFile(tmp_path / "order.zip", "w") as archive:
        archive.writestr(name, b"abc")
    with pytest.raises(RejectScene, match=f"{name}: is not a product"):
        ingest(tmp_path / "order.zip")
    with zipfile.ZipFile(tmp_path / "cut.zip", "w") as archive:
        archive.writestr(f"{name}.zip", b"PK\x03\x04")
    with pytest.raises(RejectScene, match="is a truncated zip"):
        ingest(tmp_path / "cut.zip")
