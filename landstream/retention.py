"""How long what nobody needs is kept all the same."""

from __future__ import annotations

from typing import Final

KEEP_DAYS: Final = 30
"""Days for which a snapshot of the cube stays once it is replaced: what a map of the last month shows can be read."""

KEEP_SNAPSHOTS: Final = 200
"""Snapshots from which a run prunes the cube at its end; fewer cost little."""
