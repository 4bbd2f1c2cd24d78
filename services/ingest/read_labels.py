"""Deliveries of label polygons or points: which layer and attribute hold the classes, of which year, all known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from services.ingest.datum import is_shift_known
from services.ingest.label_datasets import Dataset
from services.ingest.names import LabelName, is_change, year_of_field
from services.ingest.outline import bounds_text
from services.ingest.refuse import DELIVER_AGAIN
from shared.area import Area, UnknownClass
from shared.raster.grid import outline
from shared.stage import RejectScene
from shared.vector import is_table, list_layers, read_info, read_layer

_CHANGE_FIELDS = frozenset({"change", "chtype"})
_NOT_AREAL = re.compile("Point|Line|Curve(?!Polygon)")  # a layer of any geometry is `Unknown`
_POINTS = re.compile(r"(?:\w+ )*(?:Multi)?Point(?: \w+)?\Z")

LEAST_EXTENT = 1e-5
"""Of a single point, which has none; in units of the CRS."""


@dataclass(frozen=True)
class LayerFacts:
    """Where the polygons of a delivery are.

    Attributes:
        dataset: the dataset that holds them.
        layer: layer name.
        attribute: field that holds the class code, as spelt in the layer.
        reference_year: year that the polygons describe.
        crs: of the layer, as `EPSG:n` or WKT.
        outline: extent of the layer in longitude, latitude (degrees).
    """

    dataset: Dataset
    layer: str
    attribute: str
    reference_year: int
    crs: str
    outline: BaseGeometry


@dataclass(frozen=True)
class _Layer:
    dataset: Dataset
    name: str
    attribute: str
    year: int


def read_facts(datasets: Sequence[Dataset], name: LabelName, area: Area, unit: str) -> LayerFacts:
    """Choose the layer that holds the classes of the year nearest the area's, and check its codes over the area.

    Args:
        datasets: the delivery's, each checked.
        name: what the file name tells.
        area: the study area.
        unit: what to call the delivery in messages.

    Raises:
        RejectScene: no such layer, no usable CRS, an unknown class code, or nothing over the area.
    """
    scheme = area.labels
    if scheme.source == "raster":
        fault = f"holds polygons, and label scheme {scheme.scheme} reads a raster"
        raise RejectScene(unit, fault, "deliver a GeoTIFF of its classes, or name the scheme's `attribute`")
    layers = [layer for dataset in datasets for layer in _layers(dataset, name, area)]
    if not layers:
        what = "polygons" if scheme.source == "clc" else "polygons or points"
        fault = f"has no {what} with an attribute like {scheme.attribute!r}, as label scheme {scheme.scheme} needs"
        raise RejectScene(unit, fault, "deliver a status layer, or name its attribute in the area file")
    layer, codes, facts = _choose(layers, area)
    if not len(codes):
        aoi = bounds_text(area.polygon)
        fault = f"covers {bounds_text(facts.outline)}, outside the area {area.name}, whose AOI is {aoi}"
        raise RejectScene(unit, fault, "deliver labels of the area, or another area file")
    for code in sorted(dict.fromkeys(codes.tolist()), key=str):
        try:
            scheme.value_of(code)
        except UnknownClass as error:
            remedy = f"correct {layer.attribute} in layer {layer.name}, or add the code to the area's label scheme"
            raise RejectScene(unit, str(error), remedy) from error
    return facts


def _choose(layers: list[_Layer], area: Area) -> tuple[_Layer, np.ndarray[Any, Any], LayerFacts]:
    """Choose the layer of the year nearest the area's, of the later one of two, that holds something over the area.

    Raises:
        RejectScene: none of the nearest year does, and one of them cannot be used.
    """

    def nearness(year: int) -> tuple[int, int]:
        return -abs(year - area.label_year), year

    for year in sorted({layer.year for layer in layers}, key=nearness, reverse=True):
        found, faults = [], []
        for layer in (layer for layer in layers if layer.year == year):
            try:
                found.append((layer, *_look(layer, area)))
            except RejectScene as error:
                faults.append(error)
        if not found:
            raise faults[0]
        # The overseas parts of the pan-European file are layers of their own: the one over the area is meant.
        best = max(found, key=lambda f: (len(f[1]), f[0].name))
        if len(best[1]):
            break
        if faults:
            raise faults[0]  # rather than take another year
    return best


def _layers(dataset: Dataset, name: LabelName, area: Area) -> list[_Layer]:
    """Layers with one attribute that may hold classes; change layers have two, or say so in a name."""
    scheme, clc = area.labels, area.labels.source == "clc"
    pattern = re.compile(scheme.attribute, re.IGNORECASE)
    found = []
    try:
        for layer, geometry_type in list_layers(dataset.path):
            if not _holds_labels(geometry_type, clc):
                continue
            info = read_info(dataset.path, layer)
            fields = [str(f) for f in info["fields"]] if info["features"] else []
            codes = [f for f in fields if pattern.fullmatch(f)]
            if clc and (len(codes) != 1 or _is_change(layer, fields)):
                continue
            if codes:
                year = (year_of_field(codes[0]) or year_of_field(layer) or name.reference_year) if clc else None
                found.append(_Layer(dataset, str(layer), codes[0], year or area.label_year))
    except (DataSourceError, DataLayerError, UnicodeError) as error:
        raise RejectScene(dataset.name, f"is a damaged vector file ({str(error)[:200]})", DELIVER_AGAIN) from error
    return found


def _holds_labels(geometry_type: str | None, clc: bool) -> bool:
    """Return whether a layer of a type of geometry may be labels; Corine's are polygons."""
    if geometry_type is None:
        return False
    return not _NOT_AREAL.search(geometry_type) or (not clc and _POINTS.match(geometry_type) is not None)


def _is_change(layer: str, fields: list[str]) -> bool:
    return is_change(layer) or any(f.lower() in _CHANGE_FIELDS for f in fields)


def _look(layer: _Layer, area: Area) -> tuple[np.ndarray[Any, Any], LayerFacts]:
    """Class codes of the features over the AOI's bounds, and where the layer is."""
    where, path = layer.dataset.name, layer.dataset.path
    try:
        info = read_info(path, layer.name, force_total_bounds=True)
        crs = info["crs"]
        if not crs:
            raise RejectScene(where, f"layer {layer.name} has no CRS", "deliver the layer with its CRS")
        if not is_shift_known(crs):
            fault = f"layer {layer.name} is in {crs[:80]}, whose datum shift to WGS 84 is unknown"
            raise RejectScene(where, fault, "deliver the layer in a CRS of ETRS89 or WGS 84")
        to_layer = Transformer.from_crs(4326, crs, always_xy=True)
        bounds = to_layer.transform_bounds(*area.polygon.bounds, densify_pts=21)
        if info["total_bounds"] is None:
            raise RejectScene(where, f"layer {layer.name} says of none of its features where it is", DELIVER_AGAIN)
        west, south, east, north = _sensible(info["total_bounds"], path)
        extent = outline(crs, (west, south, max(east, west + LEAST_EXTENT), max(north, south + LEAST_EXTENT)))
        # Inverse infinities: the area lies where this CRS cannot be, hence not in this layer.
        inside = bool(np.isfinite(bounds).all()) and extent.intersects(area.polygon)
        codes = np.array([])
        if inside:
            codes = read_layer(path, layer.name, [layer.attribute], bounds, read_geometry=False)[1][0]
    except (DataSourceError, DataLayerError, UnicodeError) as error:
        raise RejectScene(where, f"is a damaged vector file ({str(error)[:200]})", DELIVER_AGAIN) from error
    except (CRSError, ProjError, ValueError) as error:
        fault = f"layer {layer.name} has an unusable CRS or extent ({str(error)[:200]})"
        raise RejectScene(where, fault, "deliver the layer in a CRS of the EPSG register") from error
    return codes, LayerFacts(layer.dataset, layer.name, layer.attribute, layer.year, crs, extent)


def _sensible(bounds: Sequence[float], path: Path) -> tuple[float, float, float, float]:
    """Return the bounds of a layer (west, south, east, north); a table's end where the Earth does."""
    west, south, east, north = (float(v) for v in bounds)
    if is_table(path) and west <= 180 and south <= 90 and east >= -180 and north >= -90:
        return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)
    return west, south, east, north
