"""Product names: the grammar of SAFE and SEN3 folders, of folders of COGs, and of label deliveries.

Source: Sentinel-2 Products Specification Document; Sentinel-3 PDGS file naming convention; EEA readme of CLC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from shared.items.weeks import iso_week

_SAFE = re.compile(
    r"^(?P<platform>S2[A-Z])_MSI(?P<level>L1C|L2A)_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})_R(?P<orbit>\d{3})"
    r"_(?P<tile>T\d{2}[A-Z]{3})_(?P<discriminator>\d{8}T\d{6})\Z",
    re.ASCII,
)
_SEN3 = re.compile(
    r"^(?P<platform>S3[A-Z])_OL_1_(?P<type>EFR|ERR)____(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_(?P<created>\d{8}T\d{6})"
    r"_(?P<duration>\d{4})_(?P<cycle>\d{3})_(?P<orbit>\d{3})_(?P<frame>\d{4}|____)_(?P<centre>[A-Z0-9_]{3})"
    r"_(?P<class>[A-Z])_(?P<timeliness>NR|NT|ST)_(?P<collection>\d{3})\Z",
    re.ASCII,
)
_CAMPAIGN = re.compile(r"(?:U|CLC)(\d{4})_CLC(\d{4})(?!\d)", re.IGNORECASE)
_RELEASE = re.compile(r"_V(?:ersion_?)?(\d{2,4})[_.](\d+(?:[_.]\d+)?(?:[bu]\d*)?)(?![a-z0-9])", re.IGNORECASE)
_YEAR = re.compile(r"(?:clc|cha)_?((?:19|20)\d{2})", re.IGNORECASE)
_CHANGES = re.compile(r"(?:^|[^a-z])(?:cha(?:nges?)?|sol)(?![a-z])", re.IGNORECASE)
ARRIVING = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
"""How programs end the names of what they have not sent whole yet; lower case."""

COGS = ".COG"
"""How the name of a folder ends that holds a Sentinel-2 scene as a STAC item and cloud-optimised GeoTIFFs."""
COGS_MANIFEST = "item.json"
"""The STAC item in such a folder."""

_PACKED = re.compile(r"\.(?:zip|tar|tar\.gz|tgz)$", re.IGNORECASE)
_LONG = re.compile(r"S2[A-Z]_(?:OPER|USER)_PRD_MSI", re.ASCII)
_LABEL_SUFFIX = re.compile(
    r"(?:\.gdb|\.shp|\.gpkg|\.tiff?)?(?:\.zip|\.tar|\.tar\.gz|\.tgz)$|\.(?:gpkg|gdb|csv|tiff?)$", re.IGNORECASE
)
_MASK = re.compile(
    r"(?P<product>.+?)(?:\.SAFE)?\.mask\.(?P<source>[A-Za-z0-9-]{1,32})\.tiff?\Z", re.IGNORECASE | re.ASCII
)
_IMAGE = re.compile(
    r"(?:(?:L2A_)?T\d{2}[A-Z]{3}_\d{8}T\d{6}_)?(?:B\d{2}|B8A|SCL|AOT|WVP|TCI)(?:_[126]0m)?\.tiff?\Z",
    re.IGNORECASE | re.ASCII,
)
_KEY = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class SafeName:
    """A Sentinel-2 product's name.

    Attributes:
        product: full name without `.SAFE`.
        platform: `S2A`, `S2B` ...
        level: `L1C` or `L2A`.
        datatake_start: UTC, whole seconds.
        baseline: four digits, `0509`.
        relative_orbit: 1..143.
        mgrs_tile: `T33UUU`.
    """

    product: str
    platform: str
    level: str
    datatake_start: datetime
    baseline: str
    relative_orbit: int
    mgrs_tile: str
    manifest: ClassVar[str] = "manifest.safe"

    @property
    def scene(self) -> str:
        """Identity of the scene: all that twin products and later versions share."""
        start = self.datatake_start.strftime("%Y%m%dT%H%M%S")
        return f"{self.platform}_MSI{self.level}_{start}_R{self.relative_orbit:03d}_{self.mgrs_tile}"

    @property
    def version(self) -> tuple[int, ...]:
        """Version of the product among those of its scene."""
        return (int(self.baseline),)

    @property
    def week(self) -> str:
        """ISO week of its sensing, in which it is registered."""
        return iso_week(self.datatake_start)


FRAME_STEP = 180
"""OLCI's frames are three minutes long and numbered by seconds along the orbit; until 2018 numbers waver by one."""


@dataclass(frozen=True)
class Sen3Name:
    """An OLCI level-1 product's name.

    Attributes:
        product: full name without `.SEN3`.
        platform: `S3A` ...
        product_type: `EFR` or `ERR`.
        start: frame start, UTC, whole seconds.
        created: creation time as written, sortable.
        cycle: three digits.
        relative_orbit: 1..385.
        frame: four digits along the track; `____` for a stripe.
        timeliness: `NR`, `NT` or `ST`.
        collection: `002` ...
    """

    product: str
    platform: str
    product_type: str
    start: datetime
    created: str
    cycle: str
    relative_orbit: int
    frame: str
    timeliness: str
    collection: str
    manifest: ClassVar[str] = "xfdumanifest.xml"

    @property
    def scene(self) -> str:
        """Identity of the scene; a stripe has no frame, its start stands in."""
        frame = _settled(self.frame) if self.frame != "____" else self.start.strftime("%Y%m%dT%H%M%S")
        return f"{self.platform}_{self.product_type}_{self.cycle}_{self.relative_orbit:03d}_{frame}"

    @property
    def version(self) -> tuple[int, int, str]:
        """Version of the product among those of its scene: timeliness, collection, creation."""
        return (1 if self.timeliness == "NT" else 0, int(self.collection), self.created)

    @property
    def week(self) -> str:
        """ISO week of its sensing, in which it is registered."""
        return iso_week(self.start)


@dataclass(frozen=True)
class MaskName:
    """The name of a mask that others made of a scene: `<product>.mask.<source>.tif`.

    Attributes:
        scene: the product's name.
        source: what made it, as the area's `masks:` have it.
    """

    scene: SafeName
    source: str


@dataclass(frozen=True)
class LabelName:
    """What a label delivery's file name tells.

    Attributes:
        product: the stem as a key: ASCII without blanks.
        reference_year: of a CLC delivery, where the name tells it.
        campaign: of a CLC delivery, as sortable text.
        release: `V2020_20u1`, or empty.
    """

    product: str
    reference_year: int | None
    campaign: str
    release: str


def parse_product(name: str) -> SafeName | Sen3Name | None:
    """Read a product's name, with or without `.SAFE`, `.SEN3`, `.COG`, `.zip`, `.tar`; None if it is of no grammar."""
    stem = re.sub(r"(?i)\.(SAFE|SEN3|COG)$", "", _PACKED.sub("", name))
    try:
        if match := _SAFE.match(stem):
            return SafeName(
                stem,
                match["platform"],
                match["level"],
                _time(match["start"]),
                match["baseline"],
                int(match["orbit"]),
                match["tile"],
            )
        if match := _SEN3.match(stem):
            return Sen3Name(
                stem,
                match["platform"],
                match["type"],
                _time(match["start"]),
                match["created"],
                match["cycle"],
                int(match["orbit"]),
                match["frame"],
                match["timeliness"],
                match["collection"],
            )
    except ValueError:  # digits that are not a date
        return None
    return None


def is_cogs(name: str) -> bool:
    """Return whether a name is that of a folder of COGs, packed or not."""
    return _PACKED.sub("", name).upper().endswith(COGS)


def is_packed(name: str) -> bool:
    """Return whether a name is that of an archive."""
    return _PACKED.search(name) is not None


def is_long(name: str) -> bool:
    """Return whether a name is of the long format of Sentinel-2 products of before December 2016."""
    return _LONG.match(name) is not None


def manifest_of(name: str) -> str:
    """Return the name of the file that lists what a product's folder holds; empty where the name is no product's."""
    product = parse_product(name)
    return "" if product is None else COGS_MANIFEST if is_cogs(name) else product.manifest


def product_folder(name: str, files: Iterable[str]) -> str:
    """Return the folder of its own name in which a unit holds its product, as tools leave it; empty: at the top.

    Args:
        name: of the unit.
        files: paths inside it.
    """
    product, paths = parse_product(name), set(files)
    if product is None or manifest_of(name) in paths:
        return ""
    folders = {path.split("/")[0] for path in paths if "/" in path}
    inner = [folder for folder in folders if parse_product(folder) == product]
    return inner[0] if len(inner) == 1 else ""


def parse_mask(name: str) -> MaskName | None:
    """Read the name of a mask that others made; None if it is of another grammar."""
    match = _MASK.match(name)
    scene = parse_product(match["product"]) if match else None
    return MaskName(scene, match["source"].lower()) if match and isinstance(scene, SafeName) else None


def is_mask(name: str) -> bool:
    """Return whether a name is that of a mask, be it of a product whose name is not known."""
    return _MASK.match(name) is not None


def is_image(name: str) -> bool:
    """Return whether a name is that of an image of a Sentinel-2 product, as `T33UUU_20180605T102021_SCL_20m.tif`."""
    return _IMAGE.match(name) is not None


def parse_label(name: str) -> LabelName:
    """Read a label delivery's file name.

    Known are those of EEA since 2020, `U2018_CLC2018_V2020_20u1`, with what an archive's name adds (`_geoPackage`, the
    place overseas), of 2019, `CLC2018_CLC2012_V2018_20`, before that, `g100_clc12_V18_5`, and of states, `clc2018_mt`;
    others tell the product alone.
    """
    stem = label_stem(name)
    product = _KEY.sub("_", stem.encode("ascii", "replace").decode()).strip("._") or "labels"
    if match := _CAMPAIGN.search(stem):
        return LabelName(product[:120], int(match[2]), match[1], _release(stem))
    if match := _YEAR.search(stem):
        return LabelName(product[:120], int(match[1]), match[1], _release(stem))
    if year := year_of_field(stem):
        return LabelName(product[:120], year, str(year), _release(stem))
    return LabelName(product[:120], None, "", "")


def label_stem(name: str) -> str:
    """Return the name of a label delivery without what tells its format."""
    return _LABEL_SUFFIX.sub("", name)


def _release(stem: str) -> str:
    match = _RELEASE.search(stem)
    return f"V{match[1]}_{match[2].replace('.', '_')}".upper() if match else ""


def is_change(name: str) -> bool:
    """Return whether a name is that of a layer or raster of CLC's changes between two years, `U2018_CHA1218`."""
    return _CHANGES.search(name) is not None


def year_of_field(field: str) -> int | None:
    """Read the year that a CLC field or layer name ends in: `CODE_18` -> 2018, `clc90_mt` -> 1990."""
    match = re.search(r"(?:code|clc)_?(\d{4}|\d{2})(?!\d)", field, re.IGNORECASE)
    if match is None:
        return None
    number = int(match[1])
    return number if number > 99 else (1900 if number >= 85 else 2000) + number


def _settled(frame: str) -> str:
    """Return a frame's number; 2159 and 2161 of one processing are 2160 of another, as frames lie 180 apart."""
    nearest = FRAME_STEP * round(int(frame) / FRAME_STEP)
    return f"{nearest:04d}" if abs(int(frame) - nearest) <= 1 else frame


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
