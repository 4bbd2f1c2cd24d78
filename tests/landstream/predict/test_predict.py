"""A raster predicted window by window: blended as sheets are, with colours, names and confidence."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landstream.predict.command import _connect
from landstream.predict.encoding import PredictError
from landstream.predict.predict import check_inputs, confidence_path, files_of, predict_raster
from landstream.predict.raster import open_raster
from landstream.workspace import bind
from services.inference.blend import map_extent
from services.inference.predict import Inputs, WindowPredictor
from shared.area.training import TrainingSettings
from shared.items.classes import NOT_OBSERVED, classes_of
from shared.items.model_inputs import describe_inputs, inputs_of_area
from shared.raster.grid import Window
from shared.store import FolderStore
from tests.catalogues import AREA
from tests.catalogues import make as make_item
from tests.conftest import ROOT, landstream

CLASSES = len(AREA.labels.classes)
CRS, TRANSFORM = "EPSG:32634", rasterio.Affine(10, 0, 700_020, 0, -10, 5_100_000)


class Answers:
    """A client whose answers depend on the place in the window, so that blending shows."""

    def ask(self, side_px: int) -> int:
        return CLASSES

    def predict(self, windows: Iterable[Inputs]) -> Iterator[np.ndarray]:
        for fine, coarse in ((window["msi_10m"], window["msi_20m"]) for window in windows):
            assert fine.shape == (256, 256, 4)
            assert coarse.shape == (128, 128, 6)
            value = fine[..., 3].astype(int) // 1000 % CLASSES
            share = np.eye(CLASSES)[value] * np.linspace(100, 255, 256)[:, None, None]
            other = np.eye(CLASSES)[(value + 1) % CLASSES] * np.linspace(150, 0, 256)[None, :, None]
            yield ((share + other).clip(0, 255) * (fine > 0).all(axis=-1)[..., None]).astype(np.uint8)


def make(path: Path, shape: tuple[int, int] = (700, 600), **profile: Any) -> np.ndarray:
    """A raster in the cube's encoding; what is stored, uint16 (10, y, x)."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(1, 6000, (10, shape[0] // 20 + 1, shape[1] // 20 + 1))
    bands = blocks.repeat(20, axis=1).repeat(20, axis=2)[:, : shape[0], : shape[1]].astype(np.uint16)
    bands[:, 100:180, 50:300] = 0
    told = {"driver": "GTiff", "count": 10, "dtype": "uint16", "crs": CRS, "transform": TRANSFORM, **profile}
    with rasterio.open(path, "w", height=shape[0], width=shape[1], **told) as file:
        file.write(bands.astype(told["dtype"])[: told["count"]])
    return bands


def test_it_is_blended_as_a_sheet_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landstream.predict.predict.SPAN_PX", 256)  # spans must not show either
    bands = make(tmp_path / "in.tif")
    told: list[tuple[int, int]] = []
    with open_raster(tmp_path / "in.tif", (), 0.0001, -0.1) as cube:
        fine, coarse = cube.window(-32, -32).values()
        assert (fine[32:, 32:] == np.moveaxis(bands[:4, :224, :224], 0, -1)).all()
        assert (coarse[16:, 16:] == np.moveaxis(bands[4:, :224:2, :224:2], 0, -1)).all()
        assert not fine[:32].any()
        classes = classes_of(AREA.labels, NOT_OBSERVED)
        made = predict_raster(
            cube, Answers(), tmp_path / "out.tif", classes, 64, attribution="©", progress=lambda *n: told.append(n)
        )  # type: ignore[arg-type]
        observed = np.ones((3, 3), bool)
        predictor = WindowPredictor(cube.window, Answers(), CLASSES, False)
        values, confidence = map_extent(Window(0, 0, 700, 600), observed, predictor.predict, CLASSES, 64)
    assert made == files_of(tmp_path / "out.tif")
    assert told[-1][0] == told[-1][1] == len(told)
    assert not (values[100:180, 50:300]).any()
    assert len(np.unique(values)) == CLASSES + 1
    with rasterio.open(tmp_path / "out.tif") as image:
        assert (image.read(1) == values).all()
        assert image.nodata == 0
        assert (image.crs.to_string(), image.transform) == (CRS, TRANSFORM)
        assert image.colormap(1)[1] == (230, 0, 77, 255)
        assert image.tags(1)["CLASS_2"] == "Agricultural areas"
    with rasterio.open(confidence_path(tmp_path / "out.tif")) as image:
        assert (image.read(1) == confidence).all()
        assert image.nodata == 255
    assert not list(tmp_path.glob(".predict*"))


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "in.tif", (64, 64))
    three = classes_of(AREA.labels, NOT_OBSERVED)[:4]
    with open_raster(tmp_path / "in.tif", (), 0.0001, -0.1) as cube:  # noqa: SIM117 - one thing is to raise
        with pytest.raises(PredictError, match="tells 5 classes and the area 3"):
            predict_raster(cube, Answers(), tmp_path / "out.tif", three, 64, attribution="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"crs": None}, "not in a projected CRS"),
        ({"crs": "EPSG:4326"}, "not in a projected CRS"),
        ({"transform": rasterio.Affine(20, 0, 0, 0, -20, 0)}, "20 m wide, and the model reads 10 m; gdalwarp"),
        ({"transform": rasterio.Affine(10, 1, 0, 0, -10, 0)}, "not squares with north up"),
        ({"count": 4}, "4 bands without the names"),
    ],
)
def test_rasters_that_no_model_reads(tmp_path: Path, profile: dict[str, Any], said: str) -> None:
    told = {"driver": "GTiff", "width": 8, "height": 8, "count": 10, "dtype": "uint16", "crs": CRS}
    with rasterio.open(tmp_path / "in.tif", "w", **{**told, "transform": TRANSFORM, **profile}) as file:
        file.write(np.ones((file.count, 8, 8), np.uint16))
    with pytest.raises(PredictError, match=said) as raised, open_raster(tmp_path / "in.tif", (), 0.0001, None):
        pass
    assert str(raised.value).startswith(f"{tmp_path / 'in.tif'}: ")


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    make(tmp_path / "in.tif", (64, 64))
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "there.tif").write_text("")
    plain, told = (tmp_path / "in.tif", tmp_path / "out.tif"), ("--scale", 0.0001, "--offset", -0.1)
    server = ("--server", "127.0.0.1:1", "--model", "m")
    for arguments, said in (
        (plain, "--store DIR, or --server HOST:PORT"),
        ((*plain, *server), "--scale 0.0001 --offset -0.1"),
        ((*plain, *told, *server), "127.0.0.1:1: UNAVAILABLE"),
        ((*plain, *told, "--server", "127.0.0.1:1"), "--model NAME, or --area AREA.yaml"),
        ((*plain, *told, "--store", tmp_path), "no store here"),
        ((tmp_path / "text.tif", plain[1], *server), "text.tif: cannot be read"),
        ((tmp_path / "none.tif", plain[1], *server), "none.tif: cannot be read"),
        ((plain[0], tmp_path / "there.tif", *told, *server), "there.tif: exists; --overwrite"),
        ((plain[0], tmp_path / "no" / "out.tif", *told, *server), "no such folder"),
    ):
        result = landstream("predict", *arguments, check=False)
        assert result.returncode == 2, (arguments, result.stderr)
        assert result.stderr.count("\n") == 1, result.stderr
        assert said in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.tif", "text.tif", "there.tif"]


def test_a_client_loads_no_tensorflow() -> None:
    script = (
        "import json, sys; import landstream.predict.predict, landstream.predict.command, services.inference.client;"
        "print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    )
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True).stdout
    )
    assert not {"tensorflow", "tensorflow_serving", "keras", "icechunk", "matplotlib"}.intersection(loaded)


def test_the_champion_of_a_store_maps_its_own_cube_again(mapped: Path, tmp_path: Path) -> None:
    """What `predict` makes of the cube's own values is the map that inference made of them."""
    from shared.cube import open_cube
    from shared.items.collections import MAPS
    from shared.items.stac import asset_key
    from shared.run.context import Context
    from shared.store import FolderStore

    context = Context.of_store(FolderStore(mapped), AREA)
    catalogue = context.reader.snapshot()
    (current,) = catalogue.current(MAPS, catalogue.weeks(MAPS)[-1])
    ny, nx = AREA.grid.shape_px(10)
    fine, coarse = open_cube(context.cube, AREA, "read").msi(current.week, 0, 0, ny, nx)
    bands = np.concatenate([fine, coarse.repeat(2, axis=0).repeat(2, axis=1)], axis=-1)
    place = {"crs": AREA.grid.crs, "transform": rasterio.Affine(*AREA.grid.transform(10))}
    with rasterio.open(
        tmp_path / "in.tif", "w", driver="GTiff", width=nx, height=ny, count=10, dtype="uint16", **place
    ) as file:
        file.write(np.moveaxis(bands, -1, 0))
        file.scales, file.offsets = (0.0001,) * 10, (-0.1,) * 10
    landstream("predict", tmp_path / "in.tif", tmp_path / "out.tif", "--store", mapped)
    with rasterio.open(tmp_path / "out.tif") as own, rasterio.open(mapped / asset_key(current, "land_cover")) as map_:
        assert (own.read(1) == map_.read(1)).all()
        assert own.colormap(1) == map_.colormap(1)


def test_a_terminal_hears_that_tensorflow_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bind(FolderStore(tmp_path), AREA)
    for seen, said in (False, ""), (True, "starting; TensorFlow takes some seconds\n"):
        monkeypatch.setattr(sys.stderr, "isatty", lambda seen=seen: seen)
        with pytest.raises(PredictError, match="no model yet"), _connect(str(tmp_path), "", "", None):
            pass
        assert capsys.readouterr().err == said


def test_a_model_that_reads_more_than_a_raster_holds_is_refused() -> None:
    model = make_item("models", "small", week="static")
    check_inputs(model)
    stack = inputs_of_area(AREA, TrainingSettings(history_weeks=2))
    model.properties["mlm:input"] = describe_inputs(stack)
    with pytest.raises(PredictError, match="reads 3 weeks, each with what it holds, of Sentinel-2"):
        check_inputs(model)
