"""The real products through the whole stream, against what the READMEs of the data state."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pystac
import pytest
import rasterio
import yaml

from shared.area import load_area
from tests.conftest import AREAS, ROOT, landstream
from tests.products.presets import wrap

pytestmark = pytest.mark.realdata


def stream(kind: str, source: Path, folder: Path, area: Path) -> Path:
    """Wrap real arrays, run them, return the store."""
    products = wrap(kind, source, folder / "products")
    landstream("run", "--area", area, "--store", folder / "store", "--once", *products)
    return folder / "store"


def items(store: Path, collection: str, *options: str) -> list[dict]:
    return [json.loads(s) for s in landstream("items", collection, "--store", store, *options).stdout.splitlines()]


def path_of(item: dict, asset: str) -> str:
    href = pystac.Item.from_dict(item).assets[asset].get_absolute_href()
    assert href is not None
    return href


@pytest.fixture(scope="module")
def brandenburg(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the real scene, wrapped by the line of the README, with a tenth of the training that the area asks."""
    folder = tmp_path_factory.mktemp("brandenburg")
    (line,) = re.findall(
        r"^`?landstream (simulate wrap .* --out DIR)`?$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    arguments = [part.replace("../shared/data", str(data)) for part in shlex.split(line)]
    made = landstream(*arguments[:-1], folder / "products").stdout.splitlines()
    assert sorted(Path(path) for path in made) == sorted((folder / "products").iterdir())
    area = yaml.safe_load((AREAS / "brandenburg.yaml").read_text())
    area["training"] = {"filters": 16, "epochs": 4, "steps": 36, "folds": 0}
    (folder / "area.yaml").write_text(yaml.safe_dump(area))
    landstream("run", "--area", folder / "area.yaml", "--store", folder / "store", "--once", *made)
    return folder / "store"


def test_brandenburg_is_taken_in_as_it_is(brandenburg: Path, data: Path) -> None:
    (scene,) = items(brandenburg, "sentinel-2-l1c")
    assert scene["properties"]["landstream:mgrs_tile"] == "T33UUU"
    assert scene["properties"]["landstream:baseline"] == "02.04"
    source = data / "s2-l1c-brandenburg-t33uuu" / "IMG_DATA" / "T33UUU_20170216T102101_B04.jp2"
    with (
        rasterio.open(path_of(scene, "B04_10m"), driver="JP2OpenJPEG") as taken,
        rasterio.open(source, driver="JP2OpenJPEG") as real,
    ):
        assert np.array_equal(taken.read(1), real.read(1))
    (labels,) = items(brandenburg, "label-polygons")
    assert labels["properties"]["landstream:attribute"] == "fclass"


def test_on_real_pixels_the_model_beats_the_forest_and_the_most_frequent_class(brandenburg: Path) -> None:
    (model,) = items(brandenburg, "models")
    metrics = model["properties"]["landstream:metrics"]
    sys.stdout.write(
        f"Brandenburg hold-out: mIoU {metrics['miou']:.3f} (forest {metrics['forest']['miou']:.3f}), accuracy "
        f"{metrics['accuracy']:.3f} (most frequent {metrics['majority_accuracy']:.3f})\n"
    )
    assert metrics["miou"] >= 0.40
    assert metrics["miou"] > metrics["forest"]["miou"]
    assert metrics["accuracy"] > metrics["majority_accuracy"] + 0.2


def test_brandenburg_ends_with_a_map_of_the_real_scene(brandenburg: Path) -> None:
    (map_,) = items(brandenburg, "land-cover-maps")
    with rasterio.open(path_of(map_, "land_cover")) as file:
        assert (file.crs.to_epsg(), file.shape) == (32633, (768, 1536))
        assert tuple(file.bounds) == (330000, 5814360, 345360, 5822040)
        values = file.read(1)
    assert 0.3 < (values > 0).mean() < 1  # there are real clouds in the window
    assert "OpenStreetMap" in map_["properties"]["landstream:attribution"]
    # The README of the data: pixels of each kind of polygon, which overlap a little.
    (labels,) = items(brandenburg, "land-cover-labels")
    with rasterio.open(path_of(labels, "labels")) as file:
        burned = file.read(1)
    stated = {"Farmland": 113064, "Forest": 59344, "Residential": 30674, "Meadow and grass": 98829 + 5479}
    for value, class_ in load_area(AREAS / "brandenburg.yaml").labels.values.items():
        if class_.name in stated:
            assert (burned == value).sum() == pytest.approx(stated[class_.name], rel=0.03)


def test_malta_burns_the_layer_of_the_year(data: Path, tmp_path: Path) -> None:
    folder = data / "clc-vector-malta"
    store = stream("malta", folder, tmp_path, AREAS / "malta.yaml")
    # The delivery of 2024 holds 2018, too, revised: that is nearest the area's year, and what is burned.
    assert {i["properties"]["landstream:reference_year"] for i in items(store, "label-polygons")} == {2012, 2018}
    (labels,) = items(store, "land-cover-labels")
    assert labels["properties"]["landstream:inputs"][0][1].startswith("CLC2024_MT")
    area = load_area(AREAS / "malta.yaml")
    with rasterio.open(path_of(labels, "labels")) as file:
        counts = np.bincount(file.read(1).ravel(), minlength=45)
    archive = f"/vsizip/{folder / 'CLC2024_MT.gdb.zip'}"
    _, _, _, fields = pyogrio.raw.read(archive, layer="clc18_mt", columns=["code_18", "area_ha"])
    stated: dict[str, float] = {}
    for code, hectares in zip(*fields, strict=True):
        stated[code] = stated.get(code, 0) + hectares
    for value, class_ in area.labels.values.items():
        if class_.code in stated and class_.code != "523":  # the sea reaches far beyond the area
            assert counts[value] / 100 == pytest.approx(stated[class_.code], rel=0.01, abs=0.5), class_.code
    assert landstream("digest", "--store", store).stdout.count("cube/labels/clc-level3/class/") > 10


def test_east_anglia_lies_where_its_readme_says(data: Path, tmp_path: Path) -> None:
    store = stream("east-anglia", data / "s3-olci-swath-east-anglia", tmp_path, AREAS / "east-anglia.yaml")
    (grid,) = items(store, "olci-grid")
    with rasterio.open(path_of(grid, "radiance")) as file:
        assert (file.count, file.dtypes[0]) == (21, "float32")
        red, infrared = file.read([8, 17])
        rows, cols = np.nonzero(np.isfinite(red))
        x, y = rasterio.transform.xy(file.transform, rows, cols)
    west, south, east, north = min(x), min(y), max(x), max(y)
    # Around the swath a fringe is filled up to the cut-off of the nearest neighbour, 600 m.
    along, across = 600 / 111_000, 600 / (111_000 * np.cos(np.radians(52.5)))
    assert (west, east) == (pytest.approx(1.152, abs=across), pytest.approx(1.638, abs=across))
    assert (south, north) == (pytest.approx(52.330, abs=along), pytest.approx(52.641, abs=along))
    # Solar irradiance turns radiance to reflectance; the README states the span of this index.
    a, b = infrared[rows, cols] / 943, red[rows, cols] / 1503
    low, high = np.percentile((a - b) / (a + b), [0.1, 99.9])
    assert (low, high) == (pytest.approx(0.08, abs=0.05), pytest.approx(0.76, abs=0.05))
    (update,) = items(store, "cube-updates")
    assert update["properties"]["landstream:tiles"]
