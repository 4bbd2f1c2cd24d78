"""What failed to be fetched is queued again, and nothing else is."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from landstream import cli
from services.ingest.fetch.book import BY_INGEST, record_id
from shared.items.keys import FAILURES, dismissal_key, failure_key
from shared.items.products import FETCH
from tests.landstream.arrivals.worlds import World, named

LOST, LEFT, REFUSED, OFFLINE, WAITS = map(named, range(20, 25))


def test_failed_fetches_are_queued_again_and_the_rest_is_named(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.failed(LOST)
    world.failed(LEFT)
    world.store.put(dismissal_key(FETCH, record_id(LEFT)), b'{"reason":"haze"}')
    world.offered(REFUSED, ("failed", f"{BY_INGEST}ends early"))
    world.offered(OFFLINE, ("deferred", "offline, and ordered"))
    world.offered(WAITS)
    world.book.fail_search("search-S2MSI2A", b"{}")
    said = CliRunner().invoke(cli.app, ["repair", "--store", world.store.location])
    assert said.exit_code == 0, said.output
    told = [line for line in said.output.splitlines() if not line.startswith("left alone")]
    assert told[0] == f"{LOST}: queued again; it had failed: md5 differs"
    assert sorted(line.partition(":")[0] for line in told[1:4]) == [LEFT, REFUSED, OFFLINE]
    assert all(": left as it is: " in line for line in told[1:4])
    assert told[4].startswith("1 queued again, 3 not;")
    assert len(told) == 5
    stand = {record_id(LEFT), record_id("search-S2MSI2A")}
    assert {*world.store.keys(FAILURES)} == {failure_key(FETCH, name) for name in stand} | {
        dismissal_key(FETCH, record_id(LEFT)),
    }
    again = CliRunner().invoke(cli.app, ["repair", "--store", world.store.location])
    assert (
        f"{LOST}: left as it is: failed: md5 differs; its record was taken away, and it is tried again" in again.output
    )
