"""The commands `landstream model ...`."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

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
    line, row = partial(_line, location), partial(_row, location)
    show(models_of(catalogue), as_json, line, columns, row, "no model yet; `landstream run` trains one")


@app.command("show")
def show_model(model: ModelArgument, store: StoreOption, as_json: JsonOption = False) -> None:
    """Show a model: what it was trained on and how, its scores class by class, when it was champion and why.

    Example: landstream model show small--v2 --store stores/sibiu
    """
    location, catalogue = _look(store)
    found = _find(catalogue, model)
    if not for_people(as_json):
        typer.echo(_line(location, found))
        return
    for text in _facts(location, found):
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


def _line(store: Store, model: Model) -> str:
    """Return the item (JSON) with its place among the champions on one line."""
    from landstream.report import item_line

    item: dict[str, Any] = json.loads(item_line(store, model.item))
    promoted = [{"number": p.number, **_why(p)} for p in model.promotions]
    return json.dumps({**item, "promotions": promoted, "champion": model.is_champion})


def _why(promotion: Item) -> dict[str, str | None]:
    from shared.items.properties import PromotionFacts

    said = PromotionFacts.of(promotion)
    return {"rule": said.rule, "reason": said.reason}


def _score(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"


def _with_interval(model: Model, name: str) -> str:
    found = model.metrics.get("interval_95", {}).get(name)
    return _score(model.metrics.get(name)) + (f" [{found[0]:.3f}, {found[1]:.3f}]" if found else "")


def _weeks(model: Model) -> str:
    weeks = model.item.properties.get("landstream:weeks") or ["-"]
    return weeks[0] if len(weeks) == 1 else f"{weeks[0]} to {weeks[-1]}"


def _row(store: Store, model: Model) -> tuple[str, ...]:
    from landstream.result import place_of

    numbers = ", ".join(str(p.number) for p in model.promotions) or "-"
    return (
        f"{numbers} (champion)" if model.is_champion else numbers,
        _weeks(model),
        _score(model.metrics.get("accuracy")),
        _score(model.metrics.get("miou")),
        model.item.id,
        place_of(store, model.item, "card"),
    )


def _further(model: Model) -> list[tuple[str, str]]:
    """Return the figures that models of before lack: gain over boosting, calibration, hectares."""
    metrics = model.metrics
    found = []
    if gain := metrics.get("boosting", {}).get("gain_95", {}).get("miou"):
        found.append(("gain", f"[{gain[0]:+.3f}, {gain[1]:+.3f}] mIoU over boosting on multi-scale features"))
    if calibration := metrics.get("calibration"):
        low, high = calibration["interval_95"]["ece"]
        found.append(("calibration", f"{calibration['ece']:.3f} [{low:.3f}, {high:.3f}], error of the confidence"))
    for value, row in metrics.get("area", {}).get("classes", {}).items():
        if row["mapped_ha"] or row["adjusted_ha"]:
            (low, high), name = row["adjusted_ha_95"], metrics["per_class"][value]["name"]
            told = f"{row['adjusted_ha']:,.1f} [{low:,.1f}, {high:,.1f}] {name}, mapped {row['mapped_ha']:,.1f}"
            found.append(("hectares", f"{told}; held-out blocks"))
    return found


def _facts(store: Store, model: Model) -> list[str]:
    from landstream.result import place_of

    properties = model.item.properties
    facts = [
        ("model", f"{model.item.id}{', the champion' if model.is_champion else ''}"),
        ("card", place_of(store, model.item, "card")),
        ("archive", place_of(store, model.item, "model")),
        ("trained on", _weeks(model)),
        ("settings", ", ".join(f"{k} {v}" for k, v in properties.get("landstream:training", {}).items())),
        *((label, _with_interval(model, name)) for label, name in (("accuracy", "accuracy"), ("mIoU", "miou"))),
    ]
    facts += [
        ("IoU", f"{_score(row.get('iou'))} {row['name']} ({row['support']:,} pixels)")
        for row in model.metrics.get("per_class", {}).values()
    ]
    facts += _further(model)
    for promotion in model.promotions:
        why = _why(promotion)
        facts.append(("promoted", f"number {promotion.number}, {why['reason'] or why['rule'] or 'by a person'}"))
    return [f"{name:<12}{text}" for name, text in facts if text]
