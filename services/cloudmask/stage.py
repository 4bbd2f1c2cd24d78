"""Cloud mask: one Sentinel-2 scene to one mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from services.cloudmask.detect import cloud_probability, codes_from_probability, detector_version
from services.cloudmask.mask import DILATION_M, classify_scl, dilate_clear, percentages
from services.cloudmask.read_bands import read_all, read_l1c
from services.cloudmask.write_mask import stac_classes, write_mask
from shared.area import Area
from shared.items.item import Item
from shared.stage import AFFECTS_RESULT, Job, LocalItem, NewAsset, NewItem, RejectScene, Settings, Source, Stage, Task

if TYPE_CHECKING:
    from shared.items.catalogue import Catalogue

SCENES = ("sentinel-2-l2a", "sentinel-2-l1c")
L1C_ASSETS = (
    *("B02_10m", "B03_10m", "B04_10m", "B08_10m"),
    *("B05_20m", "B06_20m", "B07_20m", "B8A_20m", "B11_20m", "B12_20m"),
    *("B01_60m", "B09_60m", "B10_60m"),
)
_COPIED = (
    *("datetime", "platform", "constellation", "instruments", "proj:code", "sat:relative_orbit", "sat:orbit_state"),
    *(f"landstream:{name}" for name in ("scene", "product", "product_version", "mgrs_tile", "level", "baseline")),
)
_CLEAR = f"1 = clear and farther than {DILATION_M} m from cloud and shadow"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "eo/v1.1.0", "sat/v1.0.0", "classification/v2.0.0")
)


class CloudmaskSettings(Settings):
    """Settings of the cloud mask."""

    cloud_threshold: float = Field(default=0.4, gt=0, lt=1, json_schema_extra=AFFECTS_RESULT)
    """Probability above which an L1C pixel is cloud; 0.4 is the value of s2cloudless's authors."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: CloudmaskSettings) -> list[Job]:
    """One job a current scene, of either level."""
    if item.collection not in SCENES or not catalogue.is_current(item):
        return []
    l2a = item.collection == "sentinel-2-l2a"
    return [
        Job(
            collection="cloud-masks",
            product=item.product,
            week=item.week,
            inputs=(Source(item, ("SCL_20m",) if l2a else L1C_ASSETS),),
            parameters={"thin_cirrus_is_cloud": area.policy.thin_cirrus_is_cloud} if l2a else {},
        )
    ]


def process(task: Task) -> NewItem:
    """Mask one scene."""
    scene = task.inputs[0]
    p = scene.item.properties
    if scene.item.collection == "sentinel-2-l2a":
        source = "SCL"
        grid = scene.item.assets["SCL_20m"]
        codes = classify_scl(_read_scl(scene), bool(task.job.parameters["thin_cirrus_is_cloud"]))
    else:
        source = detector_version()
        grid = scene.item.assets["B05_20m"]
        codes = _detect(scene, grid, task)
    task.progress(1, 2)
    clear = dilate_clear(codes)
    attribution = f"Contains modified Copernicus Sentinel data {str(p['datetime'])[:4]}"
    path = task.folder / "mask.tif"
    tags = {"TIFFTAG_COPYRIGHT": attribution, "TIFFTAG_IMAGEDESCRIPTION": f"Cloud mask of {scene.item.product}"}
    write_mask(path, codes, clear, str(grid["proj:code"]), grid["proj:transform"], tags)
    shares = percentages(codes, clear)
    fields = {
        "proj:code": grid["proj:code"],
        "proj:shape": list(grid["proj:shape"]),
        "proj:transform": list(grid["proj:transform"]),
        "gsd": 20,
        "classification:classes": stac_classes(),
        "bands": [
            {"name": "code", "data_type": "uint8", "nodata": 0, "classification:classes": stac_classes()},
            {"name": "clear", "data_type": "uint8", "description": _CLEAR},
        ],
    }
    west, south, east, north = scene.item.json["bbox"]
    return NewItem(
        geometry=scene.item.json["geometry"],
        bbox=(west, south, east, north),
        properties={name: p[name] for name in _COPIED if name in p}
        | {
            "eo:cloud_cover": shares["cloud"],
            "landstream:cloud_percent": shares["cloud"],
            "landstream:clear_percent": shares["clear"],
            "landstream:usable_percent": shares["usable"],
            "landstream:observed_percent": shares["observed"],
            "landstream:shadow_percent": shares["cloud-shadow"],
            "landstream:snow_percent": shares["snow-or-ice"],
            "landstream:dilation_m": DILATION_M,
            "landstream:mask_source": source,
            "landstream:attribution": attribution,
        },
        assets={"mask": NewAsset(path, _COG, ("data", "cloud"), "Cloud mask and dilated clear band", fields)},
        extensions=_EXTENSIONS,
    )


def _read_scl(scene: LocalItem) -> NDArray[np.uint8]:
    scl = read_all(scene.paths["SCL_20m"])
    if scl.dtype != np.uint8:
        raise RejectScene("SCL_20m", f"holds {scl.dtype}, not uint8", "deliver the product again")
    return scl


def _detect(scene: LocalItem, grid: dict[str, Any], task: Task) -> NDArray[np.uint8]:
    p = scene.item.properties
    ny, nx = grid["proj:shape"]
    quantification = float(p["landstream:quantification"])
    reflectance, observed = read_l1c(scene.paths, p["landstream:offsets"], quantification, (ny, nx))
    return codes_from_probability(cloud_probability(reflectance), observed, task.settings.cloud_threshold)


STAGE = Stage(
    name="cloudmask",
    version=1,
    consumes=SCENES,
    publishes=("cloud-masks",),
    plan=plan,
    process=process,
    settings=CloudmaskSettings,
)
