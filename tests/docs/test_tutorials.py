"""The tutorials work as they stand, typed line by line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT, Servers
from tests.docs.tutorial import follow, script_of
from tests.live.groups import begin_now

DOCS = ROOT / "docs"
PAGES = ("researcher.md", "operator.md", "client.md")
WITHIN_S = 1200

pytestmark = pytest.mark.timeout(1500)


def page(name: str) -> str:
    return (DOCS / name).read_text()


PAGE = """A page.

```sh
one
```
```text
shown
```
<!-- not run: needs more -->
```sh
left out
```
```python
two
```
<!-- not run: needs more -->
```sh
left out
```
"""
TYPED = """echo '== line 3'
one
echo '== line 13'
python - <<'END_OF_PROGRAM'
two
END_OF_PROGRAM
"""


def test_blocks_are_typed_in_their_order() -> None:
    assert script_of(PAGE) == TYPED


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for a clone of the repository."""
    return tmp_path_factory.mktemp("clone")


@pytest.fixture(scope="module")
def researched(clone: Path) -> str:
    """What is printed to whoever follows the researcher's page."""
    return follow(page("researcher.md"), clone, WITHIN_S)


def test_a_researcher_gets_maps(researched: str, clone: Path) -> None:
    work = clone / "runs" / "cibin"
    assert (work / "maps" / "cibin_2018-W26_land-cover.tif").is_file()
    assert (work / "land_cover.tif").is_file()
    assert re.search(r"^accuracy +0\.\d+ on the hold-out", researched, re.MULTILINE)
    assert re.search(r"^Forest and semi-natural areas +[1-9][\d.]* ha", researched, re.MULTILINE)
    assert "own/" not in researched or "used: copied" in researched
    assert "Warning" not in researched


def test_a_client_takes_files_items_and_predictions(researched: str, clone: Path) -> None:
    printed = follow(page("client.md"), clone, WITHIN_S)
    work = clone / "runs" / "cibin"
    by_command, by_program = ((work / f"by_{who}.tif").stat().st_size for who in ("command", "program"))
    assert by_command > 0 < by_program
    assert printed.count("made of: cibin--v") == 2
    assert re.search(r"^model version \d+ classes \[", printed, re.MULTILINE)
    assert re.search(r"^2 Agricultural areas +[1-9][\d.]* ha", printed, re.MULTILINE)


@pytest.mark.live
def test_an_operator_runs_services(clone: Path, servers: Servers, bucket: str) -> None:
    begin_now(servers.kafka, bucket)
    (clone / ".services").mkdir()
    (clone / ".services" / "env").write_text("".join(f"{name}={value}\n" for name, value in servers.variables.items()))
    printed = follow(page("operator.md").replace("s3://small", f"s3://{bucket}"), clone, WITHIN_S)
    assert re.search(r"^ready$", printed, re.MULTILINE)
    assert re.search(r"^landstream_jobs_total\{.*\} 1\.0$", printed, re.MULTILINE)
    assert re.search(r"^== line \d+\n.*done +waiting +failed", printed, re.MULTILINE)


def test_pages_name_each_other_and_what_exists() -> None:
    for name in PAGES:
        for path in re.findall(r"\]\((?!http)([^)]+)\)|`((?:docs|examples|tests|k8s)/[\w./-]+)`", page(name)):
            assert any((folder / next(filter(None, path))).exists() for folder in (ROOT, DOCS)), (name, path)
