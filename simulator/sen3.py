"""Write OLCI level-1 EFR products: SEN3 folders with ESA's packing, tie points, flags and manifest."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator import sen3_xml
from simulator.sen3_content import DETECTORS, LINE_S, OlciContent, solar_flux
from simulator.sen3_xml import Sen3Name
from simulator.sky import sun_distance_au
from simulator.spectra import OLCI_CENTRES_NM, OLCI_WIDTHS_NM

_FILL = 65535
_SCALE = {
    "S3A": (
        .01394646, .01338726, .01214812, .01151982, .01009526, .01235380, .00879161, .00876539, .00951030, .00773378,
        .00675523, .00719960, .00749684, .00865120, .00526779, .00530267, .00493004, .00549962, .00502847, .00326378,
        .00324118,
    ),
    "S3B": (
        .01363491, .01149097, .01258850, .01139628, .01223392, .01003824, .01056649, .00897469, .00969088, .00898638,
        .00836103, .00749103, .00786130, .00752964, .00788309, .00715248, .00605576, .00603413, .00554096, .00509539,
        .00429155,
    ),
}  # fmt: skip
_STATIC_FLAGS = ("land", "coastline", "fresh_inland_water", "tidal_region", "bright", "straylight_risk", "invalid",
                 "cosmetic", "duplicated", "sun-glint_risk", "dubious")  # fmt: skip
_PRESSURES = (
    1000,
    950,
    925,
    900,
    850,
    800,
    700,
    600,
    500,
    400,
    300,
    250,
    200,
    150,
    100,
    70,
    50,
    30,
    20,
    10,
    7,
    5,
    3,
    2,
    1,
)


def flag_layout(name: Sen3Name) -> dict[str, int]:
    """Flag name to mask: 32 flags up to collection 002, 13 in later ones."""
    flags = {flag: 1 << (31 - bit) for bit, flag in enumerate(_STATIC_FLAGS)}
    if name.collection >= "003":
        return flags | {"saturated": 1 << 20, "partially_saturated": 1 << 19}
    return flags | {f"saturated@Oa{band:02d}": 1 << (21 - band) for band in range(1, 22)}


def write_efr(out: Path, name: Sen3Name, content: OlciContent) -> Path:
    """Write a full-resolution product into folder `out`.

    Args:
        out: Existing or new parent folder.
        name: Identity.
        content: Pixels.

    Returns:
        The SEN3 folder.
    """
    root = out / name.product
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    rows, columns = content.invalid.shape
    image = {"rows": rows, "columns": columns}
    for band in range(21):
        _write_radiance(root, name, content, band)
    with _file(root, name, content, "geo_coordinates", "Geo Coordinates", image) as data:
        _degrees(data, content.latitude_deg, content.longitude_deg, ("rows", "columns"))
        _variable(
            data,
            "altitude",
            "i2",
            ("rows", "columns"),
            content.altitude_m,
            -32768,
            {"units": "m", "valid_min": np.int16(-1000), "valid_max": np.int16(9000)},
        )
    flags = _flags(name, content)
    layout = flag_layout(name)
    with _file(root, name, content, "qualityFlags", "Classification and Quality Flags", image) as data:
        _variable(data, "quality_flags", "u4", ("rows", "columns"), flags, None, {
            "coordinates": "time_stamp altitude latitude longitude",
            "flag_masks": np.array(list(layout.values()), dtype=np.uint32),
            "flag_meanings": " ".join(layout),
            "long_name": "Classification and quality flags",
        })  # fmt: skip
    stamps = round((content.start.astimezone(UTC) - datetime(2000, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
    with _file(root, name, content, "time_coordinates", "Time Stamps", {"rows": rows}) as data:
        values = stamps + np.round(np.arange(rows) * LINE_S * 1e6).astype(np.int64)
        _variable(data, "time_stamp", "i8", ("rows",), values, -1, {"units": "microseconds since 2000-01-01 00:00:00"})
    _write_instrument(root, name, content)
    _write_ties(root, name, content)
    _write_removed(root, name, content)
    write_manifest(root, name, content)
    return root


def write_manifest(root: Path, name: Sen3Name, content: OlciContent) -> None:
    """Write `xfdumanifest.xml` with sizes and MD5 of what lies in the folder."""
    files = []
    for path in sorted(root.glob("*.nc")):
        data = path.read_bytes()
        files.append((path.name, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest()))
    longitude, latitude = content.longitude_deg, content.latitude_deg
    edges = [
        (latitude[0, ::48], longitude[0, ::48]), (latitude[::48, -1], longitude[::48, -1]),
        (latitude[-1, ::-48], longitude[-1, ::-48]), (latitude[::-48, 0], longitude[::-48, 0]),
    ]  # fmt: skip
    ring = [(float(a), float(o)) for lats, lons in edges for a, o in zip(lats, lons, strict=True)]
    size = content.invalid.size
    shares = {key: 100.0 * int(mask.sum()) / size for key, mask in (
        ("invalid", content.invalid), ("duplicated", content.duplicated),
        ("freshInlandWater", content.inland_water), ("bright", content.bright),
    )}  # fmt: skip
    distance_m = sun_distance_au(content.start.timetuple().tm_yday) * 149_597_870_700
    facts = sen3_xml.ManifestFacts(
        content.start, _stop(content), content.invalid.shape, [*ring, ring[0]], shares, distance_m
    )
    (root / "xfdumanifest.xml").write_text(sen3_xml.manifest(name, facts, files), encoding="utf-8")


def _stop(content: OlciContent) -> datetime:
    return content.start + timedelta(seconds=LINE_S * (len(content.invalid) - 1))


def _write_radiance(root: Path, name: Sen3Name, content: OlciContent, band: int) -> None:
    key = f"Oa{band + 1:02d}"
    scale = np.float32(_SCALE[name.platform][band])
    values = content.radiance[band] / scale
    missing = content.invalid | np.isnan(values)
    packed = np.where(missing, _FILL, np.clip(np.rint(np.nan_to_num(values)), 0, _FILL - 1)).astype(np.uint16)
    rows, columns = packed.shape
    ancillary = f"{key}_radiance_{'unc' if name.collection >= '003' else 'err'}"
    attributes: dict[str, object] = {
        "scale_factor": scale, "add_offset": np.float32(0), "units": "mW.m-2.sr-1.nm-1",
        "standard_name": "toa_upwelling_spectral_radiance",
        "long_name": f"TOA radiance for OLCI acquisition band {key}",
        "coordinates": "time_stamp altitude latitude longitude", "ancillary_variables": ancillary,
        "valid_min": np.uint16(0), "valid_max": np.uint16(_FILL - 1),
    }  # fmt: skip
    with _file(
        root, name, content, f"{key}_radiance", f"Radiance {key} Data Set", {"rows": rows, "columns": columns}
    ) as data:
        _variable(data, f"{key}_radiance", "u2", ("rows", "columns"), packed, _FILL, attributes)
    if name.collection < "003":
        return
    # Collection 003 brought uncertainties: the logarithm of the value, in eight bits.
    logarithm = np.log10(np.maximum(np.nan_to_num(content.radiance[band]) * 0.01, 1e-3))
    unc = np.where(missing, 255, np.clip(np.rint((logarithm + 3) / 0.017), 0, 254)).astype(np.uint8)
    attributes = {
        "scale_factor": np.float32(0.017), "add_offset": np.float32(-3), "units": "lg(re mW.m-2.sr-1.nm-1)",
        "coordinates": "time_stamp altitude latitude longitude",
    }  # fmt: skip
    with _file(
        root, name, content, f"{key}_radiance_unc", f"Radiance {key} Uncertainty", {"rows": rows, "columns": columns}
    ) as data:
        _variable(data, f"{key}_radiance_unc", "u1", ("rows", "columns"), unc, 255, attributes)


def _write_instrument(root: Path, name: Sen3Name, content: OlciContent) -> None:
    rows, columns = content.invalid.shape
    sizes = {"rows": rows, "columns": columns, "bands": 21, "detectors": DETECTORS}
    with _file(root, name, content, "instrument_data", "Instrument Data Set", sizes) as data:
        _variable(data, "detector_index", "i2", ("rows", "columns"), content.detector_index, -1, {})
        flux = solar_flux(content.start.timetuple().tm_yday)
        shift = 0.4 * np.sin(2 * np.pi * (np.arange(DETECTORS) % 740) / 740)
        per_detector: dict[str, tuple[ArrayLike, str]] = {
            "lambda0": (np.add.outer(OLCI_CENTRES_NM, shift), "nm"),
            "FWHM": (np.tile(np.array(OLCI_WIDTHS_NM)[:, None], (1, DETECTORS)), "nm"),
            "solar_flux": (flux, "mW.m-2.nm-1"),
        }
        for key, (values, units) in per_detector.items():
            _variable(
                data, key, "f4", ("bands", "detectors"), np.asarray(values, dtype=np.float32), -1.0, {"units": units}
            )
        if name.collection >= "003":
            _variable(data, "frame_offset", "i1", ("rows", "columns"), np.zeros((rows, columns), np.int8), -128, {})
        else:
            _variable(data, "frame_offset", "i2", ("detectors",), np.zeros(DETECTORS, np.int16), -32768, {})
        covariance = np.eye(21, dtype=np.float32)
        _variable(data, "relative_spectral_covariance", "f4", ("bands", "bands"), covariance, np.nan, {})


def _write_ties(root: Path, name: Sen3Name, content: OlciContent) -> None:
    tie_rows, tie_columns = content.sza_deg.shape
    tie = ("tie_rows", "tie_columns")
    sizes = {"tie_rows": tie_rows, "tie_columns": tie_columns}
    with _file(root, name, content, "tie_geo_coordinates", "Tie-Point Geo Coordinates", sizes) as data:
        _degrees(data, content.tie_latitude_deg, content.tie_longitude_deg, tie)
    with _file(root, name, content, "tie_geometries", "Tie-Point Geometries", sizes) as data:
        angles = {"OAA": content.oaa_deg, "SAA": content.saa_deg, "OZA": content.oza_deg, "SZA": content.sza_deg}
        for key, values in angles.items():
            kind, fill = ("i4", -2147483648) if key in ("OAA", "SAA") else ("u4", 4294967295)
            low, high = (-180000000, 180000000) if kind == "i4" else (0, 180000000)
            number = np.int32 if kind == "i4" else np.uint32
            packed = np.rint(values * 1e6).astype(number)
            _variable(data, key, kind, tie, packed, fill, {
                "scale_factor": 1e-6, "add_offset": 0.0, "units": "degrees", "coordinates": "latitude longitude",
                "valid_min": number(low), "valid_max": number(high),
            })  # fmt: skip
    with _file(
        root, name, content, "tie_meteo", "Tie-Point Meteo", sizes | {"wind_vectors": 2, "tie_pressure_levels": 25}
    ) as data:
        constants = {"humidity": (58.0, "%"), "sea_level_pressure": (1015.0, "hPa"),
                     "total_columnar_water_vapour": (19.0, "kg.m-2"), "total_ozone": (0.0065, "kg.m-2")}  # fmt: skip
        for key, (value, units) in constants.items():
            _variable(data, key, "f4", tie, np.full((tie_rows, tie_columns), value, np.float32), -1.0, {"units": units})
        wind = np.full((tie_rows, tie_columns, 2), 2.5, np.float32)
        _variable(data, "horizontal_wind", "f4", (*tie, "wind_vectors"), wind, 9.96921e36, {"units": "m.s-1"})
        profile = (288 - 70 * (1 - np.array(_PRESSURES) / 1000)).astype(np.float32)
        profiles = np.broadcast_to(profile, (tie_rows, tie_columns, 25))
        _variable(
            data, "atmospheric_temperature_profile", "f4", (*tie, "tie_pressure_levels"), profiles, -1.0, {"units": "K"}
        )
        pressures = np.array(_PRESSURES, np.float32)
        _variable(data, "reference_pressure_level", "f4", ("tie_pressure_levels",), pressures, -1.0, {"units": "hPa"})


def _write_removed(root: Path, name: Sen3Name, content: OlciContent) -> None:
    """Instrument pixels that regridding dropped: none here, the arrays hold fill values."""
    rows = len(content.invalid)
    shape, dims = (rows, 1), ("rows", "removed_pixels")
    with _file(root, name, content, "removed_pixels", "Removed Pixels", {"rows": rows, "removed_pixels": 1}) as data:
        _variable(data, "nb_removed_pixels", "u2", ("rows",), np.zeros(rows, np.uint16), None, {})
        for key in ("latitude", "longitude"):
            _variable(data, key, "i4", dims, np.full(shape, -2147483648, np.int32), -2147483648, {"scale_factor": 1e-6})
        for band in range(1, 22):
            scale = np.float32(_SCALE[name.platform][band - 1])
            values = np.full(shape, _FILL, np.uint16)
            _variable(data, f"Oa{band:02d}_radiance", "u2", dims, values, _FILL, {"scale_factor": scale})


def _flags(name: Sen3Name, content: OlciContent) -> NDArray[np.uint32]:
    layout = flag_layout(name)
    flags = np.zeros(content.invalid.shape, dtype=np.uint32)
    for key, mask in (
        ("land", content.land | content.inland_water), ("fresh_inland_water", content.inland_water),
        ("bright", content.bright), ("invalid", content.invalid), ("duplicated", content.duplicated),
    ):  # fmt: skip
        flags[mask] |= np.uint32(layout[key])
    return flags


def _degrees(
    data: netCDF4.Dataset, latitude: NDArray[np.float64], longitude: NDArray[np.float64], dims: tuple[str, ...]
) -> None:
    for key, values, limit in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        _variable(data, key, "i4", dims, np.rint(values * 1e6).astype(np.int32), -2147483648, {
            "scale_factor": 1e-6, "add_offset": 0.0, "standard_name": key,
            "units": "degrees_north" if key == "latitude" else "degrees_east",
            "valid_min": np.int32(-limit * 1_000_000), "valid_max": np.int32(limit * 1_000_000),
        })  # fmt: skip


def _variable(
    data: netCDF4.Dataset,
    key: str,
    kind: str,
    dims: tuple[str, ...],
    values: ArrayLike,
    fill: float | None,
    attributes: Mapping[str, object],
) -> None:
    variable = data.createVariable(key, kind, dims, zlib=True, complevel=4, shuffle=True, fill_value=fill)
    # The values are packed already.
    variable.set_auto_maskandscale(False)
    variable.setncatts(dict(attributes))
    variable[:] = values


@contextmanager
def _file(
    root: Path, name: Sen3Name, content: OlciContent, stem: str, title: str, sizes: Mapping[str, int]
) -> Iterator[netCDF4.Dataset]:
    with netCDF4.Dataset(root / f"{stem}.nc", "w", format="NETCDF4") as data:
        for dimension, size in sizes.items():
            data.createDimension(dimension, size)
        data.setncatts(name.attributes(f"OLCI Level 1b Product, {title}", content.start, _stop(content)))
        yield data
