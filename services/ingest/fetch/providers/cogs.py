"""Any STAC API whose assets are cloud-optimised GeoTIFFs of Sentinel-2 scenes, such as Earth Search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from services.ingest.cog_item import MAX_BYTES, BadItem, CogItem, read_item
from services.ingest.fetch.errors import Gone, Refused
from services.ingest.fetch.network.hosts import Hosts
from services.ingest.fetch.network.http import Http, Limits
from services.ingest.fetch.network.pace import Clock
from services.ingest.fetch.network.receive import Speed
from services.ingest.fetch.provider import Credentials, Deletion, Offer, Progress, Query, unheard
from services.ingest.fetch.providers.cog_file import fetch_cog
from services.ingest.fetch.providers.cog_search import offer_of_cogs, search_cogs
from services.ingest.fetch.providers.described import BrokenProduct
from services.ingest.names import COGS, COGS_MANIFEST
from shared.area.source import ProductType, StacSource
from shared.items.ids import canonical


class Cogs:
    """A STAC API with COGs; used by many threads at once.

    Attributes:
        name: `stac`.
    """

    name = "stac"

    def __init__(
        self,
        source: StacSource,
        credentials: Credentials | None = None,
        *,
        rate: float = 4.0,
        limits: Limits | None = None,
        speed: Speed | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            source: of the area file.
            credentials: sent nowhere, as such services want none.
            rate: requests a second, to each host.
            limits: of time.
            speed: what is too slow.
            clock: tells the time and waits.

        Raises:
            Refused: one of the source's hosts is not one.
        """
        self._source = source
        self._speed = speed or Speed()
        self._http = Http(hosts_of(source), rate=rate, limits=limits, clock=clock)

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield what fits; nothing but level 2A is here. See `Provider.search`."""
        return search_cogs(self._http, self._source, query)

    def describe(self, offer: Offer) -> Offer:
        """Return the product as its item says now; see `Provider.describe`.

        Raises:
            Gone: its item is not there, or is that of another product now.
            Refused: the item states no product's name, or does not tell what its pixels are.
        """
        value, _ = self._item(offer)
        try:
            return offer_of_cogs(value)
        except BrokenProduct as error:
            raise Refused(f"{offer.name}: {error}") from error

    def download(self, offer: Offer, folder: Path, progress: Progress = unheard) -> Path:
        """Fetch the item and its GeoTIFFs into `<product>.COG`; see `Provider.download`.

        Raises:
            Refused: the item cannot be used, or an image lies on a host that is not allowed.
        """
        value, item = self._item(offer)
        root = folder / f"{offer.name}{COGS}"
        root.mkdir(exist_ok=True)
        wanted = [(key, item.assets[key]) for key in item.images.values()]
        sizes = [asset.size for _, asset in wanted]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        for _, asset in wanted:
            self._http.hosts.check(asset.href)
        done = 0
        for key, asset in wanted:
            done += fetch_cog(self._http, key, asset, root, _after(done, total, progress), self._speed)
        (root / COGS_MANIFEST).write_bytes(canonical(value))
        return root

    def order(self, offer: Offer) -> bool:
        """Return false: nothing is offline here."""
        return False

    def deletions(self, product_type: ProductType, since: datetime) -> Iterator[Deletion]:
        """Yield nothing: such services do not tell."""
        return iter(())

    def close(self) -> None:
        """Give up connections."""
        self._http.close()

    def _item(self, offer: Offer) -> tuple[Mapping[str, Any], CogItem]:
        """Return a product's item, as it came and as it is read, if it can be used."""
        address = f"{self._source.api_url}/collections/{quote(self._source.collection, safe='')}/items/"
        reply = self._http.fetch("GET", address + quote(offer.id, safe=""), limit=MAX_BYTES, is_json=True)
        value = reply.json()
        try:
            item = read_item(value)
            if item.id != offer.id or item.name.product != offer.name:
                raise Gone(f"{offer.name} is not there any more: its item is that of {item.name.product}")
            item.check()
        except BadItem as error:
            raise Refused(f"{offer.name}: its item {error}") from error
        return value, item


def _after(before: int, whole: int | None, progress: Progress) -> Progress:
    """Return what hears of one file, and reports all that are there."""

    def heard(done: int, total: int | None) -> None:
        progress(before + done, whole)

    return heard


def hosts_of(source: StacSource) -> Hosts:
    """Return the hosts that a source is asked at: the API's own, and those of its images by HTTPS.

    Raises:
        Refused: one of them is not a host.
    """
    return Hosts([source.api_url, *(host if "://" in host else f"https://{host}" for host in source.asset_hosts)])
