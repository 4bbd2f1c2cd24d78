"""How long what nobody needs is kept all the same."""

from __future__ import annotations

from typing import Final

KEEP_DAYS: Final = 30
"""Days of the cube's snapshots: a result of the last month can be looked into as it was."""

KEEP_SNAPSHOTS: Final = 200
"""Snapshots from which a run prunes the cube at its end; fewer cost little."""
