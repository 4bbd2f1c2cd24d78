"""The bands of a scene in the cube's encoding, decoded from north to south as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window as ReadWindow

from services.tiler.merge_laws import U16
from services.tiler.warp import Index, gather, source_index
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


class Bands:
    """The bands of one resolution, of which it holds some rows in memory.

    Asked from north to south, each code-stream tile is decoded once.

    Args:
        images: in the order of the bands, on one lattice.
        lattice: theirs.
        pixel_m: pixel of the area's raster that they go to.
        threads: bands that are decoded at once.
    """

    def __init__(self, images: Sequence[Image], lattice: Lattice, pixel_m: int, threads: int) -> None:
        self._images, self._lattice, self._pixel_m, self._threads = images, lattice, pixel_m, threads
        self._top = 0
        self._held: U16 = np.empty((0, lattice.shape[1], len(images)), np.uint16)

    def place(self, grid: Grid, window: Window) -> Index:
        """Find the row and column in the scene of each pixel of a window of the area's raster."""
        return source_index(Lattice.of_area(grid, self._pixel_m).window(window), self._lattice)

    def hold(self, windows: Sequence[Index]) -> None:
        """Have the rows of some windows at hand; rows above them are dropped.

        Raises:
            BrokenPicture: a band cannot be decoded, or is not on the lattice that its item states.
        """
        height, bottom = self._lattice.shape[0], self._top + len(self._held)
        first = max(0, min(int(rows.min()) for rows, _ in windows))
        last = min(height, max(int(rows.max()) for rows, _ in windows) + 1)
        if first >= last:
            return
        with rasterio.Env(**DECODER), ExitStack() as stack:
            files = [stack.enter_context(self._opened(i.path)) for i in self._images]
            tile = files[0].block_shapes[0][0]
            if self._top <= first <= bottom:
                kept = self._held[first - self._top :]
            else:
                kept, bottom = self._held[:0], first // tile * tile
            strips = [self._decode(files, row, min(tile, height - row)) for row in range(bottom, last, tile)]
        self._held = np.concatenate([kept, *strips])
        self._top = bottom - len(kept)

    def _opened(self, path: Path) -> rasterio.DatasetReader:
        with _decoding(path):
            file = rasterio.open(path, driver=format_of(path).driver)
        if file.shape != self._lattice.shape:
            fault = f"has {file.width} x {file.height} pixels, not those of its item"
            file.close()
            raise BrokenPicture(path.name, fault, REMEDY)
        return file

    def _decode(self, files: Sequence[rasterio.DatasetReader], row: int, rows: int) -> U16:
        strip = np.empty((rows, *self._held.shape[1:]), np.uint16)

        def read(n: int) -> None:
            image = self._images[n]
            with _decoding(image.path), rasterio.Env(**DECODER):
                dn = files[n].read(1, window=ReadWindow(0, row, strip.shape[1], rows))
            strip[..., n] = to_stored(dn, image.offset, image.quantification)

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(read, range(len(files))))
        return strip

    def take(self, index: Index) -> U16:
        """Values (ny, nx, band) at an index whose rows are held; 0 outside the scene."""
        return gather(self._held, (index[0] - self._top, index[1]))
