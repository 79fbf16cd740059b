//! A transport that sends nothing and keeps what it was given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

/// The bodies of the requests since they were last taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    bodies: Arc<Mutex<Vec<Bytes>>>,
}

impl Kept {
    /// Puts the bodies in place of those of the export before, whose buffer is used for the next.
    pub(super) fn take_into(&self, bodies: &mut Vec<Bytes>) {
        bodies.clear();
        std::mem::swap(bodies, &mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Bytes>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpClient for Kept {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.lock().push(request.into_body());
        let mut response = Response::new(Bytes::new());
        response.headers_mut().insert("content-type", "application/x-protobuf".parse()?);
        Ok(response)
    }
}
