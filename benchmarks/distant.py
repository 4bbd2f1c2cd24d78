"""A store, and a cube, whose answers take longer, as over a network; nothing else of one is simulated."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import Any

import zarr
from zarr.storage import WrapperStore

from shared.area import Area
from shared.cube import Cube
from shared.cube.repository import open_repository


class Distant(WrapperStore[Any]):
    """A store whose answers take longer."""

    latency_s = 0.0

    async def get(self, *arguments: Any, **named: Any) -> Any:
        """Wait, then answer."""
        await asyncio.sleep(self.latency_s)
        return await super().get(*arguments, **named)


class DistantCube(Cube):
    """A cube whose chunks take longer to come."""

    @classmethod
    def opened(cls, location: str, area: Area) -> DistantCube:
        """Open a cube to read."""
        return cls(open_repository(location), location, area, "read")

    @cached_property
    def _root(self) -> zarr.Group:
        return zarr.open_group(Distant(self.zarr_store), mode="r")
