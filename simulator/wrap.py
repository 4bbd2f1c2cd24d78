"""Puts real pixels into products: how real crops run through the pipeline."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import rasterio
from numpy.typing import NDArray

from simulator.msi import Lattice
from simulator.safe import SafeContent, write_l1c
from simulator.safe_names import BAND_IDS, SafeName
from simulator.sen3 import write_efr
from simulator.sen3_content import LINE_S, OlciContent, solar_flux
from simulator.sen3_xml import Sen3Name
from simulator.sky import sun_at

BRANDENBURG = SafeName(
    "S2A",
    "L1C",
    datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC),
    "0204",
    65,
    8642,
    "T33UUU",
    datetime(2017, 2, 16, 10, 22, 4, tzinfo=UTC),
)
_EAST_ANGLIA = "O_L2_0001_SNS_2017104102450_v1.0.nc"
_EAST_ANGLIA_START = datetime(2017, 4, 14, 10, 27, 29, 454657, tzinfo=UTC)
# The source's tie points begin 62 columns before its image; three of their spacings hold it: 62 + 100 + 31 = 193.
_LEFT, _COLUMNS, _TIE_COLUMNS = 62, 193, 4
_MALTA = ("clc2018_mt.gpkg", "clc2012_mt.gdb.zip", "CLC2024_MT.gdb.zip")


@dataclass(frozen=True)
class Wrapping:
    """One kind of real data: folder below the data directory, what it becomes, and how."""

    folder: str
    makes: str
    run: Callable[[Path, Path], list[Path]]


def default_source(kind: str) -> Path:
    """`$LANDSTREAM_DATA/<folder>`, or `../shared/data/<folder>`."""
    return Path(os.environ.get("LANDSTREAM_DATA") or "../shared/data") / WRAPPINGS[kind].folder


def wrap(kind: str, source: Path, out: Path) -> list[Path]:
    """Wraps real data.

    Args:
        kind: A key of `WRAPPINGS`.
        source: Folder with the data.
        out: Parent folder of the products.

    Returns:
        The products.

    Raises:
        FileNotFoundError: The data are not there; the message says what was looked for.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is not a folder: name the one that holds the {kind} data with --from")
    out.mkdir(parents=True, exist_ok=True)
    return WRAPPINGS[kind].run(source, out)


def wrap_brandenburg(source: Path, out: Path) -> list[Path]:
    """The 13 real L1C bands as one product, and the OpenStreetMap polygons beside it."""
    dn: dict[str, NDArray[np.uint16]] = {}
    for band in BAND_IDS:
        path = source / "IMG_DATA" / f"T33UUU_20170216T102101_{band}.jp2"
        with rasterio.open(path, driver="JP2OpenJPEG") as image:
            dn[band] = image.read(1)
            if band == "B02":
                left, top, epsg = round(image.transform.c), round(image.transform.f), image.crs.to_epsg()
    rows, columns = dn["B02"].shape
    lattice = Lattice(epsg, left, top, rows, columns)
    # No classification comes with the data: everything observed is "unclassified".
    scl = np.where(dn["B05"] == 0, 0, 7).astype(np.uint8)
    content = SafeContent(lattice, dn, sun_at(BRANDENBURG.datatake_start, *lattice.centre_deg), scl, np.zeros_like(scl))
    product = write_l1c(out, BRANDENBURG, content)
    labels = out / "osm_landuse_water.gpkg"
    shutil.copyfile(source / labels.name, labels)
    return [product, labels]


def wrap_east_anglia(source: Path, out: Path) -> list[Path]:
    """The real OLCI swath crop as one EFR product: reflectance turned back into radiance."""
    with netCDF4.Dataset(source / _EAST_ANGLIA) as data:
        image = {key: _plain(data, key) for key in ("lat", "lon")}
        reflectance = np.stack([_plain(data, f"rtoa_{band}") for band in range(1, 22)])
        data["quality_flags"].set_auto_maskandscale(False)
        flags = np.asarray(data["quality_flags"][:]).astype(np.int64) & 0xFFFFFFFF
        names = data["quality_flags"].flag_meanings.split()
        rows, columns = flags.shape
        tie = {
            key: _plain(data, key)[:rows, :_TIE_COLUMNS]
            for key in ("TP_latitude", "TP_longitude", "SZA", "SAA", "OZA", "OAA")
        }
    place = slice(_LEFT, _LEFT + columns)
    nodes, every = np.arange(_TIE_COLUMNS) * 64, np.arange(_COLUMNS)

    def fill(values: NDArray[np.float64], key: str) -> NDArray[np.float64]:
        """The image inside the wider frame; around it positions follow from the tie points."""
        full = np.stack([np.interp(every, nodes, row) for row in tie[key]])
        full[:, place] = values
        return full

    def flag(name: str) -> NDArray[np.bool_]:
        mask = np.zeros((rows, _COLUMNS), dtype=bool)
        mask[:, place] = flags >> (31 - names.index(name)) & 1
        return mask

    cosine = np.cos(np.radians(np.stack([np.interp(every, nodes, row) for row in tie["SZA"]])))
    detector = (1480 + np.broadcast_to(every, (rows, _COLUMNS))).astype(np.int16)
    flux = solar_flux(_EAST_ANGLIA_START.timetuple().tm_yday)
    radiance = np.full((21, rows, _COLUMNS), np.nan, dtype=np.float32)
    radiance[:, :, place] = reflectance * flux[:, detector[:, place]] * cosine[:, place] / math.pi
    invalid = flag("invalid") | np.isnan(radiance).all(axis=0)
    content = OlciContent(
        radiance=radiance,
        longitude_deg=fill(image["lon"], "TP_longitude"),
        latitude_deg=fill(image["lat"], "TP_latitude"),
        altitude_m=np.zeros((rows, _COLUMNS), dtype=np.int16),
        detector_index=np.where(invalid, -1, detector).astype(np.int16),
        invalid=invalid,
        duplicated=flag("duplicated"),
        land=flag("land"),
        inland_water=flag("fresh_inland_water"),
        bright=flag("bright"),
        tie_longitude_deg=tie["TP_longitude"],
        tie_latitude_deg=tie["TP_latitude"],
        sza_deg=tie["SZA"],
        saa_deg=tie["SAA"],
        oza_deg=tie["OZA"],
        oaa_deg=tie["OAA"],
        start=_EAST_ANGLIA_START,
    )
    stop = _EAST_ANGLIA_START + timedelta(seconds=LINE_S * (rows - 1))
    # Cycle and orbit follow from a later product (cycle 77, orbit 334 on 2021-10-21): 385 orbits in 27 days.
    name = Sen3Name("S3A", _EAST_ANGLIA_START, stop, datetime(2018, 2, 7, 12, tzinfo=UTC), 16, 279, 1980)
    return [write_efr(out, name, content)]


def wrap_malta(source: Path, out: Path) -> list[Path]:
    """The three real national Corine deliveries, as they are."""
    return [Path(shutil.copyfile(source / name, out / name)) for name in _MALTA]


def _plain(data: netCDF4.Dataset, key: str) -> NDArray[np.float64]:
    return np.ma.filled(data[key][:].astype(np.float64), np.nan)


WRAPPINGS = {
    "brandenburg": Wrapping(
        "s2-l1c-brandenburg-t33uuu", "a Sentinel-2 L1C product and its OpenStreetMap labels", wrap_brandenburg
    ),
    "east-anglia": Wrapping("s3-olci-swath-east-anglia", "an OLCI EFR product", wrap_east_anglia),
    "malta": Wrapping("clc-vector-malta", "three national Corine deliveries", wrap_malta),
}
