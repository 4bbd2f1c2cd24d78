"""What a person sees: plain lines where the output is no terminal, one line per stage where it is."""

from __future__ import annotations

import pytest

from landstream.progress import ProgressDisplay


def test_lines_of_what_ended_and_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as progress:
        progress.observe("ingest", "start", "scene-1", 0, 0)
        progress.observe("ingest", "progress", "scene-1", 3, 10)
        progress.observe("ingest", "done", "scene-1", 0, 0)
        progress.observe("ingest", "later", "scene-2", 0, 0)
        progress.observe("tiler", "absorbed", "scene-1", 0, 0)
        progress.observe("tiler", "failed", "scene-3", 0, 0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split() for line in lines[:2]] == [["ingest", "done", "scene-1"], ["tiler", "failed", "scene-3"]]
    assert len(lines) == 3
    assert lines[2].startswith("done in ")
    assert lines[2].endswith(": ingest 1")


def test_nothing_is_said_where_nothing_happened(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay():
        pass
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_line_per_stage_with_its_share(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the output for a terminal
    monkeypatch.setenv("COLUMNS", "100")
    with ProgressDisplay() as progress:
        progress.observe("ingest", "start", "scene-1", 0, 0)
        progress.observe("ingest", "progress", "scene-1", 3, 10)
        progress.observe("tiler", "failed", "scene-0", 0, 0)
    shown = capsys.readouterr().err
    assert "scene-1 30 %" in shown
    assert "1 failed" in shown
