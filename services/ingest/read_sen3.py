"""Sentinel-3 OLCI level-1 products: facts from the manifest, shapes from its netCDF files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import netCDF4
import numpy as np
from shapely.geometry.base import BaseGeometry

from services.ingest.names import Sen3Name
from services.ingest.read_safe import read_time
from services.ingest.read_xml import all_below, attribute, parse, to_int
from services.ingest.refuse import DELIVER_AGAIN
from shared.geo.outline import polygon
from shared.sensors import OLCI_RADIANCES
from shared.stage import RejectScene

MANIFEST: Final = Sen3Name.manifest
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    **{name: (name,) for name in OLCI_RADIANCES},
    "geo_coordinates": ("latitude", "longitude"),
    "qualityFlags": ("quality_flags",),
    "tie_geometries": ("OZA", "SZA"),
    "tie_geo_coordinates": ("latitude", "longitude"),
}
"""File stem -> variables that it must hold."""

MAX_PIXELS = 200_000_000
"""An EFR frame has 20 million, an ERR half orbit 18 million."""
MAX_CHUNK_BYTES = 512 << 20
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_STRIP_PIXELS = 8 << 20


@dataclass(frozen=True)
class Sen3Facts:
    """What an OLCI product's manifest states.

    Attributes:
        start: frame start, UTC.
        footprint: longitude, latitude (degrees).
        shape: (rows, columns).
        orbit_state: `ascending` or `descending`, or empty.
        absolute_orbit: number, or None.
        baseline: `OL__L1_.003.00.00`, or empty before 2022.
        bright_percent: share of bright pixels, or None.
        files: asset name -> path in the product.
    """

    start: datetime
    footprint: BaseGeometry
    shape: tuple[int, int]
    orbit_state: str
    absolute_orbit: int | None
    baseline: str
    bright_percent: float | None
    files: dict[str, str]


def read_facts(root: Path, name: Sen3Name, files: Collection[str]) -> Sen3Facts:
    """Read the manifest and compare it with the product's name.

    Raises:
        RejectScene: a file is missing, or the manifest lacks something or contradicts the name.
    """
    for stem in REQUIRED:
        if f"{stem}.nc" not in files:
            raise RejectScene(f"{stem}.nc", "is missing", DELIVER_AGAIN)
    manifest = parse(root / MANIFEST)
    stated = _text(manifest, "productName").removesuffix(".SEN3")
    if stated != name.product:
        fault = f"states the product {stated[:120]!r}, but the folder is named {name.product}"
        raise RejectScene(MANIFEST, fault, DELIVER_AGAIN)
    start = read_time(_text(manifest, "startTime"), MANIFEST)
    if abs(start - name.start) > timedelta(seconds=2):
        raise RejectScene(MANIFEST, f"states the start {start}, but the product is named {name.start}", DELIVER_AGAIN)
    try:
        positions = np.array([float(v) for v in _text(manifest, "posList").split()]).reshape(-1, 2)[:-1]
        footprint = polygon(positions[:, 1], positions[:, 0])
        shape = (int(_text(manifest, "rows")), int(_text(manifest, "columns")))
    except ValueError as error:
        raise RejectScene(MANIFEST, f"states no usable footprint or image size ({error})", DELIVER_AGAIN) from error
    orbit = next(all_below(manifest, "relativeOrbitNumber"), None)
    absolute = _optional(manifest, "orbitNumber")
    bright = next(all_below(manifest, "brightPixels"), None)
    return Sen3Facts(
        start=start,
        footprint=footprint,
        shape=shape,
        orbit_state=attribute(orbit, "groundTrackDirection").lower() if orbit is not None else "",
        absolute_orbit=to_int(absolute),
        baseline=_optional(manifest, "processingBaseline"),
        bright_percent=_percent(bright),
        files={Path(f).stem: f for f in sorted(files) if f.endswith(".nc") and "/" not in f},
    )


def check_files(root: Path, facts: Sen3Facts, decode: bool) -> None:
    """Open each required netCDF file as HDF5, compare its shapes, and read all of it once.

    Raises:
        RejectScene: a file is damaged, lacks a variable or a position, or declares another size.
    """
    rows, columns = facts.shape
    if not 0 < rows * columns <= MAX_PIXELS:
        raise RejectScene(MANIFEST, f"declares {rows} x {columns} pixels", DELIVER_AGAIN)
    for stem, variables in REQUIRED.items():
        file = f"{stem}.nc"
        path = root / file
        with path.open("rb") as raw:
            head = raw.read(8)
        if head != _SIGNATURE:
            fault = "is empty (0 bytes)" if not head else f"is not a netCDF-4 file: it begins with {head!r}"
            raise RejectScene(file, fault, DELIVER_AGAIN)
        try:
            with netCDF4.Dataset(path, "r") as dataset:
                dataset.set_auto_maskandscale(False)
                for variable in variables:
                    _check_variable(dataset, variable, file, None if stem.startswith("tie_") else facts.shape, decode)
        except (OSError, RuntimeError, ValueError, MemoryError, UnicodeError) as error:
            raise RejectScene(file, f"is a damaged netCDF file ({str(error)[:200]})", DELIVER_AGAIN) from error


def _check_variable(
    dataset: netCDF4.Dataset, name: str, file: str, shape: tuple[int, int] | None, decode: bool
) -> None:
    variable = dataset.variables.get(name)
    if variable is None:
        raise RejectScene(file, f"lacks the variable {name}", DELIVER_AGAIN)
    found = tuple(variable.shape)
    if len(found) != 2 or variable.dtype.kind not in "iuf":
        fault = f"holds {name} as {variable.dtype} {found}, not as numbers (rows, columns)"
        raise RejectScene(file, fault, DELIVER_AGAIN)
    if shape is not None and found != shape:
        raise RejectScene(file, f"holds {name} of {found} pixels where the manifest states {shape}", DELIVER_AGAIN)
    chunks = variable.chunking()
    chunk = found if chunks == "contiguous" else tuple(chunks)
    if not 0 < int(np.prod(found, dtype=object)) <= MAX_PIXELS:
        raise RejectScene(file, f"declares {name} with {found} values", DELIVER_AGAIN)
    if chunks != "contiguous" and int(np.prod(chunk, dtype=object)) * variable.dtype.itemsize > MAX_CHUNK_BYTES:
        raise RejectScene(file, f"declares {name} in chunks of {chunk}", DELIVER_AGAIN)
    if decode:
        rows = max(1, _STRIP_PIXELS // found[1])
        for row in range(0, found[0], rows):
            variable[row : row + rows, :]


def _text(manifest: Element, name: str) -> str:
    value = _optional(manifest, name)
    if not value:
        raise RejectScene(MANIFEST, f"lacks {name}", DELIVER_AGAIN)
    return value


def _optional(manifest: Element, name: str) -> str:
    found = next(all_below(manifest, name), None)
    return (found.text or "").strip() if found is not None else ""


def _percent(element: Element | None) -> float | None:
    if element is None:
        return None
    try:
        value = float(attribute(element, "percentage"))
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None
