"""docker/prometheus.yml: the targets."""

from pathlib import Path

from shared.stage import registry
from shared.stage.deployment import PORT
from tools.deploy_files.blocks import fill
from tools.deploy_files.project import ROOT, Files

PATH = Path("docker/prometheus.yml")


def files() -> Files:
    """Return Prometheus's configuration."""
    targets = "".join(f"          - {service.name}:{PORT}\n" for service in registry.all_services())
    return {PATH: fill((ROOT / PATH).read_text(), "targets", targets)}
