"""A DHuS node, asked through sentinelsat, whose session sends everything through our own client.

Archives are fetched by our own means from the address that sentinelsat gives: its downloader goes on without looking
where the server goes on, and fails where no checksum is stated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from requests.exceptions import RequestException
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import (
    InvalidKeyError,
    LTAError,
    LTATriggered,
    QueryLengthError,
    QuerySyntaxError,
    SentinelAPIError,
    UnauthorizedError,
)

from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.network.answers import trouble
from services.ingest.fetch.network.archive import download_archive
from services.ingest.fetch.network.http import LONGEST_WAIT_S, TRIES, Limits
from services.ingest.fetch.network.pace import Clock, backoff
from services.ingest.fetch.network.receive import Speed
from services.ingest.fetch.provider import Credentials, Deletion, Offer, Progress, Query, unheard
from services.ingest.fetch.providers.described import BrokenProduct, is_uuid
from services.ingest.fetch.providers.dhus_product import offer_of_record
from services.ingest.fetch.providers.dhus_search import search_node
from services.ingest.fetch.providers.dhus_transport import NodeHttp, polite_session
from shared.area.source import DhusSource, ProductType

LONGEST_REST_S: Final = 3600.0
"""How long a node is left alone that takes no more orders."""
_T = TypeVar("_T")

# It logs texts of the node as they come; what matters of them is raised, too.
logging.getLogger("sentinelsat").setLevel(logging.CRITICAL)


class Dhus:
    """A node; used by many threads at once.

    Attributes:
        name: `dhus`.
    """

    name = "dhus"

    def __init__(
        self,
        source: DhusSource,
        credentials: Credentials,
        *,
        rate: float = 4.0,
        limits: Limits | None = None,
        speed: Speed | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            source: of the area file.
            credentials: user name and password.
            rate: requests a second.
            limits: of time.
            speed: what is too slow.
            clock: tells the time and waits.

        Raises:
            Misconfigured: user name or password is absent.
            Refused: the node's address is not one.
        """
        if not (credentials.username and credentials.password):
            raise Misconfigured("a DHuS node asks for a user name and a password: both come from the environment")
        self._speed = speed or Speed()
        self._http = NodeHttp(source.api_url, credentials, rate, limits, clock)
        self._api = SentinelAPI(None, None, source.api_url, show_progressbars=False)
        self._api.session.close()
        self._api.session = polite_session(self._http)

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield what fits; see `Provider.search`."""
        return search_node(self._api, self._ask, query)

    def describe(self, offer: Offer) -> Offer:
        """Return the product with its size, checksum and state; see `Provider.describe`."""
        record = self._ask(lambda: self._record(offer))
        try:
            return offer_of_record(record, offer)
        except BrokenProduct as error:
            raise Unavailable(f"{offer.name} is not described as a product: {error}") from error

    def download(self, offer: Offer, folder: Path, progress: Progress = unheard) -> Path:
        """Fetch the archive; see `Provider.download`."""
        stated = offer if offer.size is not None else self.describe(offer)
        if not self._ask(lambda: self._api.is_online(_id(offer))):
            raise Offline(f"{offer.name} lies in the archive of the node")
        return download_archive(
            self._http,
            self._address(offer, "/$value"),
            folder / f"{offer.name}.zip",
            stated.size,
            stated.checksums,
            progress=progress,
            speed=self._speed,
        )

    def order(self, offer: Offer) -> bool:
        """Ask for the product to be brought back; true, as nodes can.

        Raises:
            Unavailable: the node takes no more orders now.
        """
        self._ask(lambda: self._api.trigger_offline_retrieval(_id(offer)))
        return True

    def deletions(self, product_type: ProductType, since: datetime) -> Iterator[Deletion]:
        """Yield nothing: nodes do not tell."""
        return iter(())

    def close(self) -> None:
        """Give up connections."""
        self._api.session.close()
        self._http.close()

    def _address(self, offer: Offer, rest: str) -> str:
        return f"{self._api.api_url}odata/v1/Products('{_id(offer)}'){rest}"

    def _record(self, offer: Offer) -> Any:
        answer = self._api.session.get(self._address(offer, "?$format=json"))
        self._api._check_scihub_response(answer)
        return answer.json()

    def _ask(self, call: Callable[[], _T]) -> _T:
        """Call the client, again after failures that pass; what it raises becomes an error of ours."""
        tries = 0
        while True:
            tries += 1
            try:
                with _as_ours(self._http.clock.today()):
                    return call()
            except Offline:
                raise
            except Unavailable as error:
                wait = error.retry_after_s
                if tries >= TRIES or (wait or 0.0) > LONGEST_WAIT_S:
                    raise
            self._http.clock.sleep(backoff(tries) if wait is None else wait)


def _id(offer: Offer) -> str:
    if not is_uuid(offer.id):
        raise Refused(f"{offer.name} has no UUID that a node could know it by")
    return offer.id


@contextmanager
def _as_ours(today: float) -> Iterator[None]:
    """Turn what sentinelsat raises into our errors; texts of the node are left out of them."""
    try:
        yield
    except FetchError:
        raise
    except LTATriggered as error:
        raise Offline("the product lies in the archive of the node") from error
    except LTAError as error:
        raise Unavailable("the node takes no more orders now", LONGEST_REST_S) from error
    except UnauthorizedError as error:
        raise Misconfigured("the node does not take our credentials") from error
    except InvalidKeyError as error:
        raise Gone("the node does not know the product") from error
    except (QuerySyntaxError, QueryLengthError) as error:
        raise Misconfigured(f"the node does not understand what we ask ({type(error).__name__})") from error
    except SentinelAPIError as error:
        raise _of_status(error, today) from error
    except RequestException as error:
        raise Unavailable(f"the node does not answer: {type(error).__name__}") from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise Unavailable(f"the node's answer cannot be read: {type(error).__name__}") from error


def _of_status(error: SentinelAPIError, today: float) -> FetchError:
    answer = error.response
    if answer is None:
        return Unavailable("the node's answer cannot be read")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    found = trouble(answer.status_code, headers, answer.content, str(answer.url), today)
    return found or Unavailable("a page came where the node's answer was to come")
