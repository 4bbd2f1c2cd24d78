"""Looks into rendered manifests: pods, by whatever makes them, and what their processes are told."""

from __future__ import annotations

from collections.abc import Iterator

from tools.manifests.render import Resource


def by_kind(resources: list[Resource], kind: str) -> list[Resource]:
    """Return the resources of a kind."""
    return [r for r in resources if r["kind"] == kind]


def workloads(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    """(name, pod template) of everything that makes pods."""
    for resource in resources:
        spec = resource.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec.get("jobTargetRef", spec)).get("template")
        if template is not None:
            yield resource["metadata"]["name"], template


def containers_of(template: Resource) -> list[Resource]:
    """Return all containers of a pod template, sidecars first."""
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


def template_of(resources: list[Resource], name: str) -> Resource:
    """Return the pod template of a workload."""
    return dict(workloads(resources))[name]


def settings_of(resources: list[Resource]) -> dict[str, str]:
    """Return what every process is told by its environment."""
    (found,) = (r["data"] for r in by_kind(resources, "ConfigMap") if r["metadata"]["name"].startswith("landstream-"))
    return dict(found)
