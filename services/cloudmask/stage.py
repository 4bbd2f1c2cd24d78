"""Cloud mask: one Sentinel-2 scene to one mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from services.cloudmask.describe import mask_item
from services.cloudmask.detect import cloud_probability, codes_from_probability, detector_version
from services.cloudmask.mask import classify_scl, dilate_clear, percentages
from services.cloudmask.read_bands import read_all, read_l1c
from services.cloudmask.write_mask import write_mask
from shared.area import Area
from shared.items.item import Item
from shared.stage import AFFECTS_RESULT, Job, LocalItem, NewItem, RejectScene, Settings, Source, Stage, Task

if TYPE_CHECKING:
    from shared.items.catalogue import Catalogue

SCENES = ("sentinel-2-l2a", "sentinel-2-l1c")
L1C_ASSETS = (
    *("B02_10m", "B03_10m", "B04_10m", "B08_10m"),
    *("B05_20m", "B06_20m", "B07_20m", "B8A_20m", "B11_20m", "B12_20m"),
    *("B01_60m", "B09_60m", "B10_60m"),
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
    return mask_item(scene.item, grid, percentages(codes, clear), source, attribution, path)


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
