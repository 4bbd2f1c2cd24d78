"""Credentials for a provider: from the environment, or from the files of secrets that it names; nowhere else."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from services.ingest.fetch.errors import Misconfigured
from services.ingest.fetch.provider import Credentials
from shared.area.source import CdseSource, DhusSource, FolderSource, StacSource
from shared.settings import settings_config, variables

MAX_BYTES = 4096


class CdseSettings(BaseSettings):
    """Credentials for the Copernicus Data Space."""

    model_config = settings_config("cdse")

    username: str = ""
    """User name, for archives (`download: odata`) and subscriptions."""
    password: SecretStr = SecretStr("")
    """Its password."""
    password_file: Path | None = None
    """File that holds the password, as secrets of compose and Kubernetes do."""
    access_key: str = ""
    """Access key of the S3 endpoint, for `download: s3`."""
    secret_key: SecretStr = SecretStr("")
    """Its secret key."""
    secret_key_file: Path | None = None
    """File that holds the secret key."""


class DhusSettings(BaseSettings):
    """Credentials for a DHuS node."""

    model_config = settings_config("dhus")

    username: str = ""
    """User name at the node."""
    password: SecretStr = SecretStr("")
    """Its password."""
    password_file: Path | None = None
    """File that holds the password."""


def credentials_for(source: CdseSource | DhusSource | StacSource | FolderSource) -> Credentials:
    """Return what the environment gives for a source.

    Raises:
        Misconfigured: what its way of download needs is absent, or a file cannot be read; the variable is named.
    """
    if isinstance(source, DhusSource):
        dhus = DhusSettings()
        found = Credentials(username=dhus.username, password=_secret(dhus, "password"))
        _require(DhusSettings, found, ("username", "password"))
        return found
    if isinstance(source, CdseSource):
        cdse = CdseSettings()
        found = Credentials(
            username=cdse.username,
            password=_secret(cdse, "password"),
            access_key=cdse.access_key,
            secret_key=_secret(cdse, "secret_key"),
        )
        if source.download == "s3":
            _require(CdseSettings, found, ("access_key", "secret_key"))
        if source.download == "odata" or source.subscribe:
            _require(CdseSettings, found, ("username", "password"))
        return found
    return Credentials()


def _secret(settings: CdseSettings | DhusSettings, name: str) -> str:
    file: Path | None = getattr(settings, f"{name}_file")
    if file is None:
        secret: SecretStr = getattr(settings, name)
        return secret.get_secret_value()
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise Misconfigured(f"{_variable(type(settings), f'{name}_file')}: {file}: {why}") from error


def _require(cls: type[BaseSettings], found: Credentials, names: tuple[str, ...]) -> None:
    lacking = [_variable(cls, name) for name in names if not getattr(found, name)]
    if lacking:
        raise Misconfigured(f"no credentials for the source: set {' and '.join(lacking)}")


def _variable(cls: type[BaseSettings], field: str) -> str:
    return next(variable for variable, name in variables(cls).items() if name == field)
