"""What should have arrived, what did, why the rest did not, and how long it took: `account`, `repair`, `freshness`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.commands.opening import fail, opened, tell_left_alone
from landstream.commands.options import JsonOption, StoreOption
from landstream.commands.showing import for_people, show

if TYPE_CHECKING:
    from landstream.arrivals.account import Line

UNEXPLAINED_EXIT = 1
OLCI_PLACE = "olci"


def account(
    store: StoreOption,
    week: Annotated[str, typer.Option(metavar="W", help="Only this week, such as 2018-W23.")] = "",
    tile: Annotated[str, typer.Option(metavar="T", help="Only this MGRS tile, such as T34TFR, or `olci`.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say what is there of what should be, and why not more.

    For each week and MGRS tile (or `olci`) how many products are expected, as the last recount of the catalogue found
    them; how many were found, by searches or by hand; fetched, so that there is an item; masked, tiled, mapped. Below
    each week every product that lacks a step, and why: too cloudy, deferred, failed and what to do, superseded, ...
    Where no catalogue was counted, `expected` is empty. Piped, or with --json, one JSON a line.

    The last line says how many differences have no reason; before it stands why the catalogue may offer more than is
    known, where a search fails or it was not counted whole yet.

    Exit code: 0; 1 if there is any of these; 2 if the command cannot be carried out.

    Example: landstream account --week 2018-W23 --store stores/sibiu
    """
    from landstream.arrivals.account import lines_of
    from landstream.arrivals.follow import Following, unsearched
    from shared.items.weeks import BadKey, check_week
    from shared.run.context import Context
    from shared.run.failure import standing_failures

    place = _read_place(tile)
    try:
        weeks = [check_week(week)] if week else None
    except BadKey as error:
        fail(error)
    context, unexplained = Context.of_store(*opened(store)), 0
    following = Following(context)
    for each in weeks or following.weeks():
        lines = [line for line in lines_of(each, following.of(each)) if place in ("", line.place)]
        unexplained += sum(line.unexplained for line in lines)
        texts = _for_people(each, lines) if for_people(as_json) else (json.dumps(line.json()) for line in lines)
        for text in texts:
            typer.echo(text)
    records = standing_failures(context.store, context.reader.snapshot(), {})
    searches = unsearched(context.store, context.area, records)
    if for_people(as_json):
        for text in searches:
            typer.echo(text)
        typer.echo(f"{unexplained} unexplained")
    else:
        typer.echo(json.dumps({"unexplained": unexplained, "searches": searches}))
    if unexplained or searches:
        raise typer.Exit(UNEXPLAINED_EXIT)


def repair(store: StoreOption) -> None:
    """Queue again what failed to be fetched.

    The failure records of fetching that stand are deleted, as `landstream requeue` does it; whoever fetches, the
    service or the next `run`, tries these products again. What it cannot put right it names, with the reason: what was
    dismissed, what ingest refused, what the provider has to bring from its archive first.

    Example: landstream repair --store stores/sibiu
    """
    from landstream.arrivals.repair import left_over, standing_fetches
    from landstream.arrivals.standing import Reasons
    from landstream.commands.failures import take_away
    from shared.run.context import Context

    folder, area = opened(store)
    queued, foreign = set[str](), dict[str, str]()
    for failure in standing_fetches(folder, Context.of_store(folder, area).reader.snapshot(), foreign):
        take_away(folder, failure)
        queued.add(failure["input"])
        typer.echo(f"{failure['input']}: queued again; it had failed: {failure['fault']}")
    reasons, left = Reasons(folder, area, datetime.now(UTC)), 0
    for left, standing in enumerate(left_over(folder, queued), 1):  # noqa: B007, counted for the last line
        typer.echo(f"{standing.product}: left as it is: {reasons.of(standing)}")
    typer.echo(f"{len(queued)} queued again, {left} not; `landstream account` says why the rest is missing")
    tell_left_alone(foreign)


def freshness(
    store: StoreOption,
    weeks: Annotated[int, typer.Option(min=1, help="How many of the newest weeks with maps.")] = 8,
    each: Annotated[bool, typer.Option("--each", help="The times themselves, for each mapped week and tile.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say how long products take from the satellite to the map.

    For each step, from sensed over published, found, fetched, registered, masked and tiled to mapped: how many mapped
    products tell it, the median, and the 95th percentile. Of what came by hand nothing is known before `registered`.
    With --each the times (UTC) of each product, by week and MGRS tile. Piped, or with --json, one JSON a line.

    Example: landstream freshness --weeks 4 --store stores/sibiu
    """
    from dataclasses import asdict

    from landstream.arrivals.freshness import COLUMNS, WAY_COLUMNS, Lag, Way, lags_of, ways_of
    from shared.run.context import Context

    def line(lag: Lag) -> str:
        return json.dumps(asdict(lag))

    folder, area = opened(store)
    ways = ways_of(folder, Context.of_store(folder, area).reader.snapshot(), weeks)
    none = "no map yet; `landstream status` says what is missing"
    if each:
        show(ways, as_json, lambda way: json.dumps(way.json()), WAY_COLUMNS, Way.row, none)
        return
    show(lags_of(way.moments for way in ways), as_json, line, COLUMNS, Lag.row, none)


def _read_place(text: str) -> str:
    """Return the place that a text names; end with one line where it names none."""
    from shared.geo import MgrsTile

    if text.lower() in {"", OLCI_PLACE}:
        return text.lower()
    try:
        return MgrsTile.parse(text.upper()).name
    except ValueError as error:
        fail(error)


def _for_people(week: str, lines: list[Line]) -> Iterator[str]:
    from landstream.arrivals.account import STEPS, UNEXPLAINED
    from landstream.table import Column, table, terminal_width

    if not lines:
        return
    heads = [Column(week), *map(Column, STEPS)]
    rows = [[line.place, *(str(line.counts.get(step, "")) for step in STEPS)] for line in lines]
    yield from table(heads, rows, terminal_width())
    found = [difference for line in lines for difference in line.differences]
    if found:
        columns = [Column("not"), Column("product", copied=True), Column("why", below=True)]
        yield from table(columns, [[d.step, d.product, d.reason or UNEXPLAINED] for d in found], terminal_width())
    yield ""
