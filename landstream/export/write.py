"""Write the files of an exported week, and the pages and VRTs over all weeks that lie in a folder."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from landstream.export.applicability import Applies, dissimilarity_strips
from landstream.export.mosaic import Mosaic, map_strips, true_colour_strips
from landstream.export.stac import catalogue_json, catalogue_name, item_json
from landstream.export.style import DISSIMILARITY_COLORS, write_class_style, write_percent_style
from landstream.export.year import write_year
from services.inference.blend import CONFIDENCE_NODATA
from services.inference.item import PIXEL_HA, areas_of, count_classes
from services.inference.write import CLASSES, OF_THRESHOLD, PERCENT
from shared.area import Area
from shared.cube import open_cube
from shared.items.classes import NOT_OBSERVED, classes_of
from shared.items.collections import UPDATES
from shared.items.item import Item
from shared.items.properties import PREFIX, MapFacts
from shared.items.stac import attribution
from shared.items.weeks import spell_week
from shared.raster.cog import COMPACT, Band, Encoding, Strip, write_cog, write_sidecar
from shared.run.context import Context

TRUE_COLOUR = Encoding("uint8", 0, "average", least_overviews=1, options={**COMPACT, "PREDICTOR": "YES"})


class FileExists(ValueError):
    """Raised when a file is there already, and was not to be replaced."""


@dataclass(frozen=True)
class Names:
    """The files of one week.

    Attributes:
        area: the area's name.
        week: `2018-W26`.
        applies: whether one of them says where the models apply.
    """

    area: str
    week: str
    applies: bool = False

    def of(self, what: str, suffix: str) -> str:
        """Return `sibiu_2018-W26_land-cover.tif`."""
        return f"{self.area}_{self.week}_{what}{suffix}"

    @property
    def land_cover(self) -> str:
        """The classes."""
        return self.of("land-cover", ".tif")

    @property
    def confidence(self) -> str:
        """Percent."""
        return self.of("confidence", ".tif")

    @property
    def true_colour(self) -> str:
        """Red, green, blue."""
        return self.of("true-colour", ".tif")

    @property
    def applicability(self) -> str:
        """Percent of the threshold of the dissimilarity index; empty where it is not asked for."""
        return self.of("applicability", ".tif") if self.applies else ""

    @property
    def item(self) -> str:
        """The STAC item."""
        return f"{self.area}_{self.week}.json"

    @property
    def all(self) -> tuple[str, ...]:
        """All of them, the item last: it says that the others are there."""
        return (
            self.land_cover,
            f"{self.land_cover}.aux.xml",
            self.of("land-cover", ".qml"),
            self.confidence,
            self.of("confidence", ".qml"),
            self.true_colour,
            *((self.applicability, self.of("applicability", ".qml")) if self.applies else ()),
            self.item,
        )


def export_week(
    context: Context,
    week: str,
    maps: Sequence[Item],
    out: Path,
    *,
    overwrite: bool,
    known: Mapping[str, Applies] | None = None,
) -> Iterator[Path]:
    """Write the files of a week; yield their paths as they are finished.

    Each is written whole before it gets its name, the item last.

    Args:
        context: the store, its area and cube.
        week: `2018-W26`.
        maps: its current maps, one for each sheet.
        out: the folder, made if absent.
        overwrite: replace what is there.
        known: id of a model -> where it applies, for a further raster that says so; None = without.

    Raises:
        FileExists: one of the files is there and is not to be replaced.
        OSError: a file cannot be written.
    """
    names = Names(context.area.name, week, applies=known is not None)
    there = [name for name in names.all if (out / name).exists()]
    if there and not overwrite:
        raise FileExists(f"{out / there[0]}: exists; --overwrite replaces it, or give another --out")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as scratch:
        _write_week(context, week, maps, Path(scratch), names, known or {})
        for name in names.all:
            yield (Path(scratch) / name).replace(out / name)


def _write_week(
    context: Context,
    week: str,
    maps: Sequence[Item],
    folder: Path,
    names: Names,
    known: Mapping[str, Applies],
) -> None:
    area, mosaic = context.area, Mosaic(context.area)
    classes = classes_of(area.labels, NOT_OBSERVED)
    read = {of for item in maps for collection, of, _ in item.sources if collection == UPDATES}
    credit = attribution({of[:4] for of in (week, *read)}, area.labels.attribution)
    counts = np.zeros(len(area.labels.classes) + 1, np.int64)

    def counted() -> Iterator[Strip]:
        for strip, inside in map_strips(mosaic, maps, context.store, "land_cover", 0):
            counts[:] += count_classes(strip.values, inside, len(area.labels.classes))
            yield strip

    def write(name: str, what: str, bands: Sequence[Band], strips: Iterator[Strip], encoding: Encoding) -> None:
        title = f"{what} of {area.name}, {spell_week(week)} ({week})"
        write_cog(folder / name, mosaic.lattice, bands, strips, encoding, title=title, attribution=credit)

    land_cover = [Band("land cover", classes=classes)]
    write(names.land_cover, "Land cover", land_cover, counted(), CLASSES)
    write_sidecar(folder / names.land_cover, land_cover)
    write_class_style(folder / names.land_cover, classes)
    shares = map_strips(mosaic, maps, context.store, "confidence", CONFIDENCE_NODATA)
    write(names.confidence, "Confidence", [Band("confidence", "percent")], (s for s, _ in shares), PERCENT)
    write_percent_style(folder / names.confidence)
    cube = open_cube(context.cube, area, "read")
    colours = [Band(name) for name in ("red", "green", "blue")]
    write(names.true_colour, "True colour", colours, true_colour_strips(mosaic, cube, week), TRUE_COLOUR)
    if names.applicability:
        unlike = dissimilarity_strips(mosaic, maps, cube, known)
        bands = [Band("dissimilarity index", "percent of the threshold")]
        write(names.applicability, "Where the map applies", bands, unlike, OF_THRESHOLD)
        write_percent_style(folder / names.applicability, DISSIMILARITY_COLORS)
    facts = _facts(area, counts, maps, credit)
    item = item_json(area, week, mosaic.lattice, facts, classes, names)
    (folder / names.item).write_text(json.dumps(item, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _facts(area: Area, counts: Any, maps: Sequence[Item], credit: str) -> dict[str, Any]:
    """Return the `landstream:` properties of an exported week."""
    observed, whole = int(counts[1:].sum()), int(counts.sum())
    facts = {
        "aoi_ha": round(whole * PIXEL_HA, 2),
        "observed_ha": round(observed * PIXEL_HA, 2),
        "observed_percent": round(100 * observed / whole, 3) if whole else 0.0,
        "classes": areas_of(counts, area.labels),
        "models": sorted({MapFacts.of(item).model for item in maps}),
        "inputs": [[item.collection, item.id] for item in maps],
        "attribution": credit,
    }
    return {PREFIX + name: value for name, value in facts.items()}


def write_catalogue(area: Area, out: Path) -> Iterator[Path]:
    """Write the catalogue of a folder's weeks and the VRT of each of their years; yield the paths.

    Rasters of the area's name that lie elsewhere, of an older grid or AOI, are left out.
    """
    weeks = _weeks_in(area, out)
    page = catalogue_json(area, {week: Names(area.name, week).item for week in weeks})
    (out / catalogue_name(area)).write_text(json.dumps(page, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    yield out / catalogue_name(area)
    lattice, classes = Mosaic(area).lattice, classes_of(area.labels, NOT_OBSERVED)
    for year in sorted({week[:4] for week in weeks}):
        found: Mapping[str, str] = {w: Names(area.name, w).land_cover for w in weeks if w.startswith(year)}
        path = out / f"{area.name}_{year}_land-cover.vrt"
        write_year(path, lattice, found, classes)
        yield path


def _weeks_in(area: Area, out: Path) -> list[str]:
    """Return the weeks whose item and raster lie in a folder, on the area's present mosaic; ascending."""
    pattern = re.compile(rf"{re.escape(area.name)}_(\d{{4}}-W\d{{2}})\.json")
    lattice = Mosaic(area).lattice
    named = (pattern.fullmatch(path.name) for path in out.iterdir())
    weeks = sorted(match.group(1) for match in named if match)
    return [week for week in weeks if _lies_on(out / Names(area.name, week).land_cover, lattice)]


def _lies_on(path: Path, lattice: Any) -> bool:
    if not path.is_file():
        return False
    with rasterio.open(path, driver="GTiff") as image:
        return bool(image.shape == lattice.shape and image.transform == Affine(*lattice.transform))
