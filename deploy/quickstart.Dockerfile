# syntax=docker/dockerfile:1
# The quickstart as a service. The context is the root of the repository: .cargo/config.toml brings `--cfg tokio_unstable`.
FROM rust:1.88-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p quickstart && cp target/release/quickstart /quickstart

FROM debian:bookworm-slim
COPY --from=build /quickstart /usr/local/bin/quickstart
USER 65532:65532
ENTRYPOINT ["quickstart"]
