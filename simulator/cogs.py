"""Turn a level-2A SAFE folder into what a STAC API makes of it: an item with cloud-optimised GeoTIFFs.

Source: Earth Search v1, items of `sentinel-2-l2a`; their names of bands, and what they say of the offset.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import rasterio
from defusedxml.ElementTree import parse
from numpy.typing import NDArray

from simulator.spectra import S2_RESOLUTION_M

KEYS = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06",
    "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09", "swir16": "B11", "swir22": "B12", "scl": "SCL",
}  # fmt: skip
"""Key of an asset -> band."""

_FIRST_WITH_OFFSET = "04.00"


def write_cogs(safe: Path, out: Path, *, applied: bool, base: str = "https://cogs.example") -> Path:
    """Write the item and the GeoTIFFs of a product.

    Args:
        safe: The SAFE folder, of level 2A.
        out: Existing or new parent folder.
        applied: Whether the radiometric offset is put into the pixels; before baseline 04.00 there is none.
        base: Address below which the item says that the GeoTIFFs lie, in a folder of the product's name.

    Returns:
        The folder `<product>.COG`.
    """
    product = parse(safe / "MTD_MSIL2A.xml").getroot()
    root = out / f"{safe.stem}.COG"
    root.mkdir(parents=True)
    modern = _text(product, "PROCESSING_BASELINE") >= _FIRST_WITH_OFFSET
    assets = {}
    for key, band in KEYS.items():
        path = root / f"{key}.tif"
        _write_tif(_image(safe, band), path, offset=-1000 if applied and modern and band != "SCL" else 0)
        assets[key] = _asset(path, band, f"{base}/{safe.stem}/{path.name}", modern)
    item = _item(safe, product, assets, applied=applied and modern)
    text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    (root / "item.json").write_text(text, encoding="utf-8")
    return root


def _item(safe: Path, product: Element | None, assets: dict[str, Any], *, applied: bool) -> dict[str, Any]:
    tile = parse(next((safe / "GRANULE").glob("*/MTD_TL.xml"))).getroot()
    platform, _, start, _, _, mgrs_tile, _ = safe.stem.split("_")
    positions = np.array(_text(product, "EXT_POS_LIST").split(), dtype=float).reshape(-1, 2)[:, ::-1]
    west, south = positions.min(axis=0).tolist()
    east, north = positions.max(axis=0).tolist()
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": f"{platform}_{mgrs_tile[1:]}_{start[:8]}_0_L2A",
        "collection": "sentinel-2-l2a",
        "bbox": [west, south, east, north],
        "geometry": {"type": "Polygon", "coordinates": [positions.tolist()]},
        "links": [],
        "assets": assets,
        "properties": {
            "datetime": _text(tile, "SENSING_TIME"),
            "created": _text(product, "GENERATION_TIME"),
            "updated": _text(product, "GENERATION_TIME"),
            "platform": f"sentinel-{platform[1:].lower()}",
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "eo:cloud_cover": float(_text(product, "Cloud_Coverage_Assessment")),
            "proj:code": _text(tile, "HORIZONTAL_CS_CODE"),
            "grid:code": f"MGRS-{mgrs_tile[1:]}",
            "s2:product_type": "S2MSI2A",
            "s2:processing_baseline": _text(product, "PROCESSING_BASELINE"),
            "s2:product_uri": safe.name,
            "earthsearch:boa_offset_applied": applied,
        },
    }


def _asset(path: Path, band: str, href: str, modern: bool) -> dict[str, Any]:
    data = path.read_bytes()
    # Earth Search states the offset of a baseline whether it is in the pixels or not.
    scaled = {"scale": 0.0001, "offset": -0.1 if modern else 0} if band != "SCL" else {}
    return {
        "href": href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "raster:bands": [{"nodata": 0, "data_type": "uint8" if band == "SCL" else "uint16", **scaled}],
        "file:size": len(data),
        "file:checksum": f"1220{hashlib.sha256(data).hexdigest()}",
        "roles": ["data", "reflectance"],
    }


def _image(safe: Path, band: str) -> Path:
    """Path of a band at its own resolution."""
    resolution_m = 20 if band == "SCL" else S2_RESOLUTION_M[band]
    return next(safe.glob(f"GRANULE/*/IMG_DATA/R{resolution_m}m/*_{band}_{resolution_m}m.jp2"))


def _write_tif(source: Path, target: Path, offset: int) -> None:
    with rasterio.open(source, driver="JP2OpenJPEG") as image:
        dn: NDArray[Any] = image.read(1)
        profile = {"crs": image.crs, "transform": image.transform, "width": image.width, "height": image.height}
    if offset:
        dn = np.where(dn == 0, 0, np.maximum(dn.astype(np.int32) + offset, 1)).astype(dn.dtype)
    options = {"compress": "DEFLATE", "blocksize": 512, "overviews": "NONE"}
    with rasterio.open(target, "w", driver="COG", count=1, dtype=dn.dtype, nodata=0, **profile, **options) as file:
        file.write(dn, 1)


def _text(root: Element | None, name: str) -> str:
    """Text of the first element of a local name."""
    for element in root.iter() if root is not None else ():
        if str(element.tag).rsplit("}", 1)[-1] == name:
            return (element.text or "").strip()
    raise ValueError(f"no {name}")
