//! What a request says of the resource and the scope.
//!
//! Kept by an exporter, and written anew when the SDK names others.

use bytes::BufMut;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope as Scope;
use opentelemetry_proto::tonic::resource::v1::Resource as OfResource;
use opentelemetry_sdk::Resource;
use prost::Message;

use super::wire;

/// Resource and scope of a request, written down.
#[derive(Debug)]
pub(crate) struct Envelope {
    resource: Resource,
    scope: InstrumentationScope,
    /// The fields of `ResourceMetrics` before the scope, and behind it.
    resource_before: Vec<u8>,
    resource_after: Vec<u8>,
    /// The fields of `ScopeMetrics` before the metrics, and behind them.
    scope_before: Vec<u8>,
    scope_after: Vec<u8>,
}

const RESOURCE_METRICS: u8 = 1;
const RESOURCE: u8 = 1;
const SCOPE_METRICS: u8 = 2;
const SCOPE: u8 = 1;
const SCHEMA_URL: u8 = 3;

impl Envelope {
    pub(crate) fn new(resource: &Resource, scope: &InstrumentationScope) -> Self {
        let field = |number: u8, message: Vec<u8>| {
            let mut field = Vec::with_capacity(wire::delimited_len(message.len()));
            wire::put_delimited(&mut field, number, message.len());
            field.put_slice(&message);
            field
        };
        let schema_url = |url: Option<&str>| {
            let mut field = Vec::new();
            wire::put_text(&mut field, SCHEMA_URL, url.unwrap_or_default());
            field
        };
        Self {
            resource_before: field(RESOURCE, OfResource::from(resource).encode_to_vec()),
            resource_after: schema_url(resource.schema_url()),
            scope_before: field(SCOPE, Scope::from((scope, None)).encode_to_vec()),
            scope_after: schema_url(scope.schema_url()),
            resource: resource.clone(),
            scope: scope.clone(),
        }
    }

    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    pub(crate) fn scope(&self) -> &InstrumentationScope {
        &self.scope
    }

    /// Puts everything that comes before fields of metrics of so many bytes.
    pub(super) fn put_before(&self, to: &mut Vec<u8>, metrics_len: usize) {
        let scope_len = self.scope_before.len() + metrics_len + self.scope_after.len();
        let resource_len =
            self.resource_before.len() + wire::delimited_len(scope_len) + self.resource_after.len();
        wire::put_delimited(to, RESOURCE_METRICS, resource_len);
        to.put_slice(&self.resource_before);
        wire::put_delimited(to, SCOPE_METRICS, scope_len);
        to.put_slice(&self.scope_before);
    }

    /// Most bytes that come before the metrics.
    pub(super) fn most_before(&self) -> usize {
        /// A key and the longest length.
        const HEAD: usize = 11;
        2 * HEAD + self.resource_before.len() + self.scope_before.len()
    }

    /// Puts everything that comes behind the metrics.
    pub(super) fn put_after(&self, to: &mut impl BufMut) {
        to.put_slice(&self.scope_after);
        to.put_slice(&self.resource_after);
    }
}
