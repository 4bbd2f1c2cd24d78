"""Broken and hostile products, each made from a good one: what a landing folder must survive."""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer

from simulator.clc import write_polygons
from simulator.landscape import WORLD_EPSG

_BOMB = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE bomb [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">
<!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;"><!ENTITY g "&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;">]>
"""
_VRT = """<VRTDataset rasterXSize="60" rasterYSize="60"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename>/vsicurl/http://127.0.0.1:9/stolen.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>
"""


def make_bad(kind: str, good_product: Path, out: Path) -> Path:
    """Makes a bad product.

    Args:
        kind: One of `KINDS`.
        good_product: A SAFE folder; `sen3_without_coordinates` takes a SEN3 folder, `unknown_class` and
            `not_a_product` anything.
        out: Parent folder of what is made; must not be the parent of the good product.

    Returns:
        The bad unit: a folder or a file.

    Raises:
        ValueError: An unknown kind, or a product of the wrong type for it.
    """
    if kind not in _MAKERS:
        raise ValueError(f"{kind!r} is no kind of bad product; choose one of {', '.join(KINDS)}")
    wanted = ".SEN3" if kind == "sen3_without_coordinates" else ".SAFE"
    if kind not in ("unknown_class", "not_a_product") and good_product.suffix != wanted:
        raise ValueError(f"{kind} is made from a {wanted} folder, not from {good_product.name}")
    if out.resolve() == good_product.resolve().parent:
        raise ValueError(f"{out} holds the good product itself")
    out.mkdir(parents=True, exist_ok=True)
    return _MAKERS[kind](good_product, out)


def reseal(root: Path) -> None:
    """Makes size and checksum of each file in the manifest those of the file as it is now."""
    manifest = root / ("manifest.safe" if root.suffix == ".SAFE" else "xfdumanifest.xml")

    def renew(match: re.Match[str]) -> str:
        path = root / match["path"]
        if not path.is_file():
            return match[0]
        data = path.read_bytes()
        # The name is the manifest's own: MD5 or SHA3-256.
        digest = hashlib.new(match["algorithm"].lower().replace("sha3-", "sha3_"), data).hexdigest()
        return f'{match["head"]}size="{len(data)}"{match["middle"]}{match["path"]}{match["rest"]}{digest}</checksum>'

    pattern = re.compile(
        r'(?P<head><byteStream [^>]*?)size="\d+"(?P<middle>[^>]*>\s*<fileLocation [^>]*?href="\./)(?P<path>[^"]+)'
        r'(?P<rest>"[^>]*>\s*<checksum checksumName="(?P<algorithm>[^"]+)">)[0-9A-Fa-f]+</checksum>'
    )
    manifest.write_text(pattern.sub(renew, manifest.read_text(encoding="utf-8")), encoding="utf-8")


def zip_product(root: Path, target: Path) -> Path:
    """Packs a product's folder as the data space delivers it; the same folder gives the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                archive.writestr(zipfile.ZipInfo(f"{root.name}/{path.relative_to(root).as_posix()}"), path.read_bytes())
    return target


def _copy(good: Path, out: Path) -> Path:
    root = out / good.name
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(good, root)
    return root


def _band(root: Path, band: str) -> Path:
    return sorted(root.glob(f"GRANULE/*/IMG_DATA/**/*_{band}*.jp2"))[0]


def _truncated_zip(good: Path, out: Path) -> Path:
    target = zip_product(good, out / f"{good.name}.zip")
    data = target.read_bytes()
    target.write_bytes(data[: len(data) * 3 // 5])
    return target


def _wrong_checksum(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    target = _band(root, "B04")
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 0xFF
    target.write_bytes(data)
    return root


def _missing_band(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    for path in root.glob("GRANULE/*/IMG_DATA/**/*_B08*.jp2"):
        path.unlink()
    return root


def _zip_slip(good: Path, out: Path) -> Path:
    target = zip_product(good, out / f"{good.name}.zip")
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(zipfile.ZipInfo(f"{good.name}/../../../slipped.txt"), "outside")
    return target


def _entity_bomb(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    target = next(root.glob("MTD_MSI*.xml"))
    body = target.read_text(encoding="utf-8").split("?>", 1)[1].replace("Not applicable", "&g;")
    target.write_text(_BOMB + body.lstrip(), encoding="utf-8")
    reseal(root)
    return root


def _vrt_as_jp2(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    _band(root, "B02").write_text(_VRT)
    reseal(root)
    return root


def _wrong_crs(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    target = next(root.glob("GRANULE/*/MTD_TL.xml"))
    text = target.read_text(encoding="utf-8")
    target.write_text(re.sub(r"EPSG:\d+", "EPSG:4326", text), encoding="utf-8")
    reseal(root)
    return root


def _empty(good: Path, out: Path) -> Path:
    root = out / good.name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    # A store of objects has no empty folders: the unit is one file without content.
    (root / "manifest.safe").write_bytes(b"")
    return root


def _not_a_product(good: Path, out: Path) -> Path:
    target = out / "holiday.txt"
    target.write_text(f"Not {good.name}, just a note.\n")
    return target


def _unknown_class(good: Path, out: Path) -> Path:
    x, y = Transformer.from_crs(4326, WORLD_EPSG, always_xy=True).transform(*_centre(good))
    # Under the good product: labels elsewhere are refused for their place, whatever their classes.
    square = shapely.box(x - 1000, y - 1000, x + 1000, y + 1000)
    return write_polygons(
        out, np.array([square], dtype=object), np.array([777], dtype=np.int32), "U2018_CLC2018_V2020_20u1_777"
    )


def _centre(product: Path) -> tuple[float, float]:
    """Longitude and latitude of the middle of a product; of Sibiu for what is no folder of a product."""
    for file in (*product.glob("MTD_MSI*.xml"), *product.glob("xfdumanifest.xml")):
        ring = re.search(r"<(?:EXT_POS_LIST|gml:posList)>([^<]+)<", file.read_text(encoding="utf-8"))
        if ring is not None:
            latitudes, longitudes = np.array(ring[1].split(), float).reshape(-1, 2).T
            return (
                float(longitudes.min() + longitudes.max()) / 2,
                float(latitudes.min() + latitudes.max()) / 2,
            )
    return 24.0, 45.6


def _corrupt_jp2(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    target = _band(root, "B03")
    data = bytearray(target.read_bytes())
    # The end is gone and the middle is noise, but the manifest vouches for it.
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(range(64))
    target.write_bytes(data[: len(data) * 4 // 5])
    reseal(root)
    return root


def _sen3_without_coordinates(good: Path, out: Path) -> Path:
    root = _copy(good, out)
    (root / "geo_coordinates.nc").unlink()
    manifest = root / "xfdumanifest.xml"
    text = manifest.read_text(encoding="utf-8")
    text = re.sub(r'\s*<dataObject ID="geoCoordinatesData">.*?</dataObject>', "", text, flags=re.DOTALL)
    manifest.write_text(text, encoding="utf-8")
    return root


_MAKERS: dict[str, Callable[[Path, Path], Path]] = {
    "truncated_zip": _truncated_zip,
    "wrong_checksum": _wrong_checksum,
    "missing_band": _missing_band,
    "zip_slip": _zip_slip,
    "entity_bomb": _entity_bomb,
    "vrt_as_jp2": _vrt_as_jp2,
    "wrong_crs": _wrong_crs,
    "empty": _empty,
    "not_a_product": _not_a_product,
    "unknown_class": _unknown_class,
    "corrupt_jp2": _corrupt_jp2,
    "sen3_without_coordinates": _sen3_without_coordinates,
}
KINDS = tuple(_MAKERS)
