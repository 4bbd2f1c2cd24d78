"""The manifests are valid, each kind of fault in them is found, and they keep what the design promises."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.area import load_area
from shared.bus.kafka import KafkaSettings
from shared.stage import registry
from tests.conftest import ROOT, absent
from tools.manifests import validate
from tools.manifests.render import NAMES, OVERLAYS, RenderError, Resource, render
from tools.manifests.workloads import by_kind, containers_of, settings_of, template_of, workloads
from tools.servers import MissingToolError

STAGES = registry.names()
JOBS = {s.name for s in registry.all_stages() if s.deployment.job_each}
ALONE = {s.name for s in registry.other_services() if not s.sidecar}


@pytest.fixture(scope="module", params=NAMES)
def rendered(request: pytest.FixtureRequest) -> list[Resource]:
    try:
        return render(OVERLAYS / request.param)
    except MissingToolError as error:
        absent(error)


@pytest.fixture(scope="module")
def monitoring() -> list[Resource]:
    try:
        return render(ROOT / "k8s" / "monitoring")
    except MissingToolError as error:
        absent(error)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the manifests, to be spoilt."""
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    return tmp_path / "k8s"


def faults_of_the_named(folder: Path, expected: str) -> list[str]:
    """The faults of the one resource that `expected` begins with."""
    name = expected.partition(":")[0]
    try:
        resources = [r for r in render(folder) if f"{r['kind']}/{r['metadata']['name']}" == name]
    except MissingToolError as error:
        absent(error)
    return validate.faults(resources)


def test_both_overlays_are_valid(rendered: list[Resource]) -> None:
    assert validate.faults(rendered) == []
    names = [(r["kind"], r["metadata"]["name"]) for r in rendered]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("base/tiler.yaml", "serviceAccountName:", "serviceaccount:", "StatefulSet/tiler: .*'serviceaccount'"),
        ("base/tiler.yaml", "memory: 1792Mi", "memory: 1GiB", "StatefulSet/tiler: .*requests.memory: '1GiB'"),
        ("base/ingest.yaml", "memory: 4608Mi", "memory: 2gb", "StatefulSet/ingest: .*limits.memory: '2gb'"),
        ("base/ingest.yaml", "memory: 4608Mi", "memory: 512m", "StatefulSet/ingest: .*limits.memory: '512m'"),
        ("base/ingest.yaml", "memory: 4608Mi", "memory: 1Gi", "StatefulSet/ingest: .*'1792Mi' is above the limit"),
        ("base/trainer.yaml", "memory: 6656Mi", "memory: 6gb", "ScaledJob/trainer: .*limits.memory.*6gb"),
        ("base/trainer.yaml", "restartPolicy:", "restartpolicy:", "ScaledJob/trainer: .*restartpolicy"),
        ("base/trainer.yaml", "        labels:\n", "        label:\n", "ScaledJob/trainer: .*'label'"),
        ("base/shared/stage.yaml", "sizeLimit: 10Gi", "sizeLimit: 10GB", "StatefulSet/tiler: .*sizeLimit: '10GB'"),
        ("base/shared/scaling.yaml", "Count: 8", 'Count: "8"', "ScaledObject/tiler: .*maxReplicaCount: '8' is"),
        ("base/shared/scaling.yaml", "minReplicaCount", "minReplicas", "ScaledObject/tiler: .*'minReplicas'"),
        ("base/tiler.yaml", 'targetValue: "4"', "targetValue: 4", "ScaledObject/tiler: .*targetValue: 4 is not of"),
        ("base/tiler.yaml", 'targetValue: "4"', "targetValue: four", "ScaledObject/tiler: .*'four' is not a number"),
        ("base/tiler.yaml", "targetValue:", "target:", "ScaledObject/tiler: .*targetValue: is missing"),
        ("base/tiler.yaml", "valueLocation:", "valuelocation:", "ScaledObject/tiler: .*no such parameter"),
        ("base/tiler.yaml", "format: prometheus", "format: text", "ScaledObject/tiler: .*'text' is not one of"),
        ("base/tiler.yaml", "type: metrics-api", "type: metric-api", "ScaledObject/tiler: .*'metric-api' is not one"),
        ("base/tiler.yaml", "kind: ScaledObject", "kind: ScaledObjekt", "ScaledObjekt/tiler: kind: no schema"),
        ("base/network.yaml", "protocol: UDP", "protokoll: UDP", "NetworkPolicy/dns: .*'protokoll'"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(copy: Path, file: str, old: str, new: str, expected: str) -> None:
    plant(copy / file, old, new)
    found = faults_of_the_named(copy / "overlays" / "dev", expected)
    assert any(re.search(expected, fault) for fault in found), found


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("alerts.yaml", "expr:", "expression:", "PrometheusRule/landstream: .*'expression'"),
        ("alerts.yaml", "for: 5m", "for: 5 minutes", "PrometheusRule/landstream: .*'5 minutes'"),
        ("alerts.yaml", "severity: warning", "severity: 2", "PrometheusRule/landstream: .*2 is not of type 'string'"),
        ("alerts.yaml", "kind: PrometheusRule", "kind: PrometheusRules", "PrometheusRules/landstream: kind: no schema"),
        ("pods.yaml", "port: metrics", "prot: metrics", "PodMonitor/landstream: .*'prot'"),
        ("dashboard.yaml", 'board: "1"', "board: 1", "ConfigMap/landstream-dashboard: .*1 is not of type"),
    ],
)  # fmt: skip
def test_a_fault_planted_in_monitoring_is_found(copy: Path, file: str, old: str, new: str, expected: str) -> None:
    plant(copy / "monitoring" / file, old, new)
    found = faults_of_the_named(copy / "monitoring", expected)
    assert any(re.search(expected, fault) for fault in found), found


def test_the_check_names_overlay_kind_name_and_path(copy: Path) -> None:
    plant(copy / "base" / "tiler.yaml", "serviceAccountName:", "serviceaccount:")
    plant(copy / "base" / "ingest.yaml", "memory: 4608Mi", "memory: 2gb")
    plant(copy / "base" / "shared" / "scaling.yaml", "Count: 8", 'Count: "8"')
    command = [sys.executable, "-m", "tools.manifests.validate", copy / "overlays"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "not checked" in result.stderr:
        absent(result.stderr)
    assert result.returncode == 1
    for overlay in NAMES:
        lines = [line for line in result.stderr.splitlines() if line.startswith(f"k8s/overlays/{overlay}: ")]
        assert len(lines) == 2 + len({*STAGES} - JOBS), "one line for each fault"
        for fault in (
            "StatefulSet/tiler: spec.template.spec: ",
            "StatefulSet/ingest: spec.template.spec.containers[0].resources.limits.memory: '2gb' is not a quantity",
            "ScaledObject/tiler: spec.maxReplicaCount: '8' is not of type 'integer'",
        ):
            assert any(fault in line for line in lines), lines


def test_what_kustomize_warns_of_is_a_fault(copy: Path) -> None:
    path = copy / "overlays" / "dev" / "kustomization.yaml"
    path.write_text(path.read_text() + "commonLabels: {a: b}\n")
    with pytest.raises(RenderError, match="deprecated"):
        render(path.parent)


def test_without_go_and_kubectl_it_says_so_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tools.manifests.render.BINARY", tmp_path / "none" / "kustomize")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    assert validate.main() == 0
    monkeypatch.setenv("CI", "true")
    assert validate.main() == 1
    assert "go is not on the PATH" in capsys.readouterr().err


def test_every_pod_obeys_the_restricted_profile(rendered: list[Resource]) -> None:
    (namespace,) = by_kind(rendered, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pods = list(workloads(rendered))
    assert {name for name, _ in pods} >= {*STAGES, *ALONE, "serving", "provision", "prune"}
    for name, template in pods:
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        for container in containers_of(template):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            for kind in ("requests", "limits"):
                assert container["resources"][kind].keys() == {"cpu", "memory", "ephemeral-storage"}, name
            assert not any("hostPort" in port for port in container.get("ports", ())), name
        for volume in pod["volumes"]:
            assert volume.keys() - {"name"} <= {"emptyDir", "secret", "projected", "configMap"}, (name, volume)
            assert volume.get("emptyDir", {"sizeLimit": ""}).keys() == {"sizeLimit"}, (name, volume)
    accounts = {a["metadata"]["name"]: a for a in by_kind(rendered, "ServiceAccount")}
    assert {pod["spec"]["serviceAccountName"] for _, pod in pods} == accounts.keys(), "one each, none unused"
    assert all(a["automountServiceAccountToken"] is False for a in accounts.values())
    kinds = {r["kind"] for r in rendered}
    assert not {k for k in kinds if "Role" in k or k == "Secret"}, "no talk to the API server, no secret in a file"


def test_images_have_versions(rendered: list[Resource]) -> None:
    images = {c["image"] for _, pod in workloads(rendered) for c in containers_of(pod)}
    assert all(re.fullmatch(r"[\w./-]+:(\d+\.\d+\.\d+|RELEASE\.\d{4}-[\w-]+)", image) for image in images), images


def test_each_service_is_scaled_by_its_due_count_up_to_the_partitions(rendered: list[Resource]) -> None:
    scaled = [*by_kind(rendered, "ScaledObject"), *by_kind(rendered, "ScaledJob")]
    assert {r["metadata"]["name"] for r in scaled} == set(STAGES)
    for resource in scaled:
        name, spec = resource["metadata"]["name"], resource["spec"]
        (trigger,) = spec["triggers"]
        assert trigger["metadata"]["valueLocation"] == f'landstream_due_jobs{{stage="{name}"}}'
        if resource["kind"] == "ScaledObject":
            assert spec["maxReplicaCount"] == KafkaSettings.model_fields["partitions"].default
            assert spec["scaleTargetRef"] == {"kind": "StatefulSet", "name": name}
            assert all(
                "replicas" not in s["spec"] for s in by_kind(rendered, "StatefulSet") if s["metadata"]["name"] == name
            )
    environment = settings_of(rendered)
    assert environment["LANDSTREAM_KAFKA_PARTITIONS"] == str(KafkaSettings.model_fields["partitions"].default)


def test_a_pod_of_a_stage_is_a_member_of_a_stable_name(rendered: list[Resource]) -> None:
    for resource in by_kind(rendered, "StatefulSet"):
        if resource["metadata"]["name"] in STAGES:
            (container,) = resource["spec"]["template"]["spec"]["containers"]
            found = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container["env"] if "valueFrom" in e}
            assert found["LANDSTREAM_INSTANCE"] == "metadata.name"
            assert resource["spec"]["podManagementPolicy"] == "Parallel"


def test_grace_is_longer_than_nearly_every_job(rendered: list[Resource]) -> None:
    for name in STAGES:
        template = template_of(rendered, name)
        grace, p99 = template["spec"]["terminationGracePeriodSeconds"], template["metadata"]["annotations"]
        assert grace >= int(p99["landstream/job-p99-s"]) + 30, name
        assert int(p99["landstream/job-p99-s"]) <= registry.load(name).timeout_s, name
    for name in (*ALONE, "provision"):
        assert template_of(rendered, name)["spec"].get("terminationGracePeriodSeconds", 30) >= 30, name


def test_a_worker_that_takes_too_much_memory_is_ended_before_its_pod(rendered: list[Resource]) -> None:
    for name in STAGES:
        (container,) = template_of(rendered, name)["spec"]["containers"]
        limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
        assert limit >= registry.load(name).memory_mb + 256, f"{name}: the service beside its worker takes 150 MB"


def test_a_job_outlives_its_longest_work(rendered: list[Resource]) -> None:
    jobs = {job["metadata"]["name"]: job["spec"]["jobTargetRef"] for job in by_kind(rendered, "ScaledJob")}
    assert jobs.keys() == JOBS >= {"trainer"}
    for name, job in jobs.items():
        assert job["activeDeadlineSeconds"] > registry.load(name).timeout_s


def test_probes_ask_the_service(rendered: list[Resource]) -> None:
    for name in (*STAGES, *ALONE):
        (container,) = template_of(rendered, name)["spec"]["containers"]
        assert container["ports"] == [{"name": "metrics", "containerPort": 9100}]
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert container[probe]["httpGet"] == {"path": path, "port": "metrics"}, name
    assert settings_of(rendered)["LANDSTREAM_HTTP_PORT"] == "9100"


def test_nothing_goes_in_or_out_unless_allowed(rendered: list[Resource]) -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in by_kind(rendered, "NetworkPolicy")}
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all(peers_of(spec) for spec in policies.values()), "no policy allows everyone"
    ports = [rule.get("ports") for s in policies.values() for rule in (*s.get("egress", ()), *s.get("ingress", ()))]
    assert all(ports), "no policy allows every port"
    labels = {name: template["metadata"]["labels"] for name, template in workloads(rendered)}
    internet = {n for n, s in policies.items() if any("0/0" in str(p.get("ipBlock")) for p in peers_of(s))}
    assert [name for name in labels for p in internet if selects(policies[p]["podSelector"], labels[name])] == ["fetch"]
    for backend, wanting in (("to-store", {*STAGES, *ALONE, "provision", "prune", "serving"}),
                             ("to-kafka", {*STAGES, *ALONE, "provision"})):  # fmt: skip
        assert {n for n in labels if selects(policies[backend]["podSelector"], labels[n])} >= wanting
    (asking,) = peers_of(policies["serving-from-inference"])
    assert {n for n in labels if selects(asking["podSelector"], labels[n])} == {"inference"}
    namespaces = {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for spec in policies.values()
        for peer in peers_of(spec)
        if "namespaceSelector" in peer
    }
    assert namespaces == {"kube-system", "keda", "monitoring"}
    for name, spec in policies.items():
        assert not spec["podSelector"] or any(selects(spec["podSelector"], each) for each in labels.values()), name


def test_everything_named_is_there(rendered: list[Resource]) -> None:
    labels = [template["metadata"]["labels"] for _, template in workloads(rendered)]
    for resource in (*by_kind(rendered, "Service"), *by_kind(rendered, "PodDisruptionBudget")):
        selector = resource["spec"]["selector"]
        wanted = selector if resource["kind"] == "Service" else selector["matchLabels"]
        assert any(wanted.items() <= each.items() for each in labels), resource["metadata"]
    assert {b["metadata"]["name"] for b in by_kind(rendered, "PodDisruptionBudget")} == {*STAGES, "serving"} - JOBS
    maps = {m["metadata"]["name"] for m in by_kind(rendered, "ConfigMap")}
    assert {m for _, t in workloads(rendered) for m in maps_of(t)} == maps
    services = {(s["metadata"]["name"], p["port"]) for s in by_kind(rendered, "Service") for p in s["spec"]["ports"]}
    assert {("serving", 8500), ("sweeper", 9100), ("stages", 9100)} <= services
    for name, template in workloads(rendered):
        volumes = {v["name"] for v in template["spec"]["volumes"]} | {"data"}
        for container in containers_of(template):
            assert {m["name"] for m in container["volumeMounts"]} <= volumes, name


def test_monitoring_is_valid_and_asks_every_service(monitoring: list[Resource], rendered: list[Resource]) -> None:
    assert validate.faults(monitoring) == []
    assert {r["metadata"]["namespace"] for r in monitoring} == {"landstream"}
    (monitor,) = by_kind(monitoring, "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    labels = {
        name: template["metadata"]["labels"]
        for name, template in workloads(rendered)
        if endpoint["port"] in {p["name"] for c in containers_of(template) for p in c.get("ports", ())}
    }
    asked = {name for name in labels if selects(monitor["spec"]["selector"], labels[name])}
    assert asked == {*STAGES, *ALONE}
    for name in asked:
        assert labels[name][monitor["spec"]["jobLabel"]] == "landstream", "the job that alerts and dashboard ask for"
    # A pod that no policy lets Prometheus ask would be down for ever.
    policy = next(p for p in by_kind(rendered, "NetworkPolicy") if p["metadata"]["name"] == "metrics-from-prometheus")
    assert all(selects(policy["spec"]["podSelector"], labels[name]) for name in asked)


@pytest.mark.parametrize("name", NAMES)
def test_the_area_is_one(name: str) -> None:
    assert load_area(OVERLAYS / name / "area.yaml").name


def test_credentials_come_from_secrets_of_the_service(rendered: list[Resource]) -> None:
    for name in (*STAGES, *ALONE, "provision", "prune"):
        secrets = [v["secret"]["secretName"] for v in template_of(rendered, name)["spec"]["volumes"] if "secret" in v]
        assert secrets == [f"landstream-{name}"]
    assert settings_of(rendered)["AWS_SHARED_CREDENTIALS_FILE"] == "/run/secrets/landstream/s3"
    assert not any("KEY" in k or k.endswith("PASSWORD") for k in settings_of(rendered))


def test_secrets_are_made_of_the_files_that_exist(tmp_path: Path, copy: Path) -> None:
    folder = tmp_path / "docker" / "secrets"
    (folder / "users").mkdir(parents=True)
    (folder / "kafka").mkdir()
    for path in ("root", "root_user", "root_password", "users/ingest", "users/landing", "kafka/ingest", "kafka/ca.crt"):
        (folder / path).write_text("x")
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(
        '#!/bin/sh\ncase "$*" in *" get secret landstream-landing"*) exit 0;; *" get "*) exit 1;; esac\necho "$*"\n'
    )
    kubectl.chmod(0o755)
    result = subprocess.run(
        [copy / "secrets.sh"],
        env={"PATH": f"{kubectl.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    made = "-n landstream create secret generic landstream-"
    assert result.stdout.splitlines() == [
        f"{made}ingest --from-file=s3=users/ingest --from-file=kafka-password=kafka/ingest "
        "--from-file=kafka-ca.crt=kafka/ca.crt",
        f"{made}provision --from-file=s3=root",
        f"{made}store --from-file=root_user --from-file=root_password",
    ]  # fmt: skip


def plant(path: Path, old: str, new: str) -> None:
    """Spoil a manifest."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def peers_of(policy: Resource) -> list[Resource]:
    """Whom a policy names."""
    rules = [(rule, "to") for rule in policy.get("egress", ())] + [(rule, "from") for rule in policy.get("ingress", ())]
    return [peer for rule, side in rules for peer in rule.get(side, ())]


def selects(selector: Resource, labels: dict[str, str]) -> bool:
    """Whether a label selector picks a pod."""
    expressions = selector.get("matchExpressions", ())
    assert all(e["operator"] == "In" for e in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(e["key"]) in e["values"] for e in expressions
    )


def maps_of(template: Resource) -> Iterator[str]:
    """The ConfigMaps that a pod reads."""
    for container in containers_of(template):
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                yield source["configMapRef"]["name"]
    for volume in template["spec"]["volumes"]:
        if "configMap" in volume:
            yield volume["configMap"]["name"]
