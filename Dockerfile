# syntax=docker/dockerfile:1

# The bundled server and its client in a small image that runs without privileges.
#
#     docker build -t dragonflybot .
#     docker run --rm -p 50051:50051 dragonflybot --instrument-name ethbtc
#     docker run --rm -p 50051:50051 dragonflybot --demo
#
# Inside its container the server listens on every address, without encryption: who can reach it is
# decided by what `docker run -p` publishes. `-p 127.0.0.1:50051:50051` keeps it to this machine.

FROM rust:1.95-slim-bookworm AS chef
RUN cargo install cargo-chef --locked --version 0.1.78
WORKDIR /build

# What the packages depend on: changes seldom, so that the layer below is seldom built again.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
# A profile of Cargo.toml: release, or dev for a fast build.
ARG BUILD_PROFILE=release
COPY --from=plan /build/recipe.json recipe.json
RUN cargo chef cook --locked --profile "${BUILD_PROFILE}" -p dragonfly-grpc --recipe-path recipe.json
COPY . .
RUN cargo build --locked --profile "${BUILD_PROFILE}" -p dragonfly-grpc \
        --bin dragonflybot-grpc-server --bin dragonflybot-grpc-client \
    && folder=$(if [ "${BUILD_PROFILE}" = dev ]; then echo debug; else echo "${BUILD_PROFILE}"; fi) \
    && mkdir programs \
    && cp "target/${folder}/dragonflybot-grpc-server" "target/${folder}/dragonflybot-grpc-client" programs/

FROM debian:bookworm-slim
COPY --from=build /build/programs/ /usr/local/bin/
USER 10001:10001
EXPOSE 50051
ENTRYPOINT ["dragonflybot-grpc-server", "--bind", "0.0.0.0:50051", "--insecure"]
