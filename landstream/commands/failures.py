"""What failed, and what becomes of it: `failures`, `requeue`."""

from __future__ import annotations

from typing import Annotated

import typer

from landstream.commands.opening import fail, opened, tell_left_alone
from landstream.commands.options import StoreOption


def failures(store: StoreOption) -> None:
    """Print the failure records, one JSON per line.

    Each names the file, its fault and the remedy; `landstream requeue` orders another attempt.
    """
    from landstream import report
    from shared.run.context import Context

    folder, area = opened(store)
    reader = Context.of_store(folder, area).reader
    for line in report.failures(folder, reader.snapshot(), reader.foreign):
        typer.echo(line)
    tell_left_alone(reader.foreign)


def requeue(
    record: Annotated[str, typer.Argument(metavar="ID", help="Id of a failure record, or `all`.")], store: StoreOption
) -> None:
    """Delete a failure record, so that its job is due again."""
    from shared.items.keys import failure_key, receipt_key
    from shared.run.failure import read_records

    folder, _ = opened(store)
    foreign: dict[str, str] = {}
    chosen = [r for r in read_records(folder, foreign) if record in ("all", r["id"])]
    tell_left_alone(foreign)
    if not chosen:
        fail(f"no failure record {record!r}; `landstream failures --store {store}` lists them")
    for failure in chosen:
        # The receipt first: if this is ended in between, the record stands and can be requeued again. A receipt
        # without its failure record would say "done" of a unit that never was.
        if failure.get("receipt"):
            folder.delete(receipt_key(failure["unit"], failure["receipt"]))
        folder.delete(failure_key(failure["stage"], failure["id"]))
        typer.echo(f"requeued {failure['stage']} {failure['id']}")
