"""Download products into a folder of a person's: several at once, each whole or not at all, resumed where it can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from services.ingest.fetch.arrival import SUFFIXES
from services.ingest.fetch.errors import Corrupt, FetchError, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.outcome import doubled
from services.ingest.fetch.provider import Offer, Progress, Provider
from services.ingest.names import parse_product
from shared.store.space import free_bytes, space_fault

CONNECTIONS = 4
"""Downloads at once: what the Copernicus Data Space allows an account."""

TRIES = 5
"""Tries of a product while the provider does not answer, or sends it damaged."""

PAUSE_S, LONGEST_S = 2.0, 120.0
"""Seconds before the second try, doubled after each, and at most."""

UNDER_WAY = ".fetching"
"""Folder, within the one that products go to, of what is not whole yet."""

Heard = Callable[[str], Progress]
"""Product -> who hears how far its download is."""


class Interrupted(Exception):
    """Raised out of a download when somebody stops it; what came is kept for the next time."""


@dataclass(frozen=True)
class Ended:
    """How a product's download ended.

    Attributes:
        product: full name.
        path: where it lies; None = it did not come.
        fault: why it did not; empty where it did.
    """

    product: str
    path: Path | None = None
    fault: str = ""


@dataclass
class Downloads:
    """Downloads products.

    Attributes:
        provider: who is asked.
        out: the folder that they go to; it is there.
        heard: see `Heard`.
    """

    provider: Provider
    out: Path
    heard: Heard
    _stop: Event = field(default_factory=Event)

    def run(self, offers: Iterable[Offer]) -> Iterator[Ended]:
        """Yield how each download ended, as they end; who leaves off early stops the others.

        Raises:
            Misconfigured: credentials are absent or wrong: no other one would come either.
        """
        with ThreadPoolExecutor(CONNECTIONS, "fetch") as pool:
            running: list[Future[Ended]] = [pool.submit(partial(self._end, offer)) for offer in offers]
            try:
                for each in as_completed(running):
                    yield each.result()
            finally:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
        with suppress(OSError):  # what broke off lies there still
            (self.out / UNDER_WAY).rmdir()

    def _end(self, offer: Offer) -> Ended:
        try:
            return Ended(offer.name, self._fetch(offer))
        except Misconfigured:
            raise
        except (FetchError, Interrupted) as error:
            return Ended(offer.name, fault=str(error))
        except OSError as error:
            return Ended(offer.name, fault=space_fault(error) or str(error))

    def _fetch(self, offer: Offer) -> Path:
        for number in range(1, TRIES + 1):
            if self._stop.is_set():
                break
            try:
                return self._try(offer)
            except Offline:
                raise
            except (Unavailable, Corrupt) as error:
                if number == TRIES:
                    raise
                asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
                self._stop.wait(min(LONGEST_S, asked_s or doubled(PAUSE_S, number, LONGEST_S)))
        raise Interrupted("interrupted")

    def _try(self, offer: Offer) -> Path:
        described = self.provider.describe(offer)
        if described.online is False:
            ordered = self.provider.order(described)
            raise Offline("is offline" + (", and was ordered: ask again later" if ordered else ""))
        if described.size and free_bytes(self.out) < described.size * 2:
            raise Refused(f"less is free in {self.out} than twice its size")
        folder = self.out / UNDER_WAY / offer.name
        folder.mkdir(parents=True, exist_ok=True)
        heard = self.heard(offer.name)

        def progress(done: int, total: int | None) -> None:
            if self._stop.is_set():
                raise Interrupted("interrupted")
            heard(done, total)

        came = self.provider.download(described, folder, progress)
        path = self.out / came.name
        came.replace(path)
        shutil.rmtree(folder, ignore_errors=True)
        return path


def there_already(out: Path, product: str) -> Path | None:
    """Return where a product lies in a folder; None = it does not."""
    return next((path for suffix in SUFFIXES if (path := out / f"{product}{suffix}").exists()), None)


def is_ours(offer: Offer) -> bool:
    """Return whether a product is named as ESA names those that ingest reads: its name becomes a path."""
    return parse_product(offer.name) is not None
