"""Predict a raster window by window, and write land cover and confidence."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window as RasterWindow

from landstream.export.style import write_class_style, write_percent_style
from landstream.predict.encoding import PredictError
from landstream.predict.raster import RasterCube
from services.inference.blend import WINDOW_PX, blend, lay_windows
from services.inference.client import Client
from services.inference.predict import WindowPredictor
from services.inference.write import CLASSES, PERCENT
from shared.items.classes import PixelClass
from shared.items.item import Item
from shared.items.model_inputs import ModelInputs, inputs_of_model, spell_inputs
from shared.raster.cog import Band, Strip, write_cog, write_sidecar
from shared.raster.grid import Window

BLOCK_PX = 512
"""Rows that are copied at a time."""

SPAN_PX = 8 * WINDOW_PX
"""Columns that are blended at a time: the sums of all classes are in memory."""


def confidence_path(target: Path) -> Path:
    """Return where the confidence beside a map goes."""
    return target.with_name(f"{target.stem}_confidence{target.suffix}")


def files_of(target: Path) -> list[Path]:
    """Return the files that a prediction writes."""
    confidence = confidence_path(target)
    return [
        target,
        target.with_name(f"{target.name}.aux.xml"),
        target.with_suffix(".qml"),
        confidence,
        confidence.with_suffix(".qml"),
    ]


def check_inputs(model: Item) -> None:
    """Check that a model maps one picture of ten bands.

    Raises:
        PredictError: it reads more, or less.
    """
    inputs = inputs_of_model(model)
    if inputs != ModelInputs():
        raise PredictError(
            f"{model.id} reads {spell_inputs(inputs)}, and a raster is one picture of ten bands; serve it, and ask it "
            "over gRPC as `mlm:input` of its item says"
        )


def predict_raster(
    cube: RasterCube,
    client: Client,
    target: Path,
    classes: Sequence[PixelClass],
    overlap_px: int,
    *,
    attribution: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Predict a raster as sheets are: windows that overlap and are blended; return the files written.

    Args:
        cube: the raster.
        client: of the server.
        target: land cover; the other files lie beside it.
        classes: what its values mean, 0 among them; empty = nobody knows, it has neither names nor colours.
        overlap_px: what neighbouring windows share.
        attribution: whose data and labels it is made of.
        progress: called with (rows of windows done, in total).

    Raises:
        PredictError: the model has other classes, or the raster holds no reflectances.
        grpc.RpcError: the server's status.
        OSError: a file cannot be written.
    """
    count = client.ask(WINDOW_PX)
    if classes and count != max(c.value for c in classes):
        raise PredictError(
            f"the model tells {count} classes and the area {max(c.value for c in classes)}; name its own"
        )
    with tempfile.TemporaryDirectory(prefix=".predict-", dir=target.parent) as folder:
        scratch = Path(folder) / "both.tif"
        _predict(cube, WindowPredictor(cube.window, client, count, False), scratch, count, overlap_px, progress)
        made = Path(folder) / target.name
        _write(cube, scratch, made, classes, attribution)
        return [
            (Path(folder) / path.name).replace(path) for path in files_of(target) if (Path(folder) / path.name).exists()
        ]


def _predict(
    cube: RasterCube,
    predictor: WindowPredictor,
    scratch: Path,
    classes: int,
    overlap_px: int,
    progress: Callable[[int, int], None],
) -> None:
    """Write class and confidence as the two bands of a scratch file."""
    ny, nx = cube.lattice.shape
    tiles = np.ones((-(-ny // WINDOW_PX), -(-nx // WINDOW_PX)), bool)
    spans = [Window(0, x, ny, min(SPAN_PX, nx - x)) for x in range(0, nx, SPAN_PX)]
    laid = [lay_windows(span, tiles, overlap_px) for span in spans]
    total, done = sum(map(len, laid)), 0

    def counted(row: list[tuple[int, int]]) -> Iterator[Any]:
        nonlocal done
        yield from predictor.predict(row)
        done += 1
        progress(done, total)

    profile = {"driver": "GTiff", "count": 2, "dtype": "uint8", "height": ny, "width": nx, "bigtiff": "YES"}
    tiled = {
        "tiled": True,
        "blockxsize": WINDOW_PX,
        "blockysize": WINDOW_PX,
        "interleave": "band",
        "compress": "deflate",
    }
    place = {"crs": cube.lattice.crs, "transform": Affine(*cube.lattice.transform)}
    with rasterio.open(scratch, "w", **profile, **tiled, **place) as file:
        for span, rows in zip(spans, laid, strict=True):
            for strip in blend(rows, counted, span, classes, overlap_px):
                window = RasterWindow(span.x, strip.top, span.nx, len(strip.values))
                file.write(np.stack([strip.values, strip.confidence]), window=window)


def _write(cube: RasterCube, scratch: Path, target: Path, classes: Sequence[PixelClass], attribution: str) -> None:
    land_cover = [Band("land cover", classes=tuple(classes))]
    write = partial(write_cog, title="Land cover", attribution=attribution)
    with rasterio.open(scratch) as both:

        def strips(band: int) -> Iterator[Strip]:
            for top in range(0, both.height, BLOCK_PX):
                rows = min(BLOCK_PX, both.height - top)
                yield Strip(both.read(band, window=RasterWindow(0, top, both.width, rows)), top)

        write(target, cube.lattice, land_cover, strips(1), CLASSES)
        share = Band("confidence", "percent")
        write(confidence_path(target), cube.lattice, [share], strips(2), PERCENT)
    write_percent_style(confidence_path(target))
    if classes:
        write_sidecar(target, land_cover)
        write_class_style(target, classes)
