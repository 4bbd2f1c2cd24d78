"""The command line of `landstream simulate`."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from pyproj import Transformer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared.geo.mgrs import utm_epsg
from simulator.bad import KINDS, make_bad
from simulator.season import Acquisition, Kind, Site, plan_season, week_time, write_season
from simulator.wrap import WRAPPINGS, default_source
from simulator.wrap import wrap as wrap_real

app = typer.Typer(
    name="simulate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    help="Make products to try the pipeline with: of a simulated landscape, or of real pixels (wrap).",
)

# Progress goes to stderr: stdout is the list of paths, ready for xargs.
_console = Console(stderr=True)

Out = Annotated[Path, typer.Option("--out", help="Folder for what is made; created if absent.")]
Seed = Annotated[int, typer.Option("--seed", help="Which landscape and weather. The same seed gives the same bytes.")]
Size = Annotated[
    int, typer.Option("--size", min=6, help="Side in 10 m pixels, a multiple of 6; a crop is a valid product.")
]
Week = Annotated[str, typer.Option("--week", help="ISO week of the acquisition, such as 2018-W23.")]
Centre = Annotated[str, typer.Option("--centre", help="Longitude,latitude of the centre, degrees.")]
Cloud = Annotated[float, typer.Option("--cloud", min=0, max=1, help="Share of clouds, roughly.")]
_CENTRE = "24.0,45.6"
_MAX_SIDE_M = 109_800


@app.command("s2-l2a", epilog="Try: landstream simulate s2-l2a --out /tmp/s2 --size 1098 --week 2018-W30")
def s2_l2a(
    out: Out,
    size: Size = 1098,
    week: Week = "2018-W23",
    seed: Seed = 0,
    centre: Centre = _CENTRE,
    cloud: Cloud = 0.15,
    baseline: Annotated[
        str, typer.Option(help="Processing baseline, four digits; 0400 and later have the offset -1000.")
    ] = "0500",
) -> None:
    """Make one Sentinel-2 L2A product (SAFE): surface reflectance and a scene classification."""
    _one("s2-l2a", out, size, week, seed, centre, cloud, baseline)


@app.command("s2-l1c", epilog="Try: landstream simulate s2-l1c --out /tmp/s2 --baseline 0206 --cloud 0.4")
def s2_l1c(
    out: Out,
    size: Size = 1098,
    week: Week = "2018-W23",
    seed: Seed = 0,
    centre: Centre = _CENTRE,
    cloud: Cloud = 0.15,
    baseline: Annotated[
        str, typer.Option(help="Processing baseline, four digits; 0400 and later have the offset -1000.")
    ] = "0500",
) -> None:
    """Make one Sentinel-2 L1C product (SAFE): top-of-atmosphere reflectance, 13 bands."""
    _one("s2-l1c", out, size, week, seed, centre, cloud, baseline)


@app.command("s3-olci", epilog="Try: landstream simulate s3-olci --out /tmp/s3 --week 2018-W30 --collection 003")
def s3_olci(
    out: Out,
    size: Size = 1098,
    week: Week = "2018-W23",
    seed: Seed = 0,
    centre: Centre = _CENTRE,
    cloud: Cloud = 0.15,
    collection: Annotated[
        str, typer.Option(help="002, 003 or 004: from 003 on other flags and uncertainties.")
    ] = "002",
) -> None:
    """Make one Sentinel-3 OLCI EFR product (SEN3) whose swath covers the square."""
    _one("s3-olci", out, size, week, seed, centre, cloud, collection)


@app.command("clc", epilog="Try: landstream simulate clc --out /tmp/clc --size 2100; the same --seed fits the images.")
def clc(out: Out, size: Size = 1098, seed: Seed = 0, centre: Centre = _CENTRE) -> None:
    """Make Corine Land Cover of the landscape (GeoPackage, EPSG:3035) around the square."""
    _one("clc", out, size, "2018-W01", seed, centre, 0, "")


@app.command("season", epilog="Try: landstream simulate season --area AREA.yaml --out DIR --products 6")
def season(
    area: Annotated[
        Path, typer.Option("--area", exists=True, dir_okay=False, help="Area file; its AOI and first year are used.")
    ],
    out: Out,
    size: Annotated[
        int,
        typer.Option(
            "--size", min=0, help="Side of the Sentinel-2 granules in 10 m pixels, a multiple of 6; 0 covers the area."
        ),
    ] = 0,
    seed: Seed = 0,
    products: Annotated[
        int | None,
        typer.Option("--products", min=1, help="Only so many: 6 gives 3 of Sentinel-2, 2 of OLCI, 1 of Corine."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = min(2, os.cpu_count() or 1),
) -> None:
    """Make a season over an area, ready for `landstream run --area AREA DIR/*`.

    It holds what makes real streams hard: two UTM zones, baselines with and without the offset, twin and reprocessed
    products, an acquisition at both levels, overlapping OLCI frames, and a near-real-time frame with its final version.
    """
    from shared.area import AreaError, load_area

    try:
        spec = load_area(area)
    except AreaError as error:
        raise typer.BadParameter(str(error), param_hint="--area") from error
    _check_size(size)
    west, south, east, north = spec.grid.bounds_m
    # No granule is larger than an MGRS tile: of a larger area its middle is simulated.
    across, down = min(east - west, _MAX_SIDE_M), min(north - south, _MAX_SIDE_M)
    west, north = (west + east - across) // 120 * 60, (north + south + down) // 120 * 60
    site = Site(spec.grid.epsg, (west, north - down, west + across, north), size, seed)
    _write(site, plan_season(spec.years[0], spec.level, products), out, workers)


@app.command(
    "wrap",
    epilog="Try: landstream simulate wrap brandenburg --from ../shared/data/s2-l1c-brandenburg-t33uuu --out DIR",
)
def wrap(
    kind: Annotated[str, typer.Argument(help="; ".join(f"{key}: {value.makes}" for key, value in WRAPPINGS.items()))],
    out: Out,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Folder of the real data. [default: $LANDSTREAM_DATA/<folder>, else ../shared/data/<folder>]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Put real pixels into products, so that real crops run like any other product."""
    if kind not in WRAPPINGS:
        raise typer.BadParameter(f"{kind!r} is not one of {', '.join(WRAPPINGS)}", param_hint="KIND")
    try:
        for path in wrap_real(kind, source or default_source(kind), out):
            typer.echo(path)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error), param_hint="--from") from error


@app.command("bad", epilog="Try: landstream simulate bad missing_band --product DIR/S2A_....SAFE --out BAD")
def bad(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS))],
    out: Out,
    product: Annotated[Path, typer.Option("--product", exists=True, help="A good product of another folder.")],
) -> None:
    """Make a broken or hostile product from a good one, to see it refused."""
    try:
        typer.echo(make_bad(kind, product, out))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _one(kind: Kind, out: Path, size: int, week: str, seed: int, centre: str, cloud: float, version: str) -> None:
    _check_size(size)
    match = re.fullmatch(r"(\d{4})-W(\d{2})", week)
    if match is None:
        raise typer.BadParameter(f"{week!r} is not an ISO week such as 2018-W23", param_hint="--week")
    try:
        time = week_time(int(match[1]), int(match[2]), 2, 9, 20)
        longitude, latitude = (float(part) for part in centre.split(","))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--week or --centre") from error
    pattern, what = (r"\d{4}", "--baseline") if kind.startswith("s2") else (r"00[234]|", "--collection")
    if re.fullmatch(pattern if kind != "clc" else "", version) is None:
        raise typer.BadParameter(f"{version!r} is not of the form it should be", param_hint=what)
    epsg = utm_epsg(longitude, latitude)
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    half = size * 5
    site = Site(epsg, (x - half, y - half, x + half, y + half), size, seed)
    platform = "" if kind == "clc" else "S3A" if kind == "s3-olci" else "S2A"
    acquisition = Acquisition(kind, time, platform, 0, version, cloud, time + timedelta(hours=3, minutes=11, seconds=7))
    if kind == "s3-olci":
        acquisition = replace(acquisition, time=time - timedelta(minutes=31), generated=time + timedelta(hours=30))
    _write(site, [acquisition], out, 1)


def _check_size(size: int) -> None:
    if size % 6:
        raise typer.BadParameter(f"{size} is not a multiple of 6; {size - size % 6 or 6} is", param_hint="--size")


def _write(site: Site, plan: list[Acquisition], out: Path, workers: int) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console, transient=True) as progress:
        task = progress.add_task("products", total=len(plan))
        for path in write_season(site, plan, out, workers):
            progress.advance(task)
            typer.echo(path)
