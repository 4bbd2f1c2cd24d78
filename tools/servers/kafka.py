"""Apache Kafka: one KRaft node, broker and controller at once, from the jars of Maven Central."""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
import struct
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from tools.servers import HOST, INSTALLED, Server, installing, run, tool
from tools.servers.process import write_private

POM = Path(__file__).with_name("pom.xml")
JARS = INSTALLED / "kafka-4.3.1"
PURPOSE = "Kafka"

# One node replicates nothing; few partitions of internal topics make it start and stop faster. After a SIGKILL the node
# waits for the session of its former self to end, 9 s by default, before it may serve again.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""

LOGGING = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


class Kafka(Server):
    """A broker on a port that stays the same over restarts."""

    name = "kafka"
    port_names: ClassVar[tuple[str, ...]] = ("broker", "controller")
    start_s = 90
    format_options: Sequence[str] = ()

    @property
    def address(self) -> str:
        """HOST:PORT for the clients' bootstrap."""
        return f"{HOST}:{self.port('broker')}"

    def install(self) -> None:
        """Copy the jars that pom.xml pins."""
        tool("java", PURPOSE)
        with installing(JARS) as folder:
            if folder is not None:
                # A copy, for Maven may write beside it.
                shutil.copy(POM, folder)
                maven = [tool("mvn", "installing Kafka"), "-q", "--batch-mode", "-f", folder / POM.name]
                scope = ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'libs'}"]
                run([*maven, "dependency:copy-dependencies", *scope], within_s=600)

    def properties(self) -> str:
        """Return the configuration, ports left open."""
        return PROPERTIES

    def prepare(self) -> None:
        """Write the configuration; format the data folder unless it is."""
        ports = {name: self.port(name) for name in self.port_names}
        self._properties.write_text(self.properties().format(host=HOST, data=self._data, **ports))
        self._logging.write_text(LOGGING)
        # Formatting writes this file last: without it, an interrupted one starts again.
        if not (self._data / "meta.properties").exists():
            shutil.rmtree(self._data, ignore_errors=True)
            format_ = [*self._java("64m"), "kafka.tools.StorageTool", "format", *self.format_options]
            run([*format_, "-t", cluster_id(), "-c", self._properties])

    def command(self) -> list[str]:
        """Return options for a small heap, without the compiler that pays off only after hours."""
        return [*self._java("256m"), "kafka.Kafka", str(self._properties)]

    def healthy(self) -> bool:
        """Return whether it answers ApiVersions, which it does only once it serves; it accepts connections earlier."""
        # key 18, version 0, correlation 1, client id ""
        request = struct.pack(">hhih", 18, 0, 1, 0)
        try:
            with socket.create_connection((HOST, self.port("broker")), timeout=5) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                with connection.makefile("rb") as answer:
                    _, correlation, error = struct.unpack(">iih", answer.read(10))
        except (OSError, struct.error):
            return False
        return (correlation, error) == (1, 0)

    def wipe(self) -> None:
        """Stop it and lose all that it held: topics, records, committed offsets, its cluster id."""
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        self.install()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic that keeps its records for ever, and wait for its leaders; an existing one is left alone."""
        client = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            options = {"num_partitions": partitions, "replication_factor": 1, "configs": {"retention.ms": "-1"}}
            client.create_topics({name: options}, wait_for_metadata=True)
        except TopicAlreadyExistsError:
            client.wait_for_topics([name])
        finally:
            client.close()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.folder / "log4j2.properties"

    def _java(self, heap: str) -> list[str]:
        options = [f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
        logging = f"-Dlog4j2.configurationFile={self._logging}"
        return [tool("java", PURPOSE), *options, logging, "-cp", f"{JARS / 'libs'}/*"]


class SecureKafka(Kafka):
    """A broker that also listens for clients by TLS, with a password each.

    Attributes:
        secure_address: HOST:PORT of that listener.
        ca_file: the authority that signed its certificate.
        user, password: of a client that it knows.
    """

    port_names: ClassVar[tuple[str, ...]] = ("broker", "controller", "secure")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.user, self.password, self.ca_file = "landstream", secrets.token_hex(16), self.folder / "ca.pem"
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(str(self.ca_file))
        self.format_options = ("--add-scram", f"SCRAM-SHA-512=[name={self.user},password={self.password}]")

    @property
    def secure_address(self) -> str:
        """See the class."""
        return f"{HOST}:{self.port('secure')}"

    def properties(self) -> str:
        """Return the settings of the plain broker, and one more listener."""
        lines = dict(line.split("=", 1) for line in PROPERTIES.splitlines())
        for name in ("listeners", "advertised.listeners"):
            lines[name] += ",SECURE://{host}:{secure}"
        lines["listener.security.protocol.map"] += ",SECURE:SASL_SSL"
        keystore = self.folder / "keystore.pem"
        certificate = self._authority.issue_cert(HOST)
        key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
        # Java takes a key in this form only.
        write_private(keystore, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(str(keystore), append=True)
        lines |= {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.secure.scram-sha-512.sasl.jaas.config":
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": str(keystore),
        }  # fmt: skip
        return "".join(f"{name}={value}\n" for name, value in lines.items())


def cluster_id() -> str:
    """Return a new id as Kafka writes them, but not one that its command line takes for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
