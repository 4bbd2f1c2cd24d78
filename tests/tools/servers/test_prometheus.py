"""Prometheus is there without being installed, answers on this machine alone, and says what it does not understand."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import absent, running
from tools.servers import MissingToolError, ServerError
from tools.servers.prometheus import PROGRAMS, Prometheus, programs, promtool


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    server = Prometheus(tmp_path_factory.mktemp("prometheus"))
    with running(server):
        yield server


def test_it_answers_a_query_and_says_what_is_wrong_with_another(prometheus: Prometheus) -> None:
    ((_, value),) = (series["value"] for series in prometheus.query("vector(6 * 7)", time.time()))
    assert value == "42"
    assert prometheus.query("scalar(vector(1))", time.time())[0]["value"][1] == "1"
    with pytest.raises(ServerError, match="rate"):
        prometheus.query("rate(up)", time.time())


def test_what_promtool_finds_is_said(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: [{name: a, rules: [{alert: A, expr: 'up =='}]}]\n")
    try:
        with pytest.raises(ServerError, match="parse error"):
            promtool("check", "rules", tmp_path / "rules.yml")
    except MissingToolError as error:
        absent(error)


def test_programs_of_the_path_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in PROGRAMS:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs() == {name: str(tmp_path / name) for name in PROGRAMS}


def test_without_apt_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tools.servers.INSTALLED", tmp_path)
    monkeypatch.setattr("tools.servers.prometheus.FOLDER", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="apt-get is not on the PATH"):
        programs()
    assert not (tmp_path / "none").exists()


def test_what_apt_fetches_is_unpacked_and_nothing_else_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An apt-get whose lists are old: the first download fails, the one after an update does not."""
    dpkg = shutil.which("dpkg-deb")
    if dpkg is None:
        absent("dpkg-deb is not on the PATH")
    package = tmp_path / "package"
    (package / "DEBIAN").mkdir(parents=True)
    (package / "DEBIAN" / "control").write_text(
        "Package: prometheus\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
    )
    (package / "usr" / "bin").mkdir(parents=True)
    for name in (*PROGRAMS, "other"):
        (package / "usr" / "bin" / name).write_text("#!/bin/sh\n")
    apt = tmp_path / "bin" / "apt-get"
    apt.parent.mkdir()
    apt.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = update ]; then touch {tmp_path}/updated; exit 0; fi\n'
        f"test -e {tmp_path}/updated || exit 100\n"
        f"dpkg-deb -b {package} prometheus_1_all.deb\n"
    )
    apt.chmod(0o755)
    monkeypatch.setattr("tools.servers.INSTALLED", tmp_path / "installed")
    monkeypatch.setattr("tools.servers.prometheus.FOLDER", tmp_path / "installed" / "here")
    monkeypatch.setattr("shutil.which", lambda name: {"apt-get": str(apt), "dpkg-deb": dpkg}.get(name))
    assert set(programs()) == set(PROGRAMS)
    assert {path.name for path in (tmp_path / "installed" / "here").iterdir()} == set(PROGRAMS)
