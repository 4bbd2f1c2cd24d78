"""The commands `landstream cube ...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landstream.commands.opening import fail, opened
from landstream.commands.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from shared.area import Area
    from shared.cube import Cube

app = typer.Typer(
    help="Show what the cube holds, and write it for other programs.", no_args_is_help=True, rich_markup_mode=None
)

TileOption = Annotated[str, typer.Option(metavar="ROW,COL", help="A tile of the grid, from 0,0 in the north-west.")]
WeekOption = Annotated[str, typer.Option(metavar="W", help="A week, such as 2018-W26.")]


@app.callback()
def cube() -> None:
    """Show what the cube holds, and write it for other programs."""


@app.command()
def info(store: StoreOption, as_json: JsonOption = False) -> None:
    """Show the grid, the weeks with how many tiles were observed in each, and the arrays.

    Example: landstream cube info --store stores/sibiu
    """
    found, area = _open(store)
    facts = _facts(found, area)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    grid = area.grid
    typer.echo(f"{area.name}: {grid.rows} x {grid.cols} tiles of 2,560 m in {grid.crs}, snapshot {facts['snapshot']}")
    for week, tiles in facts["weeks"].items():
        typer.echo(f"{week}  {tiles:>6} of {grid.rows * grid.cols} tiles")
    for path, array in facts["arrays"].items():
        shape, chunks = (" x ".join(map(str, array[n])) for n in ("shape", "chunks"))
        typer.echo(f"{path:<36} {array['dtype']:<8} {shape}, {array['stored']} chunks of {chunks}")


@app.command()
def read(
    store: StoreOption,
    tile: TileOption = "",
    week: WeekOption = "",
    at: Annotated[str, typer.Option(metavar="LON,LAT", help="A point in degrees: its values in all weeks.")] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write the point's series there.")] = None,
) -> None:
    """Show a tile-week band by band, or the series of a point as CSV.

    A point's reflectances and radiances stand in a column for each band and a row for each week; empty is not observed.

    Example: landstream cube read --at 23.99,45.94 --store stores/sibiu
    """
    if bool(at) == bool(tile):
        fail("say what to read: --at LON,LAT, or --tile ROW,COL with --week")
    if at and week:
        fail("--at shows all weeks; leave --week out")
    if tile and out:
        fail("--out writes a point's series; `landstream cube export` writes a tile")
    found, area = _open(store)
    if at:
        _read_point(found, area, at, out)
        return
    _known(found, week)
    from landstream.cube.layers import layer_of

    row, col = _tile_of(tile, area)
    sample = found.tile(row, col, week)
    typer.echo(f"{'band':<6}{'observed':>9}{'lowest':>11}{'median':>11}{'highest':>11}")
    for name, values in (
        ("10m", sample.msi_10m), ("20m", sample.msi_20m), ("60m", sample.msi_60m), ("300m", sample.olci)
    ):  # fmt: skip
        for band, line in zip(layer_of(area, name).bands, _band_lines(area, name, values), strict=True):
            typer.echo(f"{band.description:<6}{line}")


@app.command()
def export(
    store: StoreOption,
    out: Annotated[Path, typer.Option(metavar="FILE.tif|DIR", help="A file; of a whole week a folder.")],
    week: WeekOption = "",
    layer: Annotated[str, typer.Option(metavar="NAME", help="10m, 20m, 60m, 300m or labels.")] = "10m",
    tile: TileOption = "",
    bbox: Annotated[str, typer.Option(metavar="W,S,E,N", help="A box in degrees.")] = "",
) -> None:
    """Write a tile or a box as a cloud-optimised GeoTIFF, or a whole week as pieces with a VRT that joins them.

    Bands have their names; reflectance = value * scale + offset, which the file says; 0, or NaN, is not observed.

    Example: landstream cube export --week 2018-W26 --layer 20m --out week --store stores/sibiu
    """
    from landstream.cube.layers import NAMES, layer_of
    from landstream.cube.raster import Elsewhere, window_of_box, write_week, write_window
    from shared.cube.sample import tile_window

    if layer not in NAMES:
        fail(f"{layer!r} is not a layer; there are {', '.join(NAMES)}")
    if tile and bbox:
        fail("give --tile or --bbox, or neither for the whole week")
    found, area = _open(store)
    chosen = layer_of(area, layer)
    if chosen.weekly:
        _known(found, week)
    try:
        if not (tile or bbox):
            out.mkdir(parents=True, exist_ok=True)
            for path in write_week(found, area, chosen, week, out):
                typer.echo(path)
            return
        if bbox:
            west, south, east, north = _numbers(bbox, 4, "--bbox W,S,E,N")
            window = window_of_box(area, chosen, (west, south, east, north))
        else:
            window = tile_window(*_tile_of(tile, area), chosen.pixel_m)
        if out.is_dir() or out.suffix.lower() not in {".tif", ".tiff"}:
            fail(f"{out}: a tile or a box is a file; let --out end in .tif")
        out.parent.mkdir(parents=True, exist_ok=True)
        write_window(found, area, chosen, week, window, out)
        typer.echo(out)
    except Elsewhere as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}; choose another --out, or free space there")


def _open(store: str) -> tuple[Cube, Area]:
    from landstream.reading import OpenStore
    from shared.run.context import Context

    try:
        location, area = opened(store)
        return OpenStore(Context.of_store(location, area)).cube, area
    except ValueError as error:
        fail(error)


def _facts(cube: Cube, area: Area) -> dict[str, Any]:
    arrays = {}
    for path in cube.paths():
        array = cube.array(path)
        assert array is not None
        stored = len(cube.chunks(path))
        arrays[path] = {
            "dtype": str(array.dtype), "shape": list(array.shape), "chunks": list(array.chunks), "stored": stored
        }  # fmt: skip
    weeks = {week: int(cube.observed(week).sum()) for week in cube.weeks()}
    grid = {"crs": area.grid.crs, "rows": area.grid.rows, "cols": area.grid.cols, "bounds_m": list(area.grid.bounds_m)}
    return {"area": area.name, "grid": grid, "snapshot": cube.snapshot, "weeks": weeks, "arrays": arrays}


def _read_point(cube: Cube, area: Area, at: str, out: Path | None) -> None:
    from landstream.cube.raster import Elsewhere
    from landstream.cube.series import columns_of, series, write_table

    longitude, latitude = _numbers(at, 2, "--at LON,LAT")
    try:
        rows = series(cube, area, longitude, latitude)
        if out is None:
            write_table(sys.stdout, columns_of(area), rows)
            return
        with out.open("w", encoding="utf-8", newline="") as file:
            count = write_table(file, columns_of(area), rows)
        typer.echo(f"{out}: {count} weeks")
    except Elsewhere as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror or error}; choose another --out, or free space there")


def _band_lines(area: Area, name: str, values: Any) -> list[str]:
    import numpy as np

    from landstream.cube.layers import layer_of

    layer, lines = layer_of(area, name), []
    for number, band in enumerate(layer.bands):
        seen = values[..., number]
        there = seen[~np.isnan(seen)] if layer.encoding.dtype == "float32" else seen[seen != 0]
        share = f"{there.size / seen.size:>9.1%}"
        if not there.size:
            lines.append(share)
            continue
        measured = there.astype(float) * band.scale + band.offset
        lines.append(share + "".join(f"{v:>11.4f}" for v in (measured.min(), np.median(measured), measured.max())))
    return lines


def _known(cube: Cube, week: str) -> None:
    weeks = cube.weeks()
    if week not in weeks:
        there = f"there are {', '.join(weeks[-6:])}" if weeks else "it holds none"
        fail(f"{week or 'no --week'}: not a week of the cube; {there}")


def _tile_of(text: str, area: Area) -> tuple[int, int]:
    row, col = (int(n) for n in _numbers(text, 2, "--tile ROW,COL", whole=True))
    if not (0 <= row < area.grid.rows and 0 <= col < area.grid.cols):
        fail(f"--tile {text}: the grid has rows 0 to {area.grid.rows - 1} and columns 0 to {area.grid.cols - 1}")
    return row, col


def _numbers(text: str, count: int, option: str, whole: bool = False) -> list[float]:
    try:
        found = [int(t) if whole else float(t) for t in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        fail(f"{text}: write {option}")
    return [float(n) for n in found]
