"""Products come by themselves into the stack in containers, by both ways of download and in both lanes.

An operator follows "Arrivals" in docs/operations.md: the account's variables, the area file, `docker compose up`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shared.area import load_area
from shared.items.weeks import iso_week
from simulator.season import Acquisition, Site, plan_season, write_season
from tests.conftest import AREAS, landstream
from tests.landstream.catalogues import cdse, environment, labels_of, scenes_of, write_area
from tests.live.stack import BUCKET, MAPS, Stack, bridge, build, name_of, running_stack
from tools.servers.catalogue import CatalogueServer, Fault, Product
from tools.servers.catalogue.content import files_of

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]

STORE = f"s3://{BUCKET}"
SLOW_S = 0.008
"""Seconds for each KiB of the past: a scene takes a minute and a half, many times what a new one takes."""
TOKEN = re.compile(r"\b(access|refresh)-[\w-]{32}")


@dataclass(frozen=True)
class Season:
    """Products of the past and of just now over one place.

    Attributes:
        past: three scenes of Sentinel-2 and two of OLCI, of last year; what has been in the catalogue for long.
        new: one of each, sensed yesterday and not published yet.
        labels: what people deliver.
        years: ISO years of all.
    """

    past: list[Product]
    new: list[Product]
    labels: list[Path]
    years: list[int]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    folder, grid = tmp_path_factory.mktemp("season"), load_area(AREAS / "small.yaml").grid
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    past = plan_season(yesterday.year - 1, products=6)
    scene, frame = (next(a for a in past if a.kind == kind) for kind in ("s2-l2a", "s3-olci"))
    plan = [*past, on(yesterday, replace(scene, baseline="0511")), on(yesterday, frame)]
    made = list(write_season(Site(grid.epsg, grid.bounds_m), plan, folder))
    years = sorted({yesterday.year - 1, yesterday.isocalendar().year})
    return Season(scenes_of(made[: len(past)]), scenes_of(made[len(past) :]), labels_of(made), years)


@pytest.fixture(params=["odata", "s3"])
def download(request: pytest.FixtureRequest) -> str:
    """How products are fetched."""
    return str(request.param)


def on(day: date, acquisition: Acquisition) -> Acquisition:
    """An acquisition as it were on another day, at the same time of it."""
    sensed = datetime.combine(day, acquisition.time.timetz())
    return replace(acquisition, time=sensed, generated=sensed + timedelta(hours=3))


def account_of(server: CatalogueServer, download: str) -> dict[str, str]:
    """What an operator exports: user name and password, and for S3 its keys."""
    names = ["USERNAME", "PASSWORD", *(["ACCESS_KEY", "SECRET_KEY"] if download == "s3" else [])]
    return {f"LANDSTREAM_CDSE_{name}": environment(server)[f"LANDSTREAM_CDSE_{name}"] for name in names}


def slowly(products: list[Product], download: str) -> list[Fault]:
    """Faults by which products come slowly."""
    if download == "s3":
        return [Fault("drip", "s3", match=product.name, seconds=SLOW_S) for product in products]
    return [Fault("drip", "download", match=product.id, seconds=SLOW_S) for product in products]


def has_sent(server: CatalogueServer, product: Product) -> bool:
    """Whether a product was sent to its end, as an archive or file by file."""
    assert product.path is not None
    sent = [what for what in server.seen.whole if product.name in what]
    return product.name in sent or len(sent) == len(files_of(product.path))


def under_way(stack: Stack) -> set[str]:
    """The products that are being fetched, or were."""
    return {key.split("/")[3] for key in stack.keys("products/") if key.endswith("-fetching.json")}


def mapped(stack: Stack, products: list[Product]) -> bool:
    """Whether the weeks of all scenes of Sentinel-2 among products have maps."""
    return all(stack.keys(f"{MAPS}{iso_week(product.sensed)}/") for product in products if product.is_safe)


def closes(stack: Stack) -> bool:
    """Whether the account has no difference that nobody can explain."""
    said = landstream("account", "--store", STORE, env=stack.environment("operator"), check=False)
    return said.returncode == 0 and json.loads(said.stdout.splitlines()[-1]) == {"unexplained": 0, "searches": []}


def test_the_past_and_what_is_new_arrive_and_are_mapped(download: str, season: Season, tmp_path: Path) -> None:
    build()
    slow = [product for product in season.past if product.is_safe]
    with CatalogueServer(season.past, faults=slowly(slow, download), host=bridge()) as server:
        area = write_area(tmp_path, cdse(server, download=download, subscribe=True), years=season.years)
        looks_first(area, server, season.past)
        with running_stack(AREA_FILE=str(area), **account_of(server, download)) as stack:
            stack.wait("the past is under way", lambda: under_way(stack) >= {p.name for p in slow}, 120)
            for product in season.new:
                server.shelf.put(replace(product, published=datetime.now(UTC), modified=datetime.now(UTC)))
            stack.wait("the new is here", lambda: all(has_sent(server, product) for product in season.new), 120)
            assert not any(has_sent(server, product) for product in slow), "the past holds the new up"
            for path in season.labels:
                stack.land(path)
            everything = season.past + season.new
            stack.wait("all weeks mapped", lambda: mapped(stack, everything), 900)
            stack.wait("the account closes", lambda: closes(stack), 120)
            assert all(has_sent(server, product) for product in everything)
            assert server.seen.forbidden == []
            assert server.seen.whole_twice == []
            assert stack.keys("failures/") == []
            looks_afterwards(stack, len(everything))
            tells_no_secret(stack, server)


def looks_first(area: Path, server: CatalogueServer, offered: list[Product]) -> None:
    """What an operator asks before anything is fetched."""
    said = landstream("area", "check", area, "--catalogue", env=environment(server))
    assert f"S2MSI2A in {offered[0].sensed.year}: 3 products" in said.stdout
    found = landstream("catalogue", "search", area, env=environment(server)).stdout
    assert all(product.name in found for product in offered)
    assert server.seen.whole == {}


def looks_afterwards(stack: Stack, products: int) -> None:
    """What an operator asks when all is there."""
    given = stack.environment("operator")
    lines = [json.loads(line) for line in landstream("account", "--store", STORE, env=given).stdout.splitlines()]
    for step in ("found", "fetched", "tiled"):
        assert sum(line[step] for line in lines[:-1]) == products, step
    assert landstream("repair", "--store", STORE, env=given).stdout.startswith("0 queued again, 0 not")
    assert "fetched to registered" in landstream("freshness", "--store", STORE, env=given).stdout


def tells_no_secret(stack: Stack, server: CatalogueServer) -> None:
    """Secrets are in the environment of `fetch`, and nowhere else: no log, no command line, no object."""
    secrets = (server.account.password, server.account.secret_key)

    def is_clean(text: str) -> bool:
        return not any(secret in text for secret in secrets) and TOKEN.search(text) is None

    assert is_clean(stack.compose("logs", "--no-color"))
    for container in stack.containers():
        own = container["Config"].pop("Env")
        assert any(is_account(variable) for variable in own) == (name_of(container) == "fetch")
        assert is_clean(json.dumps(container)), name_of(container)
    for key in stack.keys(""):
        if key.endswith(".json"):
            assert is_clean(stack.get(key).decode()), key


def is_account(variable: str) -> bool:
    """Whether `NAME=VALUE` is of the provider's account."""
    return variable.startswith("LANDSTREAM_CDSE_") and not variable.endswith("=")
