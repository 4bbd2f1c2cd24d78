"""What the held-out blocks tell of a network, and of the baselines beside it; taken in a few windows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy.typing as npt

from services.trainer.applicability import ApplicabilityScore
from services.trainer.area_estimate import MappedArea, estimate_areas
from services.trainer.baselines import Baselines, Beside
from services.trainer.boosting import choose_weeks
from services.trainer.calibration import Reliability
from services.trainer.examples import Examples
from services.trainer.metrics import hold_out_metrics
from services.trainer.places import Place
from services.trainer.score import measure
from services.trainer.strata import Strata
from services.trainer.windows import Windows
from shared.area import Area
from shared.raster.applicability import Applicability

Array = npt.NDArray[Any]


class HoldOut:
    """Scores of a network and of its baselines on the same pixels.

    Args:
        area: names the classes.
        baselines: those of the network.
        applicability: where the network applies; None where nobody knows.
        places: the blocks in weeks that are tested.
        seed: of the choice of weeks.
    """

    def __init__(
        self,
        area: Area,
        baselines: Baselines,
        applicability: Applicability | None,
        places: Iterable[Place],
        seed: int,
    ) -> None:
        self._area, self._baselines = area, baselines
        classes, self._chosen = len(area.labels.classes), choose_weeks(places, seed)
        self._beside, self._unseen = Beside(classes, self._chosen), Beside(classes, self._chosen)
        self._reliability, self._ground, self._strata = Reliability(classes), MappedArea(classes), Strata(classes)
        self._applicability = None if applicability is None else ApplicabilityScore(applicability, classes)
        self._examples = Examples()

    def add(self, windows: Windows, mapped: Array, confidence: Array, unseen: Array | None) -> None:
        """Take windows into account.

        Args:
            windows: n windows.
            mapped: uint8 (n, y, x): the class that the network says.
            confidence: uint8 (n, y, x): its percent.
            unseen: bool (n, y, x) of the blocks: pixels of polygons that the network learned nothing from; None where
                nobody knows the polygons.
        """
        reference, found = windows.inner(windows.labels), windows.inner(mapped)
        by_baselines = self._baselines.map(windows, self._chosen)
        self._beside.add(windows, by_baselines, found)
        if unseen is not None:
            self._unseen.add(windows, by_baselines, found, unseen)
        self._reliability.add(windows.places, reference, found, windows.inner(confidence))
        self._ground.add(windows.places, found)
        self._strata.add(windows, mapped)
        if self._applicability is not None:
            here = [i for i, place in enumerate(windows.places) if place in self._chosen]
            self._applicability.add(windows.at(here), found[here])
        self._examples.show(windows, mapped)

    @property
    def examples(self) -> Examples:
        """Blocks for the card."""
        return self._examples

    def wrong(self, shape: tuple[int, ...]) -> Array:
        """Share of wrong pixels of each block: float64 (block row, block col), NaN where none is tested."""
        return self._beside.network.wrong(shape)

    def metrics(self) -> dict[str, Any]:
        """`landstream:metrics` of an item."""
        scored = self._beside.network
        return {
            **hold_out_metrics(self._area, scored),
            **self._beside.facts(),
            "calibration": self._reliability.facts(),
            "area": estimate_areas(scored.blocks, self._ground.hectares()),
            **self._strata.facts(),
            **({} if self._applicability is None else {"applicability": self._applicability.facts()}),
            **self._strictly(),
        }

    def _strictly(self) -> dict[str, Any]:
        """Return the score on polygons that the network learned nothing from; nothing where there are none."""
        if not len(self._unseen.network.blocks):
            return {}
        measures = measure(self._unseen.network.total)
        kept = ("accuracy", "miou", "f1_macro", "majority_accuracy", "pixels")
        return {"unseen_polygons": {name: measures[name] for name in kept} | self._unseen.facts()}
