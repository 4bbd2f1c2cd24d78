"""The commands `landstream split ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import StoreOption

if TYPE_CHECKING:
    from shared.items.catalogue import Catalogue
    from shared.items.item import Item

app = typer.Typer(
    help="Show which ground models learn from, and which they are tested on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def split() -> None:
    """Show which ground models learn from, and which they are tested on."""


@app.command()
def show(
    store: StoreOption,
    model: Annotated[str, typer.Option(metavar="ID", help="A model's own split instead of the newest hold-out.")] = "",
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the map: FILE.svg, a picture, or FILE.geojson, for QGIS."),
    ] = None,
) -> None:
    """Draw the hold-out as a map of blocks of 1.28 km, with the hectares of each class on both sides.

    Example: landstream split show --store stores/sibiu --output split.svg
    """
    from landstream.split import blocks
    from landstream.table import Column, table, terminal_width
    from shared.items.properties import HoldOutFacts
    from shared.items.stac import asset_key
    from shared.run.context import Context

    location, area = opened(store)
    item, asset = _chosen(Context.of_store(location, area).reader.snapshot(), model)
    found = blocks.read_split(location.get(asset_key(item, asset)))
    if output is not None:
        drawings = {".svg": lambda: blocks.svg_map(found, item.id), ".geojson": lambda: blocks.geojson_map(found)}
        if output.suffix not in drawings:
            fail(f"{output}: a map is a file that ends in {' or '.join(drawings)}")
        output.write_text(drawings[output.suffix](), encoding="utf-8")
        typer.echo(f"{output}: {item.id}")
        return
    lines = blocks.text_map(found)
    if len(lines[0]) <= terminal_width():
        typer.echo("\n".join(lines))
    else:
        typer.echo(f"{len(lines)} x {len(lines[0])} blocks are wider than this terminal; --output FILE.svg draws them")
    typer.echo(", ".join(f"{blocks.SIGNS[sign]} {name}" for sign, name in blocks.SIDES.items()) + f"; {item.id}")
    if item.collection == "hold-outs":
        columns = [Column("class"), Column("training, ha"), Column("hold-out, ha"), Column("held out")]
        for line in table(columns, blocks.table_rows(area, HoldOutFacts.of(item).classes), terminal_width()):
            typer.echo(line)


def _chosen(catalogue: Catalogue, model: str) -> tuple[Item, str]:
    """Return the item whose split is shown, and the asset that holds it."""
    from landstream.model.history import NoSuchModel, find_model, models_of
    from services.trainer.hold_outs import HOLD_OUT, newest_hold_out

    if not model:
        newest = newest_hold_out(catalogue)
        if newest is None:
            fail("no hold-out yet: the first training deals it; `landstream run --once` trains")
        return newest, HOLD_OUT
    try:
        item = find_model(models_of(catalogue), model).item
    except NoSuchModel as error:
        fail(error)
    if "split" not in item.assets:
        fail(f"{item.id}: has no split; an imported model was trained elsewhere")
    return item, "split"
