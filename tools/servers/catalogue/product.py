"""A product that the server offers, and how it is described by the folder or archive that holds it."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from shapely import box
from shapely.geometry.base import BaseGeometry

from tools.servers.catalogue.content import files_of, read_file
from tools.servers.catalogue.space_time import area_within

_SAFE = re.compile(
    r"(?P<platform>S2[A-Z])_MSI(?P<level>L1C|L2A)_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})_R(?P<orbit>\d{3})"
    r"_T(?P<tile>\d{2}[A-Z]{3})_(?P<created>\d{8}T\d{6})"
)
_SEN3 = re.compile(
    r"(?P<platform>S3[A-Z])_(?P<type>(?:OL|SL|SR|SY)_\d_[A-Z]{3}___)_(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})"
    r"_(?P<created>\d{8}T\d{6})_\d{4}_(?P<cycle>\d{3})_(?P<orbit>\d{3})_(?P<frame>\w{4})_\w{3}_\w"
    r"_(?P<timeliness>NR|NT|ST)_(?P<collection>\d{3})"
)
_INSTRUMENTS = {"OL": "olci", "SL": "slstr", "SR": "sral", "SY": "synergy"}
_METADATA = re.compile(r"(?:^|/)(?:MTD_MSIL\w+\.xml|xfdumanifest\.xml)$")
_RING = re.compile(r"<(EXT_POS_LIST|gml:posList)>([^<]*)<")
_CLOUD = re.compile(r"<Cloud_Coverage_Assessment>([^<]*)<")
_START = re.compile(r"<(?:PRODUCT_START_TIME|sentinel-safe:startTime)>([^<]*)<")
_STOP = re.compile(r"<(?:PRODUCT_STOP_TIME|sentinel-safe:stopTime)>([^<]*)<")
PUBLISHED_AFTER = timedelta(hours=4)
"""From sensing to publication, where nothing else is said."""
SOMEWHERE: Final = box(13.0, 52.0, 14.0, 53.0)
"""The footprint where nothing else is said: around Berlin."""


@dataclass(frozen=True)
class Product:
    """A product of Sentinel-2 or Sentinel-3; `named` and `at` make one.

    Attributes:
        name: full name, without `.SAFE` or `.SEN3`.
        sensed: start of sensing, UTC.
        ended: end of sensing, UTC.
        published: when the catalogue published it, UTC.
        modified: when the catalogue last changed its record, UTC.
        footprint: in longitude, latitude (degrees).
        path: folder or zip; None = a tiny archive is made up from the name.
        cloud_percent: None = the catalogue does not say, as for OLCI.
        online: whether it can be had at once.
        askings: of an offline product: how often it is asked for until it is online; through DHuS for its archive, at
            CDSE for its record alone.
        stated: whether the catalogue states size and checksums.
        version: raised when the archive changes under the same name.
    """

    name: str
    sensed: datetime
    ended: datetime
    published: datetime
    modified: datetime
    footprint: BaseGeometry
    path: Path | None = None
    cloud_percent: float | None = None
    online: bool = True
    askings: int = 2
    stated: bool = True
    version: int = 0

    @classmethod
    def named(cls, name: str, **given: Any) -> Product:
        """Describe a product by its name, and by the attributes given.

        Raises:
            ValueError: the name is not one of Sentinel-2 or Sentinel-3.
        """
        parts = _parts(name)
        sensed = given.get("sensed") or _time(parts["start"])
        published = given.get("published") or sensed + PUBLISHED_AFTER
        facts: dict[str, Any] = {
            "sensed": sensed,
            "ended": _time(parts["stop"]) if "stop" in parts else sensed,
            "published": published,
            "modified": published,
            "footprint": SOMEWHERE,
        }
        return cls(name=name, **(facts | given))

    @classmethod
    def at(cls, path: Path, **given: Any) -> Product:
        """Describe a product by what its own metadata say, and by the attributes given.

        Raises:
            ValueError: the name is not one of Sentinel-2 or Sentinel-3.
        """
        name = re.sub(r"(?i)(\.SAFE|\.SEN3)?(\.zip)?$", "", path.name)
        return cls.named(name, **(_metadata(path) | {"path": path} | given))

    @cached_property
    def parts(self) -> dict[str, str]:
        """What the name is made of."""
        return _parts(self.name)

    @property
    def is_safe(self) -> bool:
        """Whether it is of Sentinel-2."""
        return "level" in self.parts

    @property
    def folder(self) -> str:
        """Name of its folder, with `.SAFE` or `.SEN3`."""
        return self.name + (".SAFE" if self.is_safe else ".SEN3")

    @property
    def product_type(self) -> str:
        """As ESA calls it: `S2MSI2A`."""
        return f"S2MSI{self.parts['level'][1:]}" if self.is_safe else self.parts["type"]

    @property
    def platform(self) -> str:
        """`sentinel-2a`."""
        return f"sentinel-{self.parts['platform'][1]}{self.parts['platform'][2].lower()}"

    @property
    def tile(self) -> str:
        """MGRS tile without its `T`; empty for OLCI."""
        return self.parts.get("tile", "")

    @property
    def baseline(self) -> str:
        """`05.10`; of OLCI the collection, `002`."""
        number = self.parts.get("baseline", "")
        return f"{number[:2]}.{number[2:]}" if number else self.parts["collection"]

    @cached_property
    def id(self) -> str:
        """UUID that OData and DHuS know it by."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.folder))

    @property
    def collection(self) -> str:
        """Collection of the STAC catalogue."""
        if self.is_safe:
            return f"sentinel-2-{self.parts['level'].lower()}"
        kind = self.parts["type"].split("_")
        timeliness = "nrt" if self.parts["timeliness"] == "NR" else "ntc"
        return f"sentinel-3-{self.instrument}-{kind[1]}-{kind[2].lower()}-{timeliness}"

    @property
    def instrument(self) -> str:
        """`msi`, `olci`, ..."""
        return "msi" if self.is_safe else _INSTRUMENTS[self.parts["type"][:2]]

    @property
    def mission(self) -> str:
        """Collection of the OData catalogue: `SENTINEL-2`."""
        return f"SENTINEL-{self.parts['platform'][1]}"

    @property
    def key(self) -> str:
        """Prefix of its objects in the bucket `eodata`, without a slash at its end."""
        kind = self.parts["level"] if self.is_safe else self.product_type
        place = f"Sentinel-{self.parts['platform'][1]}/{self.instrument.upper()}/{kind}"
        return f"{place}/{self.sensed:%Y/%m/%d}/{self.folder}"

    @property
    def edition(self) -> str:
        """Name under which whole deliveries are counted; another one once the archive has changed."""
        return f"{self.name} v{self.version}" if self.version else self.name

    def republished(self) -> Product:
        """Return the product with another archive of the same content, recorded a minute later."""
        return replace(self, version=self.version + 1, modified=self.modified + timedelta(minutes=1))


def iso(time: datetime, digits: int = 6) -> str:
    """Write a time as the catalogues do: `2024-05-01T10:00:00.000000Z`."""
    return time.replace(tzinfo=None).isoformat(timespec="microseconds")[: 20 + digits] + "Z"


def _parts(name: str) -> dict[str, str]:
    match = _SAFE.fullmatch(name) or _SEN3.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a product of Sentinel-2 or Sentinel-3")
    return match.groupdict()


def _metadata(path: Path) -> dict[str, Any]:
    """Read footprint, times and cloud from a product's own metadata, as far as they are there."""
    text = "".join(read_file(path, file.name).decode() for file in files_of(path) if _METADATA.search(file.name))
    facts: dict[str, Any] = {}
    if ring := _RING.search(text):
        numbers = [float(number) for number in ring[2].split()]
        facts["footprint"] = area_within(numbers[1::2], numbers[::2])
    if cloud := _CLOUD.search(text):
        facts["cloud_percent"] = float(cloud[1])
    for key, pattern in (("sensed", _START), ("ended", _STOP)):
        if time := pattern.search(text):
            facts[key] = datetime.fromisoformat(time[1].strip().replace("Z", "") + "+00:00")
    return facts


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
