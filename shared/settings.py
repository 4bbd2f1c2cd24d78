"""Settings come from the environment: `LANDSTREAM_<FIELD>` is for every process, `LANDSTREAM_<OWNER>_<FIELD>` for one.

No other module spells the prefix of a class of settings.
"""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "LANDSTREAM_"


def settings_config(owner: str = "") -> SettingsConfigDict:
    """Return the configuration of a settings class.

    Args:
        owner: whose settings they are, `kafka`; empty = those of every process.
    """
    prefix = f"{PREFIX}{owner}_" if owner else PREFIX
    return SettingsConfigDict(env_prefix=prefix.upper(), extra="ignore", frozen=True)


class OwnSettings(BaseSettings):
    """Base of the settings of one service: the package that declares a subclass is the owner of its variables.

    `services.cloudmask.stage` declares `cloud_threshold`, so its variable is `LANDSTREAM_CLOUDMASK_CLOUD_THRESHOLD`.
    """

    model_config = settings_config()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Set the prefix of the subclass's variables."""
        super().__pydantic_init_subclass__(**kwargs)
        owner = cls.__module__.rpartition(".")[0].rpartition(".")[2]
        cls.model_config = cls.model_config | settings_config(owner)


def variables(cls: type[BaseSettings]) -> dict[str, str]:
    """Return the environment variable of each field of a settings class: variable -> field."""
    prefix = cls.model_config["env_prefix"]
    return {str(f.validation_alias or f"{prefix}{name}".upper()): name for name, f in cls.model_fields.items()}
