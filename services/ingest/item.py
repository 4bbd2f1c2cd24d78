"""The STAC items of verified products."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

from services.ingest.label_datasets import Dataset
from services.ingest.names import LabelName, MaskName, SafeName, Sen3Name
from services.ingest.outline import bounds_text
from services.ingest.read_label_raster import RasterFacts
from services.ingest.read_labels import LayerFacts
from services.ingest.read_mask import DeliveredMask
from services.ingest.read_safe import SafeFacts
from services.ingest.read_sen3 import MANIFEST, Sen3Facts
from shared.area import Area
from shared.geo.outline import bbox, geojson
from shared.items.collections import DELIVERED_MASKS, LABEL_POLYGONS, LABEL_RASTERS
from shared.items.properties import (
    DeliveredMaskFacts,
    DeliveryFacts,
    FrameFacts,
    PolygonFacts,
    SceneFacts,
    mask_product,
)
from shared.items.stac import (
    COG,
    CSV,
    EO_EXTENSION,
    GEOPACKAGE,
    GEOTIFF,
    JP2,
    JSON,
    NETCDF,
    PROJECTION_EXTENSION,
    SAT_EXTENSION,
    XML,
    ZIP,
    attribution,
)
from shared.items.weeks import STATIC, iso_week, rfc3339
from shared.raster.grid import Lattice
from shared.stage import NewAsset, NewItem, RejectScene

MOST_NAMES = 50
"""Files that an item names of those that were left out, or are absent."""


@dataclass(frozen=True)
class Beside:
    """What no stage reads of a product.

    Attributes:
        left_out: files that were delivered with it, under names that no product's file has.
        absent: files that its manifest lists, and that were not delivered.
    """

    left_out: Sequence[str] = ()
    absent: Sequence[str] = ()


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


def make_scene_item(
    name: SafeName,
    facts: SafeFacts,
    grids: Mapping[str, Lattice],
    footprint: BaseGeometry,
    root: Path,
    folder: Path,
    beside: Beside,
    *,
    cogs: bool = False,
) -> NewItem:
    """Make the item of a Sentinel-2 scene.

    Args:
        name: the product's parsed name.
        facts: what its metadata state.
        grids: asset name -> lattice of the image.
        footprint: longitude, latitude (degrees).
        root: the product's folder.
        folder: the task's folder.
        beside: what no stage reads.
        cogs: whether it came as COGs, which the product as ESA delivers it outranks.
    """
    level: Literal["l1c", "l2a"] = "l1c" if name.level == "L1C" else "l2a"
    own = SceneFacts(
        scene=name.scene,
        product=name.product,
        product_version=(*name.version, -1) if cogs else name.version,
        attribution=attribution([facts.datatake_start.year], modified=False),
        mgrs_tile=name.mgrs_tile,
        level=level,
        quantification=facts.quantification,
        offsets=facts.offsets,
        baseline=facts.baseline,
        left_out=_told(beside.left_out),
        absent=_told(beside.absent),
    )
    properties = {
        "datetime": rfc3339(facts.datatake_start),
        "platform": _platform(name.platform),
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": facts.cloud_cover,
        "sat:relative_orbit": facts.relative_orbit,
        "proj:code": f"EPSG:{facts.epsg}",
    }
    return NewItem(
        geometry=geojson(footprint),
        bbox=bbox(footprint),
        properties=properties | _orbit_state(facts.orbit_state) | own.properties(),
        assets=_scene_assets(facts, grids, root, folder),
        collection=f"sentinel-2-{level}",
        product=name.product,
        week=iso_week(facts.datatake_start),
        extensions=(PROJECTION_EXTENSION, EO_EXTENSION, SAT_EXTENSION),
    )


def _scene_assets(facts: SafeFacts, grids: Mapping[str, Lattice], root: Path, folder: Path) -> dict[str, NewAsset]:
    assets = {}
    for name, path in facts.images.items():
        band, resolution = name.split("_")
        pixel_m = int(resolution.removesuffix("m"))
        roles = ("data", "classification" if band == "SCL" else "reflectance")
        fields = grids[name].projection | {"gsd": pixel_m}
        assets[name] = NewAsset(place(root / path, folder), _type_of(path), roles, f"{band} at {pixel_m} m", fields)
    for name, path in facts.metadata.items():
        assets[name] = NewAsset(place(root / path, folder), _type_of(path), ("metadata",), Path(path).name)
    return assets


def _type_of(path: str) -> str:
    return {".tif": COG, ".json": JSON, ".xml": XML}.get(Path(path).suffix.lower(), JP2)


def _told(names: Sequence[str]) -> tuple[str, ...] | None:
    """Return names as an item tells them: some of many, and none that a reader could not show."""
    shown = [name if name.isprintable() else ascii(name)[1:-1] for name in names[:MOST_NAMES]]
    more = len(names) - len(shown)
    return (*shown, *([f"and {more} more"] if more else [])) or None


def make_frame_item(name: Sen3Name, facts: Sen3Facts, root: Path, folder: Path, beside: Beside) -> NewItem:
    """Make the item of an OLCI frame or stripe; see `make_scene_item`."""
    own = FrameFacts(
        scene=name.scene,
        product=name.product,
        product_version=name.version,
        attribution=attribution([facts.start.year], modified=False),
        product_type=name.product_type,
        timeliness=name.timeliness,
        shape=facts.shape,
        baseline=facts.baseline or None,
        bright_percent=facts.bright_percent,
        left_out=_told(beside.left_out),
    )
    properties: dict[str, Any] = {
        "datetime": rfc3339(facts.start),
        "platform": _platform(name.platform),
        "constellation": "sentinel-3",
        "instruments": ["olci"],
        "sat:relative_orbit": name.relative_orbit,
    }
    if facts.absolute_orbit is not None:
        properties["sat:absolute_orbit"] = facts.absolute_orbit
    return NewItem(
        geometry=geojson(facts.footprint),
        bbox=bbox(facts.footprint),
        properties=properties | _orbit_state(facts.orbit_state) | own.properties(),
        assets=_frame_assets(facts, root, folder),
        collection="sentinel-3-olci-l1b",
        product=name.product,
        week=iso_week(facts.start),
        extensions=(SAT_EXTENSION,),
    )


def _frame_assets(facts: Sen3Facts, root: Path, folder: Path) -> dict[str, NewAsset]:
    assets = {}
    for name, path in facts.files.items():
        role = "data" if name.startswith("Oa") else "metadata"
        assets[name] = NewAsset(place(root / path, folder), NETCDF, (role,), name)
    assets["manifest"] = NewAsset(place(root / MANIFEST, folder), XML, ("metadata",), MANIFEST)
    return assets


def _platform(unit: str) -> str:
    """Spell a platform as STAC does: `S2A` -> `sentinel-2a`."""
    return f"sentinel-{unit[1:].lower()}"


def _orbit_state(state: str) -> dict[str, str]:
    return {"sat:orbit_state": state} if state in {"ascending", "descending"} else {}


def make_polygons_item(name: LabelName, layer: LayerFacts, kept: Dataset, area: Area, folder: Path) -> NewItem:
    """Make the item of a delivery of label polygons.

    Args:
        name: what its name tells.
        layer: which of its layers holds the classes.
        kept: that layer's dataset, in the file that is kept.
        area: the area.
        folder: of the task.
    """
    file = kept.file
    assert file is not None
    own = PolygonFacts(
        **_of_delivery(name, layer, area), layer=layer.layer, attribute=layer.attribute, member=kept.member
    )
    own_type = (".csv", CSV) if file.suffix.lower() == ".csv" else (".gpkg", GEOPACKAGE)
    suffix, media_type = (".zip", ZIP) if kept.member else own_type
    called = file.name if file.suffix.lower() == suffix else file.name + suffix
    asset = NewAsset(place(file, folder, called), media_type, ("data",), "Polygons as delivered")
    return _make_delivery(LABEL_POLYGONS, layer, own, {"polygons": asset})


def make_raster_item(name: LabelName, raster: RasterFacts, area: Area, folder: Path) -> NewItem:
    """Make the item of a delivery of a raster of classes, kept as delivered."""
    own = DeliveryFacts(**_of_delivery(name, raster, area))
    asset = NewAsset(place(raster.path, folder), GEOTIFF, ("data",), "Classes as delivered")
    return _make_delivery(LABEL_RASTERS, raster, own, {"classes": asset})


def _of_delivery(name: LabelName, facts: LayerFacts | RasterFacts, area: Area) -> dict[str, Any]:
    return {
        "scene": name.product,
        "product": name.product,
        "product_version": (),
        "attribution": area.labels.attribution,
        "reference_year": facts.reference_year,
        "campaign": name.campaign,
        "release": name.release,
        "label_source": area.labels.source,
        "crs": facts.crs,
    }


def _make_delivery(
    collection: str, facts: LayerFacts | RasterFacts, own: DeliveryFacts, assets: dict[str, NewAsset]
) -> NewItem:
    return NewItem(
        geometry=geojson(facts.outline),
        bbox=bbox(facts.outline),
        properties={"datetime": f"{facts.reference_year:04d}-01-01T00:00:00Z"} | own.properties(),
        assets=assets,
        collection=collection,
        product=own.product,
        week=STATIC,
    )


def make_mask_item(name: MaskName, mask: DeliveredMask, folder: Path) -> NewItem:
    """Make the item of a mask that others made, kept as delivered."""
    scene, product = name.scene, mask_product(name.scene.product, name.source)
    own = DeliveredMaskFacts(
        scene=scene.scene,
        product=scene.product,
        product_version=scene.version,
        attribution=attribution([scene.datatake_start.year]),
        mask_source=name.source,
        crs=mask.crs,
    )
    asset = NewAsset(place(mask.path, folder), GEOTIFF, ("data", "cloud"), f"Mask of {name.source} as delivered")
    return NewItem(
        geometry=geojson(mask.outline),
        bbox=bbox(mask.outline),
        properties={"datetime": rfc3339(scene.datatake_start)} | own.properties(),
        assets={"mask": asset},
        collection=DELIVERED_MASKS,
        product=product,
        week=scene.week,
    )


def place(path: Path, folder: Path, called: str = "") -> Path:
    """Return the file below the task's folder: where it is, or linked (copied across disks), by its name or another."""
    called = called or path.name
    if path.is_relative_to(folder) and path.name == called:
        return path
    target = folder / "delivered" / str(len(list((folder / "delivered").glob("*")))) / called
    target.parent.mkdir(parents=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
    return target
