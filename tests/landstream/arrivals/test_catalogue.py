"""The commands that search a catalogue and download from it, against the server that speaks as it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from landstream.arrivals import catalogue
from landstream.arrivals.offers import row, total_of
from services.ingest.fetch.provider import Offer
from tests.landstream.arrivals.worlds import SENSED, named
from tests.landstream.catalogues import cdse, write_area
from tools.servers.catalogue import CatalogueServer, Product
from tools.servers.catalogue.fault import Fault

ONE, TWO, CLOUDY = named(20), named(21), named(22)
BERLIN = [13.2, 52.2, 13.8, 52.8]


@pytest.fixture
def server() -> Iterator[CatalogueServer]:
    products = [Product.named(ONE, cloud_percent=5.0), Product.named(CLOUDY, cloud_percent=91.0)]
    with CatalogueServer([*products, Product.named(TWO, cloud_percent=9.0, online=False, askings=99)]) as made:
        yield made


@pytest.fixture
def area(server: CatalogueServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANDSTREAM_CDSE_USERNAME", server.account.username)
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", server.account.password)
    monkeypatch.setattr("landstream.arrivals.downloads.PAUSE_S", 0.01)
    return write_area(tmp_path, cdse(server, max_cloud_percent=80))


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(catalogue.app, list(map(str, arguments)))


def berlin(area: Path, *more: object) -> tuple[object, ...]:
    return (area, "--aoi", ",".join(map(str, BERLIN)), "--type", "S2MSI2A", *more)


def names(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["name"] for line in result.output.splitlines()]


def test_what_is_there_is_found_without_an_account(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDSTREAM_CDSE_USERNAME")
    found = asked("search", *berlin(area))
    assert sorted(names(found)) == [ONE, TWO]
    assert "places" not in json.loads(found.output.splitlines()[0])
    assert len(names(asked("search", *berlin(area, "--max-cloud", "100")))) == 3
    assert names(asked("search", *berlin(area, "--max-cloud", "6", "--tile", "34TFR", "--platform", "S2A"))) == [ONE]
    assert names(asked("search", *berlin(area, "--start", "2018-06-06"))) == []


def test_people_read_a_table(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landstream.commands.showing.for_people", lambda as_json: True)
    monkeypatch.setenv("COLUMNS", "400")
    head, *rows = asked("search", *berlin(area, "--max-cloud", "6")).output.splitlines()
    assert head.split() == ["product", "sensed", "published", "size", "cloud", "online", "quicklook"]
    (only,) = rows
    assert only.startswith(ONE)
    assert "5 %" in only
    assert asked("search", *berlin(area, "--tile", "T34TGR")).output == "nothing of this kind is there\n"


def test_a_row_leaves_out_what_the_provider_does_not_say() -> None:
    bare = Offer(name=ONE, id="x", product_type="S2MSI2A", sensed=SENSED, published=SENSED)
    assert row(bare) == (ONE, "2018-06-05 09:20", "2018-06-05 09:20", "", "", "", "")
    told = bare.model_copy(
        update={"size": 812_000_000, "cloud_percent": 4.6, "online": False, "quicklook": "https://q"}
    )
    assert row(told)[3:] == ("812.0 MB", "5 %", "no", "https://q")
    assert str(total_of([bare, told])) == "2 products, 812.0 MB, and 1 whose size is not stated"
    assert str(total_of([told])) == "1 product, 812.0 MB"


def test_products_are_fetched_once_and_what_is_offline_is_told(
    area: Path, server: CatalogueServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rehearsed = asked("fetch", *berlin(area, "--out", out, "--dry-run"))
    assert rehearsed.exit_code == 0
    assert rehearsed.output.startswith("2 products, ")
    assert not out.exists()
    came = asked("fetch", *berlin(area, "--out", out))
    assert came.exit_code == 1
    assert sorted(came.output.splitlines()[1:]) == sorted([str(out / f"{ONE}.zip"), f"{TWO}: is offline"])
    assert [p.name for p in out.iterdir() if p.name != ".fetching"] == [f"{ONE}.zip"]
    again = asked("fetch", *berlin(area, "--out", out, "--max-cloud", "6"))
    assert again.exit_code == 0
    assert again.output == f"0 products, 0.0 B; 1 more lie in {out}\n"
    assert server.seen.whole_twice == []
    assert server.seen.forbidden == []


def test_a_service_that_hiccups_is_asked_again(area: Path, server: CatalogueServer, tmp_path: Path) -> None:
    server.faults.add(Fault("truncate", "download", count=1))
    server.faults.add(Fault("503", "odata", count=1))
    came = asked("fetch", *berlin(area, "--out", tmp_path / "out", "--max-cloud", "6"))
    assert came.exit_code == 0, came.output
    assert (tmp_path / "out" / f"{ONE}.zip").is_file()
    assert not (tmp_path / "out" / ".fetching").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search",), "landstream: say where: an area file, or --aoi W,S,E,N\n"),
        (("search", "--aoi", "Berlin"), "landstream: --aoi Berlin"),
        (("search", "--aoi", "13,52,14,53", "--type", "S2"), "landstream: --type S2: is not one of"),
        (("search", "nowhere.yaml"), "landstream: nowhere.yaml"),
    ],
)
def test_what_cannot_be_asked_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    result = asked(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith(said)
    assert len(result.output.splitlines()) == 1


def test_without_an_account_nothing_is_fetched(area: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANDSTREAM_CDSE_PASSWORD")
    result = asked("fetch", *berlin(area, "--out", tmp_path / "out"))
    assert (result.exit_code, result.output) == (
        2,
        "landstream: no credentials for the source: set LANDSTREAM_CDSE_PASSWORD\n",
    )


def test_wrong_credentials_end_it(area: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CDSE_PASSWORD", "secret-of-mine")
    result = asked("fetch", *berlin(area, "--out", tmp_path / "out", "--max-cloud", "6"))
    assert result.exit_code == 2
    assert "secret-of-mine" not in result.output
    assert len(result.output.splitlines()) == 2


def test_a_name_that_would_be_a_path_elsewhere_is_left_out(
    area: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd:
        name = "odd"

        def search(self, query: Any) -> Iterator[Offer]:
            yield Offer(name="../../etc/x", id="x", product_type="S2MSI2A", sensed=SENSED, published=SENSED)

        def close(self) -> None:
            pass

    monkeypatch.setattr("services.ingest.fetch.providers.choose.provider_for", lambda *_: Odd())
    result = asked("fetch", *berlin(area, "--out", tmp_path / "out"))
    assert "'../../etc/x' is left out" in result.output
    assert not (tmp_path / "out").exists()
