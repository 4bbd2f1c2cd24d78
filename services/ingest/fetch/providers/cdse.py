"""The Copernicus Data Space as a provider: searched by STAC, described by OData, fetched as archives or from S3."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from services.ingest.fetch.errors import Gone, Misconfigured, Offline, Unavailable
from services.ingest.fetch.network.archive import download_archive
from services.ingest.fetch.network.hosts import Hosts
from services.ingest.fetch.network.http import Http, Limits
from services.ingest.fetch.network.pace import Clock
from services.ingest.fetch.network.receive import Speed
from services.ingest.fetch.network.s3 import S3
from services.ingest.fetch.network.tokens import Tokens
from services.ingest.fetch.provider import Credentials, Deletion, Offer, Progress, Query, unheard
from services.ingest.fetch.providers.described import folder_of, product_name
from services.ingest.fetch.providers.odata import OData
from services.ingest.fetch.providers.stac_search import search_cdse_stac
from services.ingest.fetch.providers.subscription import Subscription
from shared.area.source import CdseSource, ProductType
from shared.observe.logs import get_logger

_log = get_logger(service="fetch")


def polite_rates(source: CdseSource) -> dict[str, float]:
    """Return how many requests a second each of the services gets, a little below what it bears."""
    return {
        source.stac_url: 4.0,
        source.odata_url: 2.0,
        source.download_url: 4.0,
        source.token_url: 1.0,
        source.s3_endpoint: 30.0,
    }


class Cdse:
    """The Copernicus Data Space Ecosystem; used by many threads at once.

    Attributes:
        name: `cdse`.
    """

    name = "cdse"

    def __init__(
        self,
        source: CdseSource,
        credentials: Credentials,
        *,
        rates: Mapping[str, float] | None = None,
        limits: Limits | None = None,
        speed: Speed | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            source: addresses, and how products are fetched.
            credentials: name and password, or the keys of S3.
            rates: beginning of a service's addresses -> requests a second; `polite_rates` where absent.
            limits: of time.
            speed: what is too slow.
            clock: tells the time and waits.

        Raises:
            Refused: one of the addresses is not one.
        """
        addresses = [source.stac_url, source.odata_url, source.download_url, source.token_url, source.s3_endpoint]
        self._source = source
        self._credentials = credentials
        self._speed = speed or Speed()
        self._http = Http(Hosts(addresses), rates or polite_rates(source), limits=limits, clock=clock)
        self.tokens = Tokens(self._http, source.token_url, credentials, Hosts([source.odata_url, source.download_url]))
        self.odata = OData(self._http, source.odata_url, source.download_url)
        self._s3: S3 | None = None
        self._lock = threading.Lock()

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield all that fits, newest publication first; by OData where STAC does not take the request.

        Raises:
            Unavailable: it broke off.
            Refused: the list does not end, or is a bomb.
            Misconfigured: neither address is that of a service.
        """
        offers = search_cdse_stac(self._http, self._source.stac_url, self._source.download_url, query)
        begun = False
        try:
            for offer in offers:
                begun = True
                yield offer
        except (Misconfigured, Gone) as error:
            if begun:
                raise Unavailable(f"the search broke off in the middle: {error}") from error
            _log.warning("STAC does not take the search: OData is asked", reason=str(error))
            yield from self.odata.search(query)

    def describe(self, offer: Offer) -> Offer:
        """Return a product as OData describes it now, and where STAC says that its folder lies.

        Raises:
            Gone: it is not there any more.
            Unavailable: the service does not answer well.
        """
        described = self.odata.describe(offer)
        return described.model_copy(update={"places": {**offer.places, **described.places}})

    def download(self, offer: Offer, folder: Path, progress: Progress = unheard) -> Path:
        """Fetch a product, in the way that the source says, and return the archive or folder.

        Args:
            offer: as `describe` returned it.
            folder: of this product alone.
            progress: is told how far it has come.

        Raises:
            Offline: it lies in an archive.
            Gone: neither what is to be fetched nor the product is there any more.
            FetchError: as `download_archive` and `S3.download`.
        """
        if offer.online is False:
            raise Offline(f"{offer.name} is offline")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return self._fetch(offer, folder, progress)
        except Gone as error:
            found = self.describe(offer)
            if found.online is False:
                raise Offline(f"{offer.name} is offline") from error
            raise Unavailable(f"{offer.name} is still listed, as {found.id}: {error}") from error

    def _fetch(self, offer: Offer, folder: Path, progress: Progress) -> Path:
        name = product_name(offer.name)
        if self._source.download == "s3":
            return self._bucket().download(_place(offer, "s3"), folder / folder_of(name), offer.size, progress)
        return download_archive(
            self._http,
            _place(offer, "archive"),
            folder / f"{name}.zip",
            offer.size,
            offer.checksums,
            self.tokens,
            progress,
            self._speed,
        )

    def order(self, offer: Offer) -> bool:
        """Return False: the Data Space brings products back in its workspace alone, and not over an API of ours."""
        return False

    def deletions(self, product_type: ProductType, since: datetime) -> Iterator[Deletion]:
        """Yield what was deleted since a time.

        Raises:
            Unavailable: the service does not answer well.
            Refused: the list does not end.
        """
        return self.odata.deletions(product_type, since)

    def subscription(self, wanted: Iterable[Query]) -> Subscription:
        """Return the account's subscription to new and changed products; nothing is asked yet.

        Args:
            wanted: what is heard of; each of a product type and an outline.
        """
        return Subscription(self._http, self._source.odata_url, self._source.download_url, self.tokens, wanted)

    def close(self) -> None:
        """Give up connections."""
        self._http.close()
        with self._lock:
            if self._s3:
                self._s3.close()

    def _bucket(self) -> S3:
        with self._lock:
            if self._s3 is None:
                self._s3 = S3(self._http, self._source.s3_endpoint, self._credentials, self._speed)
            return self._s3


def _place(offer: Offer, name: str) -> str:
    if name not in offer.places:
        raise Gone(f"{offer.name} has no place {name!r} to be fetched from")
    return offer.places[name]
