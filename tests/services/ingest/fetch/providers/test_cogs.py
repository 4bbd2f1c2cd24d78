"""A STAC API with COGs, against the server that speaks as one, and against items of every kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely import box

from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.provider import Credentials, Offer, Query
from services.ingest.fetch.providers.cog_search import offer_of_cogs
from services.ingest.fetch.providers.cogs import Cogs
from services.ingest.process import process
from services.ingest.stage import IngestSettings
from shared.area import Area
from shared.area.source import StacSource
from shared.items.ids import canonical
from shared.stage import Job, LocalUnit, Task
from shared.stage.source import LandingSource
from simulator.cogs import write_cogs
from tests.services.ingest.conftest import unit_of, write_scene
from tests.services.ingest.fetch.conftest import BOMBS, PATIENT, Asked, Said, Serve, StoodClock, json_said
from tests.services.ingest.fetch.scenes import scene_of
from tools.servers.catalogue import CatalogueServer, Fault, Product, Scene

QUERY = Query("S2MSI2A", box(23.9, 45.8, 24.1, 46.0))
USER = Credentials(username="user", password="password-of-user", access_key="key", secret_key="secret")


@pytest.fixture(scope="session")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("safe"), least_dn=1001)


@pytest.fixture(scope="session")
def folder(safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `download` is to bring."""
    return write_cogs(safe, tmp_path_factory.mktemp("cogs"), applied=True)


@pytest.fixture
def server(safe: Path, folder: Path) -> Iterator[CatalogueServer]:
    with CatalogueServer(scenes=[scene_of(safe, folder)]) as found:
        yield found


def client_of(address: str, stood: StoodClock, **given: Any) -> Cogs:
    source = StacSource(kind="stac", api_url=address, **given)
    return Cogs(source, USER, rate=1e6, limits=PATIENT, clock=stood.clock())


@pytest.fixture
def cogs(server: CatalogueServer, stood: StoodClock) -> Iterator[Cogs]:
    found = client_of(server.earth_url, stood)
    yield found
    found.close()


@pytest.fixture
def offer(cogs: Cogs) -> Offer:
    return cogs.describe(next(cogs.search(QUERY)))


def test_a_search_finds_a_scene_by_the_product_that_it_is_of(server: CatalogueServer, cogs: Cogs, safe: Path) -> None:
    (found,) = cogs.search(QUERY)
    assert (found.name, found.id) == (safe.stem, "S2A_34TGR_20180605_0_L2A")
    assert (found.product_type, found.platform, found.mgrs_tile) == ("S2MSI2A", "sentinel-2a", "T34TGR")
    assert found.published == Product.at(safe).published
    assert found.online
    assert cogs.describe(found) == found
    assert not cogs.order(found)
    assert list(cogs.deletions("S2MSI2A", found.published)) == []
    assert server.seen.forbidden == []


def test_the_time_that_is_searched_by_is_the_one_that_is_offered(folder: Path) -> None:
    item = json.loads((folder / "item.json").read_bytes())
    times = {"published": "2018-06-01T00:00:00Z", "created": "2018-06-07T00:00:00Z"}
    found = offer_of_cogs(item | {"properties": item["properties"] | times})
    assert found.published == datetime(2018, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ({"product_type": "S2MSI1C"}, 0),
        ({"product_type": "OL_1_EFR___"}, 0),
        ({"aoi": box(0, 0, 1, 1)}, 0),
        ({"mgrs_tile": "T34TFR"}, 0),
        ({"mgrs_tile": "T34TGR", "platform": "sentinel-2a"}, 1),
        ({"platform": "sentinel-2b"}, 0),
        ({"max_cloud_percent": 0.0}, 0),
        ({"max_cloud_percent": 100.0}, 1),
        ({"sensed": (datetime(2018, 6, 5, tzinfo=UTC), datetime(2018, 6, 6, tzinfo=UTC))}, 1),
        ({"sensed": (datetime(2018, 6, 6, tzinfo=UTC), None)}, 0),
        ({"published": (datetime(2018, 6, 5, tzinfo=UTC), None)}, 1),
        ({"published": (None, datetime(2018, 6, 5, tzinfo=UTC))}, 0),
    ],
)
def test_conditions(conditions: dict[str, Any], count: int, cogs: Cogs) -> None:
    assert len(list(cogs.search(Query(**({"product_type": "S2MSI2A", "aoi": QUERY.aoi} | conditions))))) == count


def test_many_pages_newest_first_each_product_once(safe: Path, folder: Path, stood: StoodClock) -> None:
    whole = scene_of(safe, folder)
    scenes = []
    for day in range(230):
        sensed = whole.product.sensed + timedelta(days=day)
        uri = whole.product.name.replace("20180605", f"{sensed:%Y%m%d}")
        product = Product.named(uri, sensed=sensed, footprint=whole.product.footprint, cloud_percent=1.0)
        scenes += [Scene(product, whole.assets, sequence=n) for n in range(1 + (day == 7))]
    with CatalogueServer(scenes=scenes, faults=[Fault("duplicate", "earth"), Fault("500", "earth", count=1)]) as server:
        client = client_of(server.earth_url, stood)
        found = [offer.name for offer in client.search(QUERY)]
        client.close()
    assert found == sorted({scene.product.name for scene in scenes}, reverse=True)


def test_a_list_without_end(server: CatalogueServer, cogs: Cogs) -> None:
    server.faults.add(Fault("endless", "earth"))
    with pytest.raises(Refused, match="does not end"):
        list(cogs.search(QUERY))


def test_a_download_is_the_folder_that_ingest_takes(
    cogs: Cogs, offer: Offer, folder: Path, area: Area, tmp_path: Path, server: CatalogueServer
) -> None:
    heard: list[tuple[int, int | None]] = []
    (tmp_path / "own").mkdir()
    found = cogs.download(offer, tmp_path / "own", lambda done, total: heard.append((done, total)))
    assert found == tmp_path / "own" / folder.name
    assert {p.name for p in found.iterdir()} == {p.name for p in folder.iterdir()}
    for path in folder.glob("*.tif"):
        assert (found / path.name).read_bytes() == path.read_bytes()
    text = (found / "item.json").read_bytes()
    assert text == canonical(json.loads(text))
    assert heard[-1] == (offer.size, offer.size)
    assert heard == sorted(heard)
    assert [p.name for p in (tmp_path / "own").iterdir()] == [folder.name]
    unit = unit_of(found)
    (tmp_path / "out").mkdir()
    job = Job("", "", "", delivery=LandingSource(unit))
    item = process(Task(job, (), (), LocalUnit(unit, found), area, IngestSettings(), tmp_path / "out"))
    assert item.product == offer.name
    assert server.seen.forbidden == []


def test_what_is_there_is_not_fetched_again(server: CatalogueServer, cogs: Cogs, offer: Offer, tmp_path: Path) -> None:
    server.faults.add(Fault("truncate", "assets", match="nir08", count=1))
    with pytest.raises(Unavailable, match="broke off"):
        cogs.download(offer, tmp_path)
    root = next(tmp_path.glob("*.COG"))
    assert not (root / "item.json").exists()
    (root / "blue.tif").write_bytes(b"spoiled since")
    cogs.download(offer, tmp_path)
    assert (root / "item.json").exists()
    assert [name.rpartition("/")[2] for name in server.seen.whole_twice] == ["blue.tif"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("flip", Corrupt),
        ("short", Corrupt),
        ("truncate", Unavailable),
        ("404", Gone),
        ("503", Unavailable),
        ("maintenance", Unavailable),
    ],
)
def test_an_image_that_goes_wrong(
    kind: Any, error: type[FetchError], server: CatalogueServer, cogs: Cogs, offer: Offer, tmp_path: Path
) -> None:
    server.faults.add(Fault(kind, "assets", match="red.tif"))
    with pytest.raises(error):
        cogs.download(offer, tmp_path)
    left = {path.name for path in tmp_path.rglob("red.tif*")}
    assert left == ({"red.tif.part", "red.tif.etag.part"} if kind == "truncate" else set())
    assert not list(tmp_path.rglob("item.json"))


class Breaking:
    """A host whose red image breaks off once, after some bytes."""

    def __init__(self, serve: Serve, folder: Path, etag: str = '"1"') -> None:
        self.folder, self.etag = folder, etag
        self.body = (folder / "red.tif").read_bytes()
        self.broken = self.knows_if_range = False
        self.plain = _served(folder, "", lambda item: None)
        self.server = serve(self.answer)

    def answer(self, asked: Asked) -> Said:
        if not asked.path.endswith("red.tif"):
            return self.plain(asked)
        if not self.broken:
            self.broken = True
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.body)}\r\nETag: {self.etag}\r\n\r\n".encode()
            return Said(raw=[head, self.body[:999]])
        is_other = self.knows_if_range and asked.headers.get("if-range") != self.etag
        if "range" not in asked.headers or is_other:
            return Said(200, self.body, {"ETag": self.etag})
        stated = f"bytes 999-{len(self.body) - 1}/{len(self.body)}"
        return Said(206, self.body[999:], {"ETag": self.etag, "Content-Range": stated})

    @property
    def red_asked(self) -> list[tuple[str | None, str | None]]:
        asked = [each.headers for each in self.server.asked if each.path.endswith("red.tif")]
        return [(headers.get("range"), headers.get("if-range")) for headers in asked]


def _fetched_red(host: Breaking, stood: StoodClock, folder: Path, then: Callable[[], object]) -> bytes:
    client = client_of(host.server.address, stood)
    with pytest.raises(Unavailable, match="broke off"):
        client.download(_offer(host.folder), folder)
    then()
    root = client.download(_offer(host.folder), folder)
    client.close()
    assert [path.name for path in folder.iterdir()] == [root.name]
    return (root / "red.tif").read_bytes()


def test_an_image_that_broke_off_is_gone_on_with(
    folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path
) -> None:
    host = Breaking(scripted, folder)
    assert _fetched_red(host, stood, tmp_path, lambda: None) == host.body
    assert host.red_asked == [(None, None), ("bytes=999-", '"1"')]


@pytest.mark.parametrize("knows", [True, False])
def test_an_image_that_changed_since_is_never_mixed(
    knows: bool, folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path
) -> None:
    host = Breaking(scripted, folder)
    host.knows_if_range = knows
    plain = _served(folder, "", lambda item: item["assets"]["red"].pop("file:checksum"))
    host.plain = plain

    def change() -> None:
        host.etag, host.body = '"2"', host.body[:4] + bytes(reversed(host.body[4:]))

    assert _fetched_red(host, stood, tmp_path, change) == host.body
    assert host.red_asked[-1] == (("bytes=999-", '"1"') if knows else (None, None))


@pytest.mark.parametrize("etag", ['W/"1"', "1"])
def test_an_image_of_an_unsure_version_begins_anew(
    etag: str, folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path
) -> None:
    host = Breaking(scripted, folder, etag)
    assert _fetched_red(host, stood, tmp_path, lambda: None) == host.body
    assert host.red_asked == [(None, None), (None, None)]


def test_a_scene_that_is_taken_away_or_becomes_another(
    server: CatalogueServer, cogs: Cogs, offer: Offer, safe: Path, folder: Path
) -> None:
    newer = safe.name.replace("_N0509_", "_N0510_")
    server.earth.put(scene_of(safe, folder, properties={"s2:product_uri": newer, "s2:processing_baseline": "05.10"}))
    with pytest.raises(Gone, match="_N0510_"):
        cogs.describe(offer)
    server.earth.remove(offer.id)
    with pytest.raises(Gone):
        cogs.describe(offer)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"properties": {"s2:product_uri": None}}, "states no product's name"),
        ({"offset_applied": False, "properties": {"s2:processing_baseline": "05.08"}}, "s2:processing_baseline 05.08"),
    ],
)
def test_a_scene_that_ingest_could_not_use_is_refused_before_it_is_fetched(
    given: dict[str, Any], fault: str, safe: Path, folder: Path, stood: StoodClock, tmp_path: Path
) -> None:
    with CatalogueServer(scenes=[scene_of(safe, folder, **given)]) as server:
        client = client_of(server.earth_url, stood)
        (found,) = client.search(QUERY)
        for call in (lambda: client.describe(found), lambda: client.download(found, tmp_path)):
            with pytest.raises(Refused, match=f"{found.name}.*{fault}"):
                call()
        assert server.seen.requests["assets"] == 0
        client.close()


def _served(folder: Path, base: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Asked], Said]:
    def answer(asked: Asked) -> Said:
        if asked.path.endswith(".tif"):
            return Said(200, (folder / asked.path.rpartition("/")[2]).read_bytes(), {"Content-Type": "image/tiff"})
        item = json.loads((folder / "item.json").read_bytes())
        for key, asset in item["assets"].items():
            asset["href"] = f"{base or 'http://' + asked.headers['host']}/files/{key}.tif"
        change(item)
        return json_said(item)

    return answer


@pytest.mark.parametrize(
    "href",
    [
        "http://localhost:1/red.tif",
        "https://127.0.0.1/red.tif",
        "http://user:word@127.0.0.1/red.tif",
        "s3://sentinel-s2-l2a/red.tif",
        "file:///etc/passwd.tif",
        "//sentinel-cogs.s3.us-west-2.amazonaws.com/red.tif",
        "http://sentinel-cogs.s3.us-west-2.amazonaws.com/red.tif",
        "https://sentinel-cogs.s3.us-west-2.amazonaws.com.example/red.tif",
        "../red.tif",
        "",
    ],
)
def test_an_image_elsewhere_is_refused_before_anything_is_fetched(
    href: str, folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path
) -> None:
    server = scripted(_served(folder, "", lambda item: item["assets"]["red"].update(href=href)))
    client = client_of(server.address, stood)
    with pytest.raises(Refused):
        client.download(_offer(folder), tmp_path)
    assert len(server.asked) == 1
    client.close()


def test_images_on_another_host_that_is_allowed_get_no_credential(
    folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path
) -> None:
    images = scripted(_served(folder, "", lambda item: None))
    server = scripted(_served(folder, images.address, lambda item: None))
    client = client_of(server.address, stood, asset_hosts=(images.address,))
    client.download(_offer(folder), tmp_path)
    client.close()
    assert len(images.asked) == 13
    for asked in (*images.asked, *server.asked):
        assert not {"authorization", "cookie"} & asked.headers.keys()
        assert "password-of-user" not in str(asked)


def test_a_redirect_of_an_image_elsewhere_is_refused(
    folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path
) -> None:
    foreign = scripted(lambda asked: Said(200, b"II*\0"))
    plain = _served(folder, "", lambda item: None)

    def answer(asked: Asked) -> Said:
        return Said(302, b"", {"Location": f"{foreign.address}/x.tif"}) if ".tif" in asked.path else plain(asked)

    client = client_of(scripted(answer).address, stood)
    with pytest.raises(Refused):
        client.download(_offer(folder), tmp_path)
    assert foreign.asked == []
    client.close()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (json_said([]), Refused),
        (Said(200, b"[" * 100_000), Refused),
        (Said(200, b" " * (5 << 20)), Refused),
        (Said(200, b"<html>"), Unavailable),
        (Said(400, b"{}"), Misconfigured),
    ],
)
def test_answers_that_are_no_item(
    said: Said, error: type[FetchError], folder: Path, scripted: Serve, stood: StoodClock
) -> None:
    client = client_of(scripted(lambda asked: said).address, stood)
    with pytest.raises(error):
        client.describe(_offer(folder))
    client.close()


def test_an_image_without_size_and_checksum(folder: Path, scripted: Serve, stood: StoodClock, tmp_path: Path) -> None:
    def silent(item: dict[str, Any]) -> None:
        for asset in item["assets"].values():
            del asset["file:size"], asset["file:checksum"]

    server = scripted(_served(folder, "", silent))
    client = client_of(server.address, stood)
    heard: list[int | None] = []
    root = client.download(_offer(folder), tmp_path, lambda done, total: heard.append(total))
    assert (root / "scl.tif").read_bytes() == (folder / "scl.tif").read_bytes()
    assert set(heard) == {None}
    client.close()


def _offer(folder: Path) -> Offer:
    item = json.loads((folder / "item.json").read_bytes())
    time = datetime(2018, 6, 5, tzinfo=UTC)
    return Offer(name=folder.stem, id=item["id"], product_type="S2MSI2A", sensed=time, published=time)


@pytest.mark.parametrize("kind", [*BOMBS, "maintenance", "404", "cut"])
def test_a_search_that_goes_wrong_ends(kind: Any, server: CatalogueServer, cogs: Cogs) -> None:
    server.faults.add(Fault(kind, "earth", to="http://127.0.0.1:1"))
    with pytest.raises(FetchError):
        list(cogs.search(QUERY))
