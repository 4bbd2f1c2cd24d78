"""Where products come from: addresses that are none are refused when the area is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.area import AreaError, load_area
from shared.area.source import CdseSource, StacSource
from tests.conftest import AREAS


@pytest.mark.parametrize("host", ["a b", "", "ü.example", "a.example:port", "https://me:secret@a.example", "a\\b"])
def test_what_is_no_host_is_refused(host: str) -> None:
    for fields in ({"asset_hosts": [host]}, {"api_url": host if "://" in host else f"https://{host}"}):
        with pytest.raises(ValidationError) as caught:
            StacSource.model_validate({"kind": "stac", **fields})
        assert "secret" not in str(caught.value.errors(include_input=False, include_url=False))


def test_hosts_and_addresses_are_kept_as_they_are_given() -> None:
    hosts = ("a.example", "a.example:8080", "http://127.0.0.1:9")
    assert StacSource(kind="stac", asset_hosts=hosts).asset_hosts == hosts


def test_the_volume_that_the_data_space_grants_is_kept_to_without_a_setting() -> None:
    assert CdseSource(kind="cdse").monthly_gb == 12_000
    assert CdseSource(kind="cdse", monthly_gb=None).monthly_gb is None
    assert StacSource(kind="stac").monthly_gb is None


def test_a_product_type_that_is_unknown_is_refused_by_name(tmp_path: Path) -> None:
    area = tmp_path / "area.yaml"
    area.write_text((AREAS / "small.yaml").read_text() + "source: {kind: cdse, products: [S2MSI2A, SY_2_SYN___]}\n")
    with pytest.raises(AreaError, match="'S2MSI1C' or 'OL_1_EFR___', and not 'SY_2_SYN___'"):
        load_area(area)
