"""What a trace is asked of."""

from __future__ import annotations

import pytest

from landstream.trace.subject import NothingToTrace, Subject, read_subject

SAFE = "S2A_MSIL2A_20180605T092031_N0500_R093_T34TGR_20230601T120000"
OTHER = "S2B_MSIL2A_20180612T092031_N0500_R093_T34TFR_20230601T120000"
SEN3 = "S3A_OL_1_EFR____20180605T084702_20180605T084704_20180606T144713_0003_032_272_2160_LN1_O_NT_002"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (SAFE, Subject(SAFE, "2018-W23", SAFE)),
        (f"down/loads/{SAFE}.SAFE/", Subject(f"down/loads/{SAFE}.SAFE/", "2018-W23", SAFE)),
        (f"{SEN3}.SEN3", Subject(f"{SEN3}.SEN3", "2018-W23", SEN3)),
        ("34tgr", Subject("34tgr", tile="T34TGR")),
        ("2018-W23", Subject("2018-W23", week="2018-W23")),
        ("clc2018_mt.gpkg", Subject("clc2018_mt.gpkg", "static", "clc2018_mt")),
    ],
)
def test_a_text_names_a_product_a_tile_a_week_or_labels(text: str, subject: Subject) -> None:
    assert read_subject(text) == subject


@pytest.mark.parametrize("text", ["", "/", "static"])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(NothingToTrace):
        read_subject(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [(SAFE, [SAFE]), ("T34TFR", [OTHER]), ("2018-W23", [SAFE, SEN3]), ("labels.gpkg", ["labels"]), ("T01CCV", [])],
)
def test_products_are_told_by_their_names(text: str, named: list[str]) -> None:
    assert [p for p in (SAFE, OTHER, SEN3, "labels") if read_subject(text).names(p)] == named
