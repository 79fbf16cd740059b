//! The resource and the scope around the metrics of a request.
//!
//! Encoded once, and again when the resource changes.

use bytes::BufMut;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::Resource;
use prost::Message;

use super::encoding::{delimited_len, put_delimited};
use super::fields;

/// Encoded resource and scope of a request.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) resource: Resource,
    /// Fields of `ResourceMetrics` before and after the scope.
    resource_before: Vec<u8>,
    resource_after: Vec<u8>,
    /// Fields of `ScopeMetrics` before and after the metrics.
    scope_before: Vec<u8>,
    scope_after: Vec<u8>,
}

impl Envelope {
    pub(crate) fn new(resource: &Resource, scope: &InstrumentationScope) -> Self {
        let of_resource = ResourceMetrics { resource: Some(resource.into()), ..ResourceMetrics::default() };
        let of_scope = ScopeMetrics { scope: Some((scope, None).into()), ..ScopeMetrics::default() };
        let resource_url = resource.schema_url().unwrap_or_default().to_owned();
        let scope_url = scope.schema_url().unwrap_or_default().to_owned();
        let after_scope = ResourceMetrics { schema_url: resource_url, ..ResourceMetrics::default() };
        let after_metrics = ScopeMetrics { schema_url: scope_url, ..ScopeMetrics::default() };
        Self {
            resource: resource.clone(),
            resource_before: of_resource.encode_to_vec(),
            resource_after: after_scope.encode_to_vec(),
            scope_before: of_scope.encode_to_vec(),
            scope_after: after_metrics.encode_to_vec(),
        }
    }

    /// Writes everything that precedes metric fields of `metrics_len` bytes.
    pub(super) fn put_before(&self, to: &mut Vec<u8>, metrics_len: usize) {
        let scope_len = self.scope_before.len() + metrics_len + self.scope_after.len();
        let resource_len = self.resource_before.len() + delimited_len(scope_len) + self.resource_after.len();
        put_delimited(to, fields::REQUEST_RESOURCE_METRICS, resource_len);
        to.put_slice(&self.resource_before);
        put_delimited(to, fields::RESOURCE_SCOPE_METRICS, scope_len);
        to.put_slice(&self.scope_before);
    }

    /// Most bytes that precede the metrics.
    pub(super) fn most_before(&self) -> usize {
        /// A key and the longest length.
        const HEAD: usize = 11;
        2 * HEAD + self.resource_before.len() + self.scope_before.len()
    }

    /// Writes everything that follows the metrics.
    pub(super) fn put_after(&self, to: &mut impl BufMut) {
        to.put_slice(&self.scope_after);
        to.put_slice(&self.resource_after);
    }
}
