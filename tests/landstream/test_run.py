"""The main job as a user runs it: six products in, maps out, and everything that a store says afterwards."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pystac
import pystac.validation
import pytest
import rasterio
import xarray
from rio_cogeo import cog_validate

from shared.area import load_area
from tests.conftest import AREAS, landstream

AREA = load_area(AREAS / "small.yaml")


def lines(*arguments: object) -> list[dict]:
    return [json.loads(line) for line in landstream(*arguments).stdout.splitlines()]


def path_of(item: dict, asset: str) -> Path:
    """An asset's file, resolved as any STAC client does."""
    href = pystac.Item.from_dict(item).assets[asset].get_absolute_href()
    assert href is not None
    return Path(href)


@pytest.fixture(scope="module")
def maps(mapped: Path) -> list[dict]:
    return lines("maps", "--latest", "--store", mapped)


def test_every_stage_is_done(mapped: Path) -> None:
    status = json.loads(landstream("status", "--store", mapped, "--json").stdout)
    counts = {name: (s["done"], s["waiting"], s["failed"]) for name, s in status["stages"].items()}
    assert counts == {
        "ingest": (6, 0, 0), "reprojection": (2, 0, 0), "rasterize": (1, 0, 0), "cloudmask": (3, 0, 0),
        "tiler": (6, 0, 0), "trainer": (1, 0, 0), "inference": (3, 0, 0),
    }  # fmt: skip
    assert status["freshness_s"] > 0
    assert lines("failures", "--store", mapped) == lines("sweep", "--store", mapped) == []


def test_maps_are_whole_geotiffs(maps: list[dict]) -> None:
    assert len(maps) == 3
    for item in maps:
        for asset, nodata in (("land_cover", 0), ("confidence", 255)):
            path = path_of(item, asset)
            valid, errors, warnings = cog_validate(path, strict=True)
            assert (valid, errors, warnings) == (True, [], [])
            with rasterio.open(path) as file:
                assert (file.crs.to_epsg(), file.nodata, file.dtypes) == (AREA.grid.epsg, nodata, ("uint8",))
                assert file.shape == AREA.grid.shape_px(10)
                assert file.transform[:6] == AREA.grid.transform(10)
                assert file.overviews(1)
                assert "Contains modified Copernicus Sentinel data" in file.tags()["TIFFTAG_COPYRIGHT"]
                assert "European Environment Agency" in file.tags()["TIFFTAG_COPYRIGHT"]
        with rasterio.open(path_of(item, "land_cover")) as file:
            values, tags = file.read(1), file.tags(1)
            assert set(np.unique(values)) <= {0, *AREA.labels.values}
            for value, class_ in AREA.labels.values.items():
                assert "#{:02x}{:02x}{:02x}".format(*file.colormap(1)[value]) == class_.color.lower()
                assert tags[f"CLASS_{value}"].endswith(class_.name)
        with rasterio.open(path_of(item, "confidence")) as file:
            confidence = file.read(1)
            assert np.array_equal(confidence == 255, values == 0)
            assert confidence[values > 0].max() <= 100
        assert path_of(item, "quicklook").read_bytes().startswith(b"\x89PNG")


def test_the_map_is_better_than_the_majority(mapped: Path) -> None:
    (model,) = lines("items", "models", "--store", mapped)
    metrics = model["properties"]["landstream:metrics"]
    assert metrics["accuracy"] > metrics["majority_accuracy"]
    confusion = np.array(metrics["confusion"])
    assert confusion.sum() == metrics["pixels"]
    assert metrics["accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum(), abs=1e-5)
    card = path_of(model, "card").read_text()
    assert "<html" in card
    assert "http" not in card.replace("http://www.w3.org", "")


def test_the_catalogue_is_walked_and_valid_offline(mapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("validation opened a network connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    catalog = pystac.Catalog.from_file(mapped / "catalog.json")
    collections = {c.id: c for c in catalog.get_children()}
    assert {"sentinel-2-l2a", "cloud-masks", "cube-updates", "models", "land-cover-maps"} <= set(collections)
    found = list(catalog.get_items(recursive=True))
    assert len(found) == len(list((mapped / "items").rglob("*.json")))
    pystac.validation.validate_dict(catalog.to_dict(), extensions=[])
    for stac in (*collections.values(), *found):
        pystac.validation.validate_dict(stac.to_dict(), extensions=[])
    for item in found:
        for asset in item.assets.values():
            href = asset.get_absolute_href()
            assert href is not None
            assert Path(href).stat().st_size == asset.extra_fields["file:size"]
            assert not urlparse(asset.href).scheme
        for link in item.get_links("derived_from"):
            assert Path(link.get_absolute_href()).is_file()


def test_lineage_leads_from_the_map_to_the_products(maps: list[dict], mapped: Path) -> None:
    store = {path.stem: json.loads(path.read_text()) for path in (mapped / "items").rglob("*.json")}
    seen, open_ = set(), [maps[0]["id"]]
    while open_:
        item = store.get(open_.pop())
        if item and item["id"] not in seen:
            seen.add(item["id"])
            open_ += [input_id for _, input_id in item["properties"]["landstream:inputs"]]
    collections = {store[i]["collection"] for i in seen}
    assert {"models", "cube-updates", "sentinel-2-l2a", "label-polygons", "land-cover-labels"} <= collections


def test_digest_lists_items_and_cube_and_says_the_same_twice(mapped: Path) -> None:
    first = landstream("digest", "--store", mapped).stdout
    assert first == landstream("digest", "--store", mapped).stdout
    keys = [line.split("  ")[1] for line in first.splitlines()]
    assert first.splitlines() == sorted(first.splitlines())
    assert not [k for k in keys if k.startswith(("artifacts", "failures", "landing", "receipts", "items/training"))]
    assert [k for k in keys if k.startswith("items/land-cover-maps/")]
    assert "cube/2018/Sentinel-2/MSI/10m/2018-W26/0/0" in keys


def test_a_second_run_has_nothing_to_do(mapped: Path, six: list[Path]) -> None:
    before = landstream("digest", "--store", mapped).stdout
    result = landstream("run", "--area", AREAS / "small.yaml", "--store", mapped, "--once", *six)
    assert " done " not in result.stderr
    told = dict(line.split(None, 1) for line in result.stdout.splitlines()[1:])
    assert list(told) == ["model", "accuracy", "mIoU", "area", "land", "observed", "quicklook", "newest"]
    assert Path(told["quicklook"]).is_file()
    assert Path(told["newest"].removeprefix("map").strip()).suffix == ".tif"
    assert result.stdout.splitlines() == landstream("status", "--store", mapped).stdout.splitlines()[-9:]
    assert landstream("digest", "--store", mapped).stdout == before


def test_the_cube_opens_in_xarray(mapped: Path) -> None:
    import icechunk

    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(mapped / "cube")))
    store = repository.readonly_session("main").store
    cube = xarray.open_zarr(store, group="small/2018/Sentinel-2/MSI", consolidated=False, chunks=None)
    x, y = AREA.grid.origin_x_m + 5005, AREA.grid.origin_y_m - 5005
    week = cube["10m"].sel(week="2018-06-25")
    pixel = week.sel(x_10m=x, y_10m=y, method="nearest")
    assert pixel.sizes == {"wavelength_10m": 4}
    assert float(pixel["x_10m"]) == x
    seen = week.isel(x_10m=slice(0, 256), y_10m=slice(0, 256)).values
    assert np.nanmin(seen) > -0.1
    assert np.nanmax(seen) < 2
    assert cube["10m"].attrs["band_names"] == ["B02", "B03", "B04", "B08"]
    assert "UTM zone 34N" in cube["spatial_ref"].attrs["crs_wkt"]
    olci = xarray.open_zarr(store, group="small/2018/Sentinel-3/OLCI", consolidated=False, chunks=None)
    assert np.isfinite(olci["300m"].sel(week="2018-06-25").values).any()


def test_another_area_is_refused_with_the_difference(mapped: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text((AREAS / "small.yaml").read_text().replace("clc-level1", "clc-level2"))
    result = landstream("run", "--area", other, "--store", mapped, "--once", check=False)
    assert result.returncode == 2
    assert "labels.scheme is clc-level1 there and clc-level2 here" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_one_service_alone_finds_nothing_due(mapped: Path) -> None:
    import subprocess
    import sys

    result = subprocess.run(
        [sys.executable, "-m", "services.cloudmask", "--store", mapped], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--area", "absent.yaml", "--store", "{tmp}"), "absent.yaml: cannot be read"),
        (("run", "--area", AREAS / "small.yaml", "--store", "{tmp}", "absent.SAFE"), "absent.SAFE: no such file"),
        (("status", "--store", "{tmp}"), "no store here"),
        (("requeue", "x", "--store", "{mapped}"), "no failure record 'x'"),
        (("dismiss", "all", "--store", "{mapped}"), "no failure record stands;"),
        (("reprocess", "nonsense", "--store", "{mapped}"), "'nonsense' is not a service"),
    ],
)
def test_errors_are_one_line(mapped: Path, tmp_path: Path, arguments: tuple, message: str) -> None:
    filled = [str(a).format(tmp=tmp_path / "new", mapped=mapped) for a in arguments]
    result = landstream(*filled, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_help_teaches() -> None:
    assert "simulate" in landstream("--help").stdout
    assert "Example" in landstream("run", "--help").stdout


def test_failpoints_are_one_a_line() -> None:
    names = landstream("failpoints").stdout.splitlines()
    assert 10 <= len(names) <= 24
    detailed = lines("failpoints", "--json")
    assert [d["name"] for d in detailed] == names
    assert {d["hits"] for d in detailed} <= {0, 1, 3}
