"""Products come by themselves, through catalogues that fail in every way, and give what those brought by hand give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import landstream
from tests.landstream.catalogues import cdse, environment, faults, labels_of, scenes_of, write_area
from tools.servers.catalogue import CatalogueServer
from tools.servers.catalogue.stranger import Stranger

pytestmark = pytest.mark.timeout(1500)


def test_a_catalogue_that_fails_gives_what_hands_give(six: list[Path], mapped: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with Stranger() as stranger:
        wrong = faults(0.03, ("stac", "odata", "token", "download"), stranger.address)
        with CatalogueServer(scenes_of(six), faults=wrong) as server:
            area = write_area(tmp_path, cdse(server))
            given = environment(server)
            run = landstream("run", "--area", area, "--store", store, "--once", *labels_of(six), env=given)
            seen = server.seen
    assert landstream("digest", "--store", store).stdout == landstream("digest", "--store", mapped).stdout
    assert seen.forbidden == []
    assert seen.whole_twice == []
    assert len(seen.whole) == 5
    assert len(seen.faults) >= 4, "it did fail in many ways"
    assert not stranger.credentials
    for secret in (server.account.password, server.account.secret_key):
        assert secret not in run.stderr + run.stdout
        assert not any(secret.encode() in p.read_bytes() for p in store.rglob("*.json*") if p.is_file())
