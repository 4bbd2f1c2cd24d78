"""The settings of every process, for the table in docs/operations.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from landstream.provision import ProvisionSettings
from services.ingest.fetch.providers.credentials import CdseSettings, DhusSettings
from services.ingest.fetch.settings import FetchSettings
from services.model_sync.sync import SyncSettings
from services.sweeper.settings import SweeperSettings
from shared.bus.kafka import KafkaSettings
from shared.process.service import ServiceSettings
from shared.settings import variables
from shared.stage import AFFECTS_RESULT, registry
from shared.store.s3 import S3Settings
from tools.docstrings import docstrings

HEAD = ("variable", "default", "meaning")


def classes() -> list[type[BaseSettings]]:
    """Return every class of settings: of all processes first, then of each stage, upstream first, then the others."""
    stages = [stage.settings for stage in registry.all_stages() if stage.settings.model_fields]
    return [
        ServiceSettings,
        S3Settings,
        KafkaSettings,
        *stages,
        FetchSettings,
        CdseSettings,
        DhusSettings,
        SweeperSettings,
        SyncSettings,
        ProvisionSettings,
    ]


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield (variable, default, meaning) of every setting."""
    for cls in classes():
        meanings = docstrings(cls)
        for variable, name in variables(cls).items():
            field = cls.model_fields[name]
            bears = " **Changes results.**" if field.json_schema_extra == AFFECTS_RESULT else ""
            yield f"`{variable}`", shown(field.default), meanings[name] + bears


def shown(default: Any) -> str:
    """Return a default as one writes it in the environment; empty where there is none."""
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    if value in (None, ""):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"
