"""What a run says at its end, and with which exit code."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
import typer
from typer.testing import CliRunner

from landstream.cli import app
from landstream.commands.run import _report
from landstream.stream import RunOutcome
from services.ingest.fetch.errors import Refused
from shared.items.ids import canonical
from shared.store import FolderStore, StoreUnavailable
from tests.catalogues import AREA, make, promotion
from tests.conftest import AREAS
from tests.landstream.test_result import mapped


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with a map."""
    store = FolderStore(tmp_path)
    model = make("models", "small", week="static", metrics={"accuracy": 0.9, "miou": 0.7, "pixels": 10})
    for item in (model, promotion(model, 1), *mapped("2018-W22", model, 61.26)):
        store.put(item.key, canonical(item.json))
    return store


def end(outcome: RunOutcome, store: FolderStore) -> int:
    with pytest.raises(typer.Exit) as ended:
        _report(outcome, store, AREA, Path("log.jsonl"))
    return int(ended.value.exit_code)


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (RunOutcome(), 0, ""),
        (RunOutcome(failed=1), 3, "1 failure record: landstream failures --store {store}"),
        (RunOutcome(failed=2), 3, "2 failure records: landstream failures --store {store}"),
        (RunOutcome(interrupted=True), 143, "interrupted: run the same line again to continue"),
    ],
)
def test_a_run_ends_with_its_result(
    outcome: RunOutcome, code: int, said: str, store: FolderStore, capsys: pytest.CaptureFixture
) -> None:
    assert end(outcome, store) == code
    shown = capsys.readouterr()
    assert [line.split()[0] for line in shown.out.splitlines()] == [
        "model", "accuracy", "mIoU", "area", "land", "observed", "quicklook", "newest",
    ]  # fmt: skip
    assert shown.err.strip() == said.format(store=store.location)


def test_a_store_without_a_result_says_nothing_of_it(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert end(RunOutcome(), FolderStore(tmp_path)) == 0
    assert capsys.readouterr().out == ""


def test_a_store_that_went_away_does_not_change_how_a_run_ended(
    store: FolderStore, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("does not answer")

    monkeypatch.setattr("shared.items.reader.CatalogueReader.snapshot", away)
    assert end(RunOutcome(interrupted=True), store) == 143
    assert "the result cannot be read: does not answer" in capsys.readouterr().err


def test_a_run_that_had_to_stop_says_why(store: FolderStore, capsys: pytest.CaptureFixture) -> None:
    assert end(RunOutcome(stopped="tiler: 10 failures in a row"), store) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "landstream: stopped: tiler: 10 failures in a row; the log is log.jsonl\n")


def test_a_source_that_cannot_be_asked_ends_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Refused("an address holds characters that no address of ours holds")

    monkeypatch.setattr("landstream.stream.Stream", refuse)
    monkeypatch.setattr("shared.run.signals.stop_on_signals", Event)
    monkeypatch.setattr("shared.observe.logs.configure_logs", lambda _: None)
    result = CliRunner().invoke(
        app, ["run", "--area", str(AREAS / "small.yaml"), "--store", str(tmp_path / "s"), "--once"]
    )
    assert result.exit_code == 2
    assert "an address holds characters" in result.output
    assert isinstance(result.exception, SystemExit)
