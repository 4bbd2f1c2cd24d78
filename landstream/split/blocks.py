"""The blocks of a hold-out, as text, picture and polygons: pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

import numpy as np
from pyproj import Transformer
from shapely.geometry import box

from shared.area import Area
from shared.geo.outline import geojson, project

SIDES: Final = {"1": "training", "2": "hold-out"}
"""Sign of a block in a split's file -> the side that it is on; 0 = never labelled."""

SIGNS: Final = {"0": "\N{MIDDLE DOT}", "1": "\N{LIGHT SHADE}", "2": "\N{FULL BLOCK}"}
COLORS: Final = {"1": "#8fb3d9", "2": "#d9731a"}
CELL_PX, LEGEND_PX = 8, 56


class Split(NamedTuple):
    """A split as its file holds it.

    Attributes:
        lines: a sign for each block, a line for each row from the north.
        block_m: side of a block in metres.
        origin_m: x and y of the upper left corner in the grid's CRS.
        epsg: of the grid's CRS.
    """

    lines: Sequence[str]
    block_m: int
    origin_m: tuple[float, float]
    epsg: int


def read_split(data: bytes) -> Split:
    """Read the file of a hold-out, or of a model's split."""
    said = json.loads(data)
    x, y = said["origin_m"]
    return Split(said["holdout"], said["block_px"] * said["pixel_m"], (x, y), said["epsg"])


def text_map(split: Split) -> list[str]:
    """Return the map as lines of signs, north up."""
    return ["".join(SIGNS[sign] for sign in line) for line in split.lines]


def runs(split: Split) -> Iterator[tuple[str, int, int, int]]:
    """Yield (sign, row, first col, count) of neighbours in a row that are on one side; unlabelled ones are left out."""
    for row, line in enumerate(split.lines):
        start = 0
        for col in range(1, len(line) + 1):
            if col == len(line) or line[col] != line[start]:
                if line[start] in SIDES:
                    yield line[start], row, start, col - start
                start = col


def svg_map(split: Split, title: str) -> str:
    """Draw the map as SVG, north up, with a legend and a scale; the same arguments give the same bytes."""
    rows, cols = len(split.lines), len(split.lines[0])
    width, height = max(cols * CELL_PX, 320), rows * CELL_PX
    parts = [
        f'<rect x="{col * CELL_PX}" y="{row * CELL_PX}" width="{count * CELL_PX}" height="{CELL_PX}" '
        f'fill="{COLORS[sign]}"/>'
        for sign, row, col, count in runs(split)
    ]
    grid = f'<rect width="{cols * CELL_PX}" height="{height}" fill="#eee"/>'
    km = _scale_km(cols * split.block_m / 1000)
    bar_px = km * 1000 / split.block_m * CELL_PX
    legend = "".join(
        f'<rect x="{90 * i}" y="{height + 10}" width="12" height="12" fill="{COLORS[sign]}"/>'
        f'<text x="{90 * i + 18}" y="{height + 20}">{name}</text>'
        for i, (sign, name) in enumerate(SIDES.items())
    )
    scale = (
        f'<path d="M0 {height + 38}h{bar_px:.1f}" stroke="#333" stroke-width="2"/>'
        f'<text x="{bar_px + 6:.1f}" y="{height + 42}">{km:g} km, north up</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + LEGEND_PX}" '
        f'font-family="system-ui,sans-serif" font-size="12"><title>{escape(title)}</title>'
        f"{grid}{''.join(parts)}{legend}{scale}</svg>\n"
    )


def geojson_map(split: Split) -> str:
    """Return the blocks as GeoJSON, one polygon for each run of neighbours, in longitude and latitude."""
    transformer = Transformer.from_crs(f"EPSG:{split.epsg}", "EPSG:4326", always_xy=True)
    x, y = split.origin_m
    features = []
    for sign, row, col, count in runs(split):
        west, north = x + col * split.block_m, y - row * split.block_m
        outline = box(west, north - split.block_m, west + count * split.block_m, north)
        features.append(
            {"type": "Feature", "properties": {"side": SIDES[sign]}, "geometry": geojson(project(transformer, outline))}
        )
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def table_rows(area: Area, classes: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Return name, hectares on both sides and the held-out share of each class, of `landstream:classes`."""
    found = []
    for value in area.labels.values:
        row = classes[str(value)]
        pixels = np.array([row["training"], row["holdout"]])
        share = f"{100 * pixels[1] / pixels.sum():.0f} %" if pixels.sum() else "-"
        found.append((row["name"], *(f"{p / 100:,.0f}" for p in pixels), share))
    return found


def _scale_km(width_km: float) -> float:
    """Return a round length of about a third of the width."""
    power = 10 ** np.floor(np.log10(max(width_km / 3, 0.1)))
    return float(max(n for n in (1, 2, 5) if n * power <= max(width_km / 3, 0.1)) * power)
