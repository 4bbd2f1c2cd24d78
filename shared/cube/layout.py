"""The cube's hierarchy: every array's path, shape, chunk, type and attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import zarr
from numcodecs import blosc  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pyproj import CRS
from zarr.codecs import BloscCodec
from zarr.core.buffer import Buffer

from shared.area import Area
from shared.geo import TILE_10M_PX, TILE_20M_PX, TILE_M, Grid
from shared.sensors import CUBE_BANDS, MSI_OFFSET, MSI_QUANTIFICATION

WEEKS = 53
LEDGER_SLOTS = 32
"""Scenes that one tile-week can hold."""

# Central wavelengths in nm: S2A of the product metadata; OLCI of the SEN3 manifest.
WAVELENGTHS_NM: Final[Mapping[str, float]] = {
    "B01": 442.7, "B02": 492.4, "B03": 559.8, "B04": 664.6, "B05": 704.1, "B06": 740.5, "B07": 782.8,
    "B08": 832.8, "B8A": 864.7, "B09": 945.1, "B10": 1373.5, "B11": 1613.7, "B12": 2202.4,
    **dict(zip(CUBE_BANDS["300m"], (
        400, 412.5, 442.5, 490, 510, 560, 620, 665, 673.75, 681.25, 708.75, 753.75, 761.25, 764.375, 767.5,
        778.75, 865, 885, 900, 940, 1020), strict=True)),
}  # fmt: skip

MSI_ENCODING: Final[Mapping[str, float]] = {
    "scale_factor": 1 / MSI_QUANTIFICATION,
    "add_offset": -MSI_OFFSET / MSI_QUANTIFICATION,
}
"""reflectance = stored * scale_factor + add_offset; stored 0 = nodata."""

LEDGER_TILES = 16
CHUNK_300M_PX = 32
CHUNK_M: Final[Mapping[str, int]] = {
    "10m": TILE_M, "20m": TILE_M, "60m": 60 * TILE_20M_PX, "300m": 300 * CHUNK_300M_PX, "scenes": LEDGER_TILES * TILE_M,
}  # fmt: skip
"""Side of a chunk in metres of the weekly arrays, by the first part of their names."""

COMPRESSOR: Final = BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")

MSI = "Sentinel-2/MSI"
OLCI = "Sentinel-3/OLCI"


@dataclass(frozen=True)
class Layer:
    """One array to create."""

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    dims: tuple[str, ...]
    fill: float = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)


def bands_60m(area: Area) -> tuple[str, ...]:
    """Return the 60 m bands of the area's level."""
    return CUBE_BANDS[f"60m-{area.level}"]


def year_layers(area: Area, year: int) -> Iterator[Layer]:
    """List the arrays of one ISO year."""
    grid, root = area.grid, f"{area.name}/{year}"
    reflectance = {**MSI_ENCODING, "_FillValue": 0, "units": "1", "long_name": "reflectance", **_mapping()}
    for name, pixel_m, chunk_px in (("10m", 10, TILE_10M_PX), ("20m", 20, TILE_20M_PX), ("60m", 60, TILE_20M_PX)):
        ny, nx = grid.shape_px(pixel_m)
        bands = bands_60m(area) if name == "60m" else CUBE_BANDS[name]
        yx = (f"y_{name}", f"x_{name}")
        yield Layer(
            f"{root}/{MSI}/{name}",
            (WEEKS, ny, nx, len(bands)),
            (1, chunk_px, chunk_px, len(bands)),
            "uint16",
            ("week", *yx, f"wavelength_{name}"),
            attributes={**reflectance, "band_names": list(bands)},
        )
        if name != "10m":
            flat = (WEEKS, ny, nx), (1, chunk_px, chunk_px), "uint8", ("week", *yx)
            source = "1 + 8 (4 weekday + platform) + 4 warped + 2 (MGRS column parity) + (MGRS row parity); 0 = none"
            distance = "20 m px to the nearest cloud or shadow, capped at 50"
            yield Layer(f"{root}/{MSI}/{name}_source", *flat, attributes={"long_name": source, **_mapping()})
            yield Layer(
                f"{root}/{MSI}/{name}_cloud_distance_px", *flat, attributes={"long_name": distance, **_mapping()}
            )
    yield _ledger(f"{root}/{MSI}/scenes", grid)
    ny, nx = grid.shape_px(300)
    yx = ("y_300m", "x_300m")
    yield Layer(
        f"{root}/{OLCI}/300m",
        (WEEKS, ny, nx, 21),
        (1, CHUNK_300M_PX, CHUNK_300M_PX, 21),
        "float32",
        ("week", *yx, "wavelength_300m"),
        fill=float("nan"),
        attributes={
            "units": "mW m-2 sr-1 nm-1",
            "long_name": "top-of-atmosphere radiance",
            "band_names": list(CUBE_BANDS["300m"]),
            **_mapping(),
        },
    )
    rank = "view zenith in half degrees + 128 if bright"
    for name, text in (("300m_source", "1 + 8 (4 weekday + platform); 0 = none"), ("300m_rank", rank)):
        yield Layer(
            f"{root}/{OLCI}/{name}",
            (WEEKS, ny, nx),
            (1, CHUNK_300M_PX, CHUNK_300M_PX),
            "uint8",
            ("week", *yx),
            attributes={"long_name": text, **_mapping()},
        )
    yield _ledger(f"{root}/{OLCI}/scenes", grid)


def label_layers(area: Area) -> Iterator[Layer]:
    """List the arrays of the area's label scheme."""
    grid, root = area.grid, f"{area.name}/labels/{area.labels.scheme}"
    classes = {str(value): c.name for value, c in area.labels.values.items()}
    yield Layer(
        f"{root}/class",
        grid.shape_px(10),
        (TILE_10M_PX, TILE_10M_PX),
        "uint8",
        ("y_10m", "x_10m"),
        attributes={
            "flag_values": list(area.labels.values),
            "flag_meanings": " ".join(n.replace(" ", "_") for n in classes.values()),
            **_mapping(),
        },
    )
    count = len(classes)
    yield Layer(
        f"{root}/classes",
        (grid.rows, grid.cols, count),
        (min(grid.rows, 64), min(grid.cols, 64), count),
        "uint8",
        ("row", "col", "class_value"),
        attributes={"long_name": "presence of each class"},
    )
    distance = "10 m px to the nearest pixel of another class or without one, capped at 255; 0 = unlabelled"
    number = "number of the polygon, by the order of the delivery on the grid; 0 = unlabelled"
    for name, dtype, text in (("confidence", "uint8", distance), ("polygon", "uint32", number)):
        yield Layer(
            f"{root}/{name}",
            grid.shape_px(10),
            (TILE_10M_PX, TILE_10M_PX),
            dtype,
            ("y_10m", "x_10m"),
            attributes={"long_name": text, **_mapping()},
        )


def _ledger(path: str, grid: Grid) -> Layer:
    shape = (WEEKS, grid.rows, grid.cols, LEDGER_SLOTS)
    text = "first 64 bits of the sha256 of each merged product's full name, ascending, then zeros"
    return Layer(
        path,
        shape,
        (1, LEDGER_TILES, LEDGER_TILES, LEDGER_SLOTS),
        "uint64",
        ("week", "row", "col", "slot"),
        attributes={"long_name": text},
    )


def _mapping() -> dict[str, str]:
    return {"grid_mapping": "spatial_ref"}


def create_layers(store: Any, layers: Iterator[Layer]) -> None:
    """Create arrays that do not exist yet; empty chunks are not stored."""
    root = zarr.open_group(store, mode="a")
    for layer in layers:
        if layer.path not in root:
            root.create_array(
                layer.path,
                shape=layer.shape,
                chunks=layer.chunks,
                dtype=layer.dtype,
                fill_value=layer.fill,
                dimension_names=layer.dims,
                attributes=dict(layer.attributes),
                compressors=COMPRESSOR,
                config={"write_empty_chunks": False},
            )


def decode_chunk(chunk: Buffer, values: NDArray[Any]) -> None:
    """Decode a chunk of an array that `create_layers` made; releases the interpreter's lock.

    Args:
        chunk: as it is stored.
        values: C-contiguous, of the chunk's shape and type: is written to.

    Raises:
        RuntimeError: the chunk is damaged.
    """
    blosc.decompress(chunk.as_numpy_array(), values)


def create_coordinates(store: Any, area: Area, group: str, year: int | None, pixels: Mapping[str, int]) -> None:
    """Create the coordinates of a group: pixel centres in metres, Mondays, wavelengths, `spatial_ref`.

    Args:
        store: a zarr store.
        area: the study area.
        group: the group's path.
        year: ISO year of the `week` coordinate; None = the group has no weeks.
        pixels: suffix of the dimensions -> pixel in metres.
    """
    root = zarr.open_group(store, mode="a", path=group)
    if "spatial_ref" in root:
        return
    grid = area.grid
    wkt = CRS.from_epsg(grid.epsg).to_wkt()
    _coordinate(root, "spatial_ref", np.array(0, "int32"), (), {"crs_wkt": wkt, "spatial_ref": wkt, "epsg": grid.epsg})
    for name, pixel_m in pixels.items():
        ny, nx = grid.shape_px(pixel_m)
        y = grid.origin_y_m - (np.arange(ny) + 0.5) * pixel_m
        x = grid.origin_x_m + (np.arange(nx) + 0.5) * pixel_m
        for axis, values in (("y", y), ("x", x)):
            attributes = {"units": "m", "standard_name": f"projection_{axis}_coordinate", "axis": axis.upper()}
            _coordinate(root, f"{axis}_{name}", values, (f"{axis}_{name}",), attributes)
        bands = bands_60m(area) if name == "60m" else CUBE_BANDS.get(name, ())
        if bands and year is not None:
            wavelengths = np.array([WAVELENGTHS_NM[b] for b in bands])
            dim = f"wavelength_{name}"
            _coordinate(root, dim, wavelengths, (dim,), {"units": "nm", "band_names": list(bands)})
    if year is not None:
        first = date.fromisocalendar(year, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
        days = first + 7 * np.arange(WEEKS, dtype="int64")
        attributes = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian", "long_name": "Monday, UTC"}
        _coordinate(root, "week", days, ("week",), attributes)


def _coordinate(
    group: zarr.Group, name: str, values: NDArray[Any], dims: tuple[str, ...], attributes: Mapping[str, Any]
) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=tuple(max(1, n) for n in values.shape),
        dtype=values.dtype,
        fill_value=0,
        dimension_names=dims,
        attributes=dict(attributes),
        config={"write_empty_chunks": True},
    )
    array[...] = values
