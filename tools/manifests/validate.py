"""Validates rendered manifests strictly, without a cluster: `python -m tools.manifests.validate [OVERLAYS]`.

Built-in kinds go by Kubernetes' own schemas, KEDA's and the Prometheus Operator's by their CRDs, triggers by what
KEDA's scalers declare (`schemas/`). Beyond a schema: quantities, which Kubernetes declares as any text.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
from jsonschema import Draft202012Validator

from tools.manifests.render import NAMES, OVERLAYS, RenderError, Resource, render
from tools.servers import MissingToolError

VERSION = "1.34"
"""The oldest Kubernetes that KEDA 2.21 supports; nothing newer is used."""

SCHEMAS = Path(__file__).parent / "schemas"
CUSTOM = ("keda.sh/", "monitoring.coreos.com/")
QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?")
_FACTORS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3} | {
    unit: factor for n, u in enumerate("KMGTPE", 1) for unit, factor in ((u, 1e3**n), (f"{u}i", 1024.0**n))
}


def faults(resources: list[Resource]) -> list[str]:
    """Return one line for each fault: kind, name, path, what is wrong."""
    found = []
    for resource in resources:
        name = f"{resource.get('kind')}/{resource.get('metadata', {}).get('name')}"
        found += [f"{name}: {fault}" for fault in (*_schema_faults(resource), *_quantity_faults(resource))]
    return found


def _schema_faults(resource: Resource) -> Iterator[str]:
    if not str(resource.get("apiVersion", "")).startswith(CUSTOM):
        yield from _builtin_faults(resource)
        return
    # CRDs leave every `metadata` open: its schema is that of the built-in kinds.
    yield from _builtin_faults({"apiVersion": "v1", "kind": "ConfigMap", "metadata": resource["metadata"]})
    job = resource["spec"].get("jobTargetRef")
    if job is not None:
        yield from _builtin_faults({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": job})
    validator = _custom(resource["kind"])
    if validator is None:
        yield f"kind: no schema of {resource['kind']} ({resource['apiVersion']}) is known"
        return
    for error in validator.iter_errors(resource):
        yield f"{error.json_path.removeprefix('$.')}: {error.message[:300]}"
    for n, trigger in enumerate(resource["spec"].get("triggers", ())):
        for fault in _trigger_faults(trigger):
            yield f"spec.triggers[{n}]: {fault}"


def _builtin_faults(resource: Resource) -> Iterator[str]:
    try:
        kubernetes_validate.validate(resource, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.absolute_path)) or '(top)'}: {error.message[:300]}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield f"kind: {error.message}"


@cache
def _custom(kind: str) -> Draft202012Validator | None:
    path = SCHEMAS / f"{kind}.json"
    return Draft202012Validator(_closed(json.loads(path.read_text()))) if path.exists() else None


def _closed(schema: Any) -> Any:
    """The schema with every object closed to fields that it does not name, as strict field validation does it."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed["additionalProperties"] = False
    return closed


def _trigger_faults(trigger: Resource) -> Iterator[str]:
    """Yield what KEDA would refuse of a trigger's metadata, by the parameters that its scaler declares."""
    scalers: dict[str, list[Resource]] = json.loads((SCHEMAS / "scalers.json").read_text())
    kind = trigger.get("type")
    if kind not in scalers:
        yield f"type: {kind!r} is not one of {', '.join(scalers)}"
        return
    given = trigger.get("metadata") or {}
    known = {p["name"]: p for p in scalers[kind] if p.get("metadataVariableReadable")}
    for name in given.keys() - known.keys():
        yield f"metadata.{name}: {kind} has no such parameter"
    for name, parameter in known.items():
        if name not in given:
            # `targetValue` counts as optional only because scaling modifiers could do without it.
            if name == "targetValue" or not (parameter.get("optional") or "default" in parameter):
                yield f"metadata.{name}: is missing"
        elif given[name] not in parameter.get("allowedValue", [given[name]]):
            yield f"metadata.{name}: {given[name]!r} is not one of {', '.join(parameter['allowedValue'])}"
    for name in ("targetValue", "activationTargetValue"):
        if name in given and not re.fullmatch(r"\d+(\.\d+)?", str(given[name])):
            yield f"metadata.{name}: {given[name]!r} is not a number"


def _quantity_faults(node: Any, path: str = "") -> Iterator[str]:
    """Quantities that the API server would refuse, or would take for next to nothing (`512m` of memory)."""
    if isinstance(node, list):
        for n, each in enumerate(node):
            yield from _quantity_faults(each, f"{path}[{n}]")
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        here = f"{path}.{key}".removeprefix(".")
        if key in ("limits", "requests") and isinstance(value, dict):
            for name, quantity in value.items():
                yield from _quantity_fault(f"{here}.{name}", name, quantity)
                limit = _amount(node.get("limits", {}).get(name))
                if key == "requests" and limit is not None and (_amount(quantity) or 0) > limit:
                    yield f"{here}.{name}: {quantity!r} is above the limit"
        elif key == "sizeLimit":
            yield from _quantity_fault(here, "storage", value)
        else:
            yield from _quantity_faults(value, here)


def _quantity_fault(path: str, name: str, quantity: Any) -> Iterator[str]:
    amount = _amount(quantity)
    if amount is None:
        yield f"{path}: {quantity!r} is not a quantity; say 1Gi, 500M or 250m"
    elif name != "cpu" and amount < 1024:
        yield f"{path}: {quantity!r} is less than a kilobyte"


def _amount(quantity: Any) -> float | None:
    """Return the quantity as a number; None if it is not one."""
    match = QUANTITY.fullmatch(str(quantity))
    if match is None:
        return None
    number, unit, exponent = match.groups()
    return float(number) * _FACTORS.get(unit, 1.0) * 10.0 ** int(exponent or 0)


def main(overlays: Path = OVERLAYS) -> int:
    """Look at both overlays, and at `monitoring` beside them; 0 if nothing is wrong."""
    found = []
    k8s = overlays.parent
    for folder in (*(overlays / name for name in NAMES), k8s / "monitoring"):
        shown = f"k8s/{folder.relative_to(k8s)}"
        try:
            resources = render(folder)
        except MissingToolError as error:
            print(f"k8s: not checked: {error}", file=sys.stderr)
            return int(os.environ.get("CI") == "true")
        except RenderError as error:
            found.append(str(error))
            continue
        found += [f"{shown}: {fault}" for fault in faults(resources)]
        print(f"{shown}: {len(resources)} resources")
    for fault in found:
        print(fault, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
