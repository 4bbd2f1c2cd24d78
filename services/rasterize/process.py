"""Rasterize: the winning label delivery to one class raster on the area's grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.rasterize.burn import burn, reproject
from services.rasterize.item import PIXEL_M, make_item
from services.rasterize.read_polygons import extract_member, read_polygons
from shared.area import LabelScheme, UnknownClass
from shared.items.classes import UNLABELLED, classes_of
from shared.items.properties import DeliveryFacts
from shared.raster.cog import Band, Encoding, Strip, write_cog, write_sidecar
from shared.raster.grid import Lattice
from shared.stage import NewItem, RejectScene, Settings, Task


def process(task: Task[Settings]) -> NewItem:
    """Burn one delivery.

    Raises:
        RejectScene: unreadable, a class code that the scheme does not know, or nothing on the grid.
    """
    delivery, scheme, grid = task.inputs[0], task.area.labels, task.area.grid
    facts = DeliveryFacts.of(delivery.item)
    geometries, codes, crs = read_polygons(
        _dataset(delivery.paths["polygons"], facts.member, task.folder),
        facts.layer,
        facts.attribute,
        grid.bounds_m,
        grid.crs,
    )
    values = class_values(codes, scheme, facts.layer)
    attribution = scheme.attribution or facts.attribution
    path, lattice = task.folder / "labels.tif", Lattice.of_area(grid, PIXEL_M)
    burned = burn(reproject(geometries, crs, grid.crs), values, lattice.transform, lattice.shape)
    counts, band = np.zeros(256, np.int64), Band("class", classes=classes_of(scheme, UNLABELLED))
    write_cog(
        path,
        lattice,
        [band],
        _counted(burned, counts, task),
        Encoding("uint8", 0, "mode"),
        title=f"{scheme.scheme} of {delivery.item.product}, {facts.reference_year}",
        attribution=attribution,
    )
    write_sidecar(path, [band])
    if not counts[1:].any():
        fault = f"labels no pixel of the grid of area {task.area.name}"
        raise RejectScene(delivery.item.product, fault, "deliver labels of the area")
    return make_item(
        delivery.item,
        task.area,
        band,
        counts=counts,
        polygons=len(geometries),
        attribution=attribution,
        path=path,
    )


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


def _dataset(path: Path, member: str, folder: Path) -> Path:
    return extract_member(path, member, folder / "unpacked") if member else path


def _counted(
    burned: Iterator[tuple[int, NDArray[np.uint8]]], counts: NDArray[np.int64], task: Task[Settings]
) -> Iterator[Strip]:
    """Pass strips on, adding the pixels of each value to `counts`, int64 (256,)."""
    rows = task.area.grid.shape_px(PIXEL_M)[0]
    for top, values in burned:
        yield Strip(values, top)
        counts += np.bincount(values.ravel(), minlength=256)
        task.progress(top + len(values), rows)
