"""What is committed is what the services declare, and a difference is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shared.stage.deployment import Deployment, Service
from tests.conftest import ROOT
from tools.deploy_files.__main__ import differing, wanted
from tools.deploy_files.blocks import NoBlock, fill
from tools.deploy_files.compose import service as compose_service
from tools.deploy_files.manifests import cores, of_service, size
from tools.deploy_files.project import MADE

COPIED = ("docker", "docs", "k8s", "landstream", "services", "shared", "tools")
FILES = ("README.md", "docker-compose.yml", "pyproject.toml")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what is generated and of what it is generated from."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "secrets"))
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def deploy_files(copy: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-m", "tools.deploy_files", *options]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def test_what_is_committed_is_what_is_generated() -> None:
    assert differing(wanted()) == [], "run `make deploy-files`"


def test_what_was_changed_by_hand_is_named_and_put_right(copy: Path) -> None:
    spoilt = ("docker/prometheus.yml", "k8s/base/tiler.yaml", "README.md")
    for path in spoilt:
        text = (copy / path).read_text()
        assert "tiler" in text
        (copy / path).write_text(text.replace("tiler", "Tiler"))
    (copy / "k8s" / "base" / "gone.yaml").write_text(f"{MADE} from services/gone/stage.py.\n")
    found = deploy_files(copy, "--check")
    assert found.returncode == 1
    assert sorted(line.partition(":")[0] for line in found.stderr.splitlines()) == sorted(
        (*spoilt, "k8s/base/gone.yaml")
    )
    assert deploy_files(copy).returncode == 0
    assert not (copy / "k8s" / "base" / "gone.yaml").exists()
    assert deploy_files(copy, "--check").returncode == 0
    assert (copy / "k8s" / "base" / "tiler.yaml").read_text() == (ROOT / "k8s" / "base" / "tiler.yaml").read_text()
    assert (copy / "k8s" / "base" / "network.yaml").exists()


def test_a_block_is_filled_and_the_rest_is_kept() -> None:
    text = "a\n  # generated: begin x, by y\nold\n  # generated: end x\n# generated: begin xs\n# generated: end xs\nb\n"
    assert fill(text, "x", "1\n2\n") == text.replace("old\n", "1\n2\n")
    assert fill(fill(text, "x", "1\n"), "x", "old\n") == text


@pytest.mark.parametrize("text", ["", "# generated: begin x\n", "# generated: end x\n# generated: begin x\n"])
def test_a_file_without_its_block_is_said(text: str) -> None:
    with pytest.raises(NoBlock, match="begin x"):
        fill(text, "x", "")


def test_a_service_without_a_stage_may_listen_and_keep() -> None:
    declared = Service(
        name="map-viewer",
        package="map_viewer",
        deployment=Deployment(image="plain", memory_mb=128, memory_limit_mb=512),
        ports={"http": 8080},
        volumes={"tiles": "/var/cache/tiles"},
    )
    (block,) = yaml.safe_load(compose_service(declared).replace("<<: *", "like: ")).values()
    assert block["ports"] == ["127.0.0.1:8080:8080"]
    assert block["volumes"] == ["/work", "tiles:/var/cache/tiles"]
    assert block["command"] == ["python", "-m", "services.map_viewer"]
    assert block["mem_limit"] == "512m"
    account, pod, address = yaml.safe_load_all(of_service(declared))
    assert account["metadata"]["name"] == pod["metadata"]["name"] == address["metadata"]["name"] == "map-viewer"
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    assert [p["containerPort"] for p in container["ports"]] == [9100, 8080]
    assert [(p["name"], p["port"]) for p in address["spec"]["ports"]] == [("metrics", 9100), ("http", 8080)]


def test_amounts_are_written_as_kubernetes_reads_them() -> None:
    assert [size(mb) for mb in (256, 1024, 1792, 4608)] == ["256Mi", "1Gi", "1792Mi", "4608Mi"]
    assert [cores(n) for n in (0.05, 0.5, 1, 8)] == ["50m", "500m", "1", "8"]
