"""`masks:` of an area file: which sources there are, and what their values mean."""

from __future__ import annotations

import pytest

from shared.area import AreaError
from shared.area.area import Area, parse_area
from shared.area.masks import KNOWN, MaskSource
from tests.catalogues import AREA


def with_masks(*masks: object) -> Area:
    return parse_area(AREA.model_dump(mode="json", by_alias=True) | {"masks": list(masks)}, "test")


def test_our_own_is_the_default_and_is_not_stored() -> None:
    assert AREA.masks == ("own",)
    assert "masks" not in AREA.model_dump()
    assert with_masks("fmask", "own").model_dump()["masks"][1] == "own"


def test_names_stand_for_known_sources_and_others_give_their_values() -> None:
    area = with_masks("fmask", {"source": "maja", "clear": [0], "cloud": [1, 2]}, "s2cloudless", "own")
    assert [m if isinstance(m, str) else m.source for m in area.masks] == ["fmask", "maja", "s2cloudless", "own"]
    assert area.masks[0] == KNOWN["fmask"]
    assert KNOWN["fmask"].codes == {0: 1, 1: 1, 4: 2, 2: 3, 3: 4, 255: 0}
    assert KNOWN["s2cloudless"].codes == {}
    assert KNOWN["maja"].codes == {1: 2, 7: 2, 5: 3, 6: 3}
    assert parse_area(area.model_dump(mode="json", by_alias=True), "again") == area


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        (["fmsk"], "'fmsk' is not a source of masks; there are own, fmask"),
        (["fmask", "fmask"], "fmask stands there twice"),
        ([], "at least 1"),
        ([{"source": "own", "clear": [0]}], "'own' is the name of the mask that Landstream makes"),
        ([{"source": "maja", "cloud": [1]}], "clear: is missing"),
        ([{"source": "maja", "clear": [0], "cloud": [0]}], "value 0 is given to two kinds"),
        ([{"source": "maja", "clear": [0], "cloud_above": 3}], "values or cloud_above, not both"),
        ([{"source": "flags", "bits": True, "clear": [0], "cloud": [1]}], "the numbers of the bits of cloud"),
        ([{"source": "flags", "bits": True, "snow": [1]}], "the numbers of the bits of cloud"),
        ([{"source": "flags", "bits": True, "cloud": [16]}], "each of 0 to 15"),
        ([{"source": "flags", "bits": True, "cloud": [1], "shadow": [1]}], "value 1 is given to two kinds"),
        ([{"source": "flags", "bits": True, "cloud_above": 3}], "values or cloud_above, not both"),
    ],
)
def test_mistakes_are_told(masks: list[object], said: str) -> None:
    with pytest.raises(AreaError, match=said):
        with_masks(*masks)


def test_a_probability_needs_no_values() -> None:
    assert MaskSource(source="p", cloud_above=0.4).codes == {}
