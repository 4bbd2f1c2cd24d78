"""Settings of the sweeper."""

from __future__ import annotations

from shared.settings import OwnSettings


class SweeperSettings(OwnSettings):
    """Settings of the sweeper, beside those of every process."""

    sweep_s: float = 10.0
    """Seconds between two rounds; a round that finds nothing new costs a few listings."""
    sweep_grace_s: float | None = None
    """Seconds after which the sweeper hints what is due; where not given, each stage's own, up to 30. Fewer pay where a
    store loses events."""
