"""How long the steps of products took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from landstream import cli
from landstream.arrivals.freshness import Lag, lags_of
from tests.catalogues import make
from tests.landstream.arrivals.worlds import World, named


def test_medians_and_percentiles_are_of_those_that_tell_the_step() -> None:
    products = [{"registered": 0.0, "masked": float(n), "mapped": 5000.0} for n in range(101)]
    assert lags_of([*products, {"sensed": 0.0, "published": 60.0, "mapped": 7200.0}]) == [  # type: ignore[list-item]
        Lag("sensed to published", 1, 60, 60),
        Lag("registered to masked", 101, 50, 95),
        Lag("sensed to mapped", 1, 7200, 7200),
    ]
    assert lags_of([]) == []
    assert Lag("x", 2, 30, 432_000).row() == ("x", "2", "30 s", "5.0 d")


def asked(world: World, *options: str) -> str:
    result = CliRunner().invoke(cli.app, ["freshness", "--store", world.store.location, *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_tells_the_steps_of_mapped_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    assert asked(world) == ""
    product = named(20)
    world.offered(product, ("found", ""), ("fetching", "lies in landing/"), ("registered", ""))
    world.mapped(world.tiled(product), world.champion())
    world.put(make("land-cover-maps", "empty", week="2018-W30"))
    found = [json.loads(line) for line in asked(world).splitlines()]
    assert [lag["step"] for lag in found] == [
        "sensed to published", "published to found", "found to fetched", "fetched to registered",
        "registered to masked", "masked to tiled", "tiled to mapped", "sensed to mapped",
    ]  # fmt: skip
    assert {lag["products"] for lag in found} == {1}
    (way,) = map(json.loads, asked(world, "--each").splitlines())
    steps = ["sensed", "published", "found", "fetched", "registered", "masked", "tiled", "mapped"]
    assert list(way) == ["week", "place", "product", *steps]
    assert (way["product"], way["place"]) == (product, product.split("_")[5])
    assert [way[step] for step in steps] == sorted(way[step] for step in steps)
    assert asked(world, "--weeks", "1") == ""
    monkeypatch.setattr("landstream.commands.showing.for_people", lambda as_json: True)
    assert asked(world).splitlines()[0].split() == ["step", "products", "median", "95", "%"]
    assert asked(world, "--each").splitlines()[0].split()[:3] == ["week", "place", "sensed"]
