"""Which provider speaks for which source; each is imported when it is chosen."""

from __future__ import annotations

from services.ingest.fetch.errors import Misconfigured
from services.ingest.fetch.provider import Credentials, Provider
from shared.area.source import CdseSource, DhusSource, FolderSource, StacSource

EXTRA = "install Landstream with the extra `fetch`"


def provider_for(source: CdseSource | DhusSource | StacSource | FolderSource, credentials: Credentials) -> Provider:
    """Return the provider that a source names.

    Raises:
        Misconfigured: the libraries of fetching are not installed, or the source is not asked but watched.
    """
    try:
        if isinstance(source, CdseSource):
            from services.ingest.fetch.providers.cdse import Cdse

            return Cdse(source, credentials)
        if isinstance(source, DhusSource):
            from services.ingest.fetch.providers.dhus import Dhus

            return Dhus(source, credentials)
        if isinstance(source, StacSource):
            from services.ingest.fetch.providers.cogs import Cogs

            return Cogs(source, credentials)
    except ImportError as error:
        raise Misconfigured(f"`source:` needs {error.name}: {EXTRA}") from error
    raise Misconfigured(f"`kind: {source.kind}` is watched, not asked")
