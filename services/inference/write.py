"""Write maps as cloud-optimised GeoTIFFs and a quicklook; the same arrays give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from services.inference.blend import CONFIDENCE_NODATA
from services.inference.describe import CONFIDENCE, LAND_COVER, QUICKLOOK
from shared.area import LabelScheme

BLOCK_PX = 512
QUICKLOOK_PX = 900

Array = npt.NDArray[Any]


def write_map(
    folder: Path, values: Array, confidence: Array, properties: Mapping[str, Any], scheme: LabelScheme
) -> None:
    """Write the files of a map.

    Args:
        folder: where.
        values: uint8 (y, x), 0 = not observed.
        confidence: uint8 (y, x), percent, 255 = not observed.
        properties: of the map's item: title, place and attribution.
        scheme: names and colours of the values.
    """
    crs, transform = properties["proj:code"], tuple(properties["proj:transform"])
    line = properties["landstream:attribution"]
    classes = {value: (c.name, c.color) for value, c in scheme.values.items()}
    write_classes(folder / LAND_COVER, values, crs, transform, classes, line)
    write_confidence(folder / CONFIDENCE, confidence, crs, transform, line)
    write_quicklook(folder / QUICKLOOK, values, classes, properties["title"], line)


def write_classes(
    path: Path,
    values: Array,
    crs: str,
    transform: tuple[float, ...],
    classes: Mapping[int, tuple[str, str]],
    attribution: str,
) -> None:
    """Write a class map as COG.

    The colour table makes GDAL and QGIS draw it in the scheme's colours. GeoTIFF itself has no place for category
    names (GDAL keeps them in a side file, which would not follow the map around), so each name stands in the band's
    metadata as `CLASS_<value>`, and in the item as `classification:classes`.

    Args:
        path: made here.
        values: uint8 (y, x), 0 = nodata.
        crs: `EPSG:n`.
        transform: six affine coefficients, as of `Grid.transform`.
        classes: value -> (name, `#rrggbb`).
        attribution: goes into the tag for copyright.
    """
    colormap = {0: (0, 0, 0, 0)} | {v: (*_rgb(color), 255) for v, (_, color) in classes.items()}
    names = {"CLASS_0": "not observed"} | {f"CLASS_{v}": name for v, (name, _) in classes.items()}
    _write(path, values, 0, crs, transform, "mode", attribution, "land cover", names, colormap)


def write_confidence(path: Path, values: Array, crs: str, transform: tuple[float, ...], attribution: str) -> None:
    """Write the confidence as COG: uint8 percent, 255 = nodata."""
    _write(
        path, values, CONFIDENCE_NODATA, crs, transform, "average", attribution, "confidence", {"UNIT": "percent"}, None
    )


def _write(
    path: Path,
    values: Array,
    nodata: int,
    crs: str,
    transform: tuple[float, ...],
    resampling: str,
    attribution: str,
    description: str,
    tags: Mapping[str, str],
    colormap: Mapping[int, tuple[int, ...]] | None,
) -> None:
    ny, nx = values.shape
    levels = max(1, math.ceil(math.log2(max(ny, nx) / BLOCK_PX)))
    options = {
        "blocksize": BLOCK_PX,
        "compress": "DEFLATE",
        "level": 6,
        "overview_count": levels,  # one level at least: GDAL makes none below one block, and readers expect one
        "overview_resampling": resampling,
        "overview_compress": "DEFLATE",
        "num_threads": 1,
        "bigtiff": "IF_SAFER",
    }
    with (
        rasterio.Env(GDAL_PAM_ENABLED=False),  # no side file: one asset is one file
        rasterio.open(
            path,
            "w",
            driver="COG",
            width=nx,
            height=ny,
            count=1,
            dtype="uint8",
            crs=crs,
            transform=Affine(*transform),
            nodata=nodata,
            **options,
        ) as out,
    ):
        out.write(values, 1)
        if colormap is not None:
            out.write_colormap(1, dict(colormap))
        out.set_band_description(1, description)
        out.update_tags(TIFFTAG_COPYRIGHT=attribution.encode("ascii", "replace").decode(), ATTRIBUTION=attribution)
        out.update_tags(1, **tags)


def write_quicklook(
    path: Path, values: Array, classes: Mapping[int, tuple[str, str]], title: str, attribution: str
) -> None:
    """Draw a class map with a legend of the classes in it, as PNG of at most some 1,200 px.

    Args:
        path: made here.
        values: uint8 (y, x), 0 = not observed.
        classes: value -> (name, `#rrggbb`).
        title: above the map.
        attribution: below it.
    """
    step = max(1, math.ceil(max(values.shape) / QUICKLOOK_PX))
    thin = values[::step, ::step]
    ny, nx = thin.shape
    scale = 8 / max(ny, nx)
    present = [v for v in np.unique(thin).tolist() if v]
    figure = Figure(
        figsize=(max(4.0, nx * scale) + 3.2, max(3.0, ny * scale, 0.28 * len(present)) + 0.8), layout="constrained"
    )
    axes = figure.subplots()
    colors = ["#ffffff"] + [classes[v][1] if v in classes else "#000000" for v in range(1, 256)]
    axes.imshow(thin, cmap=ListedColormap(colors), vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
    handles = [Patch(facecolor=classes[v][1], edgecolor="#666666", label=f"{v} {classes[v][0][:40]}") for v in present]
    handles.append(Patch(facecolor="#ffffff", edgecolor="#666666", label="0 not observed"))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=7, frameon=False)
    figure.supxlabel(attribution, fontsize=6, wrap=True)
    figure.savefig(path, format="png", dpi=100, metadata={"Software": None})


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
