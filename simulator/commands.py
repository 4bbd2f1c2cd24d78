"""The command line of `landstream simulate`."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from simulator.season import Acquisition, Kind, Site

app = typer.Typer(
    name="simulate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    help="Make products: of a simulated landscape, or of your own bands (wrap).",
)

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


@app.command("s2-l2a", epilog="Example: landstream simulate s2-l2a --out /tmp/s2 --size 1098 --week 2018-W30")
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
    """Make one Sentinel-2 L2A product (SAFE).

    It holds surface reflectance in 12 bands and a scene classification.
    """
    _one("s2-l2a", out, size, week, seed, centre, cloud, baseline)


@app.command("s2-l1c", epilog="Example: landstream simulate s2-l1c --out /tmp/s2 --baseline 0206 --cloud 0.4")
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
    """Make one Sentinel-2 L1C product (SAFE).

    It holds top-of-atmosphere reflectance in 13 bands.
    """
    _one("s2-l1c", out, size, week, seed, centre, cloud, baseline)


@app.command("s3-olci", epilog="Example: landstream simulate s3-olci --out /tmp/s3 --week 2018-W30 --collection 003")
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
    """Make one Sentinel-3 OLCI EFR product (SEN3).

    Its swath covers the square.
    """
    _one("s3-olci", out, size, week, seed, centre, cloud, collection)


@app.command("clc", epilog="Example: landstream simulate clc --out /tmp/clc --size 2100 --seed 7")
def clc(out: Out, size: Size = 1098, seed: Seed = 0, centre: Centre = _CENTRE) -> None:
    """Make Corine Land Cover of the landscape (GeoPackage).

    It reaches around the square, in EPSG:3035 as the pan-European file.
    """
    _one("clc", out, size, "2018-W01", seed, centre, 0, "")


@app.command("season", epilog="Example: landstream simulate season --area AREA.yaml --out DIR --products 6")
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
        typer.Option("--products", min=1, max=131, help="So many; 6 gives 3 of Sentinel-2, 2 of OLCI, 1 of Corine."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes.")] = min(2, os.cpu_count() or 1),
) -> None:
    """Make a season of products over an area.

    They are ready for `landstream run --area AREA --store STORE --once DIR/*`. The season holds what makes real streams
    hard: two UTM zones, baselines with and without the offset, twin and reprocessed products, an acquisition at both
    levels, overlapping OLCI frames, and a near-real-time frame with its final version.
    """
    from shared.area import AreaError, load_area
    from simulator.season import Site, plan_season

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


@app.command("wrap")
def wrap(
    out: Out,
    time: Annotated[
        str, typer.Option("--time", metavar="TIME", help="When it was sensed, UTC, such as 2017-02-16T10:21:01Z.")
    ],
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Folder of the bands.")] = None,
    pattern: Annotated[
        str, typer.Option("--pattern", help="Files of the bands below DIR; {band} stands for B01 .. B12, B8A.")
    ] = "*_{band}.tif",
    band: Annotated[
        list[str] | None,
        typer.Option(
            "--band",
            metavar="BAND=FILE",
            help="One band's file, in place of the pattern's; B02,B03,-,B04=FILE for a file of several bands, "
            "of which - is left out. Repeat it.",
        ),
    ] = None,
    level: Annotated[
        Literal["l1c", "l2a"],
        typer.Option("--level", help="Reflectance at the top of the atmosphere (l1c, 13 bands) or surface (l2a, 12)."),
    ] = "l2a",
    scale: Annotated[float, typer.Option("--scale", help="Reflectance = value x SCALE + OFFSET.")] = 1e-4,
    offset: Annotated[
        float, typer.Option("--offset", help="-0.1 for DN of Sentinel-2 from processing baseline 04.00 on.")
    ] = 0.0,
    nodata: Annotated[
        float | None,
        typer.Option("--nodata", help="Value without data. [default: the file's, else 0 for integers]"),
    ] = None,
    scl: Annotated[
        Path | None, typer.Option("--scl", metavar="FILE", help="Scene classification of Sen2Cor, 20 or 60 m (l2a).")
    ] = None,
    without: Annotated[
        str, typer.Option("--without", metavar="BANDS", help="Bands that you lack, of B01,B09 (l2a): without data.")
    ] = "",
    tile: Annotated[
        str, typer.Option("--tile", metavar="TILE", help="MGRS tile, such as T33UUU. [default: that of the centre]")
    ] = "",
    platform: Annotated[Literal["S2A", "S2B", "S2C", "S2D"], typer.Option("--platform", help="Satellite.")] = "S2A",
    orbit: Annotated[int, typer.Option("--orbit", min=1, max=143, help="Relative orbit.")] = 1,
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline", help="Processing baseline, four digits. [default: 0500 if OFFSET is negative, else 0209]"
        ),
    ] = "",
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="Label polygons, any vector format; with --attribute."),
    ] = None,
    attribute: Annotated[str, typer.Option("--attribute", metavar="FIELD", help="Field of the labels' class.")] = "",
    layer: Annotated[str, typer.Option("--layer", help="Layer of the labels, where several have the field.")] = "",
) -> None:
    """Make a Sentinel-2 product of your own bands.

    The bands are GeoTIFF or JPEG2000 on any UTM grid, with pixels of 10, 20 or 60 m. They become a SAFE product that
    Landstream takes as it takes ESA's, so that a crop, an export or a data set for research can be mapped. Label
    polygons beside them become a GeoPackage with the field of their classes.

    A band at its own resolution is copied pixel by pixel. Finer pixels become means, coarser ones are repeated, and
    what not all bands cover is left out; each is said on standard error. The paths of what was made are printed.

    \b
    Example, a folder of DN as ESA delivers them since 2022, with their scene classification:
      landstream simulate wrap crops --time 2022-06-05T09:20:31Z --offset -0.1 \\
        --pattern '*_{band}.tif' --scl crops/SCL.tif --out products

    \b
    Example, two files of reflectance as floats, and label polygons:
      landstream simulate wrap --time 2019-07-01T10:10:31Z --scale 1 \\
        --band B02,B03,B04,B08=ten.tif --band B05,B06,B07,B8A,B11,B12=twenty.tif \\
        --without B01,B09 --labels fields.shp --attribute crop --out products
    """  # noqa: D301  # a backspace keeps the lines below it as they are
    from simulator.bands import BandEncoding, WrapError, find_bands, parse_band
    from simulator.labels import write_labels
    from simulator.wrap import Identity, bands_of, wrap

    try:
        sensed = datetime.fromisoformat(time)
    except ValueError as error:
        raise typer.BadParameter(f"{time!r} is not a time such as 2017-02-16T10:21:01Z", param_hint="--time") from error
    if baseline and re.fullmatch(r"\d{4}", baseline) is None:
        raise typer.BadParameter(f"{baseline!r} is not four digits such as 0500", param_hint="--baseline")
    if bool(labels) != bool(attribute):
        raise typer.BadParameter("--labels and --attribute need each other", param_hint="--labels")
    name: Literal["L1C", "L2A"] = "L1C" if level == "l1c" else "L2A"
    left_out = tuple(part for part in without.split(",") if part)
    try:
        given = {key: file for text in band or [] for key, file in parse_band(text).items()}
        wanted = [key for key in bands_of(name) if key not in given and key not in left_out]
        found = find_bands(folder, pattern, wanted) if folder else {}
        identity = Identity(name, sensed, platform, orbit, baseline=baseline, mgrs_tile=tile)
        beside = [write_labels(labels, attribute, out, layer)] if labels else []
        made = wrap(out, found | given, identity, BandEncoding(scale, offset, nodata), scl, left_out)
    except WrapError as error:
        typer.echo(f"landstream: {error}", err=True)
        raise typer.Exit(2) from error
    for note in made.notes:
        typer.echo(f"note: {note}", err=True)
    for path in (made.product, *beside):
        typer.echo(path)


def _one(kind: Kind, out: Path, size: int, week: str, seed: int, centre: str, cloud: float, version: str) -> None:
    from pyproj import Transformer

    from shared.geo.mgrs import utm_epsg
    from simulator.season import Acquisition, Site, week_time

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
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from simulator.season import write_season

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Progress goes to stderr: stdout is the list of paths, ready for xargs. On a terminal one would be written into the
    # other, so there the paths come through the bar's own console.
    with Progress(*columns, console=Console(stderr=True, soft_wrap=True), transient=True) as progress:
        task = progress.add_task("products", total=len(plan))
        for path in write_season(site, plan, out, workers):
            progress.advance(task)
            if sys.stdout.isatty() and sys.stderr.isatty():
                progress.console.print(str(path), markup=False, highlight=False)
            else:
                typer.echo(path)
