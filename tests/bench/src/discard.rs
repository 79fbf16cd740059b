//! A transport that takes everything and sends nothing: what is left is collecting and encoding.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// Counts the bytes of the last request.
#[derive(Clone, Debug, Default)]
pub struct Discard {
    bytes: Arc<AtomicUsize>,
}

impl Discard {
    /// Bytes of the last request.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

#[async_trait]
impl HttpClient for Discard {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.bytes.store(request.body().len(), Relaxed);
        let mut response = Response::new(Bytes::new());
        response.headers_mut().insert("content-type", "application/x-protobuf".parse()?);
        Ok(response)
    }
}
