"""What Landstream asks of a provider of products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict
from shapely.geometry.base import BaseGeometry

from shared.area.source import ProductType


class Offer(BaseModel):
    """A product that a provider offers, as it describes it.

    Attributes:
        name: the product's full name, without `.SAFE` or `.SEN3`.
        id: what the provider calls it, the UUID of OData; never part of a path.
        product_type: as ESA calls it; what ingest does not read is refused by this name.
        sensed: start of sensing, UTC.
        published: when the provider published it, UTC.
        size: bytes of what is downloaded; None = the provider does not say.
        checksums: algorithm (`md5`, `blake3`, `sha3-256`) -> lower case hex of what is downloaded; may be empty.
        online: whether it can be had at once; None = the provider does not say.
        cloud_percent: Sentinel-2 alone.
        platform: `sentinel-2a`.
        mgrs_tile: `T33UUU`; empty for OLCI.
        quicklook: address of a picture, for people.
        places: name -> address of what is downloaded, for the provider alone (`s3`, `archive`, an asset's name).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    id: str
    product_type: str
    sensed: datetime
    published: datetime
    size: int | None = None
    checksums: Mapping[str, str] = {}
    online: bool | None = None
    cloud_percent: float | None = None
    platform: str = ""
    mgrs_tile: str = ""
    quicklook: str = ""
    places: Mapping[str, str] = {}


@dataclass(frozen=True)
class Query:
    """What is searched for; of one product type, newest publication first.

    Attributes:
        product_type: as ESA calls it.
        aoi: polygon in longitude, latitude (degrees).
        sensed: from, to (UTC), both included; None = open.
        published: from, to (UTC), both included; None = open.
        max_cloud_percent: products with more cloud are not found.
        platform: `sentinel-2a`; empty = any.
        mgrs_tile: `T33UUU`; empty = any.
    """

    product_type: ProductType
    aoi: BaseGeometry
    sensed: tuple[datetime | None, datetime | None] = (None, None)
    published: tuple[datetime | None, datetime | None] = (None, None)
    max_cloud_percent: float | None = None
    platform: str = ""
    mgrs_tile: str = ""


@dataclass(frozen=True)
class Deletion:
    """A product that the provider took away.

    Attributes:
        name: the product's full name, without `.SAFE` or `.SEN3`.
        id: what the provider called it.
        deleted: when, UTC.
        cause: as the provider gives it: `Obsolete product`.
    """

    name: str
    id: str
    deleted: datetime
    cause: str


class Progress(Protocol):
    """Hears how far a download has come."""

    def __call__(self, done: int, total: int | None) -> None:
        """Take bytes so far, and of how many if that is known. What it raises ends the download."""


def unheard(done: int, total: int | None) -> None:
    """Ignore the report."""


@dataclass(frozen=True)
class Credentials:
    """What the environment gives; nothing here is ever logged or stored. An empty text is an absent credential."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)


class Provider(Protocol):
    """A catalogue with downloads. Every call may raise any `FetchError`; all are made from any thread.

    Attributes:
        name: for people and records: `cdse`.
    """

    name: str

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield all that fits, each product once, as pages come; more than the service's stop by splitting the time.

        Raises:
            Unavailable: it broke off; what was yielded is good, and more may be there.
            Refused: the list does not end, or is a bomb.
        """

    def describe(self, offer: Offer) -> Offer:
        """Return the product as the provider describes it now, with all that a search leaves out.

        Raises:
            Gone: it is not there any more.
        """

    def download(self, offer: Offer, folder: Path, progress: Progress = unheard) -> Path:
        """Fetch a product into an own folder, which may hold what an earlier try left; return the file or folder.

        The result is whole, and of the size and checksum that `describe` stated; its name is the product's, with
        `.zip`, `.SAFE` or `.SEN3`.

        Raises:
            Offline: it is to be ordered first.
            Corrupt: what came is not what was promised; nothing of it is left.
        """

    def order(self, offer: Offer) -> bool:
        """Ask for an offline product to be brought; return whether the service can do that."""

    def deletions(self, product_type: ProductType, since: datetime) -> Iterator[Deletion]:
        """Yield what was taken away since a time; nothing where the provider does not tell."""

    def close(self) -> None:
        """Give up connections."""
