# Stands in for apache/kafka where no image registry is: the jars of `make services`, the same environment and folders.
ARG DEBIAN=debian:bookworm-slim
FROM ${DEBIAN}
# Debian keeps one version: there is none to pin.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
RUN useradd --uid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin appuser \
    && install --directory --owner=1000 --group=1000 /var/lib/kafka/data /opt/kafka/config /mnt/shared/config
# A context that the compose file names, not a stage.
# hadolint ignore=DL3022
COPY --from=kafka libs /opt/kafka/libs
COPY docker/kafka.sh /etc/kafka/docker/run
COPY docker/kafka.log4j2.yaml /etc/kafka/docker/log4j2.yaml
COPY docker/kafka.log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml
RUN touch /etc/kafka/docker/server.properties
USER 1000:1000
CMD ["sh", "/etc/kafka/docker/run"]
