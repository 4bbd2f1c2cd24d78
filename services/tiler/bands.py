"""The bands of a scene in the cube's encoding, decoded from north to south as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window as ReadWindow

from services.tiler.merge_laws import U16
from services.tiler.strips import Strips, Wait
from services.tiler.warp import Index, source_index
from shared.geo import Grid
from shared.raster.delivered import DECODER, decode_fault, format_of
from shared.raster.grid import Lattice, Window
from shared.sensors import MSI_OFFSET, MSI_QUANTIFICATION
from shared.stage import BrokenPicture

REMEDY = "deliver the product again as its provider published it"


def to_stored(dn: U16, offset: float, quantification: float) -> U16:
    """DN to the cube's encoding: DN + offset + 1000 at quantification 10,000, clipped to 1..65535; 0 = nodata.

    Source: Sentinel-2 Products Specification Document, BOA_ADD_OFFSET and RADIO_ADD_OFFSET.
    """
    if offset == -MSI_OFFSET and quantification == MSI_QUANTIFICATION:
        return dn
    if quantification == MSI_QUANTIFICATION and float(offset).is_integer():
        value = dn.astype(np.int32) + (int(offset) + MSI_OFFSET)
    else:
        value = np.rint((dn + float(offset)) * (MSI_QUANTIFICATION / quantification) + MSI_OFFSET).astype(np.int32)
    stored: U16 = np.where(dn == 0, 0, value.clip(1, 65535)).astype(np.uint16)
    return stored


@dataclass(frozen=True)
class Image:
    """One band: its file, its offset in DN and its quantification."""

    path: Path
    offset: float
    quantification: float


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Take what GDAL cannot open or read for a broken picture."""
    try:
        yield
    except RasterioError as error:
        raise BrokenPicture(path.name, decode_fault(error, path), REMEDY) from error


class Bands(Strips):
    """The bands of one resolution: uint16 (y, x, band). A strip is a row of the tiles of their code-streams.

    Args:
        images: in the order of the bands, on one lattice.
        lattice: theirs.
        pixel_m: pixel of the area's raster that they go to.
        pool: where bands are decoded, one by each of its threads.
    """

    def __init__(self, images: Sequence[Image], lattice: Lattice, pixel_m: int, pool: ThreadPoolExecutor) -> None:
        super().__init__((*lattice.shape, len(images)), "uint16")
        self._images, self._lattice, self._pixel_m, self._pool = images, lattice, pixel_m, pool

    def place(self, grid: Grid, window: Window) -> Index:
        """Find the row and column in the scene of each pixel of a window of the area's raster."""
        return source_index(Lattice.of_area(grid, self._pixel_m).window(window), self._lattice)

    @cached_property
    def side(self) -> int:
        """Rows of a tile of the code-streams.

        Raises:
            BrokenPicture: the first band cannot be opened.
        """
        with self._opened(self._images[0].path) as file:
            return int(file.block_shapes[0][0])

    def begin(self, row: int, rows: int) -> Wait:
        """Begin to decode some rows; whoever waits for them may meet a `BrokenPicture`.

        It says that a band cannot be decoded, or is not on the lattice that its item states.
        """
        strip = np.empty((rows, *self._shape[1:]), np.uint16)
        bands = [self._pool.submit(self._decode, image, row, strip[..., n]) for n, image in enumerate(self._images)]

        def wait() -> U16:
            for band in bands:
                band.result()
            return strip

        return wait

    @contextmanager
    def _opened(self, path: Path) -> Iterator[rasterio.DatasetReader]:
        with _decoding(path), rasterio.Env(**DECODER), rasterio.open(path, driver=format_of(path).driver) as file:
            if file.shape != self._lattice.shape:
                fault = f"has {file.width} x {file.height} pixels, not those of its item"
                raise BrokenPicture(path.name, fault, REMEDY)
            yield file

    def _decode(self, image: Image, row: int, target: U16) -> None:
        """Decode rows of a band into (rows, x), a tile at a time: the decoder's own copies stay small."""
        rows, width = target.shape
        with self._opened(image.path) as file:
            across = file.block_shapes[0][1]
            for left in range(0, width, across):
                part = target[:, left : left + across]
                dn = file.read(1, window=ReadWindow(left, row, part.shape[1], rows))
                part[...] = to_stored(dn, image.offset, image.quantification)
