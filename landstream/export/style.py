"""Styles that QGIS reads by itself where they lie beside a raster: `<raster without suffix>.qml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from shared.items.classes import PixelClass

CONFIDENCE_COLORS: Final = ((0, "#a50026"), (25, "#f46d43"), (50, "#fee08b"), (75, "#a6d96a"), (100, "#006837"))
"""Percent -> colour, interpolated between."""

DISSIMILARITY_COLORS: Final = ((0, "#006837"), (50, "#a6d96a"), (100, "#fee08b"), (101, "#f46d43"), (254, "#a50026"))
"""Percent of the threshold -> colour: the area of applicability ends where green and yellow do."""

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def write_class_style(raster: Path, classes: Sequence[PixelClass]) -> Path:
    """Write the style of a class raster: a colour and a name for each value but nodata.

    Returns:
        The style's path.
    """
    renderer = _renderer("paletted")
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for c in classes:
        if not c.nodata:
            entry = {"value": str(c.value), "color": c.color, "label": c.title, "alpha": "255"}
            ElementTree.SubElement(palette, "paletteEntry", entry)
    return _write(raster, renderer)


def write_percent_style(raster: Path, colors: Sequence[tuple[int, str]] = CONFIDENCE_COLORS) -> Path:
    """Write the style of a raster of percentages: a ramp of colours.

    Returns:
        The style's path.
    """
    renderer = _renderer("singlebandpseudocolor", classificationMin="0", classificationMax="100")
    shader = ElementTree.SubElement(ElementTree.SubElement(renderer, "rastershader"), "colorrampshader")
    ramp = {"colorRampType": "INTERPOLATED", "classificationMode": "1", "clip": "0"}
    shader.attrib.update(ramp | {"minimumValue": str(colors[0][0]), "maximumValue": str(colors[-1][0])})
    for percent, color in colors:
        item = {"value": str(percent), "color": color, "label": f"{percent} %", "alpha": "255"}
        ElementTree.SubElement(shader, "item", item)
    return _write(raster, renderer)


def _renderer(kind: str, **more: str) -> ElementTree.Element:
    said = {"type": kind, "band": "1", "opacity": "1", "alphaBand": "-1"}
    return ElementTree.Element("rasterrenderer", said | more)


def _write(raster: Path, renderer: ElementTree.Element) -> Path:
    root = ElementTree.Element("qgis", version="3.22", styleCategories="Symbology")
    ElementTree.SubElement(root, "pipe").append(renderer)
    ElementTree.indent(root)
    style = raster.with_suffix(".qml")
    style.write_text(_DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n", encoding="utf-8")
    return style
