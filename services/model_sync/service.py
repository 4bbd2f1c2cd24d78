"""The model sync's declaration."""

from shared.stage.deployment import Deployment, Service

SERVICE = Service(
    name="model-sync",
    package="model_sync",
    deployment=Deployment(
        image="plain",
        memory_mb=256,
        memory_reason="As a service's own process (150 MB).",
        memory_limit_mb=1024,
        cpu=0.05,
        cpu_limit=1,
    ),
    arguments=("--models", "/var/lib/landstream"),
    volumes={"models": "/var/lib/landstream"},
    one_because="Each model server has one beside it.",
    sidecar=True,
)
