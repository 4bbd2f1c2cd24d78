"""Reads the fields that catalogues describe products with; what is broken is said by name, and nothing is guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.ingest.names import SafeName, parse_product
from shared.area.source import ProductType

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}\Z", re.ASCII)
_ENDS: Final = re.compile(r"(?i)(\.zip)?\Z")
_FOLDER: Final = re.compile(r"(?i)\.(SAFE|SEN3)\Z")
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|\+00:?00)\Z", re.ASCII)
HASHES: Final = {"md5": 32, "blake3": 64, "sha3-256": 64}
"""Checksums that are verified, and how many hexadecimal digits they have."""


class BrokenProduct(Exception):
    """Raised when a catalogue describes a product in a way that cannot be used; the message says why."""


class Kind(NamedTuple):
    """How the Copernicus Data Space calls products of a type.

    Attributes:
        mission: OData's collection.
        collections: of STAC.
        part: of every name of the type.
        folder: how a product's folder ends.
    """

    mission: str
    collections: tuple[str, ...]
    part: str
    folder: str


KINDS: Final[Mapping[ProductType, Kind]] = {
    "S2MSI2A": Kind("SENTINEL-2", ("sentinel-2-l2a",), "_MSIL2A_", ".SAFE"),
    "S2MSI1C": Kind("SENTINEL-2", ("sentinel-2-l1c",), "_MSIL1C_", ".SAFE"),
    "OL_1_EFR___": Kind(
        "SENTINEL-3", ("sentinel-3-olci-1-efr-ntc", "sentinel-3-olci-1-efr-nrt"), "_OL_1_EFR____", ".SEN3"
    ),
}


def product_name(value: Any) -> str:
    """Return a product's name, without `.SAFE`, `.SEN3` and `.zip`: one that can safely be a part of a path.

    Raises:
        BrokenProduct: it is no such name.
    """
    if not isinstance(value, str):
        raise BrokenProduct("it has no name")
    name = _FOLDER.sub("", _ENDS.sub("", value, count=1))
    if not _NAME.match(name):
        raise BrokenProduct("its name holds characters that no product's name holds")
    return name


def folder_of(name: str) -> str:
    """Return the name of a product's folder."""
    return f"{name}.SAFE" if name.startswith("S2") else f"{name}.SEN3"


def tile_of(name: str) -> str:
    """Return the MGRS tile that a Sentinel-2 product's name tells, `T33UUU`; empty where it tells none."""
    parsed = parse_product(name)
    return parsed.mgrs_tile if isinstance(parsed, SafeName) else ""


def platform_of(name: str) -> str:
    """Return the satellite that a product's name tells: `sentinel-2a`."""
    match = re.match(r"S(\d)([A-Z])_", name)
    return f"sentinel-{match[1]}{match[2].lower()}" if match else ""


def uuid_of(value: Any) -> str:
    """Return a UUID in its plain form.

    Raises:
        BrokenProduct: it is none.
    """
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError):
        raise BrokenProduct("it has no UUID") from None


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID in its plain form."""
    try:
        return uuid_of(text) == text
    except BrokenProduct:
        return False


def time_of(record: Mapping[str, Any], *keys: str) -> datetime:
    """Return the first time that is there.

    Args:
        record: holds times as RFC 3339 writes them, in UTC, with any number of decimals.
        *keys: by preference.

    Returns:
        UTC.

    Raises:
        BrokenProduct: there is none, or it is not a time.
    """
    for key in keys:
        if (value := record.get(key)) is not None:
            return read_time(value, key)
    raise BrokenProduct(f"{keys[0]} is absent")


def read_time(value: Any, key: str) -> datetime:
    """Return a time of RFC 3339 in UTC.

    Raises:
        BrokenProduct: it is none.
    """
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is None:
        raise BrokenProduct(f"{key} is not a time in UTC")
    try:
        whole = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise BrokenProduct(f"{key} is not a time") from None
    return whole.replace(microsecond=int((match[2] or "0").ljust(6, "0")[:6]))


def write_time(when: datetime) -> str:
    """Return a time as catalogues read it: UTC, with milliseconds."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def size_of(value: Any) -> int | None:
    """Return a size in bytes; None where it is not given: catalogues write 0 for that, too."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**48:
        return None
    return value


def percent_of(value: Any) -> float | None:
    """Return a percentage from 0 to 100; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= 100 else None


def hash_of(algorithm: str, value: Any) -> dict[str, str]:
    """Return a checksum by its algorithm in lower case; nothing where it is not one that is verified."""
    digest = value.lower() if isinstance(value, str) else ""
    if len(digest) == HASHES.get(algorithm) and re.fullmatch(r"[0-9a-f]+", digest, re.ASCII):
        return {algorithm: digest}
    return {}


def prefix_of(value: Any) -> dict[str, str]:
    """Return where a product lies in the bucket `eodata`, as a place named `s3`; nothing where that is not told.

    Args:
        value: `/eodata/Sentinel-2/../X.SAFE` or `s3://eodata/Sentinel-2/../X.SAFE/`.
    """
    match = re.match(r"(?:s3:/)?/eodata/([\x21-\x7e]{1,900}?)/?\Z", value) if isinstance(value, str) else None
    if match is None or ".." in match[1] or "\\" in match[1] or not _FOLDER.search(match[1]):
        return {}
    return {"s3": f"{match[1]}/"}
