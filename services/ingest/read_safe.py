"""Sentinel-2 products: facts from their XML."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
from shapely.geometry.base import BaseGeometry

from services.ingest.names import SafeName
from services.ingest.pilot_names import rename_pilot
from services.ingest.read_xml import all_below, attribute, find, number, parse, parse_number, text, to_int
from services.ingest.refuse import DELIVER_AGAIN, check_relative
from shared.geo import MgrsTile
from shared.geo.outline import polygon
from shared.sensors import MSI_RESOLUTION_M
from shared.stage import RejectScene

MANIFEST: Final = SafeName.manifest

_BANDS: Final = tuple(MSI_RESOLUTION_M)
"""By band_id."""

_L2A_IMAGE = re.compile(r"_(?P<band>B\d\d|B8A|SCL)_(?P<resolution>\d\d)m$")
_L1C_IMAGE = re.compile(r"_(?P<band>B\d\d|B8A)$")


@dataclass(frozen=True)
class SafeFacts:
    """What a Sentinel-2 product's metadata state.

    Attributes:
        datatake_start: UTC.
        relative_orbit: 1..143.
        orbit_state: `ascending` or `descending`.
        baseline: `05.09`.
        mgrs_tile: `T33UUU`.
        epsg: CRS of the granule.
        quantification: reflectance = (DN + offset) / quantification.
        offsets: band -> offset in DN.
        cloud_cover: percent.
        footprint: longitude, latitude (degrees).
        images: asset name -> path in the product.
        metadata: asset name -> path in the product.
    """

    datatake_start: datetime
    relative_orbit: int
    orbit_state: str
    baseline: str
    mgrs_tile: str
    epsg: int
    quantification: float
    offsets: dict[str, int]
    cloud_cover: float
    footprint: BaseGeometry
    images: dict[str, str]
    metadata: dict[str, str]


def metadata_file(level: str) -> str:
    """Name of the product's metadata: `MTD_MSIL2A.xml`."""
    return f"MTD_MSI{level}.xml"


def required_images(level: str) -> list[str]:
    """Asset names of the images that a product must hold."""
    bands = [b for b in _BANDS if level == "L1C" or b != "B10"]
    return [f"{b}_{MSI_RESOLUTION_M[b]}m" for b in bands] + (["SCL_20m"] if level == "L2A" else [])


def read_facts(root: Path, name: SafeName, files: Collection[str]) -> SafeFacts:
    """Read both metadata files and compare them with the product's name.

    Args:
        root: the SAFE folder.
        name: its parsed name.
        files: relative paths of the files that it holds.

    Raises:
        RejectScene: metadata lack something, contradict the name or each other, or an image is missing.
    """
    product_file = metadata_file(name.level)
    _require(product_file, files)
    product = parse(root / product_file)
    rename_pilot(product)
    info = find(product, "General_Info/Product_Info")
    characteristics = find(product, "General_Info/Product_Image_Characteristics")
    if info is None or characteristics is None:
        raise RejectScene(product_file, "lacks General_Info", DELIVER_AGAIN)
    start = read_time(text(info, "Datatake/DATATAKE_SENSING_START", product_file), product_file)
    baseline = text(info, "PROCESSING_BASELINE", product_file)
    orbit = int(number(info, "Datatake/SENSING_ORBIT_NUMBER", product_file))
    platform = text(info, "Datatake/SPACECRAFT_NAME", product_file).replace("Sentinel-", "S")
    _agree(product_file, "PRODUCT_URI", text(info, "PRODUCT_URI", product_file).removesuffix(".SAFE"), name.product)
    _agree(product_file, "DATATAKE_SENSING_START", start.replace(microsecond=0), name.datatake_start)
    _agree(product_file, "PROCESSING_BASELINE", baseline.replace(".", ""), name.baseline)
    _agree(product_file, "SENSING_ORBIT_NUMBER", orbit, name.relative_orbit)
    _agree(product_file, "SPACECRAFT_NAME", platform, name.platform)
    images, granule = _images(info, name.level, product_file)
    tile_file = f"{granule}/MTD_TL.xml"
    _require(tile_file, files)
    for path in images.values():
        _require(path, files)
    clouds = number(product, "Quality_Indicators_Info/Cloud_Coverage_Assessment", product_file)
    return SafeFacts(
        datatake_start=start,
        relative_orbit=orbit,
        orbit_state=text(info, "Datatake/SENSING_ORBIT_DIRECTION", product_file).lower(),
        baseline=baseline,
        mgrs_tile=name.mgrs_tile,
        epsg=_epsg(parse(root / tile_file), name.mgrs_tile, tile_file),
        quantification=_quantification(characteristics, name.level, product_file),
        offsets=_offsets(characteristics, product_file),
        cloud_cover=min(100.0, max(0.0, clouds)),
        footprint=_footprint(product, product_file),
        images=images,
        metadata={"product_metadata": product_file, "granule_metadata": tile_file, "manifest": MANIFEST},
    )


def read_time(value: str, file: str) -> datetime:
    """Read a UTC time of ESA's XML.

    Raises:
        RejectScene: it is not a time.
    """
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise RejectScene(file, f"gives {value[:40]!r} as a time", DELIVER_AGAIN) from error


def _require(path: str, files: Collection[str]) -> None:
    if path not in files:
        raise RejectScene(path, "is missing", DELIVER_AGAIN)


def _agree(file: str, what: str, stated: object, named: object) -> None:
    if stated != named:
        raise RejectScene(file, f"states {what} {stated}, but the product is named {named}", DELIVER_AGAIN)


def _images(info: Element, level: str, file: str) -> tuple[dict[str, str], str]:
    """(asset name -> path, granule folder) from the list of images, of which some baselines have one a resolution."""
    organisation = find(info, "Product_Organisation")
    lists = list(all_below(organisation, "Granule")) if organisation is not None else []
    granules = {attribute(part, "granuleIdentifier") for part in lists}
    if len(granules) != 1:
        raise RejectScene(file, f"lists {len(granules)} granules, not one", "deliver single-tile products")
    pattern = _L2A_IMAGE if level == "L2A" else _L1C_IMAGE
    found: dict[str, str] = {}
    for part in lists:
        if (kind := attribute(part, "imageFormat")) not in {"", "JPEG2000"}:
            raise RejectScene(file, f"states images of format {kind[:20]!r}, not JPEG2000", "deliver ESA's own product")
        for element in all_below(part, "IMAGE_FILE"):
            path = check_relative((element.text or "").strip().removesuffix(".jp2"), file)
            match = pattern.search(path)
            if match is None:
                continue
            resolution = match["resolution"] if level == "L2A" else str(MSI_RESOLUTION_M.get(match["band"], 0))
            found[f"{match['band']}_{resolution}m"] = f"{path}.jp2"
    wanted = required_images(level)
    missing = [n for n in wanted if n not in found]
    if missing:
        raise RejectScene(file, f"lists no image of {', '.join(missing)}", DELIVER_AGAIN)
    folders = {"/".join(found[n].split("/")[:2]) for n in wanted}
    if len(folders) != 1:
        raise RejectScene(file, f"lists images of {len(folders)} granules, not one", "deliver single-tile products")
    return {n: found[n] for n in wanted}, folders.pop()


def _epsg(tile: Element, mgrs_tile: str, file: str) -> int:
    """EPSG code of the granule, which must be that of its MGRS tile."""
    try:
        expected = MgrsTile.parse(mgrs_tile).epsg
    except ValueError as error:
        raise RejectScene(file, str(error), DELIVER_AGAIN) from error
    stated = text(tile, "Geometric_Info/Tile_Geocoding/HORIZONTAL_CS_CODE", file)
    if stated.upper() != f"EPSG:{expected}":
        fault = f"states the CRS {stated[:40]!r}, but tile {mgrs_tile} lies in EPSG:{expected}"
        raise RejectScene(file, fault, "restore the georeference of the delivered product")
    return expected


def _quantification(characteristics: Element, level: str, file: str) -> float:
    path = "QUANTIFICATION_VALUE" if level == "L1C" else "QUANTIFICATION_VALUES_LIST/BOA_QUANTIFICATION_VALUE"
    value = number(characteristics, path, file)
    if not value > 0:
        raise RejectScene(file, f"states the quantification {value}", DELIVER_AGAIN)
    return value


def _offsets(characteristics: Element, file: str) -> dict[str, int]:
    """Offset of each band in DN: from the metadata alone, 0 where they state none."""
    offsets = dict.fromkeys(_BANDS, 0)
    for name in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET"):
        for element in all_below(characteristics, name):
            index = attribute(element, "band_id")
            band = to_int(index)
            if band is None or band >= len(_BANDS):
                raise RejectScene(file, f"states an offset of band_id {index[:10]!r}", DELIVER_AGAIN)
            offsets[_BANDS[band]] = round(parse_number((element.text or "").strip(), name, file))
    return offsets


def _footprint(product: Element, file: str) -> BaseGeometry:
    value = text(product, "Geometric_Info/Product_Footprint/Product_Footprint/Global_Footprint/EXT_POS_LIST", file)
    try:
        numbers = np.array([float(v) for v in value.split()])
        # Some old products give lat lon height: told by where the ring closes.
        step = 3 if len(numbers) % 3 == 0 and not np.array_equal(numbers[:2], numbers[-2:]) else 2
        ring = numbers.reshape(-1, step)[:-1]
        return polygon(ring[:, 1], ring[:, 0])
    except ValueError as error:
        raise RejectScene(file, f"states no usable footprint ({error})", DELIVER_AGAIN) from error
