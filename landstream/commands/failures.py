"""What failed, and what becomes of it: `failures`, `requeue`, `dismiss`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landstream.commands.opening import fail, opened, tell_left_alone
from landstream.commands.options import JsonOption, StoreOption
from landstream.commands.showing import show

if TYPE_CHECKING:
    from landstream.table import Column
    from shared.store import Store

RecordArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of a failure record, or `all`.")]


def failures(
    store: StoreOption,
    everything: Annotated[
        bool, typer.Option("--all", help="Also records that were dismissed, and void ones: done since, or gone.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what failed: the file, its fault and what to do.

    On a terminal text: when, stage, product or unit; below it the file, why, what to do, and the record's id, for
    `landstream requeue` (try again) and `landstream dismiss` (leave it). Piped, or with --json, one JSON a line.

    A record is void, and not shown, once its job succeeded or its unit is gone from landing/. With --all each record
    also says its state, `stands`, `dismissed` or `void`, and for which reason it was dismissed.

    Example: landstream failures --store stores/sibiu
    """
    from landstream import report
    from shared.run.context import Context
    from shared.run.failure import read_records, standing_failures

    folder, area = opened(store)
    reader = Context.of_store(folder, area).reader
    catalogue, foreign = reader.snapshot(), reader.foreign
    found: Iterator[dict[str, Any]]
    columns: Sequence[Column] = report.FAILURE_COLUMNS
    row = report.failure_row
    if everything:
        found = (r | report.failure_state(folder, r, catalogue) for r in read_records(folder, foreign))
        columns, row = report.ALL_FAILURE_COLUMNS, report.any_failure_row
    else:
        found = standing_failures(folder, catalogue, foreign)
    line = partial(json.dumps, sort_keys=True)
    show(found, as_json, line, columns, partial(row, folder), "nothing failed")
    tell_left_alone(foreign)


def requeue(record: RecordArgument, store: StoreOption) -> None:
    """Delete a failure record, so that its job is due again.

    It says the product and the stage that tries it again; `all` leaves alone what was dismissed.

    Example: landstream requeue all --store stores/sibiu
    """
    from landstream.report import failure_subject
    from shared.run.context import Context
    from shared.run.failure import is_void

    folder, area = opened(store)
    catalogue = Context.of_store(folder, area).reader.snapshot()
    for failure in _chosen(folder, record, store):
        void = is_void(failure, folder, catalogue)
        take_away(folder, failure)
        what = f"{failure_subject(failure)}: {failure['stage']}"
        typer.echo(f"{what} has nothing to try again, the record was void" if void else f"{what} tries it again")


def take_away(store: Store, failure: Mapping[str, Any]) -> None:
    """Delete a failure record with all that hangs on it, so that its job is due again."""
    from shared.items.keys import dismissal_key, failure_key, receipt_key

    stage, name = failure["stage"], failure["id"]
    # The record last: if this is ended in between, it stands and can be requeued again. A receipt without its
    # failure record would say "done" of a unit that never was; a dismissal would hide the next record of the job.
    store.delete(dismissal_key(stage, name))
    if failure.get("receipt"):
        store.delete(receipt_key(failure["unit"], failure["receipt"]))
    store.delete(failure_key(stage, name))


def dismiss(
    record: RecordArgument, store: StoreOption, reason: Annotated[str, typer.Option(help="Why, for the record.")] = ""
) -> None:
    """Leave a failure as it is: not shown, counted or tried.

    The record stays, so that its job is not due, and `landstream failures --all` shows it. `landstream requeue ID`
    makes the job due again.

    Example: landstream dismiss all --reason "a test delivery" --store stores/sibiu
    """
    from landstream.report import failure_subject
    from shared.items.ids import canonical
    from shared.items.keys import dismissal_key
    from shared.run.context import Context
    from shared.run.failure import is_void

    folder, area = opened(store)
    catalogue = Context.of_store(folder, area).reader.snapshot()
    for failure in _chosen(folder, record, store):
        if record == "all" and is_void(failure, folder, catalogue):
            continue  # neither shown nor counted as it is
        folder.put(dismissal_key(failure["stage"], failure["id"]), canonical({"reason": reason}))
        typer.echo(f"{failure_subject(failure)}: {failure['stage']} leaves it as it is")


def _chosen(folder: Store, record: str, store: str) -> list[dict[str, Any]]:
    """Return the records that an id names; `all` names those that were not dismissed. End where there is none."""
    from shared.run.failure import dismissed_records, read_records, record_key

    foreign: dict[str, str] = {}
    records = list(read_records(folder, foreign))
    tell_left_alone(foreign)
    if record == "all":
        dismissed = dismissed_records(folder)
        chosen = [r for r in records if record_key(r) not in dismissed]
    else:
        chosen = [r for r in records if r["id"] == record]
    if not chosen:
        if record == "all":
            fail(f"no failure record stands; `landstream failures --all --store {store}` shows those that did")
        fail(f"no failure record {record!r}; `landstream failures --store {store}` lists them")
    return chosen
