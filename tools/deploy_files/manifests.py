"""k8s/base: a file for each service, and the list of these files."""

from pathlib import Path

from shared.stage import Stage, registry
from shared.stage.deployment import BESIDE_MB, PORT, Deployment, Service
from tools.deploy_files.blocks import fill
from tools.deploy_files.project import MADE, ROOT, Files, image

FOLDER = Path("k8s/base")
LIST = FOLDER / "kustomization.yaml"
LEAST_GRACE_S = 30
"""Seconds by which a service gives its job back before its pod is ended."""


def files() -> Files:
    """Return the manifests of the services and the list of them."""
    stages = {FOLDER / f"{s.name}.yaml": of_stage(s) for s in registry.all_stages()}
    others = {FOLDER / f"{s.name}.yaml": of_service(s) for s in registry.other_services() if not s.sidecar}
    made = {**stages, **others}
    names = "".join(f"  - {path.name}\n" for path in made)
    return {**made, LIST: fill((ROOT / LIST).read_text(), "services", names)}


def of_stage(stage: Stage) -> str:
    """Return the manifest of a stage: replicas that follow the due jobs, or a Job for each."""
    head = f"{MADE} from services/{stage.name}/stage.py.\n"
    return head + account(stage.name) + (scaled_job(stage) if stage.deployment.job_each else scaled_replicas(stage))


def account(name: str) -> str:
    """Return a service account without rights in the cluster."""
    return f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
automountServiceAccountToken: false
---
"""


def budget(name: str) -> str:
    """Return a budget by which one pod at most is evicted at a time."""
    return f"""\
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {name}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
"""


def trigger(stage: Stage) -> str:
    """Return what scaling reads: how many jobs are due."""
    return f"""\
  triggers:
    - type: metrics-api
      metadata:
        url: http://sweeper.landstream.svc:{PORT}/metrics
        format: prometheus
        valueLocation: landstream_due_jobs{{stage="{stage.name}"}}
        targetValue: "{stage.deployment.jobs_each}"
"""


def resources(deployment: Deployment, limit_mb: int, disk: str, disk_limit: str) -> str:
    """Return what a container is promised, and what it may take at most."""
    promised = f'{{cpu: "{cores(deployment.cpu)}", memory: {deployment.memory_mb}Mi, ephemeral-storage: {disk}}}'
    most = f'{{cpu: "{cores(deployment.cpu_limit)}", memory: {size(limit_mb)}, ephemeral-storage: {disk_limit}}}'
    return f"""\
resources:
  # {deployment.memory_reason}
  requests: {promised}
  limits: {most}
"""


def size(mb: int) -> str:
    """Return memory in MiB as Kubernetes writes it."""
    return f"{mb}Mi" if mb % 1024 or mb > 1024 else f"{mb // 1024}Gi"


def cores(number: float) -> str:
    """Return cores as Kubernetes writes them."""
    return f"{number:.0f}" if number >= 1 else f"{1000 * number:.0f}m"


def indented(text: str, by: int) -> str:
    """Return each line further in."""
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


def scaled_replicas(stage: Stage) -> str:
    """Return a StatefulSet that KEDA scales; what all have in common is patched in by `shared/`."""
    name, deployment = stage.name, stage.deployment
    return f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {name}
  labels:
    app.kubernetes.io/component: stage
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
        app.kubernetes.io/component: stage
      annotations:
        # {deployment.p99_reason}
        landstream/job-p99-s: "{deployment.p99_s}"
    spec:
      serviceAccountName: {name}
      terminationGracePeriodSeconds: {deployment.end_s}
      containers:
        - name: stage
          image: {image(name)}
          command: [python, -m, services.{name}]
          env:
            - {{name: LANDSTREAM_GRACE_S, value: "{deployment.end_s - LEAST_GRACE_S}"}}
{indented(resources(deployment, stage.memory_mb + BESIDE_MB, "1Gi", "11Gi"), 10)}\
      volumes:
        - name: secrets
          secret:
            secretName: landstream-{name}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {name}
spec:
  scaleTargetRef:
    kind: StatefulSet
    name: {name}
{trigger(stage)}{budget(name)}"""


def scaled_job(stage: Stage) -> str:
    """Return a ScaledJob: what is due is done by a Job of its own, one at a time."""
    name, deployment = stage.name, stage.deployment
    return f"""\
# What is due is done by a Job of its own: it takes an hour or a day, needs much memory, and comes seldom.
apiVersion: keda.sh/v1alpha1
kind: ScaledJob
metadata:
  name: {name}
spec:
  pollingInterval: 30
  # What no longer fits the store ends by itself; the next one waits for it rather than for its memory.
  maxReplicaCount: 1
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  rollout:
    # A new version of the manifests leaves a job that runs alone.
    strategy: gradual
{trigger(stage)}\
  jobTargetRef:
    # What fails is still due, and then KEDA makes a new Job.
    backoffLimit: 0
    # Above the stage's own limit of {stage.timeout_s / 3600:.0f} hours, after which it records a failure.
    activeDeadlineSeconds: {stage.timeout_s + 3600:.0f}
    ttlSecondsAfterFinished: 86400
    template:
      metadata:
        labels:
          app.kubernetes.io/name: {name}
          app.kubernetes.io/component: stage
          app.kubernetes.io/part-of: landstream
        annotations:
          prometheus.io/scrape: "true"
          prometheus.io/port: "{PORT}"
          # {deployment.p99_reason}
          landstream/job-p99-s: "{deployment.p99_s}"
      spec:
        serviceAccountName: {name}
        restartPolicy: Never
        terminationGracePeriodSeconds: {deployment.end_s}
        containers:
          - name: stage
            image: {image(name)}
            command: [python, -m, services.{name}, --once]
            envFrom:
              - configMapRef:
                  name: landstream
            env:
              - {{name: LANDSTREAM_GRACE_S, value: "{deployment.end_s - LEAST_GRACE_S}"}}
              - name: LANDSTREAM_KAFKA_USERNAME
                valueFrom:
                  fieldRef:
                    fieldPath: metadata.labels['app.kubernetes.io/name']
            ports:
              - name: metrics
                containerPort: {PORT}
            livenessProbe:
              httpGet: {{path: /healthz, port: metrics}}
              initialDelaySeconds: 60
              periodSeconds: 30
              timeoutSeconds: 5
            readinessProbe:
              httpGet: {{path: /readyz, port: metrics}}
              periodSeconds: 30
              timeoutSeconds: 10
{indented(resources(deployment, stage.memory_mb + BESIDE_MB, "1Gi", "11Gi"), 12)}\
            volumeMounts:
              - {{name: secrets, mountPath: /run/secrets/landstream, readOnly: true}}
              - {{name: work, mountPath: /work}}
              - {{name: tmp, mountPath: /tmp}}
        volumes:
          - name: secrets
            secret:
              secretName: landstream-{name}
          - name: work
            emptyDir:
              sizeLimit: 10Gi
          - name: tmp
            emptyDir:
              sizeLimit: 256Mi
"""


def of_service(service: Service) -> str:
    """Return the manifest of a service without a stage: one replica, and its address."""
    name, deployment = service.name, service.deployment
    return f"""\
{MADE} from services/{service.package.replace(".", "/")}/service.py.
{account(name)}\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  # {service.one_because}
  replicas: 1
  strategy:
    type: Recreate
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
        app.kubernetes.io/component: driver
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "{PORT}"
    spec:
      serviceAccountName: {name}
      containers:
        - name: {name}
          image: {image(name)}
          command: [{", ".join(service.command)}]
          envFrom:
            - configMapRef:
                name: landstream
{account_of(service)}\
          env:
            - name: LANDSTREAM_INSTANCE
              value: {name}
            - name: LANDSTREAM_KAFKA_USERNAME
              value: {name}
          ports:
{indented(listens(service), 12)}\
          startupProbe:
            httpGet: {{path: /healthz, port: metrics}}
            periodSeconds: 2
            failureThreshold: 60
          livenessProbe:
            httpGet: {{path: /healthz, port: metrics}}
            periodSeconds: 30
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {{path: /readyz, port: metrics}}
            periodSeconds: 30
            timeoutSeconds: 10
{indented(resources(deployment, deployment.memory_limit_mb, "64Mi", f"{deployment.disk_mb + 256}Mi"), 10)}\
          volumeMounts:
            - {{name: secrets, mountPath: /run/secrets/landstream, readOnly: true}}
            - {{name: work, mountPath: /work}}
            - {{name: tmp, mountPath: /tmp}}
      volumes:
        - name: secrets
          secret:
            secretName: landstream-{name}
        - name: work
          emptyDir:
            sizeLimit: {deployment.disk_mb}Mi
        - name: tmp
          emptyDir:
            sizeLimit: 64Mi
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
{indented(answers(service), 4)}"""


def account_of(service: Service) -> str:
    """Return where its variables come from, if people set any; without the secret it starts all the same."""
    if not service.variables:
        return ""
    lines = ("- secretRef:", f"    name: landstream-{service.name}-account", "    optional: true")
    return "".join(f"{'':12}{line}\n" for line in lines)


def listens(service: Service) -> str:
    """Return the ports of its container."""
    ports = {"metrics": PORT, **service.ports}
    return "".join(f"- name: {name}\n  containerPort: {port}\n" for name, port in ports.items())


def answers(service: Service) -> str:
    """Return the ports of its address."""
    ports = {"metrics": PORT, **service.ports}
    return "".join(f"- name: {name}\n  port: {port}\n  targetPort: {name}\n" for name, port in ports.items())
