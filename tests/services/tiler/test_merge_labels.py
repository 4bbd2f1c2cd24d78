"""Labels in the cube: the better ones stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
import zarr
from affine import Affine

from services.tiler.merge_labels import update_labels


def test_the_better_labels_stay_whoever_comes_last(tmp_path: Path) -> None:
    group = zarr.open_group({}, mode="w")
    labels = group.create_group("labels/clc")
    labels.create_array("class", shape=(512, 256), chunks=(256, 256), dtype="uint8")
    labels.create_array("classes", shape=(2, 1, 3), dtype="uint8")
    rasters = {}
    for value in (1, 2):
        rasters[value] = tmp_path / f"{value}.tif"
        options = {"driver": "GTiff", "height": 512, "width": 256, "count": 1, "dtype": "uint8", "crs": "EPSG:32634"}
        with rasterio.open(rasters[value], "w", transform=Affine(10, 0, 0, 0, -10, 0), **options) as file:
            file.write(np.full((1, 512, 256), value, np.uint8))
    better, worse = [0, "2018", "V2020_20u1", "b", 1, "b"], [-6, "2012", "V2020_20u1", "a", 1, "a"]
    update_labels(group["labels/clc"], 3, rasters[1], better)
    update_labels(group["labels/clc"], 3, rasters[2], worse)
    assert (np.asarray(group["labels/clc/class"]) == 1).all()
    update_labels(group["labels/clc"], 3, rasters[2], [*better[:4], 2, "b"])
    assert (np.asarray(group["labels/clc/class"]) == 2).all()
    assert np.asarray(group["labels/clc/classes"]).tolist() == [[[0, 1, 0]]] * 2
