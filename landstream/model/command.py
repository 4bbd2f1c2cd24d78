"""The commands `landstream model ...`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import JsonOption, StoreOption
from landstream.commands.showing import for_people, show

if TYPE_CHECKING:
    from landstream.model.history import Model
    from shared.items.catalogue import Catalogue
    from shared.items.item import Item
    from shared.store import Store

app = typer.Typer(
    help="Show the models of a store, and choose the champion: the one that draws the maps.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ModelArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or the beginning of it.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the record.")]


@app.command("list")
def list_models(store: StoreOption, as_json: JsonOption = False) -> None:
    """Show all models with their scores on the hold-out, the champion first.

    Example: landstream model list --store stores/sibiu
    """
    from landstream.model import describe
    from landstream.model.history import models_of
    from landstream.table import Column

    location, catalogue = _look(store)
    columns = (
        Column("promotions"),
        Column("weeks"),
        Column("accuracy"),
        Column("mIoU"),
        Column("id", copied=True),
        Column("card", copied=True, below=True),
    )
    line, row = partial(describe.line, location), partial(describe.row, location)
    show(models_of(catalogue), as_json, line, columns, row, "no model yet; `landstream run` trains one")


@app.command("show")
def show_model(model: ModelArgument, store: StoreOption, as_json: JsonOption = False) -> None:
    """Show a model: what it was trained on and how, its scores class by class, when it was champion and why.

    Example: landstream model show small--v2 --store stores/sibiu
    """
    from landstream.model import describe

    location, catalogue = _look(store)
    found = _find(catalogue, model)
    if not for_people(as_json):
        typer.echo(describe.line(location, found))
        return
    for text in describe.facts(location, found):
        typer.echo(text)


@app.command()
def compare(first: ModelArgument, second: ModelArgument, store: StoreOption, as_json: JsonOption = False) -> None:
    """Show two models side by side: their data, the settings they differ in, their scores, and who won.

    Example: landstream model compare small--v2-0a1b small--v2-9f8e --store stores/sibiu
    """
    from dataclasses import asdict

    from landstream.model import compare as comparing
    from landstream.table import Column

    _, catalogue = _look(store)
    one, other = (_find(catalogue, asked) for asked in (first, second))
    columns = (Column(""), Column(one.item.id), Column(other.item.id), Column("difference"))
    show(
        comparing.compare(one, other),
        as_json,
        lambda row: json.dumps(asdict(row)),
        columns,
        lambda row: (row.name, row.first, row.second, row.difference),
        "",
    )
    if not for_people(as_json):
        return
    if not comparing.are_scored_alike(one, other):
        typer.echo("not scored on the same hold-out and weeks: part of the difference is theirs")
    for facts in comparing.comparisons(one, other, catalogue):
        typer.echo(comparing.spell_comparison(facts))


@app.command("import")
def import_model(
    model: Annotated[
        Path, typer.Argument(metavar="SAVEDMODEL", help="Folder of a SavedModel, or an uncompressed tar of its files.")
    ],
    card: Annotated[Path, typer.Option(metavar="MLM.json", help="Its card: JSON with the properties of STAC MLM.")],
    store: StoreOption,
    title: Annotated[str, typer.Option(help="What it is, for people; the card's name where not given.")] = "",
) -> None:
    """Bring a model of your own.

    The trainer checks it, scores it on the hold-out and publishes it beside its own; it becomes champion as those do.
    `docs/researcher.md` tells how to export one.

    Example: landstream model import saved_model --card mlm.json --store stores/sibiu
    """
    from landstream.model import importing

    location, area = opened(store)
    try:
        imported = importing.import_model(location, area, model, card, title)
    except importing.NotImported as error:
        fail(error)
    typer.echo(f"imported: {imported}; the next `run`, or the trainer, checks and scores it")


@app.command()
def promote(model: ModelArgument, store: StoreOption, reason: ReasonOption) -> None:
    """Make a model the champion.

    It maps the last weeks again (`remap` in the area file), newest first; `run --once` maps all weeks again. It stays
    champion until the area's rule (`promote` in its file) makes another one champion.

    Example: landstream model promote small--v2-0a1b2c3d --reason "better at the coast" --store stores/sibiu
    """
    location, catalogue = _look(store)
    found = _find(catalogue, model)
    if found.is_champion:
        fail(f"{found.item.id}: is the champion already")
    _promote(location, catalogue, found.item, reason)


@app.command()
def rollback(store: StoreOption, reason: ReasonOption) -> None:
    """Make the champion of before the champion again.

    Weeks that it mapped already have its maps again at once: nothing is computed twice.

    Example: landstream model rollback --reason "stripes along the river" --store stores/sibiu
    """
    from landstream.model.history import NoSuchModel, champion_before

    location, catalogue = _look(store)
    try:
        _promote(location, catalogue, champion_before(catalogue), reason)
    except NoSuchModel as error:
        fail(error)


def _look(store: str) -> tuple[Store, Catalogue]:
    from shared.run.context import Context

    location, area = opened(store)
    return location, Context.of_store(location, area).reader.snapshot()


def _find(catalogue: Catalogue, asked: str) -> Model:
    from landstream.model.history import NoSuchModel, find_model, models_of

    try:
        return find_model(models_of(catalogue), asked)
    except NoSuchModel as error:
        fail(error)


def _promote(store: Store, catalogue: Catalogue, model: Item, reason: str) -> None:
    from services.sweeper.promotion import next_promotion
    from shared.items.properties import PromotionFacts

    if not reason.strip():
        fail("--reason: say why, for whoever looks at the history later")
    promotion = next_promotion(store, catalogue, model, PromotionFacts(model=model.id, reason=reason))
    if promotion is None:
        fail("somebody else promotes a model at this moment; `landstream model list` shows which, then repeat")
    typer.echo(f"champion: {model.id} ({promotion}); the next `run`, or inference, maps with it")
