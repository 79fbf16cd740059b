//! A transport that takes everything and sends nothing: what is left is collecting and encoding.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// Keeps the last request.
#[derive(Clone, Debug, Default)]
pub struct Discard {
    last: Arc<Mutex<Bytes>>,
}

impl Discard {
    /// The body of the last request.
    #[must_use]
    pub fn last_body(&self) -> Bytes {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Bytes> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Discard {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        *self.lock() = request.into_body();
        let mut response = Response::new(Bytes::new());
        response.headers_mut().insert("content-type", "application/x-protobuf".parse()?);
        Ok(response)
    }
}
