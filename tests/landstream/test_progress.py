"""What a person sees: plain lines where the output is no terminal, one line per stage where it is."""

from __future__ import annotations

from threading import Event

import pytest

from landstream.progress import ProgressDisplay
from services.sweeper.view import Count, Open


def due(*units: str) -> dict[str, Count]:
    return {"ingest": Count(0, [Open("ingest", unit, f"landing/{unit}", "") for unit in units])}


def test_lines_of_what_ended_with_reasons_and_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as progress:
        progress.observe("landing", "progress", "scene-1", 0, 3, "products")
        progress.observe("ingest", "start", "scene-1")
        progress.observe("ingest", "progress", "scene-1", 3, 10)
        progress.observe("ingest", "done", "scene-1")
        progress.observe("ingest", "later", "scene-2", note="2 of 3 files are there")
        progress.observe("tiler", "absorbed", "scene-1")
        progress.observe("tiler", "failed", "scene-3", note="B02.jp2: is empty; deliver it again")
        progress.observe("ingest", "failed", "notes.txt", note="notes.txt: is not a product; take it away")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "taking in 3 products"
    assert lines[1].split() == ["ingest", "done", "scene-1"]
    assert lines[2].split(maxsplit=2) == ["tiler", "failed", "scene-3: B02.jp2: is empty; deliver it again"]
    assert lines[3].split(maxsplit=2) == ["ingest", "failed", "notes.txt: is not a product; take it away"]
    assert lines[4:] == ["0 s: ingest 1"]


def test_one_product_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as progress:
        progress.observe("landing", "progress", "scene-1", 0, 1, "products")
    assert capsys.readouterr().err == "taking in 1 product\n"


def test_nothing_is_said_where_nothing_happened(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as progress:
        progress.expect({"ingest": Count(done=3)})
        progress.waiting([])
    assert capsys.readouterr().err == ""


def test_a_log_hears_at_once_what_is_due_and_then_now_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(["ingest"]) as progress:
        progress.expect(due("a", "b"))
        progress.expect(due("b"))
    assert capsys.readouterr().err.splitlines() == ["0 s elapsed; ingest 0 of 2"]


def test_a_log_hears_of_each_wait_once(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(["ingest"]) as progress:
        progress.observe("ingest", "later", "a.SAFE", note="12 of 30 files are there")
        for seconds in (60, 37, 3):
            progress.waiting([f"training in {seconds} s if quiet", "watching s/landing/"])
        progress.waiting(["watching s/landing/"])
        progress.stopping()
    assert capsys.readouterr().err.splitlines() == [
        "arriving: a.SAFE: 12 of 30 files are there",
        "training in 60 s if quiet",
        "watching s/landing/",
        "stopping: what is under way may still end",
    ]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich takes the output for a terminal of 100 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def test_a_terminal_shows_a_line_per_stage_with_its_share(terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    stop = Event()
    with ProgressDisplay(["ingest"], stop) as progress:
        progress.expect(due("a", "b", "c"))
        progress.observe("ingest", "start", "scene-1")
        progress.observe("ingest", "progress", "scene-1", 3, 10)
        progress.observe("tiler", "failed", "scene-0", note="why")
        progress.waiting(["training in 37 s if quiet"])
        stop.set()
    shown = capsys.readouterr().err
    for part in ("0 of 3", "scene-1 30 %", "1 failed", "scene-0: why", "training in 37 s if quiet", "stopping"):
        assert part in shown, part
    assert "0 of 0" not in shown, "of tiler nothing is known but a failure"


def test_a_terminal_without_a_cursor_gets_lines(
    terminal: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with ProgressDisplay() as progress:
        progress.observe("ingest", "done", "scene-1")
    assert capsys.readouterr().err.splitlines()[0].split() == ["ingest", "done", "scene-1"]
