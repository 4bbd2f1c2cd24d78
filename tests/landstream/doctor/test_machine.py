"""What this machine lacks, as far as it can be told."""

from __future__ import annotations

import pytest

from landstream.doctor.finding import Finding, line
from landstream.doctor.machine import look_at_extras, look_at_machine, look_at_memory, look_at_python, memory_bytes

WANTED = "<3.12,>=3.11"


@pytest.mark.parametrize(
    ("version", "wanted", "state"),
    [((3, 11), WANTED, "ok"), ((3, 10), WANTED, "fail"), ((3, 12), WANTED, "fail"), ((4, 0), "", "ok")],
)
def test_python_is_judged_by_what_the_package_asks_for(version: tuple[int, int], wanted: str, state: str) -> None:
    found = look_at_python(version, wanted)
    assert found.state == state
    assert (WANTED in found.remedy) is (state == "fail")


def test_memory_is_judged_by_the_largest_stage() -> None:
    assert look_at_memory(8 << 30, 2816).state == "ok"
    assert look_at_memory(2 << 30, 2816) == Finding(
        "memory", "warn", "2.1 GB", "the largest stage is given 3.0 GB: use a larger machine, or small areas"
    )
    assert memory_bytes() > 1 << 28


def test_each_extra_names_what_it_lacks_and_how_to_get_it() -> None:
    declared = [
        "numpy>=1.26", "scipy>=1.14; extra == 'tiler'", 'zarr<3.2,>=3.1; extra == "tiler"',
        "minio>=7.2.15; extra == 'provision'", "scipy>=1.14; extra == 'all'", "pytest>=8; extra == 'dev'",
    ]  # fmt: skip
    provision, tiler = look_at_extras(declared, lambda name: name != "scipy")
    assert provision == Finding("extra provision", "ok", "minio")
    assert tiler == Finding("extra tiler", "warn", "missing: scipy", "to use it, pip install 'landstream[tiler]'")
    assert line(tiler) == "warn  extra tiler         missing: scipy; to use it, pip install 'landstream[tiler]'"
    (none,) = look_at_extras([], lambda name: True)
    assert none.state == "warn"


def test_this_machine_can_run_the_tests() -> None:
    found = {finding.what: finding for finding in look_at_machine()}
    assert {"Python", "memory", "GPU", "extra ingest", "extra trainer"} <= set(found)
    assert {f.state for f in found.values()} <= {"ok", "warn"}
