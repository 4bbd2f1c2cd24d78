"""Write maps as cloud-optimised GeoTIFFs and a quicklook; the same arrays give the same bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from services.inference.blend import CONFIDENCE_NODATA
from services.inference.item import CONFIDENCE, LAND_COVER, QUICKLOOK
from shared.items.classes import PixelClass
from shared.raster.cog import Band, Encoding, Strip, write_cog, write_sidecar
from shared.raster.grid import Lattice

QUICKLOOK_PX = 900

CLASSES = Encoding("uint8", 0, "mode", least_overviews=1)
PERCENT = Encoding("uint8", CONFIDENCE_NODATA, "average", least_overviews=1)

Array = npt.NDArray[Any]


def write_map(
    folder: Path,
    values: Array,
    confidence: Array,
    lattice: Lattice,
    classes: Sequence[PixelClass],
    *,
    title: str,
    attribution: str,
) -> None:
    """Write the files of a map.

    Args:
        folder: where.
        values: uint8 (y, x), 0 = not observed.
        confidence: uint8 (y, x), percent, 255 = not observed.
        lattice: where the pixels lie.
        classes: what the values mean, 0 among them.
        title: one line for people.
        attribution: whose data and labels they are made of.
    """
    write = partial(write_cog, title=title, attribution=attribution)
    land_cover = [Band("land cover", classes=tuple(classes))]
    write(folder / LAND_COVER, lattice, land_cover, [Strip(values)], CLASSES)
    write_sidecar(folder / LAND_COVER, land_cover)
    write(folder / CONFIDENCE, lattice, [Band("confidence", "percent")], [Strip(confidence)], PERCENT)
    colors = {c.value: (c.title, c.color) for c in classes if not c.nodata}
    write_quicklook(folder / QUICKLOOK, values, colors, title, attribution)


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
