"""Hears of new and changed products through the account's subscription; what was heard is acknowledged explicitly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.ingest.fetch.errors import Gone, Misconfigured, Unavailable
from services.ingest.fetch.network.http import Bearer, Http
from services.ingest.fetch.provider import Offer, Query
from services.ingest.fetch.providers.described import BrokenProduct, uuid_of
from services.ingest.fetch.providers.odata import OData
from services.ingest.fetch.providers.odata_filter import conditions
from services.ingest.fetch.providers.odata_product import offer_of_product
from shared.observe.logs import get_logger

MOST: Final = 20
"""Events that the service hands out at once."""
EVENTS: Final = ("created", "modified")
_ACK: Final = re.compile(r"[\x21-\x7e]{1,2000}\Z")

_log = get_logger(service="fetch")


@dataclass(frozen=True)
class Event:
    """A product that is new or has changed.

    Attributes:
        kind: `created` or `modified`.
        offer: the product; None where it is gone by now, or cannot be read: there is nothing to do but to acknowledge.
        ack: what acknowledges this event and all before it.
    """

    kind: str
    offer: Offer | None
    ack: str


class Subscription:
    """The one subscription that an account has; used by one thread at a time.

    Attributes:
        id: of the subscription that is read; empty until it is found or opened.
    """

    def __init__(self, http: Http, odata_url: str, download_url: str, bearer: Bearer, wanted: Iterable[Query]) -> None:
        """Ask nothing yet.

        Args:
            http: what is asked through.
            odata_url: of the catalogue.
            download_url: OData of the host that archives are fetched from.
            bearer: of the account.
            wanted: what is heard of; each of a product type and an outline.
        """
        self._http = http
        self._url = f"{odata_url}/Subscriptions"
        self._download_url = download_url
        self._odata = OData(http, odata_url, download_url)
        self._bearer = bearer
        self._filter = " or ".join(sorted(f"({' and '.join(conditions(each))})" for each in wanted))
        self.id = ""

    def read(self, own: str = "") -> list[Event]:
        """Return the oldest events that were not acknowledged, oldest first; none when all were.

        Opens the subscription where the account has none. The same events come again until they are acknowledged.

        Args:
            own: id of the subscription that was read before; where it is to something else, it is ended, and another
                one opened: what is wanted has changed since.

        Raises:
            Misconfigured: another subscription of the account is to something else, or the account may have none.
            Unavailable: the service does not answer well, or has ended the subscription: the next call opens another.
        """
        self.id = self.id or self._found(own) or self._opened()
        address = f"{self._url}({self.id})/Read"
        try:
            messages = self._http.json("GET", address, params={"$top": str(MOST)}, bearer=self._bearer)
        except Gone as error:
            self.id = ""
            raise Unavailable("the subscription has ended: another is to be opened") from error
        if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
            raise Unavailable("the answer of the subscription is not a list of events")
        return [self._event(each) for each in messages[:MOST]]

    def acknowledge(self, event: Event) -> None:
        """Say that an event and all before it were taken in, and need not come again.

        Raises:
            Unavailable: the service does not answer well: the events come again.
        """
        address = f"{self._url}({self.id})/Ack"
        try:
            self._http.fetch("POST", address, params={"$ackid": event.ack}, bearer=self._bearer)
        except Gone:
            _log.info("an event was acknowledged before, or its subscription has ended", subscription=self.id)

    def cancel(self) -> None:
        """End the subscription.

        Raises:
            Unavailable: the service does not answer well.
        """
        if self.id:
            self._end(self.id)
            self.id = ""

    def _end(self, name: str) -> None:
        try:
            self._http.fetch("DELETE", f"{self._url}({name})", bearer=self._bearer)
        except Gone:
            _log.info("the subscription had ended before", subscription=name)

    def _found(self, own: str) -> str:
        """Return the account's running subscription; empty where there is none, or none any more.

        Raises:
            Misconfigured: it is to something else, and not ours.
        """
        try:
            listed = self._http.json("GET", f"{self._url}/Info", bearer=self._bearer)
        except Gone:
            return ""
        known = listed if isinstance(listed, list) else []
        running = [each for each in known if isinstance(each, dict) and each.get("Status") == "running"]
        mine = [each for each in running if each.get("FilterParam") == self._filter]
        others = [each for each in running if each not in mine and each.get("Id") != own]
        if others and not mine:
            raise Misconfigured("the account's subscription is to something else: cancel it, or do not subscribe")
        if own and any(each.get("Id") == own and each not in mine for each in running):
            self._end(own)
        return _id(mine[0]) if mine else ""

    def _opened(self) -> str:
        body = {
            "SubscriptionType": "pull",
            "SubscriptionEvent": list(EVENTS),
            "FilterParam": self._filter,
            "StageOrder": False,
            "Priority": 1,
            "Status": "running",
        }
        return _id(self._http.json("POST", self._url, body=body, bearer=self._bearer))

    def _event(self, message: Mapping[str, Any]) -> Event:
        ack, kind = message.get("AckId"), message.get("SubscriptionEvent")
        if not isinstance(ack, str) or not _ACK.match(ack):
            raise Unavailable("an event of the subscription cannot be acknowledged")
        return Event(kind if kind in EVENTS else "modified", self._offer(message), ack)

    def _offer(self, message: Mapping[str, Any]) -> Offer | None:
        """Return an event's product; the service takes its description away after three days: then it is asked for."""
        value = message.get("value")
        try:
            if isinstance(value, dict) and value:
                return offer_of_product(value, self._download_url)
            return self._odata.product(uuid_of(message.get("ProductId")))
        except (BrokenProduct, ValueError) as error:
            _log.warning("an event cannot be read", reason=str(error).splitlines()[0][:200])
            return None


def _id(subscription: Any) -> str:
    try:
        return uuid_of(subscription.get("Id") if isinstance(subscription, dict) else None)
    except BrokenProduct:
        raise Unavailable("the answer of the service is not a subscription") from None
