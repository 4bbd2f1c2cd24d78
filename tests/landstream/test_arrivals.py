"""Products come by themselves, through catalogues that fail in every way, and give what those brought by hand give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import landstream, run_over
from tests.landstream.catalogues import LIMITS, cdse, environment, faults, labels_of, scenes_of, write_area
from tools.servers.catalogue import CatalogueServer
from tools.servers.catalogue.stranger import Stranger

pytestmark = pytest.mark.timeout(1500)


def test_a_catalogue_that_fails_gives_what_hands_give(six: list[Path], tmp_path: Path) -> None:
    """Merged, and nothing trained or mapped; `make test-arrivals` has whole seasons."""
    by_hand, store = tmp_path / "by-hand", tmp_path / "store"
    run_over([p for p in six if p not in labels_of(six)], by_hand)
    with Stranger() as stranger:
        wrong = faults(0.03, ("stac", "odata", "token", "download"), stranger.address)
        with CatalogueServer(scenes_of(six), faults=wrong, limits=LIMITS) as server:
            area = write_area(tmp_path, cdse(server))
            given = environment(server)
            run = landstream("run", "--area", area, "--store", store, "--once", env=given)
            seen = server.seen
    assert landstream("digest", "--store", store).stdout == landstream("digest", "--store", by_hand).stdout
    assert seen.forbidden == []
    assert seen.whole_twice == []
    assert len(seen.whole) == 5
    assert len(seen.faults) >= 4, "it did fail in many ways"
    assert not stranger.credentials
    for secret in (server.account.password, server.account.secret_key):
        assert secret not in run.stderr + run.stdout
        assert not any(secret.encode() in p.read_bytes() for p in store.rglob("*.json*") if p.is_file())
