"""Makes `schemas/` again from KEDA's Go module: `python -m tools.manifests.vendor VERSION`; its licence is there."""

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
MODULE = "github.com/kedacore/keda/v2"
KINDS = ("scaledobjects", "scaledjobs")
SCALERS = ("metrics-api",)


def main(version: str) -> None:
    """Take the schemas of the kinds and scalers that the manifests use; texts for people are left out."""
    go = tool("go", "fetching KEDA's schemas")
    found = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{version}"], check=True, capture_output=True, cwd="/", timeout=600
    )
    module = Path(json.loads(found.stdout)["Dir"])
    for kind in KINDS:
        definition = yaml.safe_load((module / "config" / "crd" / "bases" / f"keda.sh_{kind}.yaml").read_text())
        (served,) = definition["spec"]["versions"]
        schema = {"$comment": f"{MODULE} {version}, without descriptions", **served["schema"]["openAPIV3Schema"]}
        _write(f"{definition['spec']['names']['kind']}.json", schema)
    scalers = json.loads((module / "schema" / "generated" / "scalers-schema.json").read_text())["scalers"]
    _write("scalers.json", {s["type"]: s["parameters"] for s in scalers if s["type"] in SCALERS})
    shutil.copyfile(module / "LICENSE", SCHEMAS / "LICENSE")


def _write(name: str, content: Any) -> None:
    (SCHEMAS / name).write_text(json.dumps(_without_descriptions(content), indent=1) + "\n")


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, dict):
        # A property may itself be called `description`: then it is a schema, no text.
        return {k: _without_descriptions(v) for k, v in node.items() if k != "description" or isinstance(v, dict)}
    return [_without_descriptions(v) for v in node] if isinstance(node, list) else node


if __name__ == "__main__":
    main(*sys.argv[1:])
