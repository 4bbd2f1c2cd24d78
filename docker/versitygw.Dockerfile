# Stands in for the store's image where no image registry is: the gateway that `make services` built.
ARG COMMON=landstream/common:0.1.0
FROM ${COMMON}
# A context that the compose file names, not a stage.
# hadolint ignore=DL3022
COPY --from=versitygw versitygw /usr/local/bin/versitygw
COPY docker/versitygw.sh /usr/local/bin/versitygw.sh
CMD ["sh", "/usr/local/bin/versitygw.sh"]
