"""The Copernicus Data Space as a provider, against the server that speaks as it does."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from shapely import box

from services.ingest.fetch.errors import Corrupt, FetchError, Gone, Misconfigured, Offline, Refused, Unavailable
from services.ingest.fetch.network.http import Limits
from services.ingest.fetch.network.receive import Speed
from services.ingest.fetch.provider import Credentials, Offer, Provider, Query
from services.ingest.fetch.providers.cdse import Cdse, polite_rates
from shared.area.source import CdseSource
from tests.services.ingest.fetch.conftest import StoodClock
from tools.servers.catalogue import CatalogueServer, Product
from tools.servers.catalogue.bombs import BOMBS
from tools.servers.catalogue.fault import Fault, Kind
from tools.servers.catalogue.stranger import Stranger

PATIENT = Limits(10.0, 10.0, 20.0)
FIRST = datetime(2024, 5, 1, 10, tzinfo=UTC)
QUERY = Query("S2MSI2A", box(13, 52, 14, 53))
EFR = "S3A_OL_1_EFR____20240501T093827_20240501T094112_20240501T113357_0164_077_334_4320_LN1_O_NT_002"


def name(number: int, tile: str = "33UUU") -> str:
    start = (FIRST + timedelta(minutes=number)).strftime("%Y%m%dT%H%M%S")
    return f"S2A_MSIL2A_{start}_N0510_R022_T{tile}_{start}"


class Site:
    """A server, and providers that know its addresses."""

    def __init__(self, folder: Path, clock: StoodClock) -> None:
        self.folder = folder
        self.clock = clock
        products = [Product.named(name(n), cloud_percent=n * 10.0) for n in range(5)] + [Product.named(EFR)]
        self.server = CatalogueServer(products)
        self.open: list[Cdse] = []

    def cdse(self, credentials: Credentials | None = None, limits: Limits = PATIENT, **given: Any) -> Cdse:
        source = CdseSource.model_validate({"kind": "cdse", **self.server.addresses, **given})
        account = self.server.account
        self.open.append(
            Cdse(
                source,
                credentials or Credentials(account.username, account.password, account.access_key, account.secret_key),
                rates=dict.fromkeys(polite_rates(source), 1000.0),
                limits=limits,
                speed=Speed(1000.0, limits.read_s),
                clock=self.clock.clock(),
            )
        )
        return self.open[-1]

    def first(self, cdse: Cdse) -> Offer:
        return cdse.describe(next(cdse.search(QUERY)))

    def fault(self, kind: Kind, on: str, **given: Any) -> None:
        self.server.faults.add(Fault(kind, on, **given))


@pytest.fixture
def site(tmp_path: Path, stood: StoodClock) -> Iterator[Site]:
    made = Site(tmp_path / "work", stood)
    yield made
    for each in made.open:
        each.close()
    forbidden = made.server.seen.forbidden
    made.server.close()
    assert forbidden == []


def test_it_is_a_provider(site: Site) -> None:
    provider: Provider = site.cdse()
    assert provider.name == "cdse"


def test_stac_and_odata_find_the_same(site: Site) -> None:
    cdse = site.cdse()
    query = Query("S2MSI2A", box(13, 52, 14, 53), (FIRST, None), (None, FIRST + timedelta(days=9)), 30.0, "sentinel-2a",
                  "T33UUU")  # fmt: skip
    found = list(cdse.search(query))
    assert [offer.name for offer in found] == [name(n) for n in (3, 2, 1, 0)]
    assert [cdse.describe(offer) for offer in found] == [
        described.model_copy(update={"places": {**offer.places, **described.places}})
        for offer, described in zip(found, cdse.odata.search(query), strict=True)
    ]
    assert [offer.name for offer in cdse.search(Query("OL_1_EFR___", box(13, 52, 14, 53)))] == [EFR]
    assert list(cdse.search(Query("S2MSI1C", box(13, 52, 14, 53)))) == []
    assert list(cdse.search(Query("S2MSI2A", box(30, 52, 31, 53)))) == []


def test_a_description_adds_what_the_search_left_out(site: Site) -> None:
    offer = site.first(site.cdse())
    assert (offer.online, set(offer.checksums)) == (True, {"md5", "blake3"})
    assert set(offer.places) == {"archive", "s3"}


def test_a_product_comes_as_an_archive_and_from_s3(site: Site) -> None:
    archives, bucket = site.cdse(), site.cdse(download="s3")
    for kind in ("S2MSI2A", "OL_1_EFR___"):
        offer = archives.describe(next(archives.search(Query(kind, box(13, 52, 14, 53)))))  # type: ignore[arg-type]
        archive = archives.download(offer, site.folder)
        folder = bucket.download(offer, site.folder)
        assert archive.name == f"{offer.name}.zip"
        assert folder.name == offer.name + (".SAFE" if kind == "S2MSI2A" else ".SEN3")
        with zipfile.ZipFile(archive) as opened:
            held = {each: opened.read(each) for each in opened.namelist() if not each.endswith("/")}
        assert held == {
            path.relative_to(site.folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }


def test_many_downloads_share_one_session_and_fetch_nothing_twice(site: Site) -> None:
    cdse = site.cdse()
    offers = [cdse.describe(offer) for offer in cdse.search(QUERY)]
    threads = [threading.Thread(target=cdse.download, args=(each, site.folder / each.name)) for each in offers[:4]]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for offer in offers:
        cdse.download(offer, site.folder / offer.name)
    assert site.server.seen.requests["password grant"] == 1
    assert site.server.seen.whole_twice == []
    assert sorted(path.name for path in site.folder.rglob("*.zip")) == sorted(f"{offer.name}.zip" for offer in offers)


def test_a_token_that_expired_in_the_middle_is_refreshed(site: Site) -> None:
    cdse = site.cdse()
    offers = list(cdse.search(QUERY))
    cdse.download(cdse.describe(offers[0]), site.folder)
    site.server.tokens.expire()
    cdse.download(cdse.describe(offers[1]), site.folder)
    assert site.server.seen.requests["password grant"] == 1
    assert site.server.seen.requests["refresh grant"] == 1


@pytest.mark.parametrize("on", ["stac", "odata", "token"])
@pytest.mark.parametrize("kind", ["500", "503", "429", "cut", "truncate"])
def test_failures_that_pass_are_not_noticed(kind: Kind, on: str, site: Site) -> None:
    site.fault(kind, on, count=2, retry_after_s=1.0 if kind == "429" else None)
    cdse = site.cdse()
    assert len(list(cdse.search(QUERY))) == 5
    assert cdse.download(site.first(cdse), site.folder).exists()
    assert site.server.seen.faults[kind] == 2


@pytest.mark.parametrize("download", ["odata", "s3"])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("500", Unavailable),
        ("cut", Unavailable),
        ("maintenance", Unavailable),
        ("truncate", Unavailable),
        ("hang", Unavailable),
        ("short", Corrupt),
        ("429", Unavailable),
    ],
)
def test_after_a_failed_download_another_try_succeeds(
    kind: Kind, expected: type[FetchError], download: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    offer = site.first(site.cdse())
    cdse = site.cdse(download=download, limits=Limits(10.0, 0.4, 0.4) if kind == "hang" else PATIENT)
    on = "download" if download == "odata" else "s3"
    site.fault(kind, on, match="" if on == "download" else "made-up", count=None)
    with pytest.raises(FetchError) as caught:
        cdse.download(offer, site.folder)
    assert type(caught.value) is expected
    assert not any(path.suffix in {".zip", ".SAFE"} for path in site.folder.iterdir())
    site.server.faults.clear()
    assert site.cdse(download=download).download(offer, site.folder).exists()
    assert site.server.seen.whole_twice == []


def test_a_flipped_byte_is_found(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    site.fault("flip", "download", count=1)
    with pytest.raises(Corrupt):
        cdse.download(offer, site.folder)
    assert list(site.folder.iterdir()) == []
    assert cdse.download(offer, site.folder).exists()


def test_a_checksum_that_changed_is_found_and_described_anew(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    site.fault("checksum", "download", count=1)
    with pytest.raises(Corrupt):
        cdse.download(offer, site.folder)
    assert cdse.download(cdse.describe(offer), site.folder).exists()


def test_a_product_that_vanished_is_gone_and_its_cause_told(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    site.fault("vanish", "download", count=1)
    with pytest.raises(Gone, match="Obsolete product"):
        cdse.download(offer, site.folder)
    deleted = list(cdse.deletions("S2MSI2A", datetime.now(UTC) - timedelta(hours=1)))
    assert [(each.name, each.id, each.cause) for each in deleted] == [(offer.name, offer.id, "Obsolete product")]
    assert list(cdse.deletions("S2MSI1C", FIRST)) == []


def test_a_404_for_what_is_still_listed_is_asked_again(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    site.fault("404", "download", count=1)
    with pytest.raises(Unavailable, match="still listed"):
        cdse.download(offer, site.folder)
    assert cdse.download(offer, site.folder).exists()


def test_an_offline_product_is_not_asked_for(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    product = site.server.shelf.get(offer.id)
    assert product is not None
    site.server.shelf.put(replace(product, online=False, askings=100))
    with pytest.raises(Offline):
        cdse.download(cdse.describe(offer), site.folder)
    assert cdse.order(offer) is False
    assert site.server.seen.requests["download"] == 0


def test_a_product_that_goes_offline_meanwhile_is_offline(site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    site.fault("offline", "download", count=1)
    with pytest.raises(Offline):
        cdse.download(offer, site.folder)


def test_wrong_credentials_are_told_and_sent_once(site: Site) -> None:
    cdse = site.cdse(Credentials("anna@example.org", "wrong-word"))
    offers = list(cdse.search(QUERY))
    for offer in offers:
        with pytest.raises(Misconfigured) as caught:
            cdse.download(offer, site.folder)
        assert "wrong-word" not in str(caught.value)
    assert site.server.seen.requests["token"] == 1


def test_odata_searches_where_stac_is_not_what_it_was(site: Site) -> None:
    site.fault("404", "stac")
    assert [offer.name for offer in site.cdse().search(QUERY)] == [name(n) for n in range(4, -1, -1)]


@pytest.mark.parametrize("on", ["stac", "odata", "download", "token", "s3"])
def test_no_credential_leaves_for_another_host(on: str, site: Site) -> None:
    with Stranger(b"{}") as stranger:
        for to in (stranger.address, stranger.other_name, f"{site.server.address}@{stranger.address[7:]}", "file:///"):
            site.fault("redirect", on, to=to, count=2)
        site.fault("redirect", on, to=stranger.address)
        cdse = site.cdse(download="s3" if on == "s3" else "odata")
        for _ in range(6):
            with pytest.raises(FetchError):
                cdse.download(site.first(cdse), site.folder)
        assert stranger.visits == []


def test_addresses_in_answers_are_not_trusted(site: Site) -> None:
    with Stranger() as stranger:
        for on in ("stac", "odata", "download"):
            site.fault("foreign", on, to=stranger.address)
        cdse = site.cdse()
        assert cdse.download(site.first(cdse), site.folder).exists()
        assert stranger.visits == []


@pytest.mark.parametrize("on", ["stac", "download"])
@pytest.mark.parametrize("kind", sorted(BOMBS))
def test_bombs_are_refused(kind: Kind, on: str, site: Site) -> None:
    cdse = site.cdse()
    offer = site.first(cdse)
    site.fault(kind, on)
    asks: dict[str, Callable[[], object]] = {
        "stac": lambda: list(cdse.search(QUERY)),
        "download": lambda: cdse.download(offer, site.folder),
    }
    with pytest.raises((Refused, Unavailable, Corrupt)):
        asks[on]()
    if site.folder.exists():
        assert sum(path.stat().st_size for path in site.folder.rglob("*")) <= (offer.size or 0)


def test_an_endless_list_is_refused_or_ends(site: Site) -> None:
    for on in ("stac", "odata"):
        site.fault("endless", on)
    cdse = site.cdse()
    with pytest.raises(Refused, match="does not end"):
        list(cdse.search(QUERY))
    assert len(list(cdse.odata.search(QUERY))) == 5


@pytest.mark.parametrize("kind", ["duplicate", "reorder"])
def test_strange_pages_lose_and_double_nothing(kind: Kind, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.fetch.providers.stac_search.PAGE", 2)
    for on in ("stac", "odata"):
        site.fault(kind, on)
    cdse = site.cdse()
    for found in (cdse.search(QUERY), cdse.odata.search(QUERY)):
        assert sorted(offer.name for offer in found) == [name(n) for n in range(5)]
