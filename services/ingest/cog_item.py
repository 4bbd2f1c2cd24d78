"""STAC items whose assets are cloud-optimised GeoTIFFs of a Sentinel-2 scene: what they say, whoever wrote them.

Source: Earth Search v1 (its own names for bands, `earthsearch:boa_offset_applied`); STAC 1.0 and 1.1 with the raster,
file and projection extensions; Sentinel-2 Products Specification Document on BOA_ADD_OFFSET.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.ingest.names import SafeName, parse_product
from shared.sensors import MSI_OFFSET, MSI_QUANTIFICATION, MSI_RESOLUTION_M

MAX_BYTES: Final = 4 << 20
"""Of an item; real ones have 40 KB."""

_NAMES: Final = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05", "rededge2": "B06",
    "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09", "swir16": "B11", "swir22": "B12", "scl": "SCL",
}  # fmt: skip
_KEY = re.compile(r"(?P<band>B\d\d|B8A|SCL)(?:_(?P<resolution>\d\d)m)?")
_RESOLUTION_M: Final[Mapping[str, int]] = {b: m for b, m in MSI_RESOLUTION_M.items() if b != "B10"} | {"SCL": 20}
_MULTIHASH: Final = {"d50110": ("md5", 32), "1220": ("sha256", 64), "1620": ("sha3_256", 64)}
_FIRST_WITH_OFFSET: Final = "04.00"


class BadItem(ValueError):
    """Raised when an item cannot be used; the message says why."""


class NotJson(BadItem):
    """Raised when a file is empty or no JSON: it may have been read while it was written."""


class Band(BaseModel):
    """What `raster:bands` (STAC 1.0), `bands` (STAC 1.1) or the asset itself say of a band; None = nothing."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    scale: float | None = None
    offset: float | None = None
    new_scale: float | None = Field(default=None, alias="raster:scale")
    new_offset: float | None = Field(default=None, alias="raster:offset")


class Asset(BaseModel):
    """An asset, as far as it is read."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    href: str
    type: str = ""
    size: int | None = Field(default=None, alias="file:size", ge=0)
    checksum: str = Field(default="", alias="file:checksum")
    old_bands: tuple[Band, ...] = Field(default=(), alias="raster:bands")
    bands: tuple[Band, ...] = ()
    scale: float | None = Field(default=None, alias="raster:scale")
    offset: float | None = Field(default=None, alias="raster:offset")

    @property
    def digest(self) -> tuple[str, str]:
        """Hash algorithm, as hashlib calls it, and lower case hex; both empty where none is stated that is known."""
        text = self.checksum.lower()
        for prefix, (algorithm, digits) in _MULTIHASH.items():
            if re.fullmatch(rf"{prefix}[0-9a-f]{{{digits}}}", text):
                return algorithm, text.removeprefix(prefix)
        return "", ""

    @property
    def band(self) -> Band:
        """Scale and offset of reflectance, wherever they stand."""
        bands = (*self.old_bands, *self.bands)
        scales = [self.scale, *(s for b in bands for s in (b.scale, b.new_scale))]
        offsets = [self.offset, *(o for b in bands for o in (b.offset, b.new_offset))]
        return Band(
            scale=next((s for s in scales if s is not None), None),
            offset=next((o for o in offsets if o is not None), None),
        )


class CogItem(BaseModel):
    """A STAC item, as far as it is read."""

    model_config = ConfigDict(frozen=True)

    id: str
    geometry: Mapping[str, Any]
    properties: Mapping[str, Any]
    assets: Mapping[str, Asset]

    @property
    def name(self) -> SafeName:
        """The product that the scene is of: `s2:product_uri`, or the id where that is a product's name.

        Raises:
            BadItem: it states none, or not one of level 2A.
        """
        stated = self.properties.get("s2:product_uri", self.id)
        name = parse_product(stated) if isinstance(stated, str) else None
        if not isinstance(name, SafeName):
            raise BadItem(f"item {self.id[:80]!r} states no product's name (`s2:product_uri`)")
        if name.level != "L2A":
            raise BadItem(f"{name.product} is of level {name.level}: COGs are taken of level L2A alone")
        return name

    @property
    def images(self) -> dict[str, str]:
        """Name of an image as ingest calls it (`B02_10m`) -> key of the GeoTIFF, those of native resolution alone."""
        found: dict[str, str] = {}
        for key, asset in sorted(self.assets.items()):
            image = _image(key)
            if image and (asset.type.startswith("image/tiff") or asset.href.lower().endswith((".tif", ".tiff"))):
                found.setdefault(image, key)
        return found

    @property
    def baseline(self) -> str:
        """Processing baseline, `05.09`: as the item states it, or as the product's name does.

        Raises:
            BadItem: the two differ.
        """
        name = self.name
        named = f"{name.baseline[:2]}.{name.baseline[2:]}"
        for field in ("s2:processing_baseline", "processing:version"):
            stated = str(self.properties.get(field, named))
            if re.fullmatch(r"\d\d\.\d\d", stated) and stated != named:
                raise BadItem(f"states {field} {stated}, but the product is named {name.product}")
        return named

    @property
    def quantification(self) -> float:
        """DN of a reflectance of 1; ESA's own where the item states no scale.

        Raises:
            BadItem: the bands differ, or their scale cannot be.
        """
        scales = {self.assets[key].band.scale for image, key in self.images.items() if not image.startswith("SCL")}
        stated = {s for s in scales if s is not None} or {1 / MSI_QUANTIFICATION}
        scale = stated.pop()
        if stated or not 1e-6 < scale <= 1:
            raise BadItem(f"states the scales {sorted({scale, *stated})} of its bands, not one that can be")
        return round(1 / scale, 3)

    @property
    def offsets(self) -> dict[str, int]:
        """Band -> offset in DN that is still to be added.

        Raises:
            BadItem: the item does not tell, or contradicts itself.
        """
        applied = self.properties.get("earthsearch:boa_offset_applied")
        if not isinstance(applied, bool | None):
            raise BadItem(f"states earthsearch:boa_offset_applied {str(applied)[:20]!r}, neither true nor false")
        found = {}
        for image, key in self.images.items():
            band, offset = image.split("_")[0], self.assets[key].band.offset
            if band != "SCL":
                if offset is not None and abs(offset) > 1:
                    raise BadItem(f"states the offset {offset} of {key}")
                stated = None if offset is None else round(offset * self.quantification)
                found[band] = offset_to_add(key, applied, stated, self.baseline)
        return found

    def check(self) -> None:
        """Check that it tells all that ingest needs of it beside its files.

        Raises:
            BadItem: it does not, or contradicts itself.
        """
        if missing := sorted({f"{band}_{m}m" for band, m in _RESOLUTION_M.items()} - self.images.keys()):
            raise BadItem(f"lists no GeoTIFF of {', '.join(missing)}")
        _ = self.quantification, self.offsets


def offset_to_add(key: str, applied: bool | None, stated: int | None, baseline: str) -> int:
    """Tell what is still to be added to a DN before it is divided by the quantification.

    Args:
        key: of the asset.
        applied: whether the item says that the offset is in the pixels already; None = it does not say.
        stated: offset in DN that the item states of the band; None = it does not.
        baseline: `05.09`.

    Raises:
        BadItem: the item does not tell, or contradicts itself.
    """
    if stated not in {None, 0, -MSI_OFFSET}:
        raise BadItem(f"states an offset of {stated} DN of {key}, neither 0 nor {-MSI_OFFSET}")
    if baseline < _FIRST_WITH_OFFSET:
        if applied or stated:
            raise BadItem(f"states an offset of {key}, which no product of baseline {baseline} has")
        return 0
    if applied:
        return 0  # Earth Search goes on stating -0.1 of such pixels: the offset counts once
    if applied is None and stated is None:
        raise BadItem(f"does not tell whether the offset of baseline {baseline} is in the pixels of {key} already")
    if applied is False and stated == 0:
        raise BadItem(f"states that the offset of {key} is not in the pixels, and also that there is none to add")
    return -MSI_OFFSET if stated is None else stated


def parse_item(data: bytes) -> CogItem:
    """Read an item.

    Raises:
        NotJson: empty, or not JSON.
        BadItem: too large, or not a STAC item.
    """
    return read_item(load(data))


def load(data: bytes) -> Any:
    """Parse JSON of some megabytes at most, without NaN.

    Raises:
        NotJson: empty, or not JSON.
        BadItem: too large, or too deep.
    """
    if len(data) > MAX_BYTES:
        raise BadItem(f"has {len(data)} bytes, more than {MAX_BYTES}")
    try:
        return json.loads(data, parse_constant=_no_constant)
    except ValueError as error:
        raise NotJson(f"is not JSON ({error})") from error
    except RecursionError as error:
        raise BadItem("is nested too deeply") from error


def read_item(value: Any) -> CogItem:
    """Take a parsed item.

    Raises:
        BadItem: it is not one.
    """
    try:
        return CogItem.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:80]
        raise BadItem(f"is not a STAC item of COGs ({place}: {first['msg']})") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _image(key: str) -> str:
    """Name of the image that an asset is; empty where it is none, or not of the band's own resolution."""
    match = _KEY.fullmatch(key)
    band = _NAMES.get(key) or (match["band"] if match else "")
    native = _RESOLUTION_M.get(band)
    if native is None or (match and match["resolution"] and int(match["resolution"]) != native):
        return ""
    return f"{band}_{native}m"
