"""The API like Earth Search."""

from __future__ import annotations

from pathlib import Path

import httpx
import pystac_client

from tests.tools.servers.catalogue.products import make_safe, safe
from tools.servers.catalogue import Asset, CatalogueServer, Fault, Product, Scene


def scene(tmp_path: Path, applied: bool | None) -> Scene:
    blue = tmp_path / "B02.tif"
    blue.write_bytes(b"II*\0" * 100)
    raster = {"scale": 0.0001, "offset": -0.1, "nodata": 0}
    return Scene(Product.at(make_safe(tmp_path)), {"blue": Asset(blue, raster)}, offset_applied=applied)


def test_a_scene_is_found_and_its_assets_are_read(tmp_path: Path) -> None:
    with CatalogueServer(scenes=[scene(tmp_path, applied=True)]) as server:
        client = pystac_client.Client.open(server.earth_url)
        search = client.search(collections=["sentinel-2-l2a"], query={"eo:cloud_cover": {"lte": 20}})
        (item,) = search.items()
        assert item.id == "S2A_33UUU_20240501_0_L2A"
        assert item.properties["s2:product_uri"] == f"{safe(0)}.SAFE"
        assert item.properties["s2:processing_baseline"] == "05.10"
        assert item.properties["earthsearch:boa_offset_applied"] is True
        asset = item.assets["blue"]
        assert asset.extra_fields["raster:bands"][0]["offset"] == -0.1
        assert httpx.get(asset.href).content == b"II*\0" * 100
        assert httpx.get(asset.href, headers={"Range": "bytes=4-7"}).status_code == 206
        assert server.seen.whole == {"S2A_33UUU_20240501_0_L2A/blue.tif": 1}
        assert not server.seen.forbidden
        httpx.get(asset.href, headers={"Authorization": "Bearer x"})
        assert server.seen.forbidden == ["a bearer credential on assets"]


def test_a_flag_that_is_absent_is_absent(tmp_path: Path) -> None:
    with CatalogueServer(scenes=[scene(tmp_path, applied=None)]) as server:
        address = f"{server.earth_url}/collections/sentinel-2-l2a/items/S2A_33UUU_20240501_0_L2A"
        properties = httpx.get(address).json()["properties"]
        assert "earthsearch:boa_offset_applied" not in properties
        server.earth.remove("S2A_33UUU_20240501_0_L2A")
        assert httpx.get(address).status_code == 404


def test_a_scene_vanishes_between_search_and_download(tmp_path: Path) -> None:
    fault = Fault("vanish", "assets", count=1)
    with CatalogueServer(scenes=[scene(tmp_path, applied=True)], faults=[fault]) as server:
        client = pystac_client.Client.open(server.earth_url)
        (item,) = client.search(collections=["sentinel-2-l2a"]).items()
        assert httpx.get(item.assets["blue"].href).status_code == 404
        assert not list(client.search(collections=["sentinel-2-l2a"]).items())
