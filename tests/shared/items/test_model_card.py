"""A card is taken if it is one of a model that reads the cube's bands and answers the area's classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.trainer.item import describe_signature
from shared.items.model_card import MOST_CARD_BYTES, BadCard, read_card
from tests.catalogues import AREA

Properties = dict[str, Any]


def properties() -> Properties:
    """What the card of a model says at least."""
    said = {"mlm:name": "one-by-one", "mlm:architecture": "1 x 1", "mlm:tasks": ["semantic-segmentation"]}
    return json.loads(json.dumps(said | describe_signature(AREA)))


def read(card: object) -> Any:
    return read_card(json.dumps(card).encode(), AREA)


def test_a_card_is_a_stac_item_or_its_properties() -> None:
    card = read(properties())
    assert (card.name, card.architecture, card.pretrained, card.hyperparameters) == ("one-by-one", "1 x 1", None, {})
    assert read({"type": "Feature", "properties": properties(), "assets": {}}) == card
    more = {"mlm:pretrained": True, "mlm:pretrained_source": "ImageNet", "mlm:hyperparameters": {"epochs": 3}}
    assert read(properties() | more).hyperparameters == {"epochs": 3}


def test_bands_may_be_objects_and_the_last_dimension_channels() -> None:
    said = properties()
    for stated in said["mlm:input"]:
        stated["bands"] = [{"name": band} for band in stated["bands"]]
        stated["input"]["dim_order"][-1] = "channel"
    assert read(said).inputs[0].bands == ("B02", "B03", "B04", "B08")


def test_the_order_of_inputs_says_nothing() -> None:
    said = properties()
    turned = said | {"mlm:input": said["mlm:input"][::-1]}
    assert sorted(read(turned).inputs, key=str) == sorted(read(said).inputs, key=str)


def without(name: str) -> Callable[[Properties], None]:
    def change(said: Properties) -> None:
        del said[name]

    return change


def setting(value: object, *path: Any) -> Callable[[Properties], None]:
    """Set what lies at a path."""

    def change(said: Any) -> None:
        for part in path[:-1]:
            said = said[part]
        said[path[-1]] = value

    return change


CLASSES = ("mlm:output", 0, "classification:classes")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without("mlm:name"), "mlm:name: Field required; STAC MLM says"),
        (without("mlm:input"), "mlm:input: Field required"),
        (without("mlm:output"), "mlm:output: Field required"),
        (setting("-x-", "mlm:name"), "mlm:name: String should match pattern"),
        (setting(["B02"], "mlm:input", 0, "bands"), "mlm:input msi_10m: bands B02; the cube's are B02, B03, B04, B08"),
        (setting("rgb", "mlm:input", 0, "name"), "mlm:input: names rgb, msi_20m; a map gives msi_10m, msi_20m"),
        (setting([], "mlm:input"), "mlm:input: names nothing; a map gives"),
        (setting("float32", "mlm:input", 1, "input", "data_type"), "mlm:input msi_20m: data_type float32; the cube"),
        (setting([-1, 4, 256, 256], "mlm:input", 0, "input", "shape"), "mlm:input msi_10m: shape [-1, 4, 256, 256]"),
        (setting([-1, 256, 256], "mlm:input", 0, "input", "shape"), "mlm:input msi_10m: shape [-1, 256, 256]"),
        (setting("bands", "mlm:input", 0, "input", "dim_order", 1), "mlm:input msi_10m: shape [-1, 256, 256, 4] of"),
        (setting("logits", "mlm:output", 0, "name"), "mlm:output: names logits, confidence; a map needs class, conf"),
        (setting("int64", "mlm:output", 0, "result", "data_type"), "mlm:output class: int64 of batch, height, width"),
        (setting(["batch"], "mlm:output", 1, "result", "dim_order"), "mlm:output confidence: uint8 of batch; it is"),
        (setting([], *CLASSES), "mlm:output class: classification:classes nothing; the area's labels (clc-level1) are"),
        (setting("2", *CLASSES, 0, "name"), "mlm:output class: classification:classes 1 2, 2 2"),
        (setting(0, *CLASSES, 0, "value"), "mlm:output class: classification:classes 0 1, 2 2"),
        (
            setting({"x": "y" * 20_000}, "mlm:hyperparameters"),
            "mlm:hyperparameters: Value error, takes more than 16384",
        ),
    ],
)
def test_a_card_of_another_model_is_refused(change: Callable[[Properties], None], why: str) -> None:
    said = properties()
    change(said)
    with pytest.raises(BadCard) as refused:
        read(said)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "not JSON: EOF while parsing"),
        (b"[]", "not a STAC item, nor its properties"),
        (b'{"properties": 3}', "properties: Input should be"),
        (b'{"mlm:name": NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON: recursion limit exceeded"),
        (b" " * (MOST_CARD_BYTES + 1), "larger than 1048576 bytes: it is not a card"),
    ],
    ids=["half", "list", "number", "nan", "deep", "large"],
)
def test_what_is_no_card_at_all_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BadCard) as refused:
        read_card(data, AREA)
    assert str(refused.value).startswith(why)
