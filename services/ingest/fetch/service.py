"""The declaration of fetching, as it is deployed."""

from services.ingest.fetch.providers.credentials import CdseSettings, DhusSettings
from shared.settings import variables
from shared.stage.deployment import Deployment, Service

SERVICE = Service(
    name="fetch",
    package="ingest.fetch",
    extra="fetch",
    deployment=Deployment(
        image="plain",
        memory_mb=512,
        memory_reason="It takes 150 MB, and grows with the products that are to be fetched; archives go to the disk.",
        memory_limit_mb=1024,
        cpu=0.25,
        cpu_limit=1,
        disk_mb=12_288,  # four products of 1.2 GB under way, and what is left free
    ),
    variables=tuple(name for cls in (CdseSettings, DhusSettings) for name in variables(cls)),
    writes=("artifacts/*", "failures/*", "products/*", "landing/*", "items/withdrawals/*"),
    one_because="An account has one limit of connections and volume: a second one only stands by.",
)
