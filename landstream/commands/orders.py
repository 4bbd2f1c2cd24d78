"""What people order: `train`, `withdraw`, `restore`, `reprocess`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import ProductArgument, StoreOption

if TYPE_CHECKING:
    from shared.area import Area


def train(
    store: StoreOption,
    hugin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings from a training file of Hugin's, read as data.")
    ] = None,
) -> None:
    """Order a model of what the cube holds now.

    It is trained as the area file of the last `run`, or `provision`, says; what arrives before it begins makes the
    order void. Without an order a watching stream asks for models by itself, as `train` in the area file says, and
    `run --once` trains at its end. A model of the same data and settings is never trained twice.

    With --hugin this one training has the settings of a file, whatever the area file says; each key of it that has no
    counterpart is named on standard error. Nothing in the file is imported or run.

    Example: landstream train --store stores/sibiu
    """
    from landstream.training_order import NothingToTrain, order_training

    location, area = opened(store)
    try:
        request = order_training(location, area if hugin is None else _as_hugin_says(hugin, area))
    except NothingToTrain as error:
        fail(error)
    typer.echo(f"ordered: {request}; the next `run`, or the trainer, trains it")


def _as_hugin_says(path: Path, area: Area) -> Area:
    """Return the area with the settings of a file of Hugin's; say what of it has no counterpart."""
    from landstream.hugin import HuginError, read_hugin

    try:
        settings, lines = read_hugin(path)
    except HuginError as error:
        fail(error)
    for line in lines:
        typer.echo(line, err=True)
    return area.model_copy(update={"training": settings})


def withdraw(
    product: ProductArgument, store: StoreOption, reason: Annotated[str, typer.Option(help="Why, for the record.")]
) -> None:
    """Take a product out of the cube and of all maps.

    That may be before it arrives, too. The weeks that it is in are rebuilt from what is left; `landstream restore`
    takes it back in.

    Example: landstream withdraw S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000 --reason haze --store S
    """
    _say_of(product, "withdraw", store, reason)


def restore(
    product: ProductArgument, store: StoreOption, reason: Annotated[str, typer.Option(help="Why, for the record.")]
) -> None:
    """Take a withdrawn product back in.

    It is merged and mapped again.

    Example: landstream restore S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000 --reason mended --store S
    """
    _say_of(product, "restore", store, reason)


def _say_of(product: str, command: str, location: str, reason: str) -> None:
    from landstream.withdrawals import STATES, say
    from shared.run.context import Context
    from shared.run.withdraw import NothingToSay

    store, area = opened(location)
    try:
        key = say(store, area, Context.of_store(store, area).reader.snapshot(), product, STATES[command], reason)
    except NothingToSay as error:
        fail(error)
    typer.echo(f"{STATES[command]}: {key}; the next `run`, or the sweeper, does what follows")


def reprocess(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Name of a service.")],
    store: StoreOption,
    week: Annotated[str, typer.Option(help="One week, such as 2018-W23.")] = "all",
) -> None:
    """Order a stage's older results to be made again.

    The results of older versions of the stage are due again, as far as they are still wanted; those of the present
    version stay. It says how many older ones there are.

    Example: landstream reprocess cloudmask --week 2018-W23 --store stores/sibiu
    """
    from landstream.reprocessing import NothingToOrder, count_older, order
    from shared.items.weeks import check_week
    from shared.run.context import Context
    from shared.stage.registry import NoSuchService, load

    folder, area = opened(store)
    try:
        declared = load(stage)
        if week != "all":
            check_week(week)
        older = count_older(declared, Context.of_store(folder, area).reader.snapshot(), week)
        order(folder, declared, week)
    except (NoSuchService, NothingToOrder, ValueError) as error:
        fail(error)
    version = declared.version
    if not older:
        typer.echo(f"no result of {stage} is older than version {version} ({week}): nothing is due again")
        return
    typer.echo(
        f"{sum(older.values())} results of {stage} older than version {version} are due again where still wanted:"
    )
    for name, count in older.items():
        typer.echo(f"  {name}: {count}")
