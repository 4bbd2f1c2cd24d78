"""Identification: what a landing unit is, by the grammar of its name and by its content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from services.ingest.archives import unpacker_of
from services.ingest.label_datasets import Dataset, datasets_of, open_zips, plain_dataset
from services.ingest.members import Limits, Unpacked
from services.ingest.names import (
    ARRIVING,
    COGS_MANIFEST,
    MaskName,
    SafeName,
    Sen3Name,
    is_cogs,
    is_image,
    is_long,
    is_mask,
    parse_mask,
    parse_product,
    product_folder,
)
from services.ingest.read_label_raster import find_rasters, is_geotiff
from services.ingest.refuse import DELIVER_AGAIN, Incomplete
from services.ingest.verify import list_files
from shared.stage import RejectScene

MARKERS = frozenset({".empty-folder", ".keep", ".gitkeep", ".DS_Store"})
REMEDY = "deliver a SAFE or SEN3 product (folder, .zip or .tar), or labels (.gpkg, .gdb, .shp, .csv, .tif)"


@dataclass(frozen=True)
class Product:
    """A SAFE or SEN3 folder, or a folder of COGs.

    Attributes:
        root: the local folder.
        name: its parsed name.
        files: relative path -> bytes.
        whole: it comes from an archive, so that nothing more will arrive.
        cogs: it is a STAC item with its COGs.
        left_out: files that were delivered with it, and that no stage can read.
    """

    root: Path
    name: SafeName | Sen3Name
    files: dict[str, int]
    whole: bool
    cogs: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def manifest(self) -> str:
        """Name of its manifest."""
        return COGS_MANIFEST if self.cogs else self.name.manifest


@dataclass(frozen=True)
class Labels:
    """A delivery of polygons.

    Attributes:
        datasets: what it holds.
        whole: it comes from one file, so that nothing more will arrive.
    """

    datasets: list[Dataset]
    whole: bool = True


@dataclass(frozen=True)
class Rasters:
    """A delivery of rasters of classes.

    Attributes:
        files: what to call each in messages -> GeoTIFF.
        whole: it comes from one file, so that nothing more will arrive.
    """

    files: dict[str, Path]
    whole: bool = True


@dataclass(frozen=True)
class MaskOf:
    """A mask that others made of a scene.

    Attributes:
        name: what its name tells.
        path: the GeoTIFF.
        whole: it comes from one file, so that nothing more will arrive.
    """

    name: MaskName
    path: Path
    whole: bool = True


NoProduct = Labels | Rasters | MaskOf
"""What is delivered and is no product."""


def identify(path: Path, unit: str, objects: Iterable[str], folder: Path, limits: Limits) -> Product | NoProduct:
    """Tell what a unit is; archives are unpacked.

    Args:
        path: the local file or folder.
        unit: its name in `landing/`.
        objects: paths inside it.
        folder: where to unpack.
        limits: what it may hold at most.

    Raises:
        Incomplete: empty, or cut short.
        RejectScene: unsafe, damaged, or not a product.
    """
    name = unit.lower()
    if name.endswith(ARRIVING):
        raise Incomplete(unit, "has the name of an unfinished transfer")
    if not path.exists() or (path.is_dir() and all(o.rsplit("/", 1)[-1] in MARKERS for o in objects)):
        raise Incomplete(unit, "is an empty folder")
    if path.is_dir():
        labels = None if parse_product(unit) else _open_labels(path, unit, folder, limits)
        return labels or _folder(path, unit, limits, whole=False)
    if name.endswith((".gpkg", ".csv")):
        return Labels([plain_dataset(path, unit)])
    if path.stat().st_size == 0:
        raise Incomplete(unit, "is empty (0 bytes)")
    if is_geotiff(path):
        if is_image(unit):
            raise RejectScene(unit, "is one image of a product", "deliver the product with all of its files")
        return _mask(unit, path) if is_mask(unit) else Rasters({unit: path})
    unpacker = unpacker_of(path)
    if unpacker is None:
        raise _unknown(unit)
    return _archive(path, unit, folder, unpacker(path, folder, limits), limits)


def _archive(path: Path, unit: str, root: Path, found: Unpacked, limits: Limits) -> Product | NoProduct:
    files, odd = found.files, found.left_out
    outer, tops = parse_product(unit), {f.split("/")[0] for f in files}
    products = sorted(t for t in tops if parse_product(t))
    if not (outer or products) and (labels := _labels(root, files, unit, path, root.with_name("inner"), limits)):
        return labels
    if len(products) > 1:
        raise RejectScene(unit, f"holds {len(products)} products", "deliver one product an archive")
    if products:
        if outer and outer != parse_product(products[0]):
            raise RejectScene(unit, f"holds the product {products[0]}, which is not what its name says", DELIVER_AGAIN)
        if (root / products[0]).is_file():
            return _packed_twice(root, products[0], files, limits)
        odd = [*odd, *(f for f in files if not f.startswith(f"{products[0]}/"))]
        return _folder(root / products[0], products[0], limits, whole=True, odd=odd)
    if outer and tops & {SafeName.manifest, Sen3Name.manifest, COGS_MANIFEST}:
        return _folder(root, unit, limits, whole=True, odd=odd)  # packed without its folder
    if long := sorted(t for t in tops if is_long(t)):
        raise _unknown(long[0])
    nested = sorted({str(f) for p in files for f in PurePosixPath(p).parents if parse_product(f.name)})
    if nested:
        raise RejectScene(unit, f"holds its product deeper, as {nested[0]}", "pack the product's folder at the top")
    raise _unknown(unit)


def _packed_twice(root: Path, name: str, files: list[str], limits: Limits) -> Product:
    """Open the archive of a product that was packed once more, as downloads of several are."""
    path, inner, limits = root / name, root.with_name("product"), limits.less(root, files)
    unpacker = unpacker_of(path)
    if unpacker is None:
        raise _unknown(name)
    try:
        found = unpacker(path, inner, limits)
    except Incomplete as error:
        raise error.rejection() from error
    folders = {f.split("/")[0] for f in found.files}
    beside = [*found.left_out, *(f for f in files if f != name)]
    folder = next((f for f in sorted(folders) if parse_product(f) == parse_product(name) and (inner / f).is_dir()), "")
    return _folder(inner / folder, folder or name, limits, whole=True, odd=beside)


def _open_labels(path: Path, unit: str, folder: Path, limits: Limits) -> NoProduct | None:
    """Find the labels, or the mask, in a folder as delivered: a geodatabase, or an archive that somebody unpacked."""
    files, _ = list_files(path, limits)
    labels = _labels(path, list(files), unit, None, folder, limits)
    return labels and replace(labels, whole=False)


def _labels(
    root: Path, files: list[str], unit: str, archive: Path | None, inner: Path, limits: Limits
) -> NoProduct | None:
    """Find polygons, also in zips within; where there are none, rasters of classes, or a mask."""
    try:
        datasets = datasets_of(root, files, unit, archive, inner.with_name("named"))
        opened = [] if datasets else open_zips(root, files, inner, limits.less(root, files))
        datasets += [d for zipped in opened for d in zipped.datasets]
    except Incomplete as error:
        raise error.rejection() from error
    if datasets:
        return Labels(datasets)
    found = find_rasters(root, files)
    for zipped in opened:
        found |= find_rasters(zipped.folder, zipped.files)
    masks = [f for f in found if is_mask(PurePosixPath(f).name)]
    if rasters := {f: path for f, path in found.items() if f not in masks}:
        return Rasters(rasters)
    if len(masks) > 1:
        raise RejectScene(unit, f"holds {len(masks)} masks", "deliver each as a file of its own")
    return _mask(PurePosixPath(masks[0]).name, found[masks[0]]) if masks else None


def _mask(name: str, path: Path) -> MaskOf:
    mask = parse_mask(name)
    if mask is None:
        remedy = "call it <product>.mask.<source>.tif, by the full name of the product that it masks"
        raise RejectScene(name, "is called a mask, and not of a Sentinel-2 product", remedy)
    return MaskOf(mask, path)


def _folder(root: Path, name: str, limits: Limits, whole: bool, odd: Iterable[str] = ()) -> Product:
    product = parse_product(name)
    if product is None:
        raise _unknown(name)
    files, left_out = list_files(root, limits)
    left_out += odd
    if inner := product_folder(name, files):
        left_out += (f for f in files if not f.startswith(f"{inner}/") and f not in MARKERS)
        files = {f.removeprefix(f"{inner}/"): size for f, size in files.items() if f.startswith(f"{inner}/")}
        root, name = root / inner, inner
    return Product(root, product, files, whole, is_cogs(name), tuple(sorted(left_out)))


def _unknown(name: str) -> RejectScene:
    if is_long(name):
        fault = "is in the long format of before December 2016, which is not read"
        return RejectScene(name, fault, "deliver the scene of the reprocessed Collection-1, one product a tile")
    return RejectScene(name, "is not a product: neither its name nor its content is known", REMEDY)
