"""A GeoTIFF as a model sees it: windows in the cube's encoding, read when they are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterWindow

from landstream.predict.encoding import Encoding, PredictError, choose_bands, choose_encoding
from services.inference.blend import WINDOW_PX
from shared.raster.grid import Lattice

PIXEL_M = 10.0
FINE_BANDS = 4

Array = NDArray[Any]


class RasterCube:
    """What prediction reads of a cube, read of a file instead.

    Attributes:
        lattice: of the file.
    """

    def __init__(self, path: Path, image: Any, bands: Sequence[int], encoding: Encoding, lattice: Lattice) -> None:
        self._path, self._image, self._bands, self._encoding = path, image, list(bands), encoding
        self.lattice = lattice

    def window(self, y: int, x: int) -> dict[str, Array]:
        """Read a window as a model reads it: msi_10m uint16 (256, 256, 4), msi_20m uint16 (128, 128, 6).

        What lies outside the file is 0. Of each 2 x 2 pixels the upper left one stands for the 20 m bands: they were
        repeated to get there.

        Raises:
            PredictError: the file cannot be read, or holds no reflectances.
        """
        height, width = self.lattice.shape
        y0, y1, x0, x1 = max(y, 0), min(y + WINDOW_PX, height), max(x, 0), min(x + WINDOW_PX, width)
        stored = np.zeros((len(self._bands), WINDOW_PX, WINDOW_PX), np.uint16)
        if y0 < y1 and x0 < x1:
            window = RasterWindow(x0, y0, x1 - x0, y1 - y0)
            with _named(self._path):
                part = self._encoding.store(self._image.read(self._bands, window=window))
            stored[:, y0 - y : y1 - y, x0 - x : x1 - x] = part
        pixels = np.moveaxis(stored, 0, -1)
        return {"msi_10m": pixels[..., :FINE_BANDS], "msi_20m": pixels[::2, ::2, FINE_BANDS:]}


@contextmanager
def open_raster(path: Path, bands: Sequence[str], scale: float | None, offset: float | None) -> Iterator[RasterCube]:
    """Open a file to predict.

    Args:
        path: any raster that GDAL reads.
        bands: names of its bands, where it does not have them.
        scale: of its numbers, where it does not say so.
        offset: of its numbers.

    Raises:
        PredictError: it cannot be read, or is not what a model reads; the message begins with its name.
    """
    with ExitStack() as stack:
        with _named(path):
            image = stack.enter_context(rasterio.open(path))
            numbers = choose_bands(image.count, image.descriptions, bands)
            tagged = [image.scales[n - 1] for n in numbers], [image.offsets[n - 1] for n in numbers]
            encoding = choose_encoding(image.dtypes[0], tagged, image.nodata, (scale, offset))
            cube = RasterCube(path, image, numbers, encoding, _lattice_of(image))
        yield cube


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Begin the message of an error with the file's name."""
    try:
        yield
    except RasterioIOError as error:
        raise PredictError(f"{path}: cannot be read ({' '.join(str(error).split())}); give a GeoTIFF") from error
    except PredictError as error:
        raise PredictError(f"{path}: {error}") from error


def _lattice_of(image: Any) -> Lattice:
    """Return where the pixels lie.

    Raises:
        PredictError: not on a north-up lattice of 10 m.
    """
    remedy = "gdalwarp -t_srs EPSG:326.. -tr 10 10 makes it so"
    t = image.transform
    if image.crs is None or not image.crs.is_projected:
        raise PredictError(f"not in a projected CRS, so its pixels are not metres; {remedy}")
    if t.b or t.d or t.e >= 0 or abs(t.a + t.e) > 1e-6:
        raise PredictError(f"its pixels are not squares with north up; {remedy}")
    if abs(t.a - PIXEL_M) > 1e-3:
        raise PredictError(f"its pixels are {t.a:g} m wide, and the model reads 10 m; {remedy}")
    return Lattice(image.crs.to_string(), t.c, t.f, t.a, image.shape)
