"""Write Sentinel-2 products: complete SAFE folders of any size, a crop being a valid product of its own grid."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulator import safe_tile, safe_xml
from simulator.jp2 import write_jp2
from simulator.msi import Lattice
from simulator.noise import FloatArray
from simulator.safe_names import BAND_IDS, L2A_FILES, SafeName, compact
from simulator.sky import Sun
from simulator.spectra import S2_RESOLUTION_M

QUANTIFICATION = 10_000
"""DN of a reflectance of 1."""

DnArray = NDArray[np.uint16]
ByteArray = NDArray[np.uint8]


@dataclass(frozen=True)
class SafeContent:
    """The pixels of a product.

    Attributes:
        lattice: Its grid.
        dn: Band to uint16 (y, x) at the band's own resolution; 0 = nodata.
        sun: At the centre.
        scl: uint8 (y, x), 20 m; zeros where unknown (L1C products only take their percentages from it).
        cloud_percent: uint8 (y, x), 20 m.
    """

    lattice: Lattice
    dn: Mapping[str, DnArray]
    sun: Sun
    scl: ByteArray
    cloud_percent: ByteArray


def encode_dn(reflectance: FloatArray, offset: int) -> DnArray:
    """Reflectance to DN: 10,000 times, less the offset, 1 at least; NaN to 0."""
    dn = np.rint(reflectance * np.float32(QUANTIFICATION)) - offset
    return np.where(np.isnan(reflectance), 0, np.clip(np.nan_to_num(dn), 1, 32767)).astype(np.uint16)


def write_l2a(out: Path, name: SafeName, content: SafeContent) -> Path:
    """Write a level-2A product into folder `out`.

    Args:
        out: Existing or new parent folder.
        name: Identity; its level must be `L2A`.
        content: Pixels, all bands but B10.

    Returns:
        The SAFE folder.
    """
    root = _fresh(out / name.product)
    lattice = content.lattice
    pyramid = {band: {S2_RESOLUTION_M[band]: dn} for band, dn in content.dn.items()}
    for resolution_m, files in L2A_FILES.items():
        shape = (lattice.rows * 10 // resolution_m, lattice.columns * 10 // resolution_m)
        for file in files:
            if file == "B01" and resolution_m == 20 and not name.modern:
                continue
            if file in BAND_IDS:
                image: DnArray | ByteArray = at_resolution(pyramid[file], resolution_m)
            elif file == "SCL":
                image = content.scl if resolution_m == 20 else content.scl[1::3, 1::3]
            elif file == "TCI":
                image = _true_colour(
                    [at_resolution(pyramid[b], resolution_m) for b in ("B04", "B03", "B02")], name.offset
                )
            else:
                # Aerosol and vapour are smooth; a constant with a slow ramp says as much.
                level, slope = (95, 40) if file == "AOT" else (1650, 300)
                image = np.broadcast_to((level + np.linspace(0, slope, shape[1])).astype(np.uint16), shape)
            _jp2(root, name.image_stem(file, resolution_m), image, lattice, resolution_m)
    _finish(root, name, content)
    return root


def write_l1c(out: Path, name: SafeName, content: SafeContent) -> Path:
    """Write a level-1C product into folder `out`.

    Args:
        out: Existing or new parent folder.
        name: Identity; its level must be `L1C`.
        content: Pixels, all 13 bands.

    Returns:
        The SAFE folder.
    """
    root = _fresh(out / name.product)
    for band, dn in content.dn.items():
        _jp2(root, name.image_stem(band, 0), dn, content.lattice, S2_RESOLUTION_M[band])
    colour = _true_colour([content.dn[band] for band in ("B04", "B03", "B02")], name.offset)
    _jp2(root, name.image_stem("TCI", 10), colour, content.lattice, 10)
    _finish(root, name, content)
    return root


def write_manifest(root: Path, name: SafeName) -> None:
    """Write `manifest.safe` anew with sizes and checksums of what lies in the folder."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "manifest.safe")
    entries = []
    for path in files:
        data = path.read_bytes()
        digest = hashlib.sha3_256(data) if name.modern else hashlib.md5(data, usedforsecurity=False)
        entries.append(safe_xml.ManifestEntry(path.relative_to(root).as_posix(), len(data), digest.hexdigest()))
    (root / "manifest.safe").write_text(safe_xml.manifest(name, entries), encoding="utf-8")


def _finish(root: Path, name: SafeName, content: SafeContent) -> None:
    masks = _quality(root, name, content)
    percentages = _percentages(content.scl)
    lattice = content.lattice
    granule = root / "GRANULE" / name.granule
    tile = safe_tile.tile_document(name, lattice, content.sun, percentages, masks)
    (granule / "MTD_TL.xml").write_text(tile, encoding="utf-8")
    datastrip = root / "DATASTRIP" / name.datastrip
    datastrip.mkdir(parents=True)
    (datastrip / "MTD_DS.xml").write_text(safe_tile.datastrip_document(name), encoding="utf-8")
    (root / f"MTD_MSI{name.level}.xml").write_text(
        safe_xml.product_document(name, lattice, percentages), encoding="utf-8"
    )
    (root / "INSPIRE.xml").write_text(safe_xml.inspire_document(name), encoding="utf-8")
    write_manifest(root, name)


def _quality(root: Path, name: SafeName, content: SafeContent) -> list[safe_tile.Mask]:
    """Write QI_DATA and return the masks that it holds."""
    lattice, folder = content.lattice, f"GRANULE/{name.granule}/QI_DATA"
    masks: list[safe_tile.Mask] = []
    if name.modern:
        for band, band_id in BAND_IDS.items():
            if band not in content.dn:
                continue
            # The two detectors that safe_tile describes: one per half of the granule.
            rows, columns = content.dn[band].shape
            detector = np.full((rows, columns), 5, dtype=np.uint8)
            detector[:, columns // 2 :] = 6
            stem = f"{folder}/MSK_DETFOO_{band}"
            _jp2(root, stem, detector, lattice, S2_RESOLUTION_M[band])
            masks.append(safe_tile.Mask("MSK_DETFOO", f"{stem}.jp2", band_id))
        scl = content.scl[1::3, 1::3]
        classes = np.stack([np.isin(scl, (8, 9)), scl == 10, scl == 11]).astype(np.uint8)
        _jp2(root, f"{folder}/MSK_CLASSI_B00", classes, lattice, 60)
        masks.append(safe_tile.Mask("MSK_CLASSI", f"{folder}/MSK_CLASSI_B00.jp2"))
    else:
        (root / folder).mkdir(parents=True, exist_ok=True)
        kinds = [("MSK_CLOUDS", "B00", None)] + [("MSK_DETFOO", band, BAND_IDS[band]) for band in content.dn]
        for kind, band, number in kinds:
            path = f"{folder}/{kind}_{band}.gml"
            (root / path).write_text(safe_tile.empty_mask(kind, band, lattice.epsg), encoding="utf-8")
            masks.append(safe_tile.Mask(kind, path, number))
    if name.level == "L2A":
        snow = (content.scl == 11).astype(np.uint8) * np.uint8(100)
        for kind, image in (("MSK_CLDPRB", content.cloud_percent), ("MSK_SNWPRB", snow)):
            for resolution_m, part in ((20, image), (60, image[1::3, 1::3])):
                _jp2(root, f"{folder}/{kind}_{resolution_m}m", part, lattice, resolution_m)
            masks.append(safe_tile.Mask(kind, f"{folder}/{kind}_20m.jp2"))
    step = max(1, -(-max(lattice.rows, lattice.columns) // 6 // 343))
    bands = [at_resolution({10: content.dn[b]}, 60)[::step, ::step] for b in ("B04", "B03", "B02")]
    preview = f"{folder}/{name.mgrs_tile}_{compact(name.datatake_start)}_PVI"
    _jp2(root, preview, _true_colour(bands, name.offset), lattice, 60 * step)
    return masks


def _jp2(root: Path, stem: str, image: DnArray | ByteArray, lattice: Lattice, pixel_m: int) -> None:
    write_jp2(root / f"{stem}.jp2", image, lattice.epsg, lattice.ulx_m, lattice.uly_m, pixel_m)


def at_resolution(levels: dict[int, DnArray], resolution_m: int) -> DnArray:
    """Return the band at a resolution: means of whole observed blocks, or coarser pixels repeated."""
    if resolution_m not in levels:
        finest = min(levels)
        best = max((r for r in levels if r < resolution_m and resolution_m % r == 0), default=finest)
        if best > resolution_m:
            factor = best // resolution_m
            levels[resolution_m] = np.repeat(np.repeat(levels[best], factor, axis=0), factor, axis=1)
        else:
            levels[resolution_m] = _block_mean(levels[best], resolution_m // best)
    return levels[resolution_m]


def _block_mean(dn: DnArray, factor: int) -> DnArray:
    rows, columns = dn.shape[0] // factor, dn.shape[1] // factor
    blocks = dn[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    mean = (blocks.sum(axis=(1, 3), dtype=np.uint32) + factor * factor // 2) // (factor * factor)
    return np.where(blocks.min(axis=(1, 3)) == 0, 0, mean).astype(np.uint16)


def _true_colour(bands: list[DnArray], offset: int) -> ByteArray:
    """uint8 (3, y, x): reflectance 0 to 0.3558 as 1 to 255, nodata 0."""
    dn = np.stack(bands)
    scaled = (dn.astype(np.float32) + offset) * np.float32(255 / 3558)
    return np.where(dn == 0, 0, np.clip(scaled, 1, 255)).astype(np.uint8)


def _percentages(scl: ByteArray) -> dict[int, float]:
    counts = np.bincount(scl.ravel(), minlength=12)
    observed = max(int(counts[1:].sum()), 1)
    shares = {code: 100.0 * int(counts[code]) / observed for code in range(1, 12)}
    shares[0] = 100.0 * int(counts[0]) / scl.size
    return shares


def _fresh(root: Path) -> Path:
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    return root
