"""Cloud mask: one Sentinel-2 scene to one mask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.cloudmask.choose import values_digest
from services.cloudmask.detect import cloud_probability, codes_from_probability, detector_version
from services.cloudmask.item import BANDS, make_item
from services.cloudmask.mask import classify_scl, dilate_clear, percentages
from services.cloudmask.read_bands import REMEDY, read_all, read_l1c
from services.cloudmask.read_delivered import read_delivered
from services.cloudmask.stage import CloudmaskSettings
from shared.area.masks import MaskSource
from shared.items.properties import SceneFacts
from shared.items.stac import attribution
from shared.raster.cog import Encoding, Strip, write_cog, write_sidecar
from shared.raster.grid import Lattice
from shared.stage import BrokenPicture, LocalItem, NewItem, Task


def process(task: Task[CloudmaskSettings]) -> NewItem:
    """Mask one scene.

    Raises:
        BrokenPicture: one of its images cannot be decoded.
        RejectScene: the mask that was delivered cannot be read.
    """
    scene = task.inputs[0]
    p, values = scene.item.properties, None
    if delivered := task.inputs[1:]:
        mask_source = MaskSource.model_validate(task.job.parameters["mask"])
        source, values = mask_source.source, values_digest(mask_source)
        grid = scene.item.assets["B05_20m"]
        codes = read_delivered(delivered[0].paths["mask"], mask_source, Lattice.of_asset(grid))
    elif scene.item.collection == "sentinel-2-l2a":
        source = "SCL"
        grid = scene.item.assets["SCL_20m"]
        codes = classify_scl(_read_scl(scene), bool(task.job.parameters["thin_cirrus_is_cloud"]))
    else:
        source = detector_version()
        grid = scene.item.assets["B05_20m"]
        codes = _detect(scene, grid, task)
    task.progress(1, 2)
    clear = dilate_clear(codes)
    lattice = replace(Lattice.of_asset(grid), shape=codes.shape)
    line = attribution([str(p["datetime"])[:4]])
    path = task.folder / "mask.tif"
    title = f"Cloud mask of {scene.item.product}"
    strips = (Strip(codes, band=1), Strip(clear, band=2))
    write_cog(path, lattice, BANDS, strips, Encoding("uint8", None, "mode"), title=title, attribution=line)
    write_sidecar(path, BANDS)
    return make_item(scene.item, lattice, percentages(codes, clear), source, line, path, values)


def _read_scl(scene: LocalItem) -> NDArray[np.uint8]:
    scl = read_all(scene.paths["SCL_20m"])
    if scl.dtype != np.uint8:
        raise BrokenPicture("SCL_20m", f"holds {scl.dtype}, not uint8", REMEDY)
    return scl


def _detect(scene: LocalItem, grid: dict[str, Any], task: Task[CloudmaskSettings]) -> NDArray[np.uint8]:
    facts = SceneFacts.of(scene.item)
    ny, nx = grid["proj:shape"]
    reflectance, observed = read_l1c(scene.paths, facts.offsets, float(facts.quantification), (ny, nx))
    return codes_from_probability(cloud_probability(reflectance), observed, task.settings.cloud_threshold)
