"""Ingest: one landing unit to one item."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pydantic import Field

from services.ingest import read_labels, read_safe, read_sen3
from services.ingest.describe import COLLECTIONS, check_place, label_item, olci_item, scene_item
from services.ingest.names import SafeName, Sen3Name, parse_label, parse_product
from services.ingest.read_xml import NotXml
from services.ingest.refuse import DELIVER_AGAIN, Incomplete
from services.ingest.unpack import Limits, unpack
from services.ingest.verify import find_incomplete, list_files, read_manifest, verify
from shared.area import Area
from shared.items.keys import LandingUnit
from shared.stage import AFFECTS_RESULT, Job, NewItem, RejectScene, RetryLater, Settings, Stage, Task

if TYPE_CHECKING:
    from shared.items.catalogue import Catalogue

MARKERS = frozenset({".empty-folder", ".keep", ".gitkeep", ".DS_Store"})
_ARRIVING = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
_REMEDY = "deliver a SAFE or SEN3 product (folder or .zip) or label polygons (.gpkg, .gdb.zip, zipped .shp)"


class IngestSettings(Settings):
    """Settings of ingest."""

    max_members: int = 20_000
    """Files that a product may hold; a SAFE has about 120."""
    max_bytes: int = 64 << 30
    """Bytes that a product may unpack to; pan-European Corine has 8 GB."""
    max_ratio: int = 200
    """Unpacked to packed bytes of a large archive member; honest ones stay below 30."""
    decode: bool = Field(default=True, json_schema_extra=AFFECTS_RESULT)
    """Decode every image once: a checksum does not tell a picture that was written corrupt."""
    threads: int = 2
    """Threads of the JPEG2000 decoder."""


def plan(unit: LandingUnit, catalogue: Catalogue, area: Area, settings: IngestSettings) -> list[Job]:
    """One job a unit; hidden names are other programs' notes, not deliveries."""
    if unit.name.startswith("."):
        return []
    return [Job(collection="", product="", week="", unit=unit)]


def process(task: Task) -> NewItem:
    """Identify, verify and describe a landing unit.

    Raises:
        RejectScene: it will never be usable.
        RetryLater: it is incomplete and may still be arriving.
    """
    unit = task.job.unit
    if unit is None or task.unit_path is None:
        raise RejectScene("unit", "is no landing unit", _REMEDY)
    try:
        return _register(unit, task.unit_path, task)
    except Incomplete as error:
        if _may_grow(unit):
            raise RetryLater(str(error)) from error
        raise error.rejection() from error


def _register(unit: LandingUnit, path: Path, task: Task) -> NewItem:
    settings: IngestSettings = task.settings
    limits = Limits(settings.max_members, settings.max_bytes, settings.max_ratio)
    if unit.name.lower().endswith(_ARRIVING):
        raise Incomplete(unit.name, "has the name of an unfinished transfer")
    if not path.exists() or (path.is_dir() and all(o.path.rsplit("/", 1)[-1] in MARKERS for o in unit.objects)):
        raise Incomplete(unit.name, "is an empty folder")
    if path.is_dir():
        return _register_folder(path, unit.name, list_files(path, limits), task)
    if unit.name.lower().endswith(".gpkg"):
        read_labels.check_dataset(path, unit.name)
        return _register_labels({"": path}, unit.name, path, task)
    if not unit.name.lower().endswith(".zip"):
        raise Incomplete(unit.name, "is empty (0 bytes)") if path.stat().st_size == 0 else _not_a_product(unit.name)
    files = unpack(path, task.folder / "unpacked", limits)
    try:
        return _register_archive(path, unit.name, files, task)
    except Incomplete as error:  # an archive with its table of contents is all there
        raise error.rejection() from error


def _register_archive(path: Path, unit: str, files: list[str], task: Task) -> NewItem:
    root = task.folder / "unpacked"
    if datasets := read_labels.find_datasets(root, files):
        for member in datasets:
            read_labels.check_dataset(root / member, member)
        return _register_labels({m: root / m for m in datasets}, unit, path, task)
    tops = {f.split("/")[0] for f in files}
    products = sorted(t for t in tops if parse_product(t))
    if len(products) > 1:
        raise RejectScene(unit, f"holds {len(products)} products", "deliver one product an archive")
    if parse_product(unit) and not products and tops & {read_safe.MANIFEST, read_sen3.MANIFEST}:
        return _register_folder(root, unit, list_files(root, _limits(task)), task)  # packed without its folder
    if not products:
        nested = sorted({str(f) for path in files for f in PurePosixPath(path).parents if parse_product(f.name)})
        if nested:
            raise RejectScene(unit, f"holds its product deeper, as {nested[0]}", "pack the product's folder at the top")
        raise _not_a_product(unit)
    outer = parse_product(unit)
    if outer and outer != parse_product(products[0]):
        raise RejectScene(unit, f"holds the product {products[0]}, which is not what its name says", DELIVER_AGAIN)
    return _register_folder(root / products[0], products[0], list_files(root / products[0], _limits(task)), task)


def _register_folder(root: Path, name: str, files: dict[str, int], task: Task) -> NewItem:
    product = parse_product(name)
    if product is None:
        raise _not_a_product(name)
    manifest = read_safe.MANIFEST if isinstance(product, SafeName) else read_sen3.MANIFEST
    if manifest not in files:
        raise Incomplete(manifest, "is missing")
    try:
        entries = read_manifest(root / manifest)
    except NotXml as error:
        raise Incomplete(error.file, error.fault) from error
    absent = find_incomplete(entries, files)
    if absent and task.job.unit is not None and task.job.unit.is_folder and _may_grow(task.job.unit):
        raise Incomplete(absent[0], f"is missing or short, as are {len(absent) - 1} more files of the manifest")
    verify(root, entries, files)
    if isinstance(product, Sen3Name):
        return _register_olci(root, product, files, absent, task)
    return _register_safe(root, product, files, absent, task)


def _register_safe(root: Path, name: SafeName, files: dict[str, int], absent: list[str], task: Task) -> NewItem:
    facts = read_safe.read_facts(root, name, files)
    check_place(name.product, facts.footprint, facts.datatake_start, task.area)
    grids = read_safe.read_grids(root, facts, task.settings.decode, task.settings.threads)
    footprint = read_safe.crop_footprint(facts, grids)
    check_place(name.product, footprint, facts.datatake_start, task.area)
    return scene_item(name, facts, grids, footprint, absent, root, task.folder)


def _register_olci(root: Path, name: Sen3Name, files: dict[str, int], absent: list[str], task: Task) -> NewItem:
    facts = read_sen3.read_facts(root, name, files)
    check_place(name.product, facts.footprint, facts.start, task.area)
    read_sen3.check_files(root, facts, task.settings.decode)
    return olci_item(name, facts, absent, root, task.folder)


def _register_labels(datasets: dict[str, Path], unit: str, file: Path, task: Task) -> NewItem:
    name = parse_label(unit)
    facts = read_labels.read_facts(datasets, name, task.area, unit)
    return label_item(name, facts, task.area, file, task.folder)


def _limits(task: Task) -> Limits:
    return Limits(task.settings.max_members, task.settings.max_bytes, task.settings.max_ratio)


def _may_grow(unit: LandingUnit) -> bool:
    """Whether the unit may still be arriving: on the command line it never is."""
    return unit.patience_s > 0 and time.time() - unit.modified_s < unit.patience_s


def _not_a_product(name: str) -> RejectScene:
    return RejectScene(name, "is not a product: neither its name nor its content is known", _REMEDY)


STAGE = Stage(
    name="ingest",
    version=1,
    consumes=("landing",),
    publishes=COLLECTIONS,
    plan=plan,
    process=process,
    settings=IngestSettings,
)
