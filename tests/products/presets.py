"""The three sets of real data as products: what tests and benchmarks of real pixels begin with.

`python -m tests.products.presets NAME --from FOLDER --out DIR` makes one by hand.
"""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import netCDF4
import numpy as np
from numpy.typing import NDArray

from simulator.bands import find_bands
from simulator.sen3 import write_efr
from simulator.sen3_content import LINE_S, OlciContent, solar_flux
from simulator.sen3_xml import Sen3Name
from simulator.wrap import Identity, bands_of
from simulator.wrap import wrap as wrap_bands

BRANDENBURG = Identity(
    "L1C",
    datetime(2017, 2, 16, 10, 21, 1, tzinfo=UTC),
    "S2A",
    relative_orbit=65,
    absolute_orbit=8642,
    baseline="0204",
    mgrs_tile="T33UUU",
    generated=datetime(2017, 2, 16, 10, 22, 4, tzinfo=UTC),
)
_EAST_ANGLIA = "O_L2_0001_SNS_2017104102450_v1.0.nc"
_EAST_ANGLIA_START = datetime(2017, 4, 14, 10, 27, 29, 454657, tzinfo=UTC)
# The source's tie points begin 62 columns before its image; three of their spacings hold it: 62 + 100 + 31 = 193.
_LEFT, _COLUMNS, _TIE_COLUMNS = 62, 193, 4
_MALTA = ("clc2018_mt.gpkg", "clc2012_mt.gdb.zip", "CLC2024_MT.gdb.zip")


class Preset(NamedTuple):
    """A set of real data: its folder below the data directory, and what makes products of it."""

    folder: str
    make: Callable[[Path, Path], list[Path]]


def wrap(name: str, source: Path, out: Path) -> list[Path]:
    """Make the products of a preset.

    Raises:
        FileNotFoundError: the data are not there.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"{source} is not a folder: name the one that holds the {name} data")
    out.mkdir(parents=True, exist_ok=True)
    return PRESETS[name].make(source, out)


def wrap_brandenburg(source: Path, out: Path) -> list[Path]:
    """The 13 real L1C bands as one product, and the OpenStreetMap polygons beside it."""
    bands = find_bands(source, "IMG_DATA/*_{band}.jp2", bands_of("L1C"))
    product = wrap_bands(out, bands, BRANDENBURG).product
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


PRESETS = {
    "brandenburg": Preset("s2-l1c-brandenburg-t33uuu", wrap_brandenburg),
    "east-anglia": Preset("s3-olci-swath-east-anglia", wrap_east_anglia),
    "malta": Preset("clc-vector-malta", wrap_malta),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PRESETS)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--out", type=Path, required=True, help="folder for the products")
    given = parser.parse_args()
    print(*wrap(given.name, given.source, given.out), sep="\n")
