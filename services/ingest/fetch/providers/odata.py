"""Asks the OData of the Copernicus Data Space: searches of any length, descriptions, names, deleted products."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from services.ingest.fetch.errors import Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.provider import Deletion, Offer, Query
from services.ingest.fetch.providers.described import KINDS, BrokenProduct, folder_of, is_uuid
from services.ingest.fetch.providers.odata_filter import between, conditions, intersects, literal
from services.ingest.fetch.providers.odata_product import deletion_of_product, offer_of_product
from shared.area.source import ProductType
from shared.observe.logs import get_logger

PAGE: Final = 500
STOP: Final = 10_000
"""Products of one search that the service shows: more are reached by splitting the time."""
PRODUCTS_LIMIT: Final = 500_000
"""Products of one search of ours, after which a list is called endless."""
FIRST: Final = datetime(2014, 4, 3, tzinfo=UTC)
"""Launch of the first Sentinel: nothing was published, sensed or deleted before."""
SHORTEST: Final = timedelta(milliseconds=1)
"""How finely times are compared."""

_log = get_logger(service="fetch")


@dataclass
class _Walk:
    """A search on its way.

    Attributes:
        resource: what is listed.
        wanted: conditions beside the time.
        field: the time that is split.
        order: what a page is sorted by.
        seen: of whom this search heard.
    """

    resource: str
    wanted: list[str]
    field: str
    order: str
    seen: set[str]


class OData:
    """The catalogue at one address; used by many threads at once.

    Attributes:
        outline: polygon in longitude, latitude (degrees) in which deletions are asked for; None = everywhere.
    """

    def __init__(self, http: Http, odata_url: str, download_url: str) -> None:
        """Ask nothing yet.

        Args:
            http: what is asked through.
            odata_url: of the catalogue.
            download_url: OData of the host that archives are fetched from.
        """
        self._http = http
        self._url = odata_url
        self._download_url = download_url
        self.outline: BaseGeometry | None = None

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield all that fits, each product once, newest publication first; what cannot be read is logged.

        Raises:
            Unavailable: the service does not answer well.
            Refused: the list does not end.
            Misconfigured: the address is not that of a service, or it does not take the request.
        """
        walk = _Walk("Products", conditions(query), "PublicationDate", "PublicationDate desc", set())
        for product in self._between(
            walk, _floor(query.published[0] or FIRST), _ceiling(query.published[1] or _tomorrow())
        ):
            try:
                yield offer_of_product(product, self._download_url)
            except (BrokenProduct, ValueError) as error:
                _skip(product, error)

    def describe(self, offer: Offer) -> Offer:
        """Return a product as it is now, by its UUID, or by its name where that is not known or not there any more.

        Raises:
            Gone: it is not there; the message says why it was deleted where the service tells.
            Unavailable: the service does not answer well, or describes it in a way that cannot be used.
            Refused: what is described is another product.
        """
        product = self._by_id("Products", offer.id) or self._by_name(offer.name)
        if product is None:
            deleted = self._by_id("DeletedProducts", offer.id)
            cause = deletion_of_product(deleted).cause if deleted else ""
            raise Gone(f"{offer.name} is not there any more{': ' + cause if cause else ''}")
        try:
            described = offer_of_product(product, self._download_url)
        except (BrokenProduct, ValueError) as error:
            raise Unavailable(f"{offer.name} is described in a way that cannot be used: {error}") from error
        if described.name != offer.name:
            raise Refused(f"{offer.name} is described as another product")
        return described

    def product(self, uuid: str) -> Offer | None:
        """Return the product that has a UUID; None if it is not there, or described in a way that cannot be used.

        Raises:
            Unavailable: the service does not answer well.
        """
        product = self._by_id("Products", uuid)
        if product is None:
            return None
        try:
            return offer_of_product(product, self._download_url)
        except (BrokenProduct, ValueError) as error:
            _skip(product, error)
            return None

    def deletions(self, product_type: ProductType, since: datetime) -> Iterator[Deletion]:
        """Yield what was deleted since a time, each product once.

        Raises:
            Unavailable: the service does not answer well.
            Refused: the list does not end.
        """
        kind = KINDS[product_type]
        wanted = [f"Collection/Name eq {literal(kind.mission)}", f"contains(Name,{literal(kind.part)})"]
        if self.outline is not None:
            wanted.append(intersects(self.outline))
        walk = _Walk("DeletedProducts", wanted, "DeletionDate", "ContentDate/Start desc", set())
        for product in self._between(walk, _floor(max(since, FIRST)), _tomorrow()):
            try:
                yield deletion_of_product(product)
            except BrokenProduct as error:
                _skip(product, error)

    def _between(self, walk: _Walk, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """Yield what lies between two times, both included; halves, the later first, where it is too much at once.

        Halves share their moment: the service compares more digits than are sent, and what comes twice is told once.

        Raises:
            Unavailable: the list ended before its own count.
        """
        filter_text = " and ".join([*walk.wanted, *between(walk.field, start, end)])
        skip = total = 0
        while True:
            page = self._page(walk, filter_text, skip)
            if skip == 0 and isinstance(count := page.get("@odata.count"), int):
                total = count
            if total > STOP:
                break
            values = page["value"]
            yield from _new(values, walk.seen)
            skip += min(len(values), PAGE)  # a page that repeats products is longer
            if not values or not ("@odata.nextLink" in page or len(values) == PAGE):
                if skip < total:
                    raise Unavailable(f"{skip} of {total} products came")
                return
            if skip > STOP:
                break
        if end - start <= SHORTEST:
            raise Refused(f"the list of products does not end: more than {STOP} share one time")
        middle = _floor(start + (end - start) / 2)
        yield from self._between(walk, middle, end)
        yield from self._between(walk, start, middle)

    def _page(self, walk: _Walk, filter_text: str, skip: int) -> dict[str, Any]:
        params = {"$filter": filter_text, "$orderby": walk.order, "$top": str(PAGE), "$skip": str(skip)}
        if skip == 0:
            params["$count"] = "true"
        if walk.resource == "Products":
            params["$expand"] = "Attributes"
        return self._list(walk.resource, params)

    def _list(self, resource: str, params: Mapping[str, str]) -> dict[str, Any]:
        try:
            page = self._http.json("GET", f"{self._url}/{resource}", params=params)
        except Gone as error:
            raise Misconfigured(f"this is not a catalogue's address: {error}") from error
        values = page.get("value") if isinstance(page, dict) else None
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise Unavailable("the answer of the catalogue is not a list of products")
        return page  # type: ignore[no-any-return]

    def _by_id(self, resource: str, uuid: str) -> Mapping[str, Any] | None:
        if not is_uuid(uuid):
            return None
        try:
            found = self._http.json("GET", f"{self._url}/{resource}({uuid})", params={"$expand": "Attributes"})
        except Gone:
            return None
        if not isinstance(found, dict):
            raise Unavailable("the answer of the catalogue is not a product")
        return found

    def _by_name(self, name: str) -> Mapping[str, Any] | None:
        params = {"$filter": f"Name eq {literal(folder_of(name))}", "$expand": "Attributes", "$top": "2"}
        params["$orderby"] = "PublicationDate desc"
        values = self._list("Products", params)["value"]
        return values[0] if values else None


def _new(values: list[dict[str, Any]], seen: set[str]) -> Iterator[Mapping[str, Any]]:
    for value in values:
        key = str(value.get("Id"))[:100]
        if key in seen:
            continue
        if len(seen) >= PRODUCTS_LIMIT:
            raise Refused(f"the list of products does not end: {PRODUCTS_LIMIT} came")
        seen.add(key)
        yield value


def _skip(product: Mapping[str, Any], error: Exception) -> None:
    reason = str(error).splitlines()[0][:200]
    _log.warning("a product cannot be read", product=str(product.get("Name"))[:200], reason=reason)


def _floor(when: datetime) -> datetime:
    return when - timedelta(microseconds=when.microsecond % 1000)


def _ceiling(when: datetime) -> datetime:
    return _floor(when + timedelta(microseconds=999))


def _tomorrow() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
