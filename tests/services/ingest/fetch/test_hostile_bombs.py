"""Products whose descriptions, objects or archives burst: refused, each with one record, while the good goes on."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.services.ingest.fetch.hostile import ACCOUNT, Mercy, product, quickly
from tests.services.ingest.fetch.hostile_archives import ARCHIVES, ESCAPED
from tests.services.ingest.fetch.workshop import name_of
from tools.servers.catalogue import CatalogueServer, Fault, Product, Stranger
from tools.servers.catalogue.fault import Kind, RouteName

GOOD = name_of(100)


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    with quickly():
        yield


class Bomb(NamedTuple):
    """What befalls a product.

    Attributes:
        kind: of the fault.
        on: route that it befalls.
        says: what the record says.
        stated: whether the catalogue states size and checksum.
    """

    kind: Kind
    on: RouteName
    says: str
    stated: bool = True


BOMBS = {
    "deep JSON": Bomb("json-deep", "odata", "too many values"),
    "long JSON": Bomb("json-huge", "odata", "longer than"),
    "a long number": Bomb("json-digits", "odata", "more than 400 digits"),
    "gzip": Bomb("gzip", "odata", "longer than"),
    "deflate": Bomb("deflate", "odata", "longer than"),
    "gzip in gzip": Bomb("gzip-twice", "odata", "an encoding that was not asked for"),
    "a description without end": Bomb("endless-body", "odata", "longer than"),
    "an archive without end": Bomb("endless-body", "download", "more than"),
    "long headers": Bomb("headers", "download", "headers that are too long"),
    "a packed archive": Bomb("gzip", "download", "an encoding that was not asked for"),
    "a boast": Bomb("boast", "download", "and not the"),
    "a boast that nothing contradicts": Bomb("boast", "download", "no product is so large", stated=False),
    "half of an archive": Bomb("short", "download", "and not the"),
}
STORED = {
    "leads elsewhere": Bomb("redirect", "s3", "leads elsewhere"),
    "entities": Bomb("xml-entities", "s3", "defines entities"),
    "long XML": Bomb("xml-huge", "s3", "longer than"),
    "deep XML": Bomb("xml-deep", "s3", "more than 60000 tags"),
    "a list without end": Bomb("endless", "s3", "does not end"),
    "a packed list": Bomb("gzip", "s3", "longer than"),
}


MEMBERS = {
    "climbs": f"../../../../{ESCAPED}",
    "climbs far": f"a/../../../../../../../../tmp/{ESCAPED}",
    "is absolute": f"//tmp/{ESCAPED}",
    "hides": "a/.part/x.part",
}
"""Keys below a product's folder in S3."""


class Burst(NamedTuple):
    """What came of all of a table at once.

    Attributes:
        mercy: the store and the server.
        records: what the table calls it -> its failure records.
        escaped: files that lie where none belongs.
    """

    mercy: Mercy
    records: Mapping[str, list[dict[str, Any]]]
    escaped: list[str]


def _burst(
    offered: Mapping[str, Product], faults: list[Fault], folder: Path, download: str, examined: Iterable[str] = ()
) -> Burst:
    """Fetch bad products, and a good one beside them."""
    with CatalogueServer([*offered.values(), product(GOOD)], faults=faults, account=ACCOUNT) as server:
        mercy = Mercy(server, folder, frozenset(examined))
        mercy.run(download=download)
    every = mercy.records()
    records = {what: [r for r in every if str(r["input"]).startswith(bad.name)] for what, bad in offered.items()}
    assert sum(map(len, records.values())) == len(every)
    return Burst(mercy, records, [str(path) for path in folder.parent.rglob(f"*{ESCAPED}*")])


def _check(burst: Burst, what: str, says: str) -> None:
    (record,) = burst.records[what]
    assert says in record["fault"]
    assert "\n" not in record["fault"] + record["remedy"]
    assert record["remedy"]


def _check_the_rest(burst: Burst) -> None:
    """The good one came, and nothing lies or is known where it does not belong."""
    mercy = burst.mercy
    assert mercy.bench.state(GOOD) == "registered"
    assert mercy.server.seen.forbidden == []
    assert mercy.leaks() == []
    assert mercy.outside() == []
    assert burst.escaped == []
    assert not Path("/tmp", ESCAPED).exists()
    assert list((mercy.folder / "fetch").iterdir()) == []


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> Burst:
    offered = {what: product(name_of(days), stated=b.stated) for days, (what, b) in enumerate(BOMBS.items())}
    faults = [Fault(bomb.kind, bomb.on, match=offered[what].id) for what, bomb in BOMBS.items()]
    return _burst(offered, faults, tmp_path_factory.mktemp("bombs"), "odata")


@pytest.mark.parametrize("what", BOMBS)
def test_an_answer_about_a_product_that_bursts_is_refused(what: str, bombs: Burst) -> None:
    _check(bombs, what, BOMBS[what].says)


def test_no_answer_about_a_product_does_harm(bombs: Burst) -> None:
    _check_the_rest(bombs)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Burst]:
    folder = tmp_path_factory.mktemp("stored")
    offered = {what: product(name_of(days)) for days, what in enumerate(STORED)}
    for days, (what, key) in enumerate(MEMBERS.items(), len(STORED)):
        path = folder.parent / f"{days}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"x/{key}", b"x")
        offered[f"a key that {what}"] = product(name_of(days), path)
    with Stranger() as stranger:
        faults = [Fault(b.kind, "s3", match=offered[what].folder, to=stranger.address) for what, b in STORED.items()]
        yield _burst(offered, faults, folder, "s3")
        assert stranger.visits == []


@pytest.mark.parametrize("what", STORED)
def test_a_list_of_objects_that_bursts_is_refused(what: str, stored: Burst) -> None:
    _check(stored, what, STORED[what].says)


@pytest.mark.parametrize("what", MEMBERS)
def test_a_key_that_leads_elsewhere_is_refused(what: str, stored: Burst) -> None:
    _check(stored, f"a key that {what}", "is not that of a product's file")


def test_nothing_in_s3_does_harm(stored: Burst) -> None:
    _check_the_rest(stored)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Burst:
    source, offered = tmp_path_factory.mktemp("source"), dict[str, Product]()
    for days, (what, archive) in enumerate(ARCHIVES.items()):
        path = source / f"{days}.zip"
        offered[what] = product(name_of(days), path, stated=archive.stated)
        archive.write(path, offered[what].folder)
    folder = tmp_path_factory.mktemp("archives")
    return _burst(offered, [], folder, "odata", [each.name for each in offered.values()])


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_does_harm_is_refused(what: str, archives: Burst) -> None:
    _check(archives, what, ARCHIVES[what].says)


def test_no_archive_did_harm(archives: Burst) -> None:
    _check_the_rest(archives)
