"""The sweeper's declaration."""

from shared.items.collections import PROMOTIONS, REQUESTS
from shared.stage.deployment import Deployment, Service

SERVICE = Service(
    name="sweeper",
    package="sweeper",
    deployment=Deployment(
        image="plain",
        memory_mb=256,
        memory_reason="It takes 200 MB, and grows with the catalogue, which it keeps.",
        memory_limit_mb=1024,
        cpu=0.1,
        cpu_limit=1,
    ),
    writes=(
        f"items/{REQUESTS}/*",
        f"items/{PROMOTIONS}/*",
        "index/*",
        "*catalog.json",  # the one of the root too; a pattern fewer keeps the bucket's policy short
        "*/collection.json",
    ),
    one_because="Two would only repeat each other's hints, and KEDA would read the count of either.",
)
