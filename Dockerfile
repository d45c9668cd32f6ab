# The program in an image of its own (target `program`, the default), and a place for its tests (`test`).
# Needs BuildKit, which is what `docker build` uses.

# The version of rust-toolchain.toml.
ARG RUST=1.95.0

FROM rust:${RUST}-bookworm AS toolchain
RUN rustup component add clippy rustfmt
WORKDIR /src

FROM toolchain AS build
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY crates crates
COPY deploy/image-root.sh deploy/
# Dependencies stay compiled in the cache. Our own files are touched, since cargo goes by their age and
# those of another checkout may be older than what was compiled from this one.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    find crates -type f -exec touch {} + \
    && cargo build --release --locked --package kasparro \
    && sh deploy/image-root.sh target/release/kasparro /image
# Apart, because it belongs to the program's user and everything else to root.
RUN mkdir -p /owned/data && chmod 0750 /owned/data

FROM toolchain AS test
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/*
# PostgreSQL refuses to run as root, and a test of file modes means nothing there.
RUN useradd --uid 65532 --create-home tester \
    && mkdir -p /src/target /usr/local/cargo/registry \
    && chown -R 65532:65532 /src /usr/local/cargo/registry
USER 65532:65532
COPY --chown=65532:65532 . .
# Touched for the same reason, where the folder of compiled files is a volume.
CMD ["sh", "-c", "find crates -type f -exec touch {} + && exec make test"]

# Nothing but the program: no shell, no package manager, nothing to run for whoever breaks in.
FROM scratch AS program
ARG REVISION=""
LABEL org.opencontainers.image.title="Kasparro" \
      org.opencontainers.image.description="A self-hosted crypto market-data platform in one binary" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /owned/ /
# PORT listens on every address of the container; what the host publishes is the host's decision.
ENV PATH=/usr/local/bin PORT=8000
# The default of the database is ./data/kasparro.db, which from here is /data/kasparro.db.
WORKDIR /
VOLUME /data
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["kasparro", "healthcheck"]
ENTRYPOINT ["kasparro"]
CMD ["serve"]
