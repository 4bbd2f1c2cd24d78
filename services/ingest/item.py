"""The STAC items of verified products."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from services.ingest.names import LabelName, SafeName, Sen3Name
from services.ingest.outline import bounds_text
from services.ingest.read_labels import LabelFacts
from services.ingest.read_safe import SafeFacts
from services.ingest.read_sen3 import Sen3Facts
from shared.area import Area
from shared.geo.outline import bbox, geojson
from shared.items.keys import STATIC, iso_week, rfc3339
from shared.items.stac import (
    EO_EXTENSION,
    GEOPACKAGE,
    JP2,
    NETCDF,
    PROJECTION_EXTENSION,
    SAT_EXTENSION,
    XML,
    ZIP,
    attribution,
)
from shared.raster.grid import Lattice
from shared.stage import NewAsset, NewItem, RejectScene

_LABEL_TYPES = {".gpkg": GEOPACKAGE, ".zip": ZIP}


def check_place(product: str, footprint: BaseGeometry, start: datetime, area: Area) -> None:
    """Refuse a scene that the area has no use for.

    Raises:
        RejectScene: outside the AOI or the years; names both.
    """
    year = int(iso_week(start)[:4])
    if year not in area.years:
        accepted = ", ".join(map(str, area.years))
        fault = f"was sensed on {rfc3339(start)}, in the ISO year {year}; area {area.name} accepts {accepted}"
        raise RejectScene(product, fault, "deliver scenes of these years, or add the year to the area file")
    if not footprint.intersects(area.polygon):
        fault = (
            f"covers {bounds_text(footprint)}, outside the area {area.name}, whose AOI is {bounds_text(area.polygon)}"
        )
        raise RejectScene(product, fault, "deliver scenes of the area, or another area file")


def scene_item(
    name: SafeName,
    facts: SafeFacts,
    grids: Mapping[str, Lattice],
    footprint: BaseGeometry,
    root: Path,
    folder: Path,
) -> NewItem:
    """The item of a Sentinel-2 scene.

    Args:
        name: the product's parsed name.
        facts: what its metadata state.
        grids: asset name -> grid of the image.
        footprint: longitude, latitude (degrees).
        root: the SAFE folder.
        folder: the task's folder.
    """
    assets = {
        asset: NewAsset(
            place(root / path, folder),
            JP2,
            ("data", "reflectance") if asset[0] == "B" else ("data", "classification"),
            f"{asset.split('_')[0]} at {asset.split('_')[1][:-1]} m",
            grids[asset].projection | {"gsd": int(asset[-3:-1])},
        )
        for asset, path in facts.images.items()
    }
    assets |= {
        asset: NewAsset(place(root / path, folder), XML, ("metadata",), Path(path).name)
        for asset, path in facts.metadata.items()
    }
    level = name.level.lower()
    properties: dict[str, Any] = {
        "datetime": rfc3339(facts.datatake_start),
        "platform": f"sentinel-{name.platform[1:].lower()}",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": facts.cloud_cover,
        "sat:relative_orbit": facts.relative_orbit,
        "proj:code": f"EPSG:{facts.epsg}",
        "landstream:scene": name.scene,
        "landstream:product": name.product,
        "landstream:product_version": [int(name.baseline)],
        "landstream:mgrs_tile": name.mgrs_tile,
        "landstream:level": level,
        "landstream:quantification": facts.quantification,
        "landstream:offsets": facts.offsets,
        "landstream:baseline": facts.baseline,
        "landstream:attribution": attribution([facts.datatake_start.year], modified=False),
    }
    if facts.orbit_state in {"ascending", "descending"}:
        properties["sat:orbit_state"] = facts.orbit_state
    return NewItem(
        geometry=geojson(footprint),
        bbox=bbox(footprint),
        properties=properties,
        assets=assets,
        collection=f"sentinel-2-{level}",
        product=name.product,
        week=iso_week(facts.datatake_start),
        extensions=(PROJECTION_EXTENSION, EO_EXTENSION, SAT_EXTENSION),
    )


def olci_item(name: Sen3Name, facts: Sen3Facts, root: Path, folder: Path) -> NewItem:
    """The item of an OLCI frame or stripe; see `scene_item`."""
    assets = {
        asset: NewAsset(place(root / path, folder), NETCDF, ("data" if asset.startswith("Oa") else "metadata",), asset)
        for asset, path in facts.files.items()
    }
    manifest = place(root / "xfdumanifest.xml", folder)
    assets["manifest"] = NewAsset(manifest, XML, ("metadata",), "xfdumanifest.xml")
    properties: dict[str, Any] = {
        "datetime": rfc3339(facts.start),
        "platform": f"sentinel-{name.platform[1:].lower()}",
        "constellation": "sentinel-3",
        "instruments": ["olci"],
        "sat:relative_orbit": name.relative_orbit,
        "landstream:scene": name.scene,
        "landstream:product": name.product,
        "landstream:product_version": [1 if name.timeliness == "NT" else 0, int(name.collection), name.created],
        "landstream:product_type": name.product_type,
        "landstream:timeliness": name.timeliness,
        "landstream:shape": list(facts.shape),
        "landstream:attribution": attribution([facts.start.year], modified=False),
    }
    if facts.orbit_state in {"ascending", "descending"}:
        properties["sat:orbit_state"] = facts.orbit_state
    if facts.absolute_orbit is not None:
        properties["sat:absolute_orbit"] = facts.absolute_orbit
    if facts.baseline:
        properties["landstream:baseline"] = facts.baseline
    if facts.bright_percent is not None:
        properties["landstream:bright_percent"] = facts.bright_percent
    return NewItem(
        geometry=geojson(facts.footprint),
        bbox=bbox(facts.footprint),
        properties=properties,
        assets=assets,
        collection="sentinel-3-olci-l1b",
        product=name.product,
        week=iso_week(facts.start),
        extensions=(SAT_EXTENSION,),
    )


def label_item(name: LabelName, facts: LabelFacts, area: Area, file: Path, folder: Path) -> NewItem:
    """The item of a delivery of label polygons, kept as delivered."""
    scheme = area.labels
    properties: dict[str, Any] = {
        "datetime": f"{facts.reference_year:04d}-01-01T00:00:00Z",
        "landstream:scene": name.product,
        "landstream:product": name.product,
        "landstream:product_version": [],
        "landstream:layer": facts.layer,
        "landstream:attribute": facts.attribute,
        "landstream:member": facts.member,
        "landstream:reference_year": facts.reference_year,
        "landstream:campaign": name.campaign,
        "landstream:release": name.release,
        "landstream:label_source": scheme.source,
        "landstream:crs": facts.crs,
        "landstream:attribution": scheme.attribution,
    }
    media_type = _LABEL_TYPES[file.suffix.lower()]
    return NewItem(
        geometry=geojson(facts.outline),
        bbox=bbox(facts.outline),
        properties=properties,
        assets={"polygons": NewAsset(place(file, folder), media_type, ("data",), "Polygons as delivered")},
        collection="label-polygons",
        product=name.product,
        week=STATIC,
    )


def place(path: Path, folder: Path) -> Path:
    """The file below the task's folder: where it is, or linked (copied across disks)."""
    if path.is_relative_to(folder):
        return path
    target = folder / "delivered" / str(len(list((folder / "delivered").glob("*")))) / path.name
    target.parent.mkdir(parents=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
    return target
