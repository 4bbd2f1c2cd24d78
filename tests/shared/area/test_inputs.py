"""What networks are asked to read."""

from __future__ import annotations

from typing import Any

import pytest

from shared.area.area import AreaError, load_area, parse_area
from shared.area.inputs import DEFAULT_INPUTS, Inputs
from shared.area.training import TrainingSettings
from tests.conftest import AREAS


@pytest.mark.parametrize(
    "fields",
    [
        {"inputs": ["msi_10m"]},
        {"inputs": ["msi_10m", "msi_20m", "msi_60m", "olci_300m", "week"]},
        {"history_weeks": 7},
        {"history_weeks": 7, "week_dropout": 0.0},
    ],
)
def test_what_is_set_is_stored_and_read_again(fields: dict[str, Any]) -> None:
    settings = TrainingSettings.model_validate(fields)
    stored = settings.model_dump(mode="json")
    assert {name: stored[name] for name in fields} == fields
    assert TrainingSettings.model_validate(stored) == settings


def test_defaults_are_not_stored() -> None:
    assert not Inputs.model_fields.keys() & TrainingSettings(inputs=DEFAULT_INPUTS).model_dump().keys()


def test_the_order_of_inputs_does_not_matter() -> None:
    assert TrainingSettings(inputs=("week", "msi_20m", "msi_10m")).inputs == ("msi_10m", "msi_20m", "week")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"inputs": ["msi_20m"]}, "lacks msi_10m"),
        ({"inputs": ["msi_10m", "msi_10m"]}, "names an input twice"),
        ({"inputs": ["msi_10m", "sar"]}, "Input should be"),
        ({"week_dropout": 0.2}, "week_dropout does nothing without `history_weeks`"),
        ({"history_weeks": 53}, "less than or equal to 52"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrainingSettings.model_validate(fields)


def test_what_was_stored_under_its_old_name_keeps_its_sense() -> None:
    assert TrainingSettings.model_validate({"bands": "10m"}).inputs == ("msi_10m",)
    assert TrainingSettings.model_validate({"bands": "all"}) == TrainingSettings()
    with pytest.raises(ValueError, match="bands is called inputs now"):
        TrainingSettings.model_validate({"bands": "20m"})


def test_a_sensor_that_is_read_is_one_whose_products_are_taken() -> None:
    data = load_area(AREAS / "small.yaml").model_dump(mode="json", by_alias=True)
    reading = data | {"training": data["training"] | {"inputs": ["msi_10m", "olci_300m"]}}
    parse_area(reading, "test")
    with pytest.raises(AreaError, match="sensors lacks olci"):
        parse_area(reading | {"sensors": ["s2"]}, "test")
