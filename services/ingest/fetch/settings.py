"""Settings of fetching."""

from __future__ import annotations

from pydantic import Field

from shared.settings import OwnSettings


class FetchSettings(OwnSettings):
    """Settings of fetching, beside those of every process."""

    poll_s: float = Field(default=300.0, gt=0)
    """Seconds between two searches for what was published since."""
    overlap_s: float = Field(default=86_400.0, ge=0)
    """Seconds that a search looks back before the newest product seen: catalogues publish out of order."""
    recount_s: float = Field(default=86_400.0, gt=0)
    """Seconds between two recounts of all that the source offers for the area."""
    forward_days: float = Field(default=10.0, ge=0)
    """Days from sensing to publication up to which a product goes first; older ones fill in the past."""
    connections: int = Field(default=4, ge=1, le=20)
    """Downloads at once; the Copernicus Data Space allows 4 for an account."""
    backfill_connections: int = Field(default=3, ge=1, le=20)
    """How many of these may bring the past."""
    ahead: int = Field(default=32, ge=1)
    """Products that may lie in `landing/` and wait for ingest before downloads pause."""
    free_gb: float = Field(default=4.0, ge=0)
    """Gigabytes (10^9 bytes) of the work folder's disk that downloads leave free."""
    attempts: int = Field(default=16, ge=1)
    """Tries of a product that comes damaged in another way each time, before it gets a failure record."""
    back_off_s: float = Field(default=2.0, gt=0)
    """Seconds before the second try, doubled after each."""
    offline_s: float = Field(default=900.0, gt=0)
    """Seconds after which a product that was offline is asked for again, doubled after each time, up to a day."""
    lease_s: float = Field(default=120.0, ge=1)
    """Seconds after which another process may take over what one that went silent was fetching."""
