"""Catalogues that lead elsewhere, and answers that burst: refused, each with one record, while the good goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from simulator.cogs import write_cogs
from tests.services.ingest.conftest import write_scene
from tests.services.ingest.fetch.hostile import ACCOUNT, Mercy, product, quickly
from tests.services.ingest.fetch.scenes import scene_of
from tests.services.ingest.fetch.workshop import name_of
from tools.servers.catalogue import CatalogueServer, Fault, Scene, Stranger
from tools.servers.catalogue.fault import Kind, RouteName

GOOD = name_of(100)


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    with quickly():
        yield


class Lure(NamedTuple):
    """A redirect.

    Attributes:
        to: address; `{site}` is the catalogue's host and port, `{port}` a stranger's, `{self}` and `{next}` are the
            addresses of this product and of the next one in the table.
        says: what the record says.
    """

    to: str
    says: str = "is not a host of this source"


LURES = {
    "a stranger": Lure("http://127.0.0.1:{port}/"),
    "a name": Lure("http://localhost:{port}/"),
    "a stranger without scheme": Lure("//127.0.0.1:{port}/"),
    "its own host, no port": Lure("http://127.0.0.1/"),
    "its own host, by TLS": Lure("https://{site}/"),
    "another loopback": Lure("http://127.0.0.2:{port}/"),
    "any address": Lure("http://0.0.0.0:{port}/"),
    "metadata of a cloud": Lure("http://169.254.169.254/latest/meta-data/"),
    "IPv6": Lure("http://[::1]:{port}/"),
    "IPv4 in IPv6": Lure("http://[::ffff:127.0.0.1]:{port}/"),
    "decimal": Lure("http://2130706433:{port}/"),
    "hexadecimal": Lure("http://0x7f000001:{port}/"),
    "octal": Lure("http://0177.0.0.1:{port}/"),
    "short": Lure("http://127.1:{port}/"),
    "the host as user": Lure("http://{site}@127.0.0.1:{port}/", "credentials"),
    "a user of the host": Lure("http://anna:word@{site}/", "credentials"),
    "the host as beginning": Lure("http://127.0.0.1.evil.test:{port}/"),
    "the host as end": Lure("http://evil.test.127.0.0.1:{port}/"),
    "a file": Lure("file:///etc/passwd", "'file' is not the scheme"),
    "FTP": Lure("ftp://127.0.0.1:{port}/", "'ftp' is not the scheme"),
    "gopher": Lure("gopher://127.0.0.1:{port}/_GET%20/", "'gopher' is not the scheme"),
    "data": Lure("data:application/zip;base64,UEsDBA==", "'data' is not the scheme"),
    "a share": Lure("\\\\127.0.0.1\\share\\x", "what is not an address"),
    "a backslash": Lure("http://127.0.0.1:{port}\\@{site}/", "what is not an address"),
    "a tab": Lure("http://127.0.0.1\t:{port}/", "what is not an address"),
    "the end of a line": Lure("http://127.0.0.1%0d%0a:{port}/"),
    "a soft hyphen": Lure("http://127.0.0.1\xad:{port}/", "what is not an address"),
    "a bracket": Lure("http://[::1:{port}/", "what is not an address"),
    "nowhere": Lure("", "what is not an address"),
    "too far": Lure("http://127.0.0.1:{port}/" + "a" * 9000, "what is not an address"),
    "itself": Lure("{self}", "leads on and on"),
    "who leads to a stranger": Lure("{next}"),
    "the stranger at the end": Lure("http://127.0.0.1:{port}/"),
}
NAMES = {what: name_of(days) for days, what in enumerate(LURES)}


def address(text: str, server: CatalogueServer, stranger: Stranger) -> str:
    """The address that a table's text stands for."""
    return text.replace("{site}", server.address[7:]).replace("{port}", stranger.address.rpartition(":")[2])


class Lured(NamedTuple):
    """What came of all of them at once."""

    mercy: Mercy
    stranger: Stranger
    records: list[dict[str, Any]]


@pytest.fixture(scope="module")
def lured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lured]:
    offered = {what: product(name) for what, name in NAMES.items()}
    with (
        CatalogueServer([*offered.values(), product(GOOD)], account=ACCOUNT) as server,
        Stranger(b"PK\x03\x04") as stranger,
    ):
        places = [f"{server.download_url}/Products({each.id})/$value" for each in offered.values()]
        for (what, lure), own, following in zip(LURES.items(), places, [*places[1:], ""], strict=True):
            to = address(lure.to, server, stranger).replace("{self}", own).replace("{next}", following)
            server.faults.add(Fault("redirect", "download", match=offered[what].id, to=to or " "))
        mercy = Mercy(server, tmp_path_factory.mktemp("lured"))
        mercy.run()
        yield Lured(mercy, stranger, mercy.records())


@pytest.mark.parametrize("what", LURES)
def test_a_download_that_leads_elsewhere_is_refused(what: str, lured: Lured) -> None:
    (record,) = [record for record in lured.records if record["input"] == NAMES[what]]
    assert LURES[what].says in record["fault"]
    assert "\n" not in record["fault"] + record["remedy"]
    assert "addresses of `source:`" in record["remedy"]
    assert lured.mercy.bench.state(NAMES[what]) == "failed"


def test_the_good_one_came_and_nobody_else_was_told_anything(lured: Lured) -> None:
    mercy = lured.mercy
    assert mercy.bench.state(GOOD) == "registered"
    assert len(lured.records) == len(LURES)
    assert lured.stranger.visits == []
    assert mercy.server.seen.forbidden == []
    assert mercy.leaks() == []
    assert mercy.outside() == []
    assert list((mercy.folder / "fetch").iterdir()) == []


@pytest.fixture(scope="module")
def cogs(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A good scene of COGs."""
    safe = write_scene(tmp_path_factory.mktemp("safe"), least_dn=1001)
    return scene_of(safe, write_cogs(safe, tmp_path_factory.mktemp("cogs"), applied=True))


class Trap(NamedTuple):
    """What befalls everything that is asked of a service.

    Attributes:
        source: kind of the source.
        kind: of the fault.
        on: route of the service.
        says: what the record says.
        to: address; see `Lure`.
        name: of the record.
        match: of the requests.
    """

    source: str
    kind: Kind
    on: RouteName
    says: str
    to: str = ""
    name: str = "search-S2MSI2A"
    match: str = ""


STRANGER = "http://127.0.0.1:{port}/"
FOREIGN = "is not a host of this source"
TRAPS = {
    "a search": Trap("cdse", "redirect", "stac", "leads elsewhere", STRANGER),
    "a search, to a file": Trap("cdse", "redirect", "stac", "leads elsewhere", "file:///etc/passwd"),
    "a search of COGs": Trap("stac", "redirect", "earth", "leads elsewhere", STRANGER),
    "a search of a node": Trap("dhus", "redirect", "dhus", FOREIGN, STRANGER),
    "deletions": Trap("cdse", "redirect", "odata", FOREIGN, STRANGER, "deletions-S2MSI2A", "DeletedProducts"),
    "a token": Trap("cdse", "redirect", "token", "leads elsewhere", STRANGER, "credentials"),
    "a next page": Trap("cdse", "astray", "stac", FOREIGN, STRANGER, "recount-S2MSI2A"),
    "a next page of COGs": Trap("stac", "astray", "earth", FOREIGN, STRANGER, "recount-S2MSI2A"),
    "a next page, by name": Trap("cdse", "astray", "stac", FOREIGN, "http://localhost:{port}/", "recount-S2MSI2A"),
    "a next page, in a file": Trap(
        "cdse", "astray", "stac", "'file' is not the scheme", "file:///etc/passwd", "recount-S2MSI2A"
    ),
    "a next page, no scheme": Trap(
        "cdse", "astray", "stac", "'' is not the scheme", "//127.0.0.1:{port}/", "recount-S2MSI2A"
    ),
    "a next page, a user": Trap(
        "cdse", "astray", "stac", "holds credentials", "http://{site}@127.0.0.1:{port}/", "recount-S2MSI2A"
    ),
    "a next page, two lines": Trap(
        "cdse", "astray", "stac", "characters", "http://{site}/\r\nHost: evil.test", "recount-S2MSI2A"
    ),
    "a next page without end": Trap("cdse", "endless", "stac", "does not end", name="recount-S2MSI2A"),
    "deep JSON": Trap("cdse", "json-deep", "stac", "too many values"),
    "deep JSON of a node": Trap("dhus", "json-deep", "dhus", "too many values"),
    "deep JSON for a token": Trap("cdse", "json-deep", "token", "longer than", name="credentials"),
    "long JSON": Trap("cdse", "json-huge", "stac", "longer than"),
    "a long number": Trap("cdse", "json-digits", "stac", "more than 400 digits"),
    "many names": Trap("cdse", "json-wide", "stac", "too many values"),
    "gzip": Trap("cdse", "gzip", "stac", "longer than"),
    "deflate": Trap("cdse", "deflate", "stac", "longer than"),
    "gzip in gzip": Trap("cdse", "gzip-twice", "stac", "an encoding that was not asked for"),
    "long headers": Trap("cdse", "headers", "stac", "headers that are too long"),
    "a body without end": Trap("cdse", "endless-body", "stac", "longer than"),
}


@pytest.mark.parametrize("what", TRAPS)
def test_an_answer_for_all_products_is_refused_and_asked_for_again(what: str, cogs: Scene, tmp_path: Path) -> None:
    trap = TRAPS[what]
    good = cogs.product if trap.source == "stac" else product(GOOD)
    with CatalogueServer([good], scenes=[cogs], account=ACCOUNT) as server, Stranger(b"{}") as stranger:
        mercy, to = Mercy(server, tmp_path), address(trap.to, server, stranger)
        server.faults.add(Fault(trap.kind, trap.on, to=to, match=trap.match))
        fetcher = mercy.run(trap.source)
        (record,) = mercy.records()
        assert record["input"] == trap.name
        assert trap.says in record["fault"]
        assert "\n" not in record["fault"] + record["remedy"]
        assert record["remedy"]
        assert any(record["fault"] in line for line in fetcher.waits())
        server.faults.clear()
        mercy.run(trap.source)
        assert mercy.records() == []
        assert mercy.bench.state(good.name) == "registered"
        assert stranger.visits == []
        assert server.seen.forbidden == []
        assert mercy.leaks() == []
        assert mercy.outside() == []


def test_a_search_of_one_type_that_is_refused_has_one_record_and_leaves_others_alone(tmp_path: Path) -> None:
    with CatalogueServer([product(GOOD)], account=ACCOUNT) as server, Stranger(b"{}") as stranger:
        server.faults.add(Fault("redirect", "stac", to=stranger.address, match="sentinel-3-olci"))
        mercy = Mercy(server, tmp_path)
        mercy.run(products=("OL_1_EFR___", "S2MSI2A"))
        assert [record["input"] for record in mercy.records()] == ["search-OL_1_EFR___"]
        assert mercy.bench.state(GOOD) == "registered"
        assert stranger.visits == []


IMAGES = {
    "a stranger": Lure(STRANGER),
    "a name": Lure("http://localhost:{port}/"),
    "a user": Lure("http://{site}@127.0.0.1:{port}/", "credentials"),
    "a file": Lure("file:///etc/passwd", "'file' is not the scheme"),
    "a bucket": Lure("s3://eodata/x.tif", "'s3' is not the scheme"),
    "no scheme": Lure("//127.0.0.1:{port}/x.tif", "'' is not the scheme"),
    "a path": Lure("/etc/passwd", "'' is not the scheme"),
    "two lines": Lure("http://{site}/x\r\nHost: evil.test", "characters"),
    "GDAL's own way": Lure("/vsicurl/http://127.0.0.1:{port}/x.tif", "'' is not the scheme"),
}


def test_images_elsewhere_are_refused(cogs: Scene, tmp_path: Path) -> None:
    names = {what: name_of(1 + days) for days, what in enumerate(IMAGES)}
    with CatalogueServer(scenes=[cogs], account=ACCOUNT) as server, Stranger(b"II*\0") as stranger:
        for what, lure in IMAGES.items():
            led = replace(cogs.assets["red"], more={"href": address(lure.to, server, stranger)})
            server.earth.put(replace(cogs, product=product(names[what]), assets={**cogs.assets, "red": led}))
        mercy = Mercy(server, tmp_path)
        mercy.run("stac")
        said = {record["input"]: record["fault"] for record in mercy.records()}
        assert len(mercy.records()) == len(IMAGES)
        assert [what for what, lure in IMAGES.items() if lure.says not in said[names[what]]] == []
        assert mercy.bench.state(cogs.product.name) == "registered"
        assert stranger.visits == []
        assert server.seen.forbidden == []
        assert mercy.leaks() == []
        assert mercy.outside() == []
