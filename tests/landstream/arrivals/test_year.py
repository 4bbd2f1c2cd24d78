"""What a year of an area is in a catalogue."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from typer.testing import CliRunner

from landstream import areas
from landstream.arrivals.year import last_whole_year
from tests.catalogues import AREA
from tests.landstream.arrivals.worlds import named
from tests.landstream.catalogues import cdse, write_area
from tools.servers.catalogue import CatalogueServer, Product


def checked(area: Path) -> tuple[int, list[str]]:
    result = CliRunner().invoke(areas.app, ["check", str(area), "--catalogue"])
    return result.exit_code, result.output.splitlines()


def test_the_last_whole_year_is_counted_by_type(tmp_path: Path) -> None:
    where = {"footprint": AREA.polygon, "cloud_percent": 5.0}
    products = [Product.named(named(minute), **where) for minute in (20, 21)]
    products += [Product.named(named(22), footprint=AREA.polygon, cloud_percent=99.0)]
    products += [Product.named(named(23), **where, sensed=datetime(2017, 12, 31, tzinfo=UTC))]
    with CatalogueServer(products) as server:
        code, lines = checked(write_area(tmp_path, cdse(server, max_cloud_percent=80)))
    assert code == 0, lines
    assert lines[-2].startswith("S2MSI2A in 2018: 2 products, ")
    assert lines[-1] == "OL_1_EFR___ in 2018: 0 products, 0.0 B"


def test_a_year_is_whole_when_it_is_over() -> None:
    area = AREA.model_copy(update={"years": (2017, 2018)})
    assert last_whole_year(area, date(2019, 1, 1)) == (date(2018, 1, 1), date(2018, 12, 31))
    assert last_whole_year(area, date(2018, 12, 31))[1].year == 2017
    assert last_whole_year(area, date(2017, 6, 1)) == (date(2016, 1, 1), date(2016, 12, 31)), "as it was last year"


def test_a_catalogue_that_is_none_is_one_line(tmp_path: Path) -> None:
    code, lines = checked(write_area(tmp_path, {"kind": "folder", "path": "/data"}))
    assert code == 2
    assert "is a folder, which is not a catalogue" in lines[-1]
    assert "leave `source:` out to ask the Data Space" in lines[-1]
    assert "--aoi" not in lines[-1]
