"""Fetching as part of a stream: made of an area's `source:` and the environment, run beside the stages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from services.ingest.fetch.fetcher import Fetcher
from services.ingest.fetch.provider import Provider
from services.ingest.fetch.providers.choose import provider_for
from services.ingest.fetch.providers.credentials import credentials_for
from services.ingest.fetch.settings import FetchSettings
from services.ingest.fetch.setup import Setup
from services.ingest.fetch.spans import Catalogue
from services.ingest.fetch.watched import Watched
from shared.area import Area
from shared.area.source import CdseSource, FolderSource
from shared.items.item import Item
from shared.items.landing import LandingUnit
from shared.items.products import FETCH
from shared.items.properties import WithdrawalState
from shared.items.scenes import RESTORED, last_word
from shared.run.context import Context
from shared.run.withdraw import NothingToSay, say


def fetcher_of(
    context: Context, folder: Path, put: Callable[[Path], LandingUnit], once: bool = False
) -> Fetcher | Watched:
    """Return what fetches for a stream.

    Args:
        context: of the stream; its area has a source.
        folder: for what is under way.
        put: puts a file or folder into `landing/`.
        once: end when everything that can be had was fetched and taken in.

    Raises:
        Misconfigured: credentials or libraries are absent.
    """
    source, tick = context.area.source, partial(context.health.tick, "fetch")
    assert source is not None
    if isinstance(source, FolderSource):
        return Watched(source, context.store, put, context.stop, context.observer, once, tick)

    def tell(state: WithdrawalState) -> Callable[[str, str, str], None]:
        def told(product: str, week: str, reason: str) -> None:
            catalogue = context.reader.snapshot()
            if state == RESTORED and not _is_own(last_word(product, catalogue)):
                return  # what people withdrew, people restore
            with suppress(NothingToSay):  # people said it before
                say(context.store, context.area, catalogue, product, week, state, reason, FETCH)

        return told

    setup = Setup(
        area=context.area,
        source=source,
        provider=_provider(source, context.area),
        store=context.store,
        settings=FetchSettings(),
        folder=folder,
        put=put,
        stop=context.stop,
        withdraw=tell("withdrawn"),
        restore=tell("restored"),
        observer=context.observer,
        once=once,
        alone=not context.store.remote,  # a folder is locked by who runs over it
        tick=tick,
    )
    return Fetcher(setup)


def _is_own(word: Item | None) -> bool:
    """Return whether fetching said the last word on a product."""
    return word is not None and f"landstream-{FETCH}" in word.properties["processing:software"]


def _provider(source: Catalogue, area: Area) -> Provider:
    provider = provider_for(source, credentials_for(source))
    if isinstance(source, CdseSource):
        from services.ingest.fetch.providers.cdse import Cdse

        assert isinstance(provider, Cdse)
        provider.odata.outline = area.polygon  # a year's deletions of the whole world would be too many
    return provider
