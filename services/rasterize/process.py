"""Rasterize: the winning label delivery to rasters of class, confidence and polygon on the area's grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from services.rasterize.burn import are_points, burn, number_polygons, reproject
from services.rasterize.distance import edge_distances
from services.rasterize.item import CONFIDENCE, CONFIDENCE_UNIT, LABELS, PIXEL_M, POLYGON, Drawn, make_item
from services.rasterize.patches import class_of_patch, number_patches
from services.rasterize.read_polygons import extract_member, read_polygons
from services.rasterize.read_raster import read_classes
from services.rasterize.repair import repair
from shared.area import LabelScheme, UnknownClass, is_missing
from shared.items.classes import UNLABELLED, classes_of
from shared.items.collections import LABEL_RASTERS
from shared.items.properties import DeliveryFacts, PolygonFacts
from shared.raster.cog import Band, Encoding, Strip, write_cog, write_sidecar
from shared.raster.grid import Lattice
from shared.stage import NewItem, RejectScene, Settings, Task

FILES: Final = (POLYGON, LABELS, CONFIDENCE)
"""In the order in which they are made, each of the one before."""

STRIP_PX: Final = 2048
"""Rows that are in memory at once; each polygon is drawn once for each strip that it reaches."""

STRIP_PIXELS: Final = 1 << 25
"""Pixels that are in memory at once, in some ten bytes each; a country is wider than this divided by `STRIP_PX`."""


def process(task: Task[Settings]) -> NewItem:
    """Burn one delivery.

    Raises:
        RejectScene: unreadable, a class code that the scheme does not know, or nothing on the grid.
    """
    delivery, scheme = task.inputs[0], task.area.labels
    lattice = Lattice.of_area(task.area.grid, PIXEL_M)
    strip_px = strip_rows(lattice.shape[1])
    draw = _draw_raster if delivery.item.collection == LABEL_RASTERS else _draw_polygons
    drawn = draw(task, lattice, strip_px)
    attribution = scheme.attribution or DeliveryFacts.of(delivery.item).attribution
    counts, band = np.zeros(256, np.int64), Band("class", classes=classes_of(scheme, UNLABELLED))
    path = task.folder / LABELS

    def write(name: str, what: Band, strips: Iterable[tuple[int, NDArray[Any]]], encoding: Encoding) -> None:
        title = f"{scheme.scheme} of {delivery.item.product}, {drawn.year}"
        title += "" if name == LABELS else f": {what.description}"
        reported = _reported(strips, task, FILES.index(name))
        write_cog(task.folder / name, lattice, [what], reported, encoding, title=title, attribution=attribution)

    # A delivery is drawn once; the raster of polygons tells the classes, and theirs the distances to their edges.
    write(POLYGON, Band("polygon"), drawn.polygons, Encoding("uint32", 0, "nearest"))
    found = _classes(task.folder / POLYGON, drawn.class_of, strip_px)
    write(LABELS, band, _counted(found, counts), Encoding("uint8", 0, "mode"))
    write_sidecar(path, [band])
    if not counts[1:].any():
        fault = f"labels no pixel of the grid of area {task.area.name}"
        raise RejectScene(delivery.item.product, fault, "deliver labels of the area")
    distances = edge_distances(partial(_read_rows, path), lattice.shape[0], strip_px)
    write(CONFIDENCE, Band("confidence", CONFIDENCE_UNIT), distances, Encoding("uint8", 0, "average"))
    return make_item(
        delivery.item, task.area, band, counts=counts, drawn=drawn, attribution=attribution, folder=task.folder
    )


def _draw_polygons(task: Task[Settings], lattice: Lattice, strip_px: int) -> Drawn:
    delivery, grid = task.inputs[0], task.area.grid
    facts = PolygonFacts.of(delivery.item)
    geometries, codes, crs = read_polygons(
        _dataset(delivery.paths["polygons"], facts.member, task.folder),
        facts.layer,
        facts.attribute,
        grid.bounds_m,
        grid.crs,
    )
    geometries, repaired = (geometries, 0) if are_points(geometries) else repair(geometries)
    classes = class_values(codes, task.area.labels, facts.layer)
    outlines = reproject(geometries, crs, grid.crs)
    numbers = number_polygons(outlines, classes, grid.bounds_m)
    class_of = np.zeros(int(numbers.max(initial=0)) + 1, np.uint8)
    class_of[numbers] = np.where(numbers > 0, classes, 0)
    return Drawn(
        year=facts.reference_year,
        polygons=burn(outlines, numbers, lattice.transform, lattice.shape, strip_px),
        class_of=lambda pixels: class_of[pixels],
        burned=len(geometries),
        uncoded=sum(map(is_missing, codes.tolist())),
        repaired=repaired,
    )


def _draw_raster(task: Task[Settings], lattice: Lattice, strip_px: int) -> Drawn:
    delivery, width = task.inputs[0], lattice.shape[1]
    strips = read_classes(delivery.paths["classes"], task.area.labels.pixel_values(), lattice, strip_px)
    return Drawn(
        year=DeliveryFacts.of(delivery.item).reference_year,
        polygons=((top, number_patches(classes, top, width)) for top, classes in strips),
        class_of=class_of_patch,
    )


def strip_rows(width_px: int) -> int:
    """Return the rows of a strip of a raster of some width: fewer where it is that of a country."""
    return max(1, min(STRIP_PX, STRIP_PIXELS // width_px))


def class_values(codes: NDArray[Any], scheme: LabelScheme, layer: str) -> NDArray[np.uint8]:
    """Raster value of each polygon, uint8 (polygon,).

    Raises:
        RejectScene: the scheme does not know a code.
    """
    listed = codes.tolist()  # once: a NaN is the key of itself alone
    try:
        known = {code: scheme.value_of(code) for code in dict.fromkeys(listed)}
    except UnknownClass as error:
        remedy = "correct the polygon, or add the code to the area's label scheme"
        raise RejectScene(f"layer {layer}", str(error), remedy) from error
    return np.array([known[code] for code in listed], np.uint8)


def _dataset(path: Path, member: str, folder: Path) -> Path:
    return extract_member(path, member, folder / "unpacked") if member else path


def _read_rows(path: Path, top: int, bottom: int) -> NDArray[Any]:
    """Read the rows of a raster of one band from `top` up to `bottom`, values (y, x)."""
    with rasterio.open(path, driver="GTiff") as file:
        rows: NDArray[Any] = file.read(1, window=Window(0, top, file.width, bottom - top))
        return rows


def _classes(
    path: Path, class_of: Callable[[NDArray[np.uint32]], NDArray[np.uint8]], strip_px: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Look up the class of each pixel of a raster of polygons, strip by strip.

    Args:
        path: the raster of polygons.
        class_of: numbers of polygons (y, x), 0 = none -> their classes.
        strip_px: rows of a strip.

    Yields:
        (first row, uint8 (y, x)): 0 = unlabelled.
    """
    with rasterio.open(path, driver="GTiff") as file:
        height = file.height
    for top in range(0, height, strip_px):
        yield top, class_of(_read_rows(path, top, min(top + strip_px, height)))


def _counted(
    strips: Iterable[tuple[int, NDArray[np.uint8]]], counts: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Pass strips on, adding the pixels of each value to `counts`, int64 (256,)."""
    for top, values in strips:
        yield top, values
        counts += np.bincount(values.ravel(), minlength=256)


def _reported(strips: Iterable[tuple[int, NDArray[Any]]], task: Task[Settings], before: int) -> Iterator[Strip]:
    """Pass strips on, reporting the rows of all rasters together, `before` of which are done."""
    rows = task.area.grid.shape_px(PIXEL_M)[0]
    for top, values in strips:
        yield Strip(values, top)
        task.progress(before * rows + top + len(values), len(FILES) * rows)
