//! The backends: the one place for what they take. Documents and tests are made from it.

use opentelemetry_sdk::metrics::Temporality::{self, Cumulative, Delta};
use worker_metrics_otel::Protocol::{self, Grpc, HttpProtobuf};

use crate::backend::{Backend, Limit, Rule, Settings, Standing};

const EITHER: &[Temporality] = &[Cumulative, Delta];
const BOTH: &[Protocol] = &[Grpc, HttpProtobuf];

const fn read(rule: Rule, source: &'static str) -> Limit {
    Limit { rule, source, standing: Standing::Read }
}

const fn unsure(rule: Rule, source: &'static str) -> Limit {
    Limit { rule, source, standing: Standing::Unsure }
}

/// What every backend is entitled to.
pub const COMMON: &[Limit] = &[
    read(Rule::Bounds, "opentelemetry-proto, metrics.proto: HistogramDataPoint.explicit_bounds"),
    read(
        Rule::Sum,
        "Prometheus compatibility of the OpenTelemetry specification: without a sum an exponential histogram is dropped; \
         Datadog and the collector's prometheus exporter take a missing sum for 0",
    ),
    read(
        Rule::NoMinMax,
        "Splunk, \"Get histogram data in\": no min and max with cumulative data; and ours would be bucket edges",
    ),
    read(
        Rule::Instance,
        "Google Cloud, \"OTLP metric ingestion overview\": points with an empty `instance` are rejected; in Prometheus and its \
         kin the replicas of a service fall together without it",
    ),
];

/// Every backend that has a page in `deploy/backends`, in the order of its index.
pub const BACKENDS: &[Backend] = &[
    Backend {
        name: "Datadog",
        file: "datadog",
        direct: true,
        settings: Settings::DELTA,
        collector: "`otlp_http` behind `cumulative_to_delta`: k8s",
        limits: &[
            read(Rule::Protocols(&[HttpProtobuf]), "Datadog, \"OTLP Metrics Intake Endpoint\""),
            read(Rule::Temporalities(&[Delta]), "Datadog, \"OTLP Metrics Intake Endpoint\""),
            unsure(Rule::Exponential(&[Delta]), "DataDog/documentation#37526, for the intake's delta rule"),
        ],
        bites: "the direct intake takes deltas only",
    },
    Backend {
        name: "New Relic",
        file: "newrelic",
        direct: true,
        settings: Settings::DELTA,
        collector: "`otlp_http`: core",
        limits: &[
            read(Rule::Protocols(BOTH), "New Relic, \"OTLP endpoint configuration\""),
            read(Rule::Temporalities(EITHER), "New Relic, \"OpenTelemetry metrics\": delta preferred"),
            read(Rule::Exponential(EITHER), "New Relic, \"OpenTelemetry metrics\": recommended"),
            read(Rule::Bytes(1_000_000), "New Relic, \"OTLP endpoint configuration\": 1 MB = 10^6 bytes"),
            read(Rule::KeyLength(255), "New Relic, \"OTLP endpoint configuration\""),
            read(Rule::ValueLength(4_095), "New Relic, \"OTLP endpoint configuration\""),
        ],
        bites: "10^6 bytes a request: the SDK's half is one request however large",
    },
    Backend {
        name: "Honeycomb",
        file: "honeycomb",
        direct: true,
        settings: Settings::DEFAULT,
        collector: "`otlp_http`: core",
        limits: &[
            read(Rule::Protocols(BOTH), "Honeycomb, \"Send data with OpenTelemetry\""),
            read(Rule::Temporalities(EITHER), "Honeycomb, \"Metrics\""),
        ],
        bites: "the bill follows the events: one for each set of attributes and export",
    },
    Backend {
        name: "Grafana Cloud",
        file: "grafana-cloud",
        direct: true,
        settings: Settings::DEFAULT,
        collector: "`otlp_http`: core",
        limits: &[
            read(
                Rule::Protocols(&[HttpProtobuf]),
                "Grafana Mimir, \"Configure the OpenTelemetry Collector\"",
            ),
            read(
                Rule::Temporalities(&[Cumulative]),
                "Grafana Mimir, \"Configure the OpenTelemetry Collector\"",
            ),
            read(Rule::Exponential(&[Cumulative]), "Grafana Mimir: stored as native histograms"),
        ],
        bites: "no gRPC; the plan limits active series",
    },
    Backend {
        name: "Dynatrace",
        file: "dynatrace",
        direct: true,
        settings: Settings::DELTA,
        collector: "`otlp_http` behind `cumulative_to_delta`: k8s",
        limits: &[
            read(Rule::Protocols(&[HttpProtobuf]), "Dynatrace, \"Ingest OpenTelemetry metrics\""),
            read(
                Rule::Temporalities(&[Delta]),
                "Dynatrace: UNSUPPORTED_METRIC_TYPE_MONOTONIC_CUMULATIVE_SUM",
            ),
            read(
                Rule::Exponential(&[]),
                "Dynatrace: of an exponential histogram min, max, sum and count are kept, no bucket",
            ),
            read(Rule::Points(15_000), "Dynatrace, \"OpenTelemetry metrics limits\""),
            read(Rule::Bytes(4_000_000), "Dynatrace, \"OpenTelemetry metrics limits\": 4 MB uncompressed"),
            read(Rule::Attributes(50), "Dynatrace, \"OpenTelemetry metrics limits\""),
            read(Rule::KeyLength(100), "Dynatrace, \"OpenTelemetry metrics limits\""),
            read(Rule::ValueLength(255), "Dynatrace, \"OpenTelemetry metrics limits\""),
        ],
        bites: "deltas only, and explicit buckets only; counters and histograms that are cumulative are rejected",
    },
    Backend {
        name: "Elastic",
        file: "elastic",
        direct: true,
        settings: Settings::DELTA,
        collector: "`otlp_http` behind `cumulative_to_delta`: k8s",
        limits: &[
            read(Rule::Protocols(BOTH), "Elastic, \"Managed OTLP endpoint\""),
            read(
                Rule::Temporalities(&[Delta]),
                "Elastic before 9.5 drops cumulative histograms; from 9.5.3 on either is taken",
            ),
            read(
                Rule::Exponential(&[Delta]),
                "Elastic before 9.5 drops cumulative histograms; from 9.5.3 on either is taken",
            ),
        ],
        bites: "before 9.5 cumulative histograms are dropped",
    },
    Backend {
        name: "Splunk Observability",
        file: "splunk",
        direct: true,
        settings: Settings { max_buckets: Some(30), ..Settings::DELTA },
        collector: "`otlp_http` behind `cumulative_to_delta`: k8s",
        limits: &[
            read(
                Rule::Protocols(&[HttpProtobuf]),
                "Splunk, \"Get histogram data into Splunk Observability Cloud\"",
            ),
            read(
                Rule::Temporalities(&[Delta]),
                "Splunk, \"Get histogram data into Splunk Observability Cloud\"",
            ),
            read(Rule::Exponential(&[]), "Splunk: explicit-bucket histograms are supported"),
            read(Rule::Buckets(30), "Splunk: fewer than 31 buckets, or the histogram is dropped"),
        ],
        bites: "30 buckets at most; values of histograms are stored as whole numbers, so that their sums in seconds are coarse",
    },
    Backend {
        name: "CloudWatch",
        file: "cloudwatch",
        direct: false,
        settings: Settings { max_buckets: Some(100), ..Settings::DEFAULT },
        collector: "`otlp_http` with `sigv4auth`: contrib",
        limits: &[
            read(Rule::Protocols(&[HttpProtobuf]), "AWS, \"OTLP Endpoints\": HTTP/1.1 only"),
            unsure(Rule::Buckets(100), "aws-otel-python#204: the cap of the vendor's own SDK"),
        ],
        bites: "each request is signed: a collector has to send it",
    },
    Backend {
        name: "Azure Monitor",
        file: "azure-monitor",
        direct: false,
        settings: Settings::DEFAULT,
        collector: "`otlp_http` with `bearertokenauth`: k8s",
        limits: &[read(
            Rule::Protocols(&[HttpProtobuf]),
            "Microsoft, \"Ingest OTLP data into Azure Monitor by using OTel Collector\"",
        )],
        bites: "the token is Entra ID's: a collector has to send it; in part a preview",
    },
    Backend {
        name: "Google Cloud",
        file: "google-cloud",
        direct: false,
        settings: Settings::DEFAULT,
        collector: "`otlp_http` with `bearertokenauth`: k8s",
        limits: &[
            read(Rule::Protocols(BOTH), "Google Cloud, \"OTLP metric ingestion overview\""),
            unsure(
                Rule::Temporalities(&[Cumulative]),
                "Google Cloud: stored as Prometheus data; delta was not found",
            ),
            unsure(Rule::Exponential(&[Cumulative]), "Google Cloud: stored as Prometheus data"),
            read(
                Rule::MetricName("_:./"),
                "Google Cloud, \"OTLP metric ingestion overview\": [a-zA-Z][a-zA-Z0-9_:./]*",
            ),
            read(
                Rule::AttributeName("_."),
                "Google Cloud, \"OTLP metric ingestion overview\": [a-zA-Z_][a-zA-Z0-9_.]*",
            ),
            unsure(Rule::KeyLength(100), "Google Cloud, \"Monitoring quotas and limits\""),
            unsure(Rule::ValueLength(1_024), "Google Cloud, \"Monitoring quotas and limits\""),
        ],
        bites: "a point without `instance` or a location is rejected; names are ASCII",
    },
    Backend {
        name: "VictoriaMetrics",
        file: "victoriametrics",
        direct: true,
        settings: Settings::DEFAULT,
        collector: "`otlp_http`: core",
        limits: &[
            read(Rule::Protocols(&[HttpProtobuf]), "VictoriaMetrics, \"OpenTelemetry\""),
            read(
                Rule::Temporalities(&[Cumulative]),
                "VictoriaMetrics: its parser skips deltas, though newer documents speak of them",
            ),
            read(Rule::Exponential(&[Cumulative]), "VictoriaMetrics: stored as vmrange buckets"),
            read(Rule::Bytes(64 << 20), "VictoriaMetrics: 64 MB a request"),
        ],
        bites: "every resource attribute becomes a label; dots stay in names unless `-opentelemetry.usePrometheusNaming`",
    },
    Backend {
        name: "SigNoz",
        file: "signoz",
        direct: true,
        settings: Settings::DELTA,
        collector: "`otlp_grpc` behind `cumulative_to_delta`: k8s",
        limits: &[
            read(Rule::Protocols(BOTH), "SigNoz, \"Ingestion overview\""),
            read(Rule::Temporalities(EITHER), "SigNoz, \"Metrics\""),
            read(
                Rule::Exponential(&[Delta]),
                "SigNoz: a query of cumulative exponential histograms answers HTTP 501",
            ),
        ],
        bites: "exponential histograms are queried only as deltas",
    },
    Backend {
        name: "Axiom",
        file: "axiom",
        direct: true,
        settings: Settings { max_buckets: Some(256), ..Settings::DEFAULT },
        collector: "`otlp_http`: core",
        limits: &[
            read(Rule::Protocols(&[HttpProtobuf]), "Axiom, \"Send OpenTelemetry data\""),
            read(Rule::Temporalities(EITHER), "Axiom, \"Metrics\""),
            read(
                Rule::Buckets(256),
                "axiomhq/docs#724: more than 256 bounds are rejected; a bucket fewer is surely within",
            ),
        ],
        bites: "a dataset of its own, of the kind `otel:metrics:v1`",
    },
    Backend {
        name: "Chronosphere",
        file: "chronosphere",
        direct: true,
        settings: Settings { protocol: Grpc, ..Settings::DEFAULT },
        collector: "`otlp_grpc`: core",
        limits: &[
            read(Rule::Protocols(BOTH), "Chronosphere, \"OpenTelemetry ingestion\": gRPC preferred"),
            unsure(Rule::Temporalities(EITHER), "Chronosphere"),
            unsure(Rule::Exponential(EITHER), "Chronosphere"),
            read(Rule::Points(9_999), "Chronosphere, \"OpenTelemetry ingestion\": fewer than 10,000 points"),
            read(
                Rule::Bytes(16_000_000),
                "Chronosphere, \"OpenTelemetry ingestion\": 16 MB, and that compressed",
            ),
        ],
        bites: "fewer than 10,000 points a request",
    },
];
