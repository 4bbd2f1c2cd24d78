"""The command `landstream evaluate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import JsonOption, StoreOption
from landstream.commands.showing import for_people

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.items.item import Item
    from shared.store import Store

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(metavar="ID", help="Id of a model, or the beginning of it.")],
    against: Annotated[
        Path, typer.Option("--against", metavar="LABELS", help="Polygons or points: GeoPackage, Shapefile, ..., CSV.")
    ],
    store: StoreOption,
    week: Annotated[
        list[str] | None,
        typer.Option(metavar="2018-W23", help="A week to map, repeated; all that hold data by default."),
    ] = None,
    attribute: Annotated[str, typer.Option(metavar="FIELD", help="The field or column that holds the class.")] = "",
    renamed: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="A11=112", help="A code of LABELS and one of the area; repeated."),
    ] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Leave out blocks that the model was trained on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Score a model on labels of your own: another year's, or points that somebody visited.

    What lies in blocks that the model was trained on counts, too, unless --held-out leaves it out. Codes that the
    area's scheme does not know are left out, and told.

    Example: landstream evaluate small--v2 --against lucas.csv --map A11=1 --store stores/sibiu
    """
    from contextlib import closing

    from landstream.evaluate import references, score
    from landstream.model.history import NoSuchModel, find_model, models_of
    from landstream.serving.champion import DEADLINE_S, MAX_MESSAGE_BYTES, NoModel, serve_model
    from services.inference.client import Client
    from shared.cube import open_cube
    from shared.items.model_inputs import inputs_of_model
    from shared.run.context import Context

    location, area = opened(store)
    context = Context.of_store(location, area)
    cube = open_cube(context.cube, area, "read")
    try:
        item = find_model(models_of(context.reader.snapshot()), model).item
        given = references.read_references(against, area.labels, area.grid, attribute, _pairs(renamed or []))
    except (NoSuchModel, references.BadReferences) as error:
        fail(error)
    weeks, learned = _weeks(cube.weeks(), week or []), _learned_from(location, item)
    seen = [0, 0]

    def rows() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for row, labels in references.tile_rows(given, area.grid):
            inside = score.in_blocks(learned, row, labels.shape[1])
            seen[0] += int((labels > 0).sum())
            seen[1] += int((labels[inside] > 0).sum())
            if held_out:
                labels[inside] = 0
            if labels.any():
                yield row, labels

    if sys.stderr.isatty():
        typer.echo("starting; TensorFlow takes some seconds", err=True)
    try:
        with serve_model(context, item) as served:
            facts = served.facts
            client = Client(served.address, facts.model_name, facts.model_version, DEADLINE_S, MAX_MESSAGE_BYTES)
            with closing(client):
                found = score.score(cube, client, rows(), weeks, inputs_of_model(item), len(area.labels.classes), _show)
    except NoModel as error:
        fail(error)
    report = score.report(found, area.labels)
    if not report["pixels"]:
        fail(f"{against}: no label lies where a pixel was observed{' and held out' if held_out else ''} in these weeks")
    known: dict[str, Any] = {"model": item.id, "labels": str(against), "weeks": weeks, "left_out": dict(given.left_out)}
    known |= {"held_out": held_out, "labelled": seen[0], "on_training_blocks": seen[1]}
    if for_people(as_json):
        typer.echo("\n".join(_lines(known, report)))
    else:
        typer.echo(json.dumps(known | report))


def _pairs(renamed: list[str]) -> dict[str, str]:
    pairs = dict(text.partition("=")[::2] for text in renamed)
    for code, own in pairs.items():
        if not code or not own:
            fail(f"--map {code}: give a code of the labels and one of the area, such as A11=112")
    return pairs


def _weeks(known: list[str], asked: list[str]) -> list[str]:
    if missing := [w for w in asked if w not in known]:
        fail(f"{missing[0]}: the cube holds no Sentinel-2 data of this week; it holds {', '.join(known[-5:])}")
    if not known:
        fail("the cube holds no Sentinel-2 data yet")
    return sorted(asked) or known


def _learned_from(store: Store, model: Item) -> list[str]:
    """Return the lines of blocks of a model's split; none where it is not known what it was trained on."""
    from landstream.split.blocks import read_split
    from shared.items.stac import asset_key

    return list(read_split(store.get(asset_key(model, "split"))).lines) if "split" in model.assets else []


def _show(row: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\rtile row {row} ", err=True, nl=False)


def _lines(known: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Return what people are told."""

    def with_interval(name: str) -> str:
        low, high = report["interval_95"][name]
        return f"{report[name]:.3f} [{low:.3f}, {high:.3f}]"

    alone = f"the commonest class alone {report['majority_accuracy']:.3f}"
    told = [
        ("model", known["model"]),
        ("labels", f"{known['labels']}: {report['pixels']:,} pixels of {report['blocks']:,} blocks, all weeks counted"),
        ("accuracy", f"{with_interval('accuracy')}; {alone}"),
        ("mIoU", with_interval("miou")),
        ("macro F1", f"{report['f1_macro']:.3f}"),
    ]
    told += [
        ("IoU", f"{row['iou']:.3f} {row['name']} (precision {row['precision']:.3f}, recall {row['recall']:.3f}, "
         f"{row['support']:,} pixels)")
        for row in report["per_class"].values()
        if row["support"]
    ]  # fmt: skip
    told += [
        (week, f"accuracy {row['accuracy']:.3f}, mIoU {row['miou']:.3f}, {row['pixels']:,} pixels")
        for week, row in report["by_week"].items()
    ]
    if known["left_out"]:
        codes = ", ".join(f"{code} ({count:,})" for code, count in list(known["left_out"].items())[:8])
        told.append(("left out", f"{codes}: not codes of the area's scheme; --map gives them one"))
    if known["on_training_blocks"] and not known["held_out"]:
        share = 100 * known["on_training_blocks"] / known["labelled"]
        told.append(("beware", f"{share:.0f} % lie in blocks that it was trained on; --held-out leaves these out"))
    return [f"{name:<12}{text}" for name, text in told]
