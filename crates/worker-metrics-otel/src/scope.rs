//! The instrumentation scope of everything that is exported, on all ways.

use opentelemetry::InstrumentationScope;

/// The schema of the names and attributes: that of `registry/manifest.yaml`.
const SCHEMA_URL: &str = "https://worker-metrics.invalid/schemas/0.1.0";

/// The instrumentation scope of everything that is exported, on all ways.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}
