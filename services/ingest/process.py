"""Ingest: one landing unit to one item."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import PurePosixPath

from services.ingest import read_cogs, read_label_raster, read_labels, read_safe, read_sen3
from services.ingest.identify import REMEDY, Labels, MaskOf, Product, Rasters, identify
from services.ingest.item import (
    Beside,
    check_place,
    make_frame_item,
    make_mask_item,
    make_polygons_item,
    make_raster_item,
    make_scene_item,
)
from services.ingest.label_datasets import kept_file
from services.ingest.members import Limits
from services.ingest.names import LabelName, SafeName, parse_label
from services.ingest.read_grids import crop_footprint, read_grids
from services.ingest.read_mask import read_mask
from services.ingest.read_xml import NotXml
from services.ingest.refuse import Incomplete
from services.ingest.stage import IngestSettings
from services.ingest.verify import Entry, list_absent, read_manifest, require_complete, verify
from shared.stage import NewItem, RejectScene, RetryLater, Task


def process(task: Task[IngestSettings]) -> NewItem:
    """Identify, verify and describe a landing unit.

    Raises:
        RejectScene: it will never be usable.
        RetryLater: it is incomplete and may still be arriving.
    """
    if task.delivery is None:
        raise RejectScene("delivery", "is not a landing unit", REMEDY)
    unit, path, settings = task.delivery.unit, task.delivery.path, task.settings
    limits = Limits(settings.max_members, settings.max_bytes, settings.max_ratio)
    may_grow = unit.patience_s > 0 and time.time() - unit.modified_s < unit.patience_s
    try:
        found = identify(path, unit.name, [o.path for o in unit.objects], task.folder / "unpacked", limits)
        may_grow = may_grow and not found.whole
        if isinstance(found, Product):
            return _register_product(found, task, may_grow)
        if may_grow:
            raise RetryLater(f"{unit.name}: is a folder without a manifest; it is taken once nothing more arrives")
        if isinstance(found, MaskOf):
            return _register_mask(found, unit.name, task)
        return _register_labels(found, unit.name, task)
    except Incomplete as error:
        if may_grow:
            raise RetryLater(str(error)) from error
        raise error.rejection() from error


def _register_product(product: Product, task: Task[IngestSettings], may_grow: bool) -> NewItem:
    """Check the files against the manifest, then the metadata, the place and the images.

    Mirrors leave away what nobody reads: once nothing more will arrive, such a product is whole without it.
    """
    root, files = product.root, product.files
    if product.manifest not in files:
        raise Incomplete(product.manifest, "is missing")
    entries = _read_entries(product)
    is_safe = isinstance(product.name, SafeName) and not product.cogs
    absent = list_absent(entries, files) if is_safe and not may_grow else []
    require_complete({path: entry for path, entry in entries.items() if path not in absent}, files)
    verify(root, entries, files)
    if isinstance(product.name, SafeName):
        scene = (read_cogs if product.cogs else read_safe).read_facts(root, product.name, files)
        check_place(product.name.product, scene.footprint, scene.datatake_start, task.area)
        grids = read_grids(root, scene, task.settings.decode, task.settings.threads)
        footprint = crop_footprint(scene, grids)
        check_place(product.name.product, footprint, scene.datatake_start, task.area)
        beside = Beside(product.left_out, absent)
        return make_scene_item(product.name, scene, grids, footprint, root, task.folder, beside, cogs=product.cogs)
    frame = read_sen3.read_facts(root, product.name, files)
    check_place(product.name.product, frame.footprint, frame.start, task.area)
    read_sen3.check_files(root, frame, task.settings.decode)
    return make_frame_item(product.name, frame, root, task.folder, Beside(product.left_out))


def _read_entries(product: Product) -> dict[str, Entry]:
    path = product.root / product.manifest
    if product.cogs:
        return read_cogs.read_entries(path)
    try:
        return read_manifest(path)
    except NotXml as error:
        raise Incomplete(error.file, error.fault) from error


def _register_labels(labels: Labels | Rasters, unit: str, task: Task[IngestSettings]) -> NewItem:
    name = parse_label(unit)
    if isinstance(labels, Rasters):
        raster = read_label_raster.read_facts(labels.files, name, task.area, unit)
        return make_raster_item(_edition_of(name, raster.path.name), raster, task.area, task.folder)
    layer = read_labels.read_facts(labels.datasets, name, task.area, unit)
    kept = kept_file(layer.dataset, task.folder / "kept")
    name = _edition_of(name, layer.dataset.name, kept.file.name if kept.file else "")
    return make_polygons_item(name, layer, kept, task.area, task.folder)


def _register_mask(found: MaskOf, unit: str, task: Task[IngestSettings]) -> NewItem:
    mask, scene = read_mask(found.path, found.name, task.area, unit), found.name.scene
    check_place(scene.product, mask.outline, scene.datatake_start, task.area)
    return make_mask_item(found.name, mask, task.folder)


def _edition_of(name: LabelName, *files: str) -> LabelName:
    """Return what a delivery's name tells; of which edition an archive of any name is, its files tell."""
    for file in files:
        inner = parse_label(PurePosixPath(file).name)
        if inner.release and not name.release:
            name = replace(name, campaign=inner.campaign, release=inner.release)
    return name
