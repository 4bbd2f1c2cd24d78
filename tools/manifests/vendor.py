"""Makes `schemas/` again from Go modules: `python -m tools.manifests.vendor KEDA-VERSION OPERATOR-VERSION`.

The modules are those of KEDA and of the Prometheus Operator; their licences are there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tools.servers import tool

SCHEMAS = Path(__file__).parent / "schemas"
KEDA = "github.com/kedacore/keda/v2"
SCALED = ("scaledobjects", "scaledjobs")
SCALERS = ("metrics-api",)
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
MONITORING = ("prometheusrules", "podmonitors")


def main(keda_version: str, operator_version: str) -> None:
    """Take the schemas of the kinds and scalers that the manifests use; texts for people are left out."""
    keda = _download(KEDA, keda_version)
    for kind in SCALED:
        _write_kind(keda / "config" / "crd" / "bases" / f"keda.sh_{kind}.yaml", f"{KEDA} {keda_version}")
    scalers = json.loads((keda / "schema" / "generated" / "scalers-schema.json").read_text())["scalers"]
    _write("scalers.json", {s["type"]: s["parameters"] for s in scalers if s["type"] in SCALERS})
    shutil.copyfile(keda / "LICENSE", SCHEMAS / "LICENSE")
    operator = _download(OPERATOR, operator_version)
    for kind in MONITORING:
        path = operator / "example" / "prometheus-operator-crd" / f"monitoring.coreos.com_{kind}.yaml"
        _write_kind(path, f"{OPERATOR} {operator_version}")
    for name in ("LICENSE", "NOTICE"):
        shutil.copyfile(operator / name, SCHEMAS / f"{name}.prometheus-operator")


def _download(module: str, version: str) -> Path:
    go = tool("go", "fetching schemas")
    found = subprocess.run(
        [go, "mod", "download", "-json", f"{module}@{version}"], check=True, capture_output=True, cwd="/", timeout=600
    )
    return Path(json.loads(found.stdout)["Dir"])


def _write_kind(path: Path, origin: str) -> None:
    definition = yaml.safe_load(path.read_text())
    (served,) = definition["spec"]["versions"]
    schema = {"$comment": f"{origin}, without descriptions", **served["schema"]["openAPIV3Schema"]}
    _write(f"{definition['spec']['names']['kind']}.json", schema)


def _write(name: str, content: Any) -> None:
    (SCHEMAS / name).write_text(json.dumps(_without_descriptions(content), indent=1) + "\n")


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        # A property may itself be called `description`: then it is a schema, no text.
        return {k: _without_descriptions(v) for k, v in node.items() if k != "description" or isinstance(v, dict)}
    return [_without_descriptions(v) for v in node] if isinstance(node, list) else node


if __name__ == "__main__":
    main(*sys.argv[1:])
