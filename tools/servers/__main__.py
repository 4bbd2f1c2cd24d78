"""Installs, starts and stops the servers of the live tests."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from tools.servers import SERVICES, TOPIC, MissingToolError, S3Server, Server, ServerError, locked
from tools.servers.juicefs import JuiceFS
from tools.servers.kafka import Kafka
from tools.servers.process import write_private
from tools.servers.seaweedfs import SeaweedFS
from tools.servers.versitygw import Versitygw

PARTITIONS = 8
DESCRIPTION = """\
Real servers for the live tests, on 127.0.0.1 only, below .services/ of this repository.

  up           Kafka (topic landstream.objects) and versitygw (S3, its events on that topic);
               addresses and keys go to .services/env
  up --all     also SeaweedFS and the JuiceFS gateway; .services/seaweedfs.env and .services/juicefs.env
  down         stops them all; data, ports and keys are kept

`up` may be called at any time: what is healthy stays, what is dead starts again with the same ports and data.
The first one installs: Kafka needs java and mvn, versitygw needs go. Where one is absent, the exit code is 4.
"""


def install(server: Server) -> None:
    """Install one server; say how long that took, if it took any time."""
    begin = time.monotonic()
    server.install()
    seconds = time.monotonic() - begin
    if seconds > 0.1:
        print(f"{server.name:10} installed in {seconds:.0f} s", flush=True)


def start(server: Server, address: str) -> None:
    """Start one server; say where it is and how long that took."""
    begin = time.monotonic()
    before = server.process.pid
    server.start()
    ran = server.process.pid == before
    what = "already runs" if ran else f"started in {time.monotonic() - begin:.1f} s"
    print(f"{server.name:10} {address:26} pid {server.process.pid}, {what}", flush=True)


def write_variables(name: str, variables: Mapping[str, str]) -> None:
    """Write the lines of an env file."""
    write_private(SERVICES / name, "".join(f"{key}={value}\n" for key, value in variables.items()))


def up(kafka: Kafka, versitygw: Versitygw, others: Sequence[S3Server]) -> None:
    """Start them, the topic before the gateway that exits without it."""
    for server in (kafka, versitygw, *others):
        install(server)  # all that can be missing is found missing before anything runs
    start(kafka, kafka.address)
    kafka.create_topic(TOPIC, PARTITIONS)
    start(versitygw, versitygw.endpoint)
    write_variables("env", {"LANDSTREAM_KAFKA": kafka.address, **versitygw.variables()})
    for server in others:
        start(server, server.endpoint)
        write_variables(f"{server.name}.env", server.variables())


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        "python -m tools.servers", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{up,down}")
    commands.add_parser("up", help="install and start what does not run").add_argument(
        "--all", action="store_true", help="SeaweedFS and the JuiceFS gateway too"
    )
    commands.add_parser("down", help="stop all")
    arguments = parser.parse_args()
    kafka = Kafka(SERVICES / "kafka")
    versitygw = Versitygw(SERVICES / "versitygw", kafka.address, TOPIC)
    others = [SeaweedFS(SERVICES / "seaweedfs"), JuiceFS(SERVICES / "juicefs")]
    try:
        with locked(SERVICES / "lock"):
            if arguments.command == "up":
                up(kafka, versitygw, others if arguments.all else [])
            else:
                for path in SERVICES.glob("*env"):
                    path.unlink()  # nothing is there any more
                for server in (*others, versitygw, kafka):
                    server.stop()
    except KeyboardInterrupt:
        return 130
    except MissingToolError as error:
        print(error, file=sys.stderr)
        return 4
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
