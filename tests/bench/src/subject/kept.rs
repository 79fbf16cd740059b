//! A transport that sends nothing, and keeps what it was given if it is asked to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// The bodies of requests, while they are asked for: who kept them all the time would keep the
/// exporter from using its buffers again.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    bodies: Arc<Mutex<Option<Vec<Bytes>>>>,
}

impl Kept {
    /// Runs `export`, and returns the bodies of its requests.
    pub(super) fn during(&self, export: impl FnOnce()) -> Vec<Bytes> {
        *self.lock() = Some(Vec::new());
        export();
        self.lock().take().expect("nobody else takes them")
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Bytes>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Kept {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if let Some(bodies) = &mut *self.lock() {
            bodies.push(request.into_body());
        }
        let mut response = Response::new(Bytes::new());
        response.headers_mut().insert("content-type", "application/x-protobuf".parse()?);
        Ok(response)
    }
}
