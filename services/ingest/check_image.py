"""The check of a product's image: opened as what it must be, and decoded once as a whole."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from services.ingest.refuse import DELIVER_AGAIN
from shared.raster.delivered import DECODER, GEOTIFF, JPEG2000, decode_fault, format_of
from shared.raster.grid import Lattice, Transform
from shared.raster.options import DELIVERED
from shared.stage import RejectScene

MAX_PIXELS = 20_000 * 20_000
"""A whole 10 m image has 10,980 x 10,980; nothing that ESA makes comes near this."""

MAX_TILE_PIXELS = 11_000 * 11_000
"""A code-stream tile is decoded as a whole: at most an image that is one tile."""

_SIGNATURES: Mapping[str, tuple[bytes, ...]] = {
    JPEG2000.driver: (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    GEOTIFF.driver: (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
}
_STRIP_PIXELS = 16 << 20


def check_image(path: Path, relative: str, pixel_m: int, dtype: str, decode: bool, threads: int) -> Lattice:
    """Check one image, a JPEG2000 file or a GeoTIFF by its name.

    Args:
        path: the local file.
        relative: what to call it in messages.
        pixel_m: the pixel that its name tells.
        dtype: what its samples must fit (`uint16`, `uint8`).
        decode: whether to decode every pixel.
        threads: strips that are decoded at once.

    Raises:
        RejectScene: another format under this name, no or an odd grid, too large, or it does not decode.
    """
    format_ = format_of(path)
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        raise RejectScene(relative, "is empty (0 bytes)", DELIVER_AGAIN)
    if not head.startswith(_SIGNATURES[format_.driver]):
        raise RejectScene(relative, f"is not a {format_.name} file: it begins with {head!r}", DELIVER_AGAIN)
    try:
        with warnings.catch_warnings(), rasterio.Env(**DELIVERED, **DECODER):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=format_.driver) as image:
                if image.count != 1 or image.dtypes[0] not in {"uint8", dtype}:
                    fault = f"has {image.count} bands of {image.dtypes[0]}, not one of {dtype}"
                    raise RejectScene(relative, fault, DELIVER_AGAIN)
                tile_rows, tile_columns = image.block_shapes[0]
                if image.width * image.height > MAX_PIXELS or tile_rows * tile_columns > MAX_TILE_PIXELS:
                    fault = f"declares {image.width} x {image.height} pixels in tiles of {tile_columns} x {tile_rows}"
                    raise RejectScene(relative, fault, DELIVER_AGAIN)
                epsg = _epsg(image.crs, relative)
                x, y = _corner(tuple(image.transform)[:6], pixel_m, relative)
                lattice = Lattice(f"EPSG:{epsg}", x, y, float(pixel_m), (image.height, image.width))
                if decode:
                    _decode(path, image, threads)
    except (RasterioError, OSError, UnicodeError) as error:
        raise RejectScene(relative, decode_fault(error, path), DELIVER_AGAIN) from error
    return lattice


def _epsg(crs: CRS | None, relative: str) -> int:
    try:
        epsg = crs.to_epsg() if crs else None
    except CRSError:
        epsg = None
    if epsg is None:
        fault = "has an unknown CRS" if crs else "has no CRS"
        raise RejectScene(relative, fault, "restore the georeference of the delivered product")
    return int(epsg)


def _corner(transform: Transform, pixel_m: int, relative: str) -> tuple[float, float]:
    """Return the upper left corner (x, y) of a north-up grid."""
    a, b, c, d, e, f = transform
    if (a, b, d, e) != (pixel_m, 0, 0, -pixel_m):
        fault = f"has the grid {transform}, not north-up pixels of {pixel_m} m"
        raise RejectScene(relative, fault, DELIVER_AGAIN)
    if not (c.is_integer() and f.is_integer()):
        raise RejectScene(relative, f"has the origin {(c, f)}, not whole metres", DELIVER_AGAIN)
    return c, f


def _decode(path: Path, image: rasterio.DatasetReader, threads: int) -> None:
    """Read every pixel in strips of whole code-stream tiles, so that each is decoded once."""
    block = image.block_shapes[0][0]
    rows = max(block, _STRIP_PIXELS // max(image.width, 1) // block * block)
    strips = [(row, min(rows, image.height - row)) for row in range(0, image.height, rows)]

    def read(part: Sequence[tuple[int, int]]) -> None:
        with rasterio.Env(**DELIVERED, **DECODER), rasterio.open(path, driver=format_of(path).driver) as own:
            for row, height in part:
                own.read(1, window=Window(0, row, own.width, height))

    parts = [part for n in range(threads) if (part := strips[n::threads])]
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(read, parts))
