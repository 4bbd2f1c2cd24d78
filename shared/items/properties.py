"""What items say beyond STAC: the `landstream:` properties of each kind, with one reader and one writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Final, Literal, Self

from shared.items.collections import (
    DELIVERED_MASKS,
    EVALUATIONS,
    HOLD_OUTS,
    LABEL_POLYGONS,
    LABEL_RASTERS,
    LABELS,
    MAPS,
    MASKS,
    MODEL_IMPORTS,
    MODELS,
    OLCI_GRID,
    OLCI_L1B,
    PROMOTIONS,
    REQUESTS,
    SENTINEL_2_L1C,
    SENTINEL_2_L2A,
    TRIALS,
    UPDATES,
    WITHDRAWALS,
)
from shared.items.item import BadItem, Item

PREFIX: Final = "landstream:"

WithdrawalState = Literal["withdrawn", "restored"]
Verdict = Literal["better", "not better", "incomparable"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The `landstream:` properties of an item; a field that is None is absent."""

    @classmethod
    def of(cls, item: Item) -> Self:
        """Read an item's facts; lists become tuples.

        Raises:
            KeyError: a property is missing.
        """
        given = item.properties
        read = {
            f.name: _frozen(given[PREFIX + f.name])
            for f in fields(cls)
            if PREFIX + f.name in given or f.default is MISSING
        }
        return cls(**read)

    def properties(self) -> dict[str, Any]:
        """Return the facts as properties of an item."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {PREFIX + name: _json(value) for name, value in values.items() if value is not None}


def check_facts(item: Item) -> None:
    """Check that an item of a collection that people write, too, says what its kind does.

    Raises:
        BadItem: a fact is missing.
    """
    for name in _needed_by_hand(item.collection):
        if PREFIX + name not in item.properties:
            raise BadItem(f"not one of {item.collection}: lacks {PREFIX}{name}")


@cache
def _needed_by_hand(collection: str) -> tuple[str, ...]:
    kind = KINDS[collection] if collection in BY_HAND else Facts
    return tuple(f.name for f in fields(kind) if f.default is MISSING)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _json(value: Any) -> Any:
    return list(map(_json, value)) if isinstance(value, tuple) else value


@dataclass(frozen=True, kw_only=True)
class ProductFacts(Facts):
    """What items of a product, and what is derived from one product, have in common."""

    scene: str
    """Identity of the scene: what twin products and later versions share."""

    product: str
    """Full name of the product, without suffix."""

    product_version: tuple[int | str, ...]
    """What a scene's products are ordered by, the higher one supersedes; compared from the first value on."""

    attribution: str
    """The line that the data's terms ask for."""


@dataclass(frozen=True, kw_only=True)
class SceneFacts(ProductFacts):
    """Sentinel-2 scenes as delivered."""

    mgrs_tile: str
    """MGRS tile with ESA's leading T, `T34TFR`."""

    level: Literal["l1c", "l2a"]
    """Processing level."""

    quantification: float
    """reflectance = (DN + offset) / quantification; DN 0 = nodata."""

    offsets: Mapping[str, int]
    """Band -> offset in DN, from the metadata alone."""

    baseline: str | None = None
    """Processing baseline as the metadata write it, `05.09`."""

    left_out: tuple[str, ...] | None = None
    """Files that were delivered with the product under names that no product's file has, and were left out."""

    absent: tuple[str, ...] | None = None
    """Files that the product's manifest lists and that did not come: pages and previews, which mirrors leave away."""


@dataclass(frozen=True, kw_only=True)
class FrameFacts(ProductFacts):
    """OLCI frames, as delivered and on the lattice."""

    product_type: str
    """`EFR` (full resolution) or `ERR` (reduced)."""

    timeliness: str | None = None
    """`NR` (near real time), `NT` (not time critical) or `ST`."""

    shape: tuple[int, int] | None = None
    """Rows and columns of the swath; of delivered frames only."""

    baseline: str | None = None
    """Processing baseline, `OL__L1_.003.00.00`; absent before 2022."""

    bright_percent: float | None = None
    """Share of bright pixels in percent, as the manifest states it; of delivered frames only."""

    left_out: tuple[str, ...] | None = None
    """Files that were delivered with the product under names that no product's file has, and were left out."""


@dataclass(frozen=True, kw_only=True)
class MaskFacts(ProductFacts):
    """Cloud masks. Shares are percent of the observed pixels where nothing else is said."""

    mgrs_tile: str
    """MGRS tile of the scene."""

    level: Literal["l1c", "l2a"]
    """Processing level of the scene."""

    baseline: str | None = None
    """Processing baseline of the scene."""

    cloud_percent: float
    """Cloud, undilated."""

    clear_percent: float
    """Clear, before dilation."""

    usable_percent: float
    """Clear outside the dilation: what may enter the cube."""

    observed_percent: float
    """Observed, in percent of all pixels."""

    shadow_percent: float
    """Cloud shadow, undilated."""

    snow_percent: float
    """Snow or ice."""

    dilation_m: int
    """How far cloud and shadow reach beyond their pixels, in metres."""

    mask_source: str
    """What told the codes: `SCL`, the detector and its version, or the source of the mask that was delivered."""

    mask_values: str | None = None
    """Of a mask that was delivered: digest of what the area's `masks:` said that its values mean."""


@dataclass(frozen=True, kw_only=True)
class DeliveredMaskFacts(ProductFacts):
    """Masks of a scene that others made, as delivered; `product` is the scene's."""

    mask_source: str
    """Name of the source, as the area's `masks:` have it."""

    crs: str
    """CRS of the raster, `EPSG:n` or WKT."""


def mask_product(product: str, source: str) -> str:
    """Return the root of the id of a delivered mask, by its scene's product and its source."""
    return f"{product}.mask.{source}"


@dataclass(frozen=True, kw_only=True)
class UpdateFacts(Facts):
    """Cube updates: which scene touched which tiles, whoever won there."""

    sensor: str
    """Which of the cube's arrays were concerned: `msi`, `olci` or `labels`."""

    week: str
    """`2018-W23`, or `static` for labels."""

    product: str
    """Name of the product that was merged, or taken out."""

    tiles: tuple[tuple[int, int, int], ...]
    """Runs of tiles [row, first column, last column], ascending."""

    attribution: str
    """The line that the data's terms ask for."""


@dataclass(frozen=True, kw_only=True)
class DeliveryFacts(ProductFacts):
    """Rasters of classes as delivered, and what they have in common with label polygons."""

    reference_year: int
    """Year that the labels describe."""

    campaign: str
    """Campaign of the delivery, as sortable text."""

    release: str
    """Release of the campaign, `V2020_20u1`, or empty."""

    label_source: str
    """`clc`, `polygons` or `raster`: how a label product of the scheme is told."""

    crs: str
    """CRS of the layer or raster, `EPSG:n` or WKT."""


@dataclass(frozen=True, kw_only=True)
class PolygonFacts(DeliveryFacts):
    """Label polygons, or points, as delivered."""

    layer: str
    """Layer that holds the polygons."""

    attribute: str
    """Field of the class code, as spelt in the layer."""

    member: str
    """Path of the dataset inside the archive; empty for a plain file."""


@dataclass(frozen=True, kw_only=True)
class LabelFacts(Facts):
    """Labels burned on the area's grid, three rasters of 10 m.

    `labels` holds classes; `confidence`, how many pixels each lies from the nearest one of another class or without
    one, capped at 255; `polygon`, the number of the polygon that labelled it, counted in the delivery's order from 1 on
    among those that meet the grid. Where nothing is labelled all hold 0. Items of version 1 have `labels` alone.

    Of a raster that was delivered, `polygon` holds patches: the pixels of one class in one square of 1.28 km.
    """

    scene: str
    """Identity of the delivery."""

    product: str
    """Name of the delivery."""

    reference_year: int
    """Year that the polygons describe."""

    campaign: str
    """Campaign of the delivery, as sortable text."""

    release: str
    """Release of the campaign, or empty."""

    scheme: str
    """Name of the label scheme."""

    class_area_m2: Mapping[str, int]
    """Class code -> area in square metres."""

    unlabelled_area_m2: int
    """Area of the grid without a label, in square metres."""

    attribution: str
    """The label source's line."""

    polygons: int | None = None
    """How many polygons were burned; absent where a raster was delivered, as are the next two."""

    uncoded_polygons: int | None = None
    """How many of the polygons have no class code, so that they label nothing; absent before version 3."""

    repaired_polygons: int | None = None
    """How many of the polygons were invalid and were repaired; absent before version 3."""


@dataclass(frozen=True, kw_only=True)
class ModelFacts(Facts):
    """Models, trained here or imported; an imported one is derived from an item of `model-imports`."""

    cube_state: str | None = None
    """Digest of what the cube held; absent of an imported model, which is of no state of this cube."""

    training: Mapping[str, Any] | None = None
    """Training settings; absent of an imported model: `mlm:hyperparameters` is what its card says."""

    snapshot: str
    """Id of the cube's snapshot that was read; it stays readable. Differs between runs over the same data."""

    model_name: str
    """Name that it is served under: the area's."""

    model_version: int
    """Version folder that TF Serving wants: the digest in the item's id, as a number."""

    weights_sha256: str
    """sha256 over path, dtype, shape and bytes of the weights: no file of a SavedModel is byte-stable. Of an imported
    model in the order of their names in its checkpoint."""

    probe_sha256: str
    """sha256 of its answers to a fixed input."""

    hold_out: str | None = None
    """Id of the hold-out that it was tested on; absent before hold-outs had numbers."""

    weeks: tuple[str, ...]
    """Weeks that were trained on, ascending; of an imported model, those that it was scored on."""

    windows: Mapping[str, Any]
    """How many windows were used, and of how many: `training`, `holdout`."""

    metrics: Mapping[str, Any]
    """Measures on the hold-out, those of each class among them, and those of the baselines that were trained beside it,
    of which an imported model has none. Newer models tell those of `boosting` and the gain over it, `unseen_polygons`,
    `calibration`, `area` (adjusted hectares of the held-out blocks), `by_week` and `by_edge`, the distance to a
    label's edge, and `applicability`: scores inside and outside of the area of applicability."""

    folds: Mapping[str, Any]
    """Measures of the cross-validation; `count` 0 where none was asked for."""

    weights: Mapping[str, float] | None = None
    """What each network's vote counts, told by blocks of validation; absent where all count alike."""

    determinism: Mapping[str, Any]
    """What was pinned: seeds, threads, versions."""

    classes: Mapping[str, Mapping[str, str]]
    """Raster value -> code and name of the class."""

    attribution: str
    """The lines of the data and of the labels."""


@dataclass(frozen=True, kw_only=True)
class MapFacts(Facts):
    """Land-cover maps, the champion's and those of a challenger on trial."""

    sheet: tuple[int, int]
    """Row and column of the sheet, 32 x 32 tiles each."""

    ledger: str
    """Digest of the cube's ledger over the sheet and its one-tile halo, of all that the model reads."""

    model: str
    """Id of the model's item."""

    aoi_ha: float | None = None
    """Hectares of the AOI that lie in the sheet; absent where version 1 counted whole sheets."""

    observed_ha: float | None = None
    """Hectares of these that were observed clear; absent where version 1 counted whole sheets."""

    observed_percent: float
    """Share of the AOI in the sheet that was observed clear, in any week that the model reads, in percent; 0 where none
    of the AOI lies in it."""

    applicable_percent: float | None = None
    """Share of what is mapped in the AOI that lies in the model's area of applicability, in percent; 0 where nothing is
    mapped. Absent where the area file does not ask for the layer, or the model does not know it."""

    classes: Mapping[str, Mapping[str, Any]]
    """Raster value -> code and name of the class, pixels and square kilometres inside the AOI."""

    attribution: str
    """The lines of the data and of the labels."""


@dataclass(frozen=True, kw_only=True)
class RequestFacts(Facts):
    """Training requests. Weeks and tiles are those of the sensors that training reads."""

    cube_state: str
    """Digest of what the cube held."""

    training: Mapping[str, Any]
    """Training settings of the area."""

    asked_by: str
    """`policy`, or who ordered it."""

    digests: Mapping[str, Mapping[str, str]]
    """Week -> sensor -> digest of its current updates."""

    tile_weeks: Mapping[str, int]
    """Week -> tiles that its updates touch, counted once for each update."""


@dataclass(frozen=True, kw_only=True)
class HoldOutFacts(Facts):
    """Hold-outs: which blocks of labelled ground models are tested on. A block once dealt stays on its side."""

    number: int
    """From 1; the highest one rules."""

    labels: tuple[str, ...]
    """Ids of the label rasters whose blocks are dealt."""

    before: str | None = None
    """Id of what it continues: the hold-out before it, or the champion of before there were hold-outs."""

    blocks: Mapping[str, int]
    """How many blocks are for `training`, and for the `holdout`; and how many were dealt now, `new`."""

    classes: Mapping[str, Mapping[str, Any]]
    """Raster value -> code and name of the class, pixels for `training` and in the `holdout`."""


@dataclass(frozen=True, kw_only=True)
class EvaluationFacts(Facts):
    """Comparisons of a model with the champion, on blocks that neither was trained on."""

    hold_out: int | None = None
    """Number of the hold-out; absent before hold-outs had numbers."""

    challenger: str
    """Id of the model's item."""

    champion: str
    """Id of the item of the model that was champion."""

    promotion: str
    """Id of the promotion by which it was: after another one, this comparison promotes nobody."""

    verdict: Verdict
    """`better`, `not better`, or `incomparable`: fewer than ten labelled blocks of the hold-out are new to both."""

    gain: Mapping[str, Any]
    """Accuracy and mean IoU: [low, high] of the challenger's gain, 90 % of the draws of blocks."""

    allowance: float
    """What the gain in mean IoU may be below 0 at its lower end, for newer labels or more data."""

    blocks: int
    """How many blocks were drawn from."""

    scores: Mapping[str, Mapping[str, Any]]
    """Measures of the `challenger` and of the `champion`, those of each class among them."""

    snapshot: str
    """Id of the cube's snapshot that was read."""


@dataclass(frozen=True, kw_only=True)
class PromotionFacts(Facts):
    """Promotions of a model, by whoever drives the stream or by a person; the highest number rules."""

    model: str
    """Id of the model's item."""

    cube_state: str | None = None
    """Digest of what the cube held then; absent where a person promotes."""

    rule: str | None = None
    """`always`: it is the model of that state; `better`: it won a comparison; `first`: there was no champion. Absent
    where a person promotes."""

    evaluation: str | None = None
    """Id of the comparison that it won; absent under another rule."""

    reason: str | None = None
    """Why, in the words of who promotes it; absent where the driver does."""


@dataclass(frozen=True, kw_only=True)
class WithdrawalFacts(Facts):
    """What people said of a product, before or after it arrived; the highest number rules."""

    product: str
    """Full name of the product, without suffix."""

    week: str
    """Week of the product, `2018-W23`."""

    state: WithdrawalState
    """What it is from now on."""

    reason: str | None = None
    """Why, for people."""


@dataclass(frozen=True, kw_only=True)
class ModelImportFacts(Facts):
    """Models that people brought: a SavedModel and its card, for the trainer to check, score and publish."""

    name: str
    """Name of the model, as its card says it (`mlm:name`)."""

    title: str
    """What it is, in the words of whoever imports it."""

    sha256: str
    """sha256 of the archive."""


KINDS: Final[Mapping[str, type[Facts]]] = {
    SENTINEL_2_L2A: SceneFacts,
    SENTINEL_2_L1C: SceneFacts,
    OLCI_L1B: FrameFacts,
    OLCI_GRID: FrameFacts,
    MASKS: MaskFacts,
    DELIVERED_MASKS: DeliveredMaskFacts,
    LABEL_POLYGONS: PolygonFacts,
    LABEL_RASTERS: DeliveryFacts,
    LABELS: LabelFacts,
    UPDATES: UpdateFacts,
    WITHDRAWALS: WithdrawalFacts,
    REQUESTS: RequestFacts,
    MODEL_IMPORTS: ModelImportFacts,
    HOLD_OUTS: HoldOutFacts,
    EVALUATIONS: EvaluationFacts,
    PROMOTIONS: PromotionFacts,
    MODELS: ModelFacts,
    MAPS: MapFacts,
    TRIALS: MapFacts,
}
"""Collection -> what its items say."""

BY_HAND: Final = (WITHDRAWALS, REQUESTS, MODEL_IMPORTS, PROMOTIONS)
"""Collections in which people write, too."""
