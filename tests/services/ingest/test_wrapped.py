"""Products that `landstream simulate wrap` makes of a person's own bands are products."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from shared.stage import NewItem
from simulator.bands import BandEncoding, find_bands
from simulator.labels import write_labels
from simulator.spectra import S2_RESOLUTION_M
from simulator.wrap import Identity, bands_of, wrap
from tests.services.ingest.conftest import make_area
from tests.simulator.test_bands import write_tif
from tests.simulator.test_labels import write_vector

AREA = make_area([23.8, 45.5, 24.1, 45.8], [2018])


@pytest.mark.parametrize(("level", "without"), [("L1C", ()), ("L2A", ()), ("L2A", ("B01", "B09"))])
@pytest.mark.parametrize("offset", [0.0, -0.1])
def test_wrapped_bands_are_taken_in(
    level: str, without: tuple[str, ...], offset: float, ingest: Callable[..., NewItem], tmp_path: Path
) -> None:
    for band, pixel_m in S2_RESOLUTION_M.items():
        shape = (120 // pixel_m, 180 // pixel_m)
        write_tif(tmp_path / f"{band}.tif", np.full(shape, 2500, np.uint16), pixel_m)
    bands = find_bands(tmp_path, "{band}.tif", [band for band in bands_of(level) if band not in without])
    identity = Identity(level, datetime(2018, 6, 5, 9, 20, 31, tzinfo=UTC))
    made = wrap(tmp_path / "out", bands, identity, BandEncoding(offset=offset), without=without)
    item = ingest(made.product, AREA)
    assert item.collection == f"sentinel-2-{level.lower()}"
    assert item.properties["landstream:offsets"]["B04"] == round(offset * 10_000)
    assert item.properties["landstream:mgrs_tile"] == "T34TGR"
    assert item.properties["proj:code"] == "EPSG:32634"


def test_wrapped_labels_are_taken_in(ingest: Callable[..., NewItem], tmp_path: Path) -> None:
    crops = np.array(["maize", "wheat", "maize"], dtype=object)
    source = write_vector(tmp_path / "fields.geojson", "GeoJSON", {"crop": crops})
    classes = [{"code": c, "name": c, "color": "#ffff00", "sources": [c]} for c in ("maize", "wheat")]
    area = make_area([8, -1, 22, 1], [2018], {"scheme": "crops", "attribute": "crop", "classes": classes})
    item = ingest(write_labels(source, "crop", tmp_path / "out"), area)
    assert item.properties["landstream:attribute"] == "crop"
