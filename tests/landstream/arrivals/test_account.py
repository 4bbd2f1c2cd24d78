"""What should be there, what is, and why the rest is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from landstream import cli
from landstream.arrivals.account import Difference, Followed, Line, counts_of, differences_of, lines_of
from landstream.arrivals.follow import Following, unsearched
from services.ingest.fetch.book import BY_INGEST, WHOLE, Book
from services.ingest.fetch.usage import Usage
from shared.area.source import CdseSource
from shared.items.keys import dismissal_key, failure_key
from shared.items.products import FETCH
from shared.store import FolderStore
from tests.catalogues import AREA, WEEK, make, withdrawal
from tests.landstream.arrivals.worlds import FRAME, L2A, OLCI, TILE, World, named

ONE, TWO, THREE = named(20), named(21), named(22)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def reasons(world: World) -> dict[str, str]:
    """Product -> why it is not mapped."""
    return {p.product: p.why for p in Following(world.context).of(WEEK)}


def test_counts_are_of_those_that_took_the_step_and_differences_of_the_next() -> None:
    products = [
        Followed("a", TILE, "expected", "", True),
        Followed("b", TILE, "found", "cloudy", True),
        Followed("c", TILE, "masked", "", True),
        Followed("d", TILE, "mapped", "", False, "came by hand"),
        Followed("e", "olci", "tiled", "none is drawn"),
    ]
    msi, olci = lines_of(WEEK, products)
    assert msi.counts == {"expected": 3, "found": 3, "fetched": 2, "masked": 2, "tiled": 1, "mapped": 1}
    assert msi.differences == [
        Difference("expected", "d", "came by hand"),
        Difference("found", "a", ""),
        Difference("fetched", "b", "cloudy"),
        Difference("tiled", "c", ""),
    ]
    assert msi.unexplained == 2
    assert (olci.place, olci.unexplained, olci.json()["expected"]) == ("olci", 0, None)
    assert olci.counts == {"found": 1, "fetched": 1, "masked": 1, "tiled": 1, "mapped": 0}


def test_what_is_mapped_in_part_is_counted_and_named() -> None:
    followed = Followed("a", TILE, "mapped", "waiting for inference")
    assert counts_of([followed])["mapped"] == 1
    assert differences_of(followed) == [Difference("mapped", "a", "waiting for inference")]
    assert differences_of(Followed("a", TILE, "mapped")) == []


def test_every_state_says_why(world: World) -> None:
    says = {
        "unwanted": ("unwanted", "cloudy: 91 %, and max_cloud_percent is 80"),
        "withdrawn": ("withdrawn", "taken away by cdse: Obsolete product"),
        "superseded": ("superseded", "a newer version of its scene is registered"),
        "failed": ("failed", f"{BY_INGEST}ends early"),
        "deferred": ("deferred", "offline, and ordered"),
        "fetching": ("fetching", "from cdse"),
        "found": ("found", "requeued"),
    }
    names = {state: named(minute) for minute, state in enumerate(says)}
    for state, name in names.items():
        world.offered(name, says[state])  # type: ignore[arg-type]  # a pair
    found = {state: reasons(world)[name] for state, name in names.items()}
    assert found["unwanted"] == "unwanted: cloudy: 91 %, and max_cloud_percent is 80"
    assert found["withdrawn"] == "withdrawn: taken away by cdse: Obsolete product"
    assert found["superseded"].startswith("superseded: a newer")
    assert found["failed"] == "failed in ingest: ends early; correct it, then put the product into landing/"
    assert found["deferred"].startswith("deferred since 20")
    assert found["deferred"].endswith(": offline, and ordered")
    assert found["fetching"].startswith("being fetched since 20")
    assert found["found"] == "waits in the queue (requeued)"
    (line,) = lines_of(WEEK, Following(world.context).of(WEEK))
    assert line.counts == {"found": 7, "fetched": 0, "masked": 0, "tiled": 0, "mapped": 0}
    assert line.unexplained == 0


def test_a_failure_says_fault_and_remedy_until_its_record_is_gone(world: World) -> None:
    world.failed(ONE)
    assert reasons(world)[ONE] == "failed: md5 differs; look at it, then requeue it"
    (key,) = world.store.keys("failures/fetch/")
    name = key.rpartition("/")[2].removesuffix(".json")
    world.store.put(dismissal_key(FETCH, name), b"{}")
    assert reasons(world)[ONE].endswith("(dismissed)")
    world.store.delete(failure_key(FETCH, name))
    assert reasons(world)[ONE] == "failed: md5 differs; its record was taken away, and it is tried again"


def test_a_volume_that_is_used_up_is_why_products_wait(world: World) -> None:
    world.offered(ONE, size=2_000_000_000)
    world.offered(TWO, size=500_000_000)
    Usage(world.store, None).reserve(9_000_000_000)
    assert reasons(world) == {
        ONE: "waits in the queue: the monthly volume is used up (9.0 of 10 GB within 30 days)",
        TWO: "waits in the queue",
    }


def test_what_was_registered_and_is_not_there_is_unexplained(world: World) -> None:
    world.offered(ONE, ("found", ""), ("registered", ""))
    (line,) = lines_of(WEEK, Following(world.context).of(WEEK))
    assert line.differences == [Difference("fetched", ONE, "")]
    world.counted(ONE, TWO)
    (line,) = lines_of(WEEK, Following(world.context).of(WEEK))
    assert line.counts["expected"] == 2
    assert line.differences == [Difference("found", TWO, ""), Difference("fetched", ONE, "")]


def test_what_lies_in_landing_is_not_taken_in_yet(world: World) -> None:
    world.offered(ONE, ("fetching", WHOLE))
    for product in (ONE, TWO):
        world.store.put(f"landing/{product}.SAFE/manifest.safe", b"x")
    assert Following(world.context).weeks() == [WEEK]
    for reason in reasons(world).values():
        assert reason.startswith("in landing/, not taken in yet: arriving: manifest.safe: is not XML")


def test_registered_products_are_followed_to_their_maps(world: World) -> None:
    model = world.champion()
    world.mapped(world.tiled(ONE), model)
    world.tiled(TWO, clear_percent=0.0)
    world.registered(THREE)
    world.put(withdrawal(named(23), 1), world.registered(named(23)))
    world.offered(ONE, ("found", ""), ("registered", ""))
    world.counted(ONE)
    (line,) = lines_of(WEEK, Following(world.context).of(WEEK))
    assert line.counts == {"expected": 1, "found": 4, "fetched": 4, "masked": 2, "tiled": 2, "mapped": 1}
    by_step = {(d.step, d.product): d.reason for d in line.differences}
    assert by_step == {
        ("expected", TWO): "came by hand",
        ("expected", THREE): "came by hand",
        ("expected", named(23)): "came by hand",
        ("mapped", TWO): "0 % clear, no tile, no map",
        ("masked", THREE): "waiting for cloudmask",
        ("masked", named(23)): "withdrawn; `landstream restore PRODUCT --reason WHY` takes it back",
    }


def test_olci_ends_in_the_cube(world: World) -> None:
    facts = {
        "scene": "frame",
        "product_version": [1, 2, "x"],
        "product": FRAME,
        "attribution": "",
        "product_type": "EFR",
    }
    frame = world.put(make(OLCI, FRAME, **facts))
    grid = world.done("reprojection", frame, **facts)
    world.done("tiler", grid, sensor="olci", product=FRAME, tiles=[[0, 0, 1]])
    (line,) = lines_of(WEEK, Following(world.context).of(WEEK))
    assert (line.place, line.counts["tiled"], line.counts["mapped"]) == ("olci", 1, 0)
    assert line.differences == [Difference("mapped", FRAME, "no map is drawn of OLCI alone")]


def test_why_the_recount_did_not_name_a_product_is_told(world: World) -> None:
    world.offered(ONE)
    world.counted(TWO)
    unexpected = {p.product: p.why_unexpected for p in Following(world.context).of(WEEK)}
    assert unexpected == {ONE: "found since the last recount", TWO: ""}
    world.book.keep("recounted", {"at": "2018-06-06T00:00:00Z"})
    assert next(Following(world.context).of(WEEK)).why_unexpected == "found since the last recount"
    world.book.keep("recounted", {"at": "2100-06-06T00:00:00Z"})
    assert next(Following(world.context).of(WEEK)).why_unexpected == "not offered any more"


def test_weeks_are_read_one_after_the_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.offered(ONE)
    world.counted("x", week="2018-W30")
    read = list[str]()
    get = FolderStore.get

    def noted(self: FolderStore, key: str) -> bytes:
        read.append(key)
        return get(self, key)

    following = Following(world.context)
    assert following.weeks() == [WEEK, "2018-W30"]
    monkeypatch.setattr(FolderStore, "get", noted)
    list(following.of(WEEK))
    assert read
    assert not [key for key in read if "2018-W30" in key]


def asked(world: World, *options: str) -> tuple[int, list[str]]:
    """Exit code and lines of the command, with those for people on standard error."""
    result = CliRunner().invoke(cli.app, ["account", "--store", world.store.location, *options])
    return result.exit_code, result.output.splitlines()


def test_the_command_closes_with_what_is_unexplained(world: World) -> None:
    world.offered(ONE, ("unwanted", "cloudy: 91 %, and max_cloud_percent is 80"))
    world.offered(named(20, tile="T34TGR"))
    world.counted(ONE, named(20, tile="T34TGR"))
    code, said = asked(world)
    first, second, last = map(json.loads, said)
    assert (code, first["tile"], second["tile"], last) == (0, "T34TFR", "T34TGR", {"unexplained": 0, "searches": []})
    assert (first["expected"], first["found"], first["fetched"]) == (1, 1, 0)
    _, only = asked(world, "--tile", "34TGR", "--week", WEEK)
    assert [json.loads(line).get("tile") for line in only] == ["T34TGR", None]
    world.counted(TWO)
    code, said = asked(world, "--json")
    assert (code, json.loads(said[-1])) == (1, {"unexplained": 1, "searches": []})


@pytest.mark.parametrize("wrong", [("--tile", "Berlin"), ("--week", "2018-23")])
def test_what_is_no_tile_or_week_is_one_line(world: World, wrong: tuple[str, str]) -> None:
    code, said = asked(world, *wrong)
    assert (code, len(said)) == (2, 1)


def test_people_read_a_table_for_each_week(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landstream.commands.arrivals.for_people", lambda as_json: not as_json)
    monkeypatch.setenv("COLUMNS", "70")
    world.offered(ONE, ("unwanted", "cloudy"))
    world.counted(ONE)
    assert asked(world) == (0, [
        "2018-W23  expected  found  fetched  masked  tiled  mapped",
        "T34TFR    1         1      0        0       0      0",
        "not      product",
        f"fetched  {ONE}",
        "  why  unwanted: cloudy",
        "",
        "0 unexplained",
    ])  # fmt: skip


def test_without_a_source_nothing_is_expected(tmp_path: Path) -> None:
    world = World(tmp_path, AREA)
    world.registered(ONE)
    (line,) = lines_of(WEEK, Following(world.context).of(WEEK))
    assert "expected" not in line.counts
    assert isinstance(line, Line)
    assert world.book.week(L2A, WEEK) == {}


def test_a_catalogue_that_was_not_counted_or_does_not_answer_is_told(tmp_path: Path) -> None:
    store, record = FolderStore(tmp_path / "store"), {"stage": "fetch", "input": "search-S2MSI2A", "fault": "no answer"}
    asked = AREA.model_copy(update={"source": CdseSource(kind="cdse")})
    assert unsearched(store, AREA, [record]) == [], "it has no source"
    assert unsearched(store, asked, [record]) == [
        "search-S2MSI2A fails: no answer", "the catalogue was not counted whole yet: more may be offered",
    ]  # fmt: skip
    Book(store).keep("recounted", {"at": "2018-06-30T00:00:00Z"})
    assert unsearched(store, asked, [record | {"week": "2018-W23"}]) == []
