"""Scores by week and by distance to an edge, beside a slow look at each pixel."""

from __future__ import annotations

import numpy as np

from services.trainer.places import Place
from services.trainer.strata import EDGE_BANDS, Strata, edge_bands
from services.trainer.windows import Windows

NAMES = list(EDGE_BANDS)


def test_a_straight_edge() -> None:
    labels = np.ones((1, 1, 40), np.uint8)
    labels[..., 20:] = 2
    band = edge_bands(labels.repeat(3, axis=1))[0, 1]
    told = [NAMES[b] for b in band[:20][::-1]]
    assert told == ["1", "2", *["3-5"] * 3, *["6-10"] * 5, *["over 10"] * 10]
    assert band[20:].tolist() == band[:20][::-1].tolist()


def test_bands_equal_the_nearest_other_class() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, (2, 6, 6)).astype(np.uint8).repeat(7, axis=1).repeat(7, axis=2)
    labels[0, 10:20] = 0
    bands = edge_bands(labels)
    limits = [limit or 10**6 for limit in EDGE_BANDS.values()]
    for window, band in zip(labels, bands, strict=True):
        places = np.argwhere(window > 0)
        for y, x in places[::7]:
            others = places[window[tuple(places.T)] != window[y, x]]
            distance = np.abs(others - (y, x)).max(axis=1).min(initial=10**5)
            assert limits[band[y, x]] >= distance
            assert band[y, x] == 0 or limits[band[y, x] - 1] < distance


def test_neither_unlabelled_ground_nor_cloud_makes_an_edge() -> None:
    labels = np.full((1, 30, 30), 3, np.uint8)
    labels[:, 10:20] = 0
    assert (edge_bands(labels)[labels > 0] == NAMES.index("over 10")).all()


def test_scores_are_of_the_blocks_alone() -> None:
    labels = np.ones((2, 192, 192), np.uint8)
    labels[:, :, 96:] = 2
    mapped = labels.copy()
    mapped[0, :, 95] = 2  # one column of the first week is wrong, at the edge
    mapped[:, :32] = 1  # the margin is not scored
    places = (Place("2018-W20", 0, 0), Place("2018-W21", 0, 0))
    fine, coarse = np.ones((2, 192, 192, 4), np.uint16), np.ones((2, 96, 96, 6), np.uint16)
    strata = Strata(2)
    strata.add(Windows(places, fine, coarse, labels, 32), mapped)
    facts = strata.facts()
    assert facts["by_week"]["2018-W20"]["pixels"] == facts["by_week"]["2018-W21"]["pixels"] == 128 * 128
    assert facts["by_week"]["2018-W20"]["accuracy"] == round(127 / 128, 6)
    assert facts["by_week"]["2018-W21"] == {"accuracy": 1.0, "miou": 1.0, "pixels": 128 * 128}
    assert facts["by_edge"]["1"] == {"accuracy": 0.75, "miou": 0.583333, "pixels": 2 * 2 * 128}
    assert [facts["by_edge"][name]["pixels"] // 512 for name in NAMES] == [1, 1, 3, 5, 54]
    assert all(facts["by_edge"][name]["accuracy"] == 1.0 for name in NAMES[1:])
    assert Strata(2).facts()["by_week"] == {}
