# syntax=docker/dockerfile:1
# The collector of deploy/collector/builder.yaml. The context is the root of the repository.
FROM golang:1.26-bookworm AS build
ENV GOCACHE=/go/cache
# The same release as the modules in builder.yaml.
ARG BUILDER=v0.161.0
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/cache \
    go install go.opentelemetry.io/collector/cmd/builder@${BUILDER}
WORKDIR /src
COPY deploy/collector/builder.yaml deploy/collector/builder.yaml
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/go/cache \
    mkdir target && CGO_ENABLED=0 builder --config deploy/collector/builder.yaml

# With a shell and wget, for the health check.
FROM busybox:1.37-musl
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/otelcol/otelcol /usr/local/bin/otelcol
USER 65532:65532
EXPOSE 4317 4318 13133
ENTRYPOINT ["otelcol"]
