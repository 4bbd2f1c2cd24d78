"""What a model states that it reads."""

from __future__ import annotations

from typing import Any

import pytest

from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs, describe_inputs, inputs_of_area, inputs_of_model, spell_inputs
from shared.items.weeks import day_of_year, later_week
from tests.catalogues import AREA, make


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"inputs": ("msi_10m",)},
        {"inputs": ("msi_10m", "msi_20m", "msi_60m", "olci_300m", "week")},
        {"inputs": ("msi_10m", "week"), "history_weeks": 7},
    ],
)
def test_what_an_item_states_is_what_was_asked_for(fields: dict[str, Any]) -> None:
    inputs = inputs_of_area(AREA, TrainingSettings(**fields))
    model = make("models", "small", week="static")
    model.properties["mlm:input"] = describe_inputs(inputs)
    assert inputs_of_model(model) == inputs
    assert inputs.names == TrainingSettings(**fields).inputs


def test_a_model_that_states_nothing_reads_the_bands_of_10_and_20_m() -> None:
    assert (
        inputs_of_model(make("models", "small", week="static"))
        == ModelInputs()
        == inputs_of_area(AREA, TrainingSettings())
    )


def test_shapes_are_those_of_a_window_of_a_map() -> None:
    described = describe_inputs(inputs_of_area(AREA, TrainingSettings(inputs=("msi_10m", "week"), history_weeks=2)))
    assert [i["input"] for i in described] == [
        {"shape": [-1, 3, 256, 256, 4], "dim_order": ["batch", "time", "height", "width", "bands"],
         "data_type": "uint16"},
        {"shape": [-1, 3], "dim_order": ["batch", "time"], "data_type": "uint16"},
    ]  # fmt: skip


def test_the_weeks_of_a_map_are_its_own_and_those_before() -> None:
    assert ModelInputs(history_weeks=3).weeks_of("2021-W02") == ("2020-W52", "2020-W53", "2021-W01", "2021-W02")
    assert ModelInputs().weeks_of("2021-W02") == ("2021-W02",)


def test_weeks_are_counted_over_the_turn_of_the_year() -> None:
    assert later_week("2020-W53", 1) == "2021-W01"
    assert later_week("2021-W01", -1) == "2020-W53"
    assert later_week("2018-W20", 0) == "2018-W20"
    assert (day_of_year("2018-W01"), day_of_year("2020-W53"), day_of_year("2018-W23")) == (4, 366, 158)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "one week of Sentinel-2 (10 bands at 10 and 20 m)"),
        ({"inputs": ("msi_10m", "week")}, "one week of Sentinel-2 (4 bands at 10 m) and the time of the year"),
        (
            {"inputs": ("msi_10m", "msi_20m", "msi_60m", "olci_300m", "week"), "history_weeks": 5},
            "6 weeks, each with what it holds, of Sentinel-2 (12 bands at 10, 20 and 60 m), what Sentinel-3 saw around "
            "and the time of the year",
        ),
    ],
)
def test_people_are_told_what_a_model_reads(fields: dict[str, Any], said: str) -> None:
    area = AREA.model_copy(update={"level": "l2a"})
    assert spell_inputs(inputs_of_area(area, TrainingSettings(**fields))) == said
