"""The vector datasets of a label delivery: GeoPackages, geodatabases, shapefiles, tables, and the file that is kept."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from services.ingest.members import Limits
from services.ingest.names import label_stem
from services.ingest.refuse import DELIVER_AGAIN, Incomplete
from services.ingest.unpack import unpack
from shared.stage import RejectScene
from shared.vector import LATITUDES, LONGITUDES, is_table, names_positions

_SQLITE = b"SQLite format 3\x00"
_ZIP = b"PK\x03\x04"
_TABLE = "a00000001.gdbtable"
_GDB = ".gdb"
_ALONE = (".gpkg", ".csv")
"""Suffixes of datasets that are one file."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Dataset:
    """A vector dataset.

    Attributes:
        path: where it is: a file, or the folder of a geodatabase.
        file: the file as delivered that holds it; None where there is none that the next stage can open.
        member: its path inside that file; empty where it is the file itself.
    """

    path: Path
    file: Path | None = None
    member: str = ""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self.member or self.path.name


def plain_dataset(path: Path, unit: str) -> Dataset:
    """Take a GeoPackage or a table of points that was delivered as it is.

    Raises:
        Incomplete: it is shorter than its header says.
        RejectScene: it is something else.
    """
    _check(path, unit)
    return Dataset(path, path)


def datasets_of(root: Path, files: Iterable[str], unit: str, archive: Path | None, named: Path) -> list[Dataset]:
    """Find the datasets of an unpacked archive, or of a folder as delivered.

    Args:
        root: the folder.
        files: relative POSIX paths in it.
        unit: name of the delivery.
        archive: the archive that it came from.
        named: where a geodatabase whose tables lie at the top gets the name by which GDAL knows one.

    Returns:
        By path; none where nothing in it is one by name.

    Raises:
        Incomplete: one is cut short.
        RejectScene: none is what its name says.
    """
    here = list(files)
    if _TABLE in (name.lower() for name in here):
        return [Dataset(_at_the_top(root, unit, named))]
    opened = archive if archive is not None and _is_zip(archive) else None
    names = [*_names(here), *(n for n in sorted(here) if is_table(Path(n)) and names_positions(root / n))]
    found = _sound([Dataset(root / name, opened, name if opened else "") for name in names])
    if opened is None:
        found = [replace(d, file=d.path) if d.path.suffix.lower() in _ALONE else d for d in found]
    return found


def _sound(datasets: Iterable[Dataset]) -> list[Dataset]:
    """Return those that are what their names say; the others lie beside them, such as a shapefile without its parts."""
    found, faults = [], []
    for dataset in datasets:
        try:
            _check(dataset.path, dataset.name)
            found.append(dataset)
        except RejectScene as error:
            faults.append(error)
    if faults and not found:
        raise faults[0]
    return found


@dataclass(frozen=True)
class InnerZip:
    """A zip within a delivery, unpacked.

    Attributes:
        folder: where to.
        files: relative POSIX paths in it.
        datasets: what it holds.
    """

    folder: Path
    files: list[str]
    datasets: list[Dataset]


def open_zips(root: Path, files: Iterable[str], folder: Path, limits: Limits) -> list[InnerZip]:
    """Open the zips of a delivery, as EEA's downloads hold one for each format.

    Args:
        root: the folder of the delivery.
        files: relative POSIX paths in it.
        folder: where to unpack.
        limits: what all of them may hold at most.

    Raises:
        Incomplete: one is cut short.
        RejectScene: one is unsafe or damaged.
    """
    found: list[InnerZip] = []
    for number, name in enumerate(sorted(n for n in files if n.lower().endswith(".zip"))):
        inside, path = folder / str(number), root / name
        unpacked = unpack(path, inside, limits)
        limits = limits.less(inside, unpacked.files)
        datasets = datasets_of(inside, unpacked.files, path.name, path, folder / f"named-{number}")
        found.append(InnerZip(inside, unpacked.files, datasets))
    return found


def kept_file(dataset: Dataset, folder: Path) -> Dataset:
    """Return a dataset in a file that can be kept: one that lies open, or in an archive of another kind, is zipped.

    The zip is the same on each machine: members by name, not compressed, without their times.

    Args:
        dataset: the dataset.
        folder: where to make the zip.
    """
    if dataset.file is not None:
        return dataset
    path = dataset.path
    if path.is_dir():
        members = sorted(p for p in path.rglob("*") if p.is_file())
    else:
        members = sorted(p for p in path.parent.iterdir() if p.stem == path.stem and p.is_file())
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{path.stem}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as made:
        for member in members:
            info = zipfile.ZipInfo(member.relative_to(path.parent).as_posix(), _EPOCH)
            info.external_attr = 0o644 << 16
            info.file_size = member.stat().st_size
            with member.open("rb") as source, made.open(info, "w") as sink:
                while block := source.read(1 << 20):
                    sink.write(block)
    return replace(dataset, file=target, member=path.name)


def _names(files: Sequence[str]) -> list[str]:
    """Return the GeoPackages, file geodatabases and shapefiles among relative paths."""
    geodatabases = {f.rpartition("/")[0] for f in files if f.lower().endswith(f"{_GDB}/{_TABLE}")}
    single = {f for f in files if f.lower().endswith((".gpkg", ".shp")) and not PurePosixPath(f).name.startswith(".")}
    return sorted(geodatabases | single)


def _at_the_top(root: Path, unit: str, named: Path) -> Path:
    if root.name.lower().endswith(_GDB):
        return root
    named.mkdir(parents=True)
    link = named / f"{label_stem(unit)}{_GDB}"
    link.symlink_to(root)
    return link


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _check(path: Path, relative: str) -> None:
    """Check that a dataset is by content what its name says, so that GDAL opens it with that one driver."""
    if path.is_dir():
        # OpenFileGDB is told by the folder's name and its first table; read_facts lets GDAL see nothing else.
        return
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        raise Incomplete(relative, "is empty (0 bytes)")
    if relative.lower().endswith(".shp"):
        parts = {s for s in (".shx", ".dbf", ".prj") if not any(path.with_suffix(c).exists() for c in (s, s.upper()))}
        if head[:4] != b"\x00\x00\x27\x0a" or parts:
            missing = f"lacks its {', '.join(sorted(parts))}"
            fault = missing if parts else f"is not a shapefile: it begins with {head[:8]!r}"
            raise RejectScene(relative, fault, DELIVER_AGAIN)
        return
    if is_table(path):
        if not names_positions(path):
            fault = "has no columns of longitude and latitude in its first line"
            raise RejectScene(relative, fault, f"name them {LONGITUDES[0]},{LATITUDES[0]}; in degrees of WGS 84")
        return
    # The application id makes GDAL take its GeoPackage driver, never the SQLite one, whose tables may name other files.
    if not head.startswith(_SQLITE) or len(head) < 100 or head[68:70] != b"GP":
        raise RejectScene(relative, f"is not a GeoPackage: it begins with {head[:16]!r}", DELIVER_AGAIN)
    page_bytes, pages = struct.unpack(">H", head[16:18])[0], struct.unpack(">I", head[28:32])[0]
    if (65536 if page_bytes == 1 else page_bytes) * pages > path.stat().st_size:
        raise Incomplete(relative, f"is truncated: its header states {pages} pages of {page_bytes} bytes")
