"""The operator's page says what the code does: who may do what, settings and their defaults."""

from __future__ import annotations

import re

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from landstream.provision import ProvisionSettings
from landstream.provision.grants import grants
from shared.bus.kafka import KafkaSettings
from shared.process.service import ALIVE_S, ServiceSettings
from shared.store.s3 import S3Settings
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text()
CLASSES: tuple[type[BaseSettings], ...] = (ServiceSettings, S3Settings, KafkaSettings, ProvisionSettings)


def table(heading: str) -> list[list[str]]:
    """The cells of a section's first table."""
    section = re.split(rf"^## {heading}\n", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [re.split(r" *\| *", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def patterns(cell: str) -> set[str]:
    """What a cell names."""
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_table_of_users_is_that_of_the_grants() -> None:
    page = {user.strip("`"): tuple(map(patterns, cells)) for user, *cells in table("Users")}
    assert page == {g.user: (set(g.writes), set(g.deletes)) for g in grants()}


def test_the_settings_are_those_of_the_classes() -> None:
    def shown(value: object) -> str:
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        return "" if value in (None, "") else f"`{int(value) if isinstance(value, float) else value}`"

    page = {variable.strip("`"): default for variable, default, _ in table("Settings")}
    assert page == {
        str(field.validation_alias or f"{cls.model_config['env_prefix']}{name}".upper()): shown(field.default)
        for cls in CLASSES
        for name, field in cls.model_fields.items()
    }


def test_the_page_knows_how_long_a_loop_may_be_silent() -> None:
    assert f"silent for {ALIVE_S / 60:.0f} minutes" in PAGE
