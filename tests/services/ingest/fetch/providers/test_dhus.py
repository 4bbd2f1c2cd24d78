"""A DHuS node, through sentinelsat, against the server that speaks as one, and against answers of every kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from shapely import box

from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.network.http import Limits
from services.ingest.fetch.provider import Credentials, Offer, Query
from services.ingest.fetch.providers import dhus_search
from services.ingest.fetch.providers.dhus import Dhus
from shared.area.source import DhusSource
from tests.services.ingest.fetch.conftest import BOMBS, PATIENT, Asked, Said, Scripted, Serve, StoodClock, json_said
from tools.servers.catalogue import CatalogueServer, Fault, Product

START = datetime(2018, 6, 5, 9, 20, 31, tzinfo=UTC)
AOI = box(13.2, 52.2, 13.4, 52.4)
ID = "11af8bd9-24d0-4401-9789-b7b73786e122"
OTHER = "22af8bd9-24d0-4401-9789-b7b73786e122"
NAME = "S2A_MSIL2A_20180605T092031_N0206_R093_T34TGR_20180605T120000"
OFFER = Offer(name=NAME, id=ID, product_type="S2MSI2A", sensed=START, published=START)
USER = Credentials(username="user", password="password-of-user")


def safe(days: int, tile: str = "T34TGR", **given: Any) -> Product:
    sensed = START + timedelta(days=days)
    name = f"S2A_MSIL2A_{sensed:%Y%m%dT%H%M%S}_N0206_R093_{tile}_{sensed + timedelta(hours=3):%Y%m%dT%H%M%S}"
    return Product.named(name, cloud_percent=days * 10.0, **given)


def frame(days: int) -> Product:
    start = START + timedelta(days=days)
    stop, created = start + timedelta(minutes=3), start + timedelta(days=1)
    times = f"{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{created:%Y%m%dT%H%M%S}"
    return Product.named(f"S3A_OL_1_EFR____{times}_0179_031_093_1980_LN1_O_NT_002")


@pytest.fixture
def server() -> Iterator[CatalogueServer]:
    with CatalogueServer([safe(0), safe(1), safe(2, "T34TFR"), safe(3, online=False, askings=2), frame(0)]) as found:
        yield found


def node(address: str, clock: StoodClock, credentials: Credentials = USER) -> Dhus:
    return Dhus(DhusSource(kind="dhus", api_url=address), credentials, rate=1e6, limits=PATIENT, clock=clock.clock())


@pytest.fixture
def dhus(server: CatalogueServer, stood: StoodClock) -> Iterator[Dhus]:
    account = server.account
    found = node(server.dhus_url, stood, Credentials(username=account.username, password=account.password))
    yield found
    found.close()


@pytest.fixture
def asking(scripted: Serve, stood: StoodClock) -> Iterator[Callable[[Callable[[Asked], Said]], tuple[Dhus, Scripted]]]:
    """Makes a client of a server whose answers a function gives."""
    made: list[Dhus] = []

    def make(answer: Callable[[Asked], Said]) -> tuple[Dhus, Scripted]:
        server = scripted(answer)
        made.append(node(f"{server.address}/dhus", stood))
        return made[-1], server

    yield make
    for found in made:
        found.close()


Asking = Callable[[Callable[[Asked], Said]], tuple[Dhus, Scripted]]


def names(offers: Iterator[Offer]) -> list[str]:
    return [offer.name for offer in offers]


def test_a_search_finds_all_that_fits_newest_first(server: CatalogueServer, dhus: Dhus) -> None:
    offers = list(dhus.search(Query("S2MSI2A", AOI)))
    assert [o.name for o in offers] == [safe(3).name, safe(2, "T34TFR").name, safe(1).name, safe(0).name]
    first = offers[-1]
    assert (first.id, first.product_type, first.platform, first.mgrs_tile) == (
        safe(0).id,
        "S2MSI2A",
        "sentinel-2a",
        "T34TGR",
    )
    assert (first.sensed, first.published, first.cloud_percent) == (safe(0).sensed, safe(0).published, 0.0)
    assert names(dhus.search(Query("OL_1_EFR___", AOI, max_cloud_percent=5))) == [frame(0).name]
    assert names(dhus.search(Query("S2MSI1C", AOI))) == []
    assert server.seen.forbidden == []


@pytest.mark.parametrize(
    ("conditions", "days"),
    [
        ({"sensed": (START + timedelta(days=1), None)}, [3, 2, 1]),
        ({"sensed": (START, START + timedelta(days=1))}, [1, 0]),
        ({"published": (START + timedelta(days=2), None)}, [3, 2]),
        ({"published": (None, START + timedelta(days=2))}, [1, 0]),
        ({"max_cloud_percent": 15.0}, [1, 0]),
        ({"mgrs_tile": "T34TFR"}, [2]),
        ({"platform": "sentinel-2b"}, []),
        ({"platform": "sentinel-2a", "mgrs_tile": "T34TGR"}, [3, 1, 0]),
    ],
)
def test_conditions(conditions: dict[str, Any], days: list[int], dhus: Dhus) -> None:
    found = list(dhus.search(Query("S2MSI2A", AOI, **conditions)))
    assert [round((offer.sensed - START) / timedelta(days=1)) for offer in found] == days


def test_a_search_elsewhere_finds_nothing(dhus: Dhus) -> None:
    assert names(dhus.search(Query("S2MSI2A", box(0, 0, 1, 1)))) == []


def test_a_detailed_area_is_asked_for_coarsely_and_compared_exactly(server: CatalogueServer, dhus: Dhus) -> None:
    around = box(12.5, 51.5, 14.5, 53.5).buffer(0.4, quad_segs=200).difference(box(12.9, 51.9, 14.1, 53.1))
    assert names(dhus.search(Query("S2MSI2A", around))) == []
    assert server.seen.requests["dhus"] == 2


def test_more_than_a_node_gives_are_found_by_splitting_the_time(
    stood: StoodClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    products = [safe(n) for n in range(260)]
    monkeypatch.setattr(dhus_search, "STOP", 90)
    with CatalogueServer(products) as server:
        account = server.account
        client = node(server.dhus_url, stood, Credentials(username=account.username, password=account.password))
        found = names(client.search(Query("S2MSI2A", AOI)))
        client.close()
    assert found == [p.name for p in reversed(products)]


def test_a_total_that_never_falls_ends(asking: Asking) -> None:
    client, server = asking(lambda asked: json_said({"feed": {"opensearch:totalResults": "99999999999"}}))
    with pytest.raises(Refused, match="does not end"):
        list(client.search(Query("S2MSI2A", AOI)))
    assert len(server.asked) < 50


def test_a_list_that_ends_before_its_total_is_not_whole(asking: Asking) -> None:
    def answer(asked: Asked) -> Said:
        first = {
            "opensearch:totalResults": "200",
            "entry": [{"title": "x", "id": str(UUID(int=n))} for n in range(100)],
        }
        return json_said({"feed": first if "start=0" in asked.path else {"opensearch:totalResults": "200"}})

    client, _ = asking(answer)
    with pytest.raises(Unavailable, match="100 of 200 products came"):
        list(client.search(Query("S2MSI2A", AOI)))


def test_a_product_is_described_and_fetched_whole(server: CatalogueServer, dhus: Dhus, tmp_path: Path) -> None:
    product = safe(1)
    offer = next(o for o in dhus.search(Query("S2MSI2A", AOI)) if o.name == product.name)
    described = dhus.describe(offer)
    assert (described.online, described.size) == (True, server.shelf.digests(product).size)
    assert described.checksums == {"md5": server.shelf.digests(product).md5}
    heard: list[tuple[int, int | None]] = []
    path = dhus.download(described, tmp_path, lambda done, total: heard.append((done, total)))
    assert path == tmp_path / f"{product.name}.zip"
    assert path.read_bytes() == server.shelf.archive(product).read_bytes()
    assert heard[-1] == (described.size, described.size)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_download_goes_on_where_it_broke_off(server: CatalogueServer, dhus: Dhus, tmp_path: Path) -> None:
    offer = dhus.describe(next(dhus.search(Query("S2MSI2A", AOI, mgrs_tile="T34TFR"))))
    server.faults.add(Fault("truncate", "dhus", match=")/$value", count=1))
    with pytest.raises(Unavailable, match="broke off"):
        dhus.download(offer, tmp_path)
    (part,) = tmp_path.iterdir()
    there = part.stat().st_size
    heard: list[int] = []
    path = dhus.download(offer, tmp_path, lambda done, total: heard.append(done))
    assert 0 < there < heard[0]
    assert path.read_bytes() == server.shelf.archive(safe(2, "T34TFR")).read_bytes()


def test_a_node_that_answers_too_slowly(scripted: Serve, stood: StoodClock) -> None:
    slow = scripted(
        lambda asked: Said(raw=[b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *[b" "] * 99], pause_s=0.05)
    )
    source = DhusSource(kind="dhus", api_url=slow.address)
    client = Dhus(source, USER, rate=1e6, limits=Limits(0.1, 0.1, 0.2), clock=stood.clock())
    with pytest.raises(Unavailable):
        client.describe(OFFER)
    client.close()


@pytest.mark.parametrize(("kind", "error"), [("flip", Corrupt), ("maintenance", FetchError), ("500", Unavailable)])
def test_a_download_that_goes_wrong(
    kind: Any, error: type[FetchError], server: CatalogueServer, dhus: Dhus, tmp_path: Path
) -> None:
    offer = dhus.describe(next(dhus.search(Query("S2MSI2A", AOI, mgrs_tile="T34TFR"))))
    server.faults.add(Fault(kind, "dhus", match=")/$value"))
    with pytest.raises(error):
        dhus.download(offer, tmp_path)
    assert not list(tmp_path.glob("*.zip"))


def test_an_offline_product_is_ordered_and_comes(server: CatalogueServer, dhus: Dhus, tmp_path: Path) -> None:
    offer = next(dhus.search(Query("S2MSI2A", AOI)))
    described = dhus.describe(offer)
    assert described.online is False
    with pytest.raises(Offline):
        dhus.download(described, tmp_path)
    assert dhus.order(described)
    for _ in range(5):
        dhus.order(described)
    assert dhus.describe(offer).online
    assert dhus.download(described, tmp_path).stat().st_size == described.size


def test_a_product_that_is_taken_away_is_gone(server: CatalogueServer, dhus: Dhus, tmp_path: Path) -> None:
    offer = next(dhus.search(Query("S2MSI2A", AOI)))
    server.shelf.remove(offer.id)
    for call in (lambda: dhus.describe(offer), lambda: dhus.download(offer, tmp_path), lambda: dhus.order(offer)):
        with pytest.raises(Gone):
            call()


def test_wrong_credentials(server: CatalogueServer, stood: StoodClock) -> None:
    client = node(server.dhus_url, stood)
    with pytest.raises(Misconfigured, match="credentials") as caught:
        next(client.search(Query("S2MSI2A", AOI)))
    assert "password-of-user" not in repr(caught.value) + repr(client)
    assert server.seen.requests["dhus"] == 1
    client.close()
    with pytest.raises(Misconfigured, match="user name"):
        Dhus(DhusSource(kind="dhus", api_url=server.dhus_url), Credentials(username="u"))


def record(**changed: object) -> dict[str, Any]:
    return {
        "d": {
            "Id": ID,
            "Name": NAME,
            "ContentLength": "700011",
            "Online": True,
            "IngestionDate": "/Date(1523124299601)/",
            "Checksum": {"Algorithm": "MD5", "Value": "098645497FA5AB932ED2DF98426E5B58"},
        }
        | changed
    }


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, (700011, {"md5": "098645497fa5ab932ed2df98426e5b58"}, True)),
        ({"Checksum": None}, (700011, {}, True)),
        ({"Checksum": {"Algorithm": "MD5"}}, (700011, {}, True)),
        ({"ContentLength": "0", "Online": False}, (None, {"md5": "098645497fa5ab932ed2df98426e5b58"}, False)),
        ({"ContentLength": "-1" * 40, "Online": "no"}, (None, {"md5": "098645497fa5ab932ed2df98426e5b58"}, None)),
    ],
)
def test_records(changed: dict[str, object], expected: tuple[object, ...], asking: Asking) -> None:
    client, server = asking(lambda asked: json_said(record(**changed)))
    found = client.describe(OFFER)
    assert (found.size, found.checksums, found.online) == expected
    assert found.published == datetime(2018, 4, 7, 18, 4, 59, 601000, tzinfo=UTC)
    pair = base64.b64encode(b"user:password-of-user").decode()
    (asked,) = server.asked
    assert (asked.path, asked.headers["authorization"]) == (
        f"/dhus/odata/v1/Products('{ID}')?$format=json",
        f"Basic {pair}",
    )


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (json_said(record(Name="S2A_MSIL2A_of_another")), Unavailable),
        (json_said(record(Id="2edae234-b02d-46d2-8915-823e4ec0eadb")), Unavailable),
        (json_said({}), Unavailable),
        (json_said([]), Unavailable),
        (Said(200, b"<html>maintenance</html>", {"Content-Type": "text/html"}), Unavailable),
        (Said(502, b"<html>maintenance</html>", {"Content-Type": "text/html"}), Unavailable),
        (Said(503, b"", {"Retry-After": "7200"}), Unavailable),
        (Said(429, b"<html>slow down</html>", {"Retry-After": "90"}), Unavailable),
        (Said(404, b"<error/>", {"cause-message": "InvalidKeyException : Invalid key (1)"}), Gone),
        (Said(401, b"<html>401</html>"), Misconfigured),
        (Said(200, b"[" * 100_000), Refused),
        (Said(200, b"[" + b"0," * 5_000_000 + b"0]"), Refused),
    ],
)
def test_answers_that_are_no_record(said: Said, error: type[FetchError], asking: Asking) -> None:
    client, _ = asking(lambda asked: said)
    with pytest.raises(error) as caught:
        client.describe(OFFER)
    assert "\n" not in str(caught.value)
    if wait := said.headers.get("Retry-After"):
        assert isinstance(caught.value, Unavailable)
        assert caught.value.retry_after_s == float(wait)


def test_failures_that_pass_are_tried_again(asking: Asking, stood: StoodClock) -> None:
    answers = iter([Said(503), Said(500, b"<html></html>"), json_said(record())])
    client, server = asking(lambda asked: next(answers))
    assert client.describe(OFFER).size == 700011
    assert (len(server.asked), len(stood.slept)) == (3, 2)


def test_a_redirect_is_followed_on_the_node_alone(asking: Asking, scripted: Serve, tmp_path: Path) -> None:
    foreign = scripted(lambda asked: json_said(record()))
    places = iter(["/dhus/moved", f"{foreign.address}/dhus", "//127.0.0.1:1/", "ftp://127.0.0.1/"])

    def answer(asked: Asked) -> Said:
        return json_said(record()) if asked.path == "/dhus/moved" else Said(302, b"", {"Location": next(places)})

    client, _ = asking(answer)
    assert client.describe(OFFER).size == 700011
    for _ in range(3):
        with pytest.raises(Refused):
            client.describe(OFFER)
    assert foreign.asked == []


@pytest.mark.parametrize("identity", ["", "x", "1') or ('", "../../odata", f"{ID}/../{ID}"])
def test_an_id_that_is_none_is_never_asked_for(identity: str, asking: Asking, tmp_path: Path) -> None:
    client, server = asking(lambda asked: json_said({}))
    offer = OFFER.model_copy(update={"id": identity, "size": 1})
    for call in (lambda: client.describe(offer), lambda: client.order(offer), lambda: client.download(offer, tmp_path)):
        with pytest.raises(Refused):
            call()
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "cause", "error"),
    [
        (200, "", None),
        (206, "", None),
        (202, "", None),
        (403, "Maximum number of 4 concurrent flows achieved", None),
        (403, "offline products retrieval quota exceeded (20 fetches max)", Unavailable),
        (503, "", Unavailable),
        (401, "", Misconfigured),
        (404, "InvalidKeyException : Invalid key (1)", Gone),
    ],
)
def test_orders(status: int, cause: str, error: type[FetchError] | None, asking: Asking) -> None:
    headers = {"cause-message": cause} if cause else {}
    client, server = asking(lambda asked: Said(status, b"x" * 1000 if status == 200 else b"", headers))
    if error is None:
        assert client.order(OFFER)
    else:
        with pytest.raises(error):
            client.order(OFFER)
    assert server.asked[0].headers["range"] == "bytes=0-1"


@pytest.mark.parametrize(
    "entry",
    [
        {"title": "no identifier", "id": OTHER},
        {"title": NAME, "id": "../x", "str": {"name": "producttype", "content": "S2MSI2A"}},
        {"title": NAME, "id": OTHER, "str": {"name": "producttype", "content": "S2MSI2A"}},
    ],
)
def test_an_entry_that_cannot_be_read_does_not_end_the_search(entry: dict[str, Any], asking: Asking) -> None:
    good = {
        "title": NAME,
        "id": ID,
        "str": [{"name": "producttype", "content": "S2MSI2A"}, {"name": "footprint", "content": "POLYGON((broken"}],
        "date": [{"name": n, "content": "2018-06-05T09:20:31.024Z"} for n in ("beginposition", "ingestiondate")],
    }
    client, _ = asking(lambda asked: json_said({"feed": {"opensearch:totalResults": "2", "entry": [entry, good]}}))
    (found,) = client.search(Query("S2MSI2A", AOI))
    assert (found.id, found.sensed.microsecond, found.size) == (ID, 24000, None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("110.44 MB", 115804733), ("1 GB", 2**30), ("512 B", 512), ("0 B", None), ("9 XB", None), ("9" * 9 + " TB", None)],
)
def test_a_search_tells_about_how_large_a_product_is(text: str, size: int | None, asking: Asking) -> None:
    said = [("producttype", "S2MSI2A"), ("size", text)]
    entry = {
        "title": NAME,
        "id": ID,
        "str": [{"name": name, "content": value} for name, value in said],
        "date": [{"name": n, "content": "2018-06-05T09:20:31.024Z"} for n in ("beginposition", "ingestiondate")],
    }
    client, _ = asking(lambda asked: json_said({"feed": {"opensearch:totalResults": "1", "entry": entry}}))
    assert [found.size for found in client.search(Query("S2MSI2A", AOI))] == [size]


@pytest.mark.parametrize("feed", [{"error": {"code": "400", "message": "undefined field"}}])
def test_a_query_that_is_not_understood(feed: dict[str, Any], asking: Asking) -> None:
    client, _ = asking(lambda asked: json_said({"feed": feed}))
    with pytest.raises(Misconfigured, match="does not understand"):
        list(client.search(Query("S2MSI2A", AOI)))


@pytest.mark.realdata
def test_real_answers(data: Path, asking: Asking) -> None:
    recorded = yaml.safe_load((data / "api-recordings/sentinelsat-dhus/test_s2_cloudcover.yaml").read_text())
    body = recorded["interactions"][0]["response"]["body"]["string"].encode()
    client, server = asking(lambda asked: Said(200, body, {"Content-Type": "application/json"}))
    assert len(json.loads(body)["feed"]["entry"]) == 5
    found = list(client.search(Query("S2MSI1C", box(-66, -8, -57, 0), max_cloud_percent=10)))
    assert {offer.product_type for offer in found} == {"S2MSI1C"}
    assert found[0].published == datetime(2018, 12, 19, 17, 33, 46, 286000, tzinfo=UTC)
    assert "cloudcoverpercentage" in server.asked[0].path


@pytest.mark.parametrize("kind", [*BOMBS, "maintenance", "404", "cut", "foreign"])
def test_a_search_that_goes_wrong_ends(kind: Any, server: CatalogueServer, dhus: Dhus) -> None:
    server.faults.add(Fault(kind, "dhus", to="http://127.0.0.1:1"))
    if kind == "foreign":
        assert len(list(dhus.search(Query("S2MSI2A", AOI)))) == 4, "addresses in answers are not followed"
        return
    with pytest.raises(FetchError):
        list(dhus.search(Query("S2MSI2A", AOI)))
