//! The resource of what a push exports.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

/// The resource of what a push exports: a [`Resource`] of the SDK, or pairs of strings.
///
/// A `Resource` is taken as it is. Pairs are added to what the environment says
/// (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), and win over it; they need no particular
/// version of the SDK.
///
/// # Examples
///
/// ```
/// use worker_metrics_otel::Instrumentation;
///
/// let otlp = Instrumentation::default().otlp().with_resource([("service.name", "checkout")]);
/// ```
#[derive(Clone, Debug)]
pub struct OtlpResource(Resource);

impl OtlpResource {
    /// The resource that an SDK in the same environment has by default.
    pub(in crate::otlp) fn of_environment() -> Self {
        Self(Resource::builder().build())
    }

    pub(in crate::otlp) fn into_resource(self) -> Resource {
        self.0
    }
}

impl From<Resource> for OtlpResource {
    fn from(resource: Resource) -> Self {
        Self(resource)
    }
}

impl From<&Resource> for OtlpResource {
    fn from(resource: &Resource) -> Self {
        Self(resource.clone())
    }
}

impl<K: Into<String>, V: Into<String>> From<Vec<(K, V)>> for OtlpResource {
    fn from(pairs: Vec<(K, V)>) -> Self {
        let attributes = pairs.into_iter().map(|(key, value)| KeyValue::new(key.into(), value.into()));
        Self(Resource::builder().with_attributes(attributes).build())
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for OtlpResource {
    fn from(pairs: [(K, V); N]) -> Self {
        Vec::from(pairs).into()
    }
}
