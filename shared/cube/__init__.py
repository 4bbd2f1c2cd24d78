"""The weekly zarr cube in an Icechunk repository: layout, reading windows, writing transactions."""

from shared.cube.cube import Cube, open_cube
from shared.cube.layout import LEDGER_SLOTS, MSI_ENCODING, Layer

__all__ = ["LEDGER_SLOTS", "MSI_ENCODING", "Cube", "Layer", "open_cube"]
