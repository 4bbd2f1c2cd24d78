"""Whose variable a setting is follows from where its class is declared."""

from __future__ import annotations

import pytest

from services.cloudmask.stage import CloudmaskSettings
from services.ingest.stage import IngestSettings
from services.tiler.stage import TilerSettings
from shared.process.service import ServiceSettings
from shared.settings import variables
from shared.store.s3 import S3Settings


def test_two_services_with_a_field_of_one_name_have_two_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_TILER_THREADS", "7")
    monkeypatch.setenv("LANDSTREAM_THREADS", "9")
    assert TilerSettings().threads == 7
    assert IngestSettings().threads == IngestSettings.model_fields["threads"].default


def test_what_all_processes_share_bears_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_GRACE_S", "3")
    assert ServiceSettings().grace_s == 3
    assert "LANDSTREAM_S3" in variables(S3Settings)


def test_the_prefix_enters_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDSTREAM_CLOUDMASK_CLOUD_THRESHOLD", "0.5")
    assert CloudmaskSettings().result_bearing() == {"cloud_threshold": 0.5}
