"""How a command asks a provider: with the credentials of the environment, and one line where that ends badly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from landstream.commands.opening import fail

if TYPE_CHECKING:
    from services.ingest.fetch.provider import Provider
    from services.ingest.fetch.spans import Catalogue


@contextmanager
def asking(source: Catalogue, *, for_search: bool) -> Iterator[Provider]:
    """Give the provider of a source; an error of its own ends the command with one line.

    Args:
        source: who is asked.
        for_search: nothing is downloaded: the Copernicus Data Space needs no account for that.
    """
    from services.ingest.fetch.errors import FetchError
    from services.ingest.fetch.provider import Credentials
    from services.ingest.fetch.providers.choose import provider_for
    from services.ingest.fetch.providers.credentials import credentials_for
    from shared.area.source import CdseSource

    try:
        open_to_all = for_search and isinstance(source, CdseSource)
        provider = provider_for(source, Credentials() if open_to_all else credentials_for(source))
        try:
            yield provider
        finally:
            provider.close()
    except FetchError as error:
        fail(error)
