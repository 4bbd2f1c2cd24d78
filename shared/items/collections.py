"""The names of the collections that services agree on."""

from __future__ import annotations

from typing import Final

SENTINEL_2_L2A: Final = "sentinel-2-l2a"
SENTINEL_2_L1C: Final = "sentinel-2-l1c"
OLCI_L1B: Final = "sentinel-3-olci-l1b"
LABEL_POLYGONS: Final = "label-polygons"
LABEL_RASTERS: Final = "label-rasters"
OLCI_GRID: Final = "olci-grid"
LABELS: Final = "land-cover-labels"
MASKS: Final = "cloud-masks"
DELIVERED_MASKS: Final = "delivered-masks"
UPDATES: Final = "cube-updates"
WITHDRAWALS: Final = "withdrawals"
REQUESTS: Final = "training-requests"
MODEL_IMPORTS: Final = "model-imports"
MODELS: Final = "models"
HOLD_OUTS: Final = "hold-outs"
EVALUATIONS: Final = "evaluations"
PROMOTIONS: Final = "promotions"
MAPS: Final = "land-cover-maps"
TRIALS: Final = "land-cover-trials"

SCENES: Final = (SENTINEL_2_L2A, SENTINEL_2_L1C, OLCI_L1B)
"""What ESA publishes, as registered."""
