"""What people see of arrivals without asking for the account: a line of `status`, a product's `trace`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landstream.arrivals.follow import why_not_fetched
from landstream.arrivals.recount import arrivals_line, last_recount
from shared.area.source import FolderSource
from tests.catalogues import AREA, WEEK
from tests.conftest import landstream
from tests.landstream.arrivals.worlds import FETCHED, World, named

MORE = "(`landstream account` says more)"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store")


def test_nothing_is_said_of_arrivals_where_products_come_by_hand(world: World) -> None:
    assert arrivals_line(world.store, AREA, 0) == ""
    folder = AREA.model_copy(update={"source": FolderSource(kind="folder", path="/incoming")})
    assert arrivals_line(world.store, folder, 0) == ""


def test_a_catalogue_that_was_not_counted_is_said_to_be_so(world: World) -> None:
    assert last_recount(world.store) is None
    assert arrivals_line(world.store, FETCHED, 0) == f"arrivals: the catalogue of cdse was not counted whole yet {MORE}"


def test_what_was_named_twice_and_is_not_here_is_counted_by_where_it_stands(world: World) -> None:
    missing = {"failed": 1, "fetching": 2, "found": 3}
    world.book.keep("recounted", {"at": "2018-07-01T12:00:00Z", "of": "", "missing": missing})
    of = f"as of the recount of 2018-07-01 12:00 UTC {MORE}"
    said = f"arrivals: 1 failed; named twice and not here: 2 fetching, 3 found, {of}"
    assert arrivals_line(world.store, FETCHED, 1) == said
    shown = arrivals_line(world.store, FETCHED, 0)
    assert shown in landstream("status", "--store", world.store.root).stdout.splitlines()
    world.book.keep("recounted", {"at": "2018-07-01T12:00:00Z", "of": ""})  # as it was kept before
    assert arrivals_line(world.store, FETCHED, 0) == f"arrivals: nothing that was named twice lacks, {of}"


def test_a_trace_tells_why_a_product_that_is_offered_is_not_here(world: World) -> None:
    product = named(10)
    assert why_not_fetched(world.context, WEEK, product) == ""
    world.offered(product, ("found", ""), ("deferred", "offline, ordered"))
    told = landstream("trace", product, "--store", world.store.root).stdout
    assert told.splitlines()[0] == product
    assert "offline, ordered" in told
    (line,) = landstream("trace", product, "--json", "--store", world.store.root).stdout.splitlines()
    assert json.loads(line)["text"] in told
    assert landstream("trace", named(11), "--store", world.store.root, check=False).returncode == 1
