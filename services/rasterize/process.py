"""Rasterize: the winning label delivery to one class raster on the area's grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.rasterize.burn import burn, reproject
from services.rasterize.describe import labels_item
from services.rasterize.read_polygons import extract_member, read_polygons
from services.rasterize.write_labels import PIXEL_M, write_labels
from shared.area import LabelScheme, UnknownClass
from shared.stage import LocalItem, NewItem, RejectScene, Task


def process(task: Task) -> NewItem:
    """Burn one delivery.

    Raises:
        RejectScene: unreadable, a class code that the scheme does not know, or nothing on the grid.
    """
    delivery, scheme, grid = task.inputs[0], task.area.labels, task.area.grid
    p = delivery.item.properties
    geometries, codes, crs = read_polygons(
        _dataset(delivery, task.folder), p["landstream:layer"], p["landstream:attribute"], grid.bounds_m, grid.crs
    )
    values = class_values(codes, scheme, str(p["landstream:layer"]))
    attribution = scheme.attribution or str(p.get("landstream:attribution", ""))
    path = task.folder / "labels.tif"
    strips = burn(reproject(geometries, crs, grid.crs), values, grid.transform(PIXEL_M), grid.shape_px(PIXEL_M))
    tags = {
        "TIFFTAG_COPYRIGHT": attribution,
        "TIFFTAG_IMAGEDESCRIPTION": f"{scheme.scheme} of {delivery.item.product}, {p['landstream:reference_year']}",
    }
    counts = write_labels(path, _reported(strips, grid.shape_px(PIXEL_M)[0], task), grid, scheme, tags)
    if not counts[1:].any():
        fault = f"labels no pixel of the grid of area {task.area.name}"
        raise RejectScene(delivery.item.product, fault, "deliver labels of the area")
    return labels_item(delivery.item, task.area, counts, len(geometries), attribution, path)


def class_values(codes: NDArray[Any], scheme: LabelScheme, layer: str) -> NDArray[np.uint8]:
    """Raster value of each polygon, uint8 (polygon,).

    Raises:
        RejectScene: the scheme does not know a code.
    """
    try:
        known = {code: scheme.value_of(code) for code in dict.fromkeys(codes.tolist())}
    except UnknownClass as error:
        remedy = "correct the polygon, or add the code to the area's label scheme"
        raise RejectScene(f"layer {layer}", str(error), remedy) from error
    return np.array([known[code] for code in codes.tolist()], np.uint8)


def _dataset(delivery: LocalItem, folder: Path) -> Path:
    path, member = delivery.paths["polygons"], str(delivery.item.properties.get("landstream:member", ""))
    return extract_member(path, member, folder / "unpacked") if member else path


def _reported(
    strips: Iterator[tuple[int, NDArray[np.uint8]]], rows: int, task: Task
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for top, strip in strips:
        yield top, strip
        task.progress(top + len(strip), rows)
