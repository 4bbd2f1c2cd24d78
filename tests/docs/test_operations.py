"""The operator's page says what the code does: who may do what, every setting."""

from __future__ import annotations

import re

from landstream.provision.grants import grants
from shared.process.service import ALIVE_S
from shared.settings import OwnSettings, variables
from shared.stage import Settings
from tests.conftest import ROOT
from tests.test_agreement import settings_classes
from tools.deploy_files.settings import classes

PAGE = (ROOT / "docs" / "operations.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The cells of a section's first table."""
    section = re.split(rf"^## {heading}\n", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [re.split(r" *\| *", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def patterns(cell: str) -> set[str]:
    """What a cell names."""
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_table_of_users_is_that_of_the_grants() -> None:
    page = {user.strip("`"): tuple(map(patterns, cells)) for user, *cells in table("Users")}
    assert page == {g.user: (set(g.writes), set(g.deletes)) for g in grants()}


def test_the_table_of_settings_holds_every_class_of_settings() -> None:
    assert set(classes()) == set(settings_classes()) - {OwnSettings, Settings}
    page = {variable.strip("`"): cells for variable, *cells in table("Settings")}
    assert page.keys() == {variable for cls in classes() for variable in variables(cls)}
    assert all(meaning.endswith((".", "**")) for _, meaning in page.values())
    assert [v for v, (_, meaning) in page.items() if "Changes results" in meaning] == [
        "LANDSTREAM_CLOUDMASK_CLOUD_THRESHOLD",
        "LANDSTREAM_INFERENCE_OVERLAP_PX",
    ]


def test_no_variable_stands_for_two_settings() -> None:
    found = [variable for cls in classes() for variable in variables(cls)]
    assert len(found) == len(set(found))


def test_the_page_knows_how_long_a_loop_may_be_silent() -> None:
    assert f"silent for {ALIVE_S / 60:.0f} minutes" in PAGE
