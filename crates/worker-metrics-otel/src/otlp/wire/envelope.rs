//! The resource and the scope around the metrics of a request.
//!
//! Encoded once, and again when the resource changes.

use bytes::BufMut;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope as Scope;
use opentelemetry_proto::tonic::resource::v1::Resource as EncodedResource;
use opentelemetry_sdk::Resource;
use prost::Message;

use super::encoding::{delimited_len, put_delimited, put_text};
use super::fields::{request, resource_metrics, scope_metrics};

/// Encoded resource and scope of a request.
#[derive(Debug)]
pub(crate) struct Envelope {
    resource: Resource,
    /// Fields of `ResourceMetrics` before and after the scope.
    resource_before: Vec<u8>,
    resource_after: Vec<u8>,
    /// Fields of `ScopeMetrics` before and after the metrics.
    scope_before: Vec<u8>,
    scope_after: Vec<u8>,
}

impl Envelope {
    pub(crate) fn new(resource: &Resource, scope: &InstrumentationScope) -> Self {
        let field = |number: u8, message: Vec<u8>| {
            let mut field = Vec::with_capacity(delimited_len(message.len()));
            put_delimited(&mut field, number, message.len());
            field.put_slice(&message);
            field
        };
        let schema_url = |number: u8, url: Option<&str>| {
            let mut field = Vec::new();
            put_text(&mut field, number, url.unwrap_or_default());
            field
        };
        Self {
            resource_before: field(
                resource_metrics::RESOURCE,
                EncodedResource::from(resource).encode_to_vec(),
            ),
            resource_after: schema_url(resource_metrics::SCHEMA_URL, resource.schema_url()),
            scope_before: field(scope_metrics::SCOPE, Scope::from((scope, None)).encode_to_vec()),
            scope_after: schema_url(scope_metrics::SCHEMA_URL, scope.schema_url()),
            resource: resource.clone(),
        }
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Writes everything that precedes metric fields of `metrics_len` bytes.
    pub(super) fn put_before(&self, to: &mut Vec<u8>, metrics_len: usize) {
        let scope_len = self.scope_before.len() + metrics_len + self.scope_after.len();
        let resource_len = self.resource_before.len() + delimited_len(scope_len) + self.resource_after.len();
        put_delimited(to, request::RESOURCE_METRICS, resource_len);
        to.put_slice(&self.resource_before);
        put_delimited(to, resource_metrics::SCOPE_METRICS, scope_len);
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
