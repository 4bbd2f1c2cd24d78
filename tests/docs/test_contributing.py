"""What CONTRIBUTING.md names exists, and the hooks run what `make check` runs."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.conftest import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)+[\w./]*)`", TEXT))))
def test_paths_that_are_named_exist(path: str) -> None:
    inside = [ROOT, ROOT / "shared", ROOT / "tests"]
    assert any((folder / path).exists() for folder in inside), path


def test_targets_that_are_named_exist() -> None:
    named = set(re.findall(r"make ([a-z-]+)", TEXT))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_hooks_run_what_make_check_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    checks = re.sub(r"\$\(BIN\)", ".venv/bin", MAKEFILE)
    for entry in entries:
        assert entry.replace(" --force-exclude", "") in checks
    tools = re.findall(
        r"^\t(\.venv/bin/(?:ruff \w+|mypy|lint-imports|hadolint))", checks[checks.index("\ncheck:") :], re.M
    )
    assert {tool for tool in tools if not any(entry.startswith(tool) for entry in entries)} == set()


def test_the_licence_is_that_of_the_project() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
