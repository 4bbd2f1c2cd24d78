"""Where an area's products come from by themselves: the `source:` of an area file.

Addresses are those of the real services (docs of the Copernicus Data Space Ecosystem, 2026; Earth Search v1), and are
given to point elsewhere. Credentials never stand in an area file: they come from the environment.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

ProductType = Literal["S2MSI2A", "S2MSI1C", "OL_1_EFR___"]
PRODUCT_TYPES: Final[tuple[ProductType, ...]] = ("S2MSI2A", "S2MSI1C", "OL_1_EFR___")
"""What ingest reads, as ESA calls it."""

CLOSED: Final = (
    "the Copernicus Open Access Hub closed in 2023: give the address of a node that runs, or choose `kind: cdse`"
)


def _address(value: str) -> str:
    """Check an address, and return it without a slash at its end.

    Raises:
        ValueError: it is no address of a service, or holds credentials.
    """
    parts = urlsplit(value)
    is_plain = value.isascii() and value.isprintable() and not {" ", "\\"} & set(value)
    if not is_plain or parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(f"{value!r} is not an address: it begins with https:// (or http://)")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no credentials: give them in the environment, docs/operations.md says where")
    return value.rstrip("/")


def _host(value: str) -> str:
    """Check a host, or an address, and return it.

    Raises:
        ValueError: it is neither, or holds credentials.
    """
    _address(value if "://" in value else f"https://{value}")
    return value


class _Catalogue(BaseModel):
    """What every source says that is a catalogue with downloads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: date | None = None
    """First day (UTC) whose products are wanted; the first of `years` where absent."""
    end: date | None = None
    """Last day (UTC) whose products are wanted; the last of `years` where absent."""
    products: tuple[ProductType, ...] = ()
    """Product types to fetch, as ESA calls them; those of the area's level and sensors where absent."""
    max_cloud_percent: float | None = Field(default=None, ge=0, le=100)
    """Sentinel-2 products with more cloud are not fetched; the account names them."""
    backfill: bool = True
    """Whether products of before the stream's first look are fetched, too: the past, newest first."""
    monthly_gb: float | None = Field(default=None, gt=0)
    """Gigabytes (10^9 bytes) that may be fetched within 30 days; no limit of ours where absent."""

    @model_validator(mode="after")
    def _in_order(self) -> _Catalogue:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}")
        return self


class CdseSource(_Catalogue):
    """The Copernicus Data Space Ecosystem."""

    kind: Literal["cdse"]
    """Which source this is."""
    monthly_gb: float | None = Field(default=12_000, gt=0)
    """Gigabytes (10^9 bytes) that may be fetched within 30 days; where absent, the 12 TB that the service grants an
    account before it slows it down (its page of quotas, 2025). `null`: no limit of ours."""
    stac_url: str = "https://stac.dataspace.copernicus.eu/v1"
    """STAC API that is searched."""
    odata_url: str = "https://catalogue.dataspace.copernicus.eu/odata/v1"
    """OData catalogue: checksums, states, deleted products, subscriptions."""
    download_url: str = "https://download.dataspace.copernicus.eu/odata/v1"
    """OData of the host that products are fetched from as archives."""
    token_url: str = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"  # noqa: S105, an address
    """Where tokens are had."""
    s3_endpoint: str = "https://eodata.dataspace.copernicus.eu"
    """S3 endpoint of the bucket `eodata`."""
    download: Literal["odata", "s3"] = "odata"
    """How products are fetched: as archives, or object by object from S3."""
    subscribe: bool = False
    """Whether new products are heard of through a subscription, beside the searches; an account has one."""

    _check = field_validator("stac_url", "odata_url", "download_url", "token_url", "s3_endpoint")(_address)


class DhusSource(_Catalogue):
    """A DHuS node, through sentinelsat."""

    kind: Literal["dhus"]
    """Which source this is."""
    api_url: str
    """Address of the node; there is no default, since the old hub is closed."""

    _check = field_validator("api_url")(_address)

    @model_validator(mode="before")
    @classmethod
    def _open(cls, value: Any) -> Any:
        host = urlsplit(str(value.get("api_url") or "")).hostname or "" if isinstance(value, dict) else ""
        if host in {"", "apihub.copernicus.eu", "scihub.copernicus.eu"}:
            raise ValueError(f"`kind: dhus` needs `api_url`; {CLOSED}")
        return value


class StacSource(_Catalogue):
    """A STAC API whose assets are cloud-optimised GeoTIFFs, one for each band."""

    kind: Literal["stac"]
    """Which source this is."""
    api_url: str = "https://earth-search.aws.element84.com/v1"
    """STAC API that is searched."""
    collection: str = "sentinel-2-l2a"
    """Collection of Sentinel-2 scenes there."""
    asset_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ("sentinel-cogs.s3.us-west-2.amazonaws.com",)
    """Hosts, beside the API's own, that pictures may be fetched from; no credential is sent there."""

    _check = field_validator("api_url")(_address)


class FolderSource(BaseModel):
    """A folder that products are put into by other means; it is watched, and never written to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["folder"]
    """Which source this is."""
    path: str
    """The folder, absolute, or relative to where the stream runs."""


Source = Annotated[CdseSource | DhusSource | StacSource | FolderSource, Field(discriminator="kind")]
"""Any source; `kind` says which."""

KINDS: Final = ("cdse", "dhus", "stac", "folder")
"""All that `kind` can say."""
