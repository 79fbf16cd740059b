//! OTLP/gRPC: the generated `MetricsService` and `LogsService` over the store.
//! Served by `server`, behind the gate.
//! Never decides on a fault: the gate did.

use std::{sync::Arc, time::Duration};

use axum::{Router, response::Response};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
    logs_service_server::{LogsService, LogsServiceServer},
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    metrics_service_server::{MetricsService, MetricsServiceServer},
};
use tonic::{Code, Request, Status, codec::CompressionEncoding};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    Answer,
    fault::PartialSuccess,
    gate::{GARBAGE, MAX_MESSAGE},
    store::Store,
};

#[derive(Debug)]
struct Service {
    store: Arc<Store>,
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        let (_, extensions, request) = request.into_parts();
        self.store.accept(request);
        Ok(tonic::Response::new(acknowledgement(extensions.get())))
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        self.store.accept_logs(request.into_inner());
        Ok(tonic::Response::new(ExportLogsServiceResponse::default()))
    }
}

/// The gRPC server's routes.
pub(crate) fn router(store: Arc<Store>) -> Router {
    let logs = LogsServiceServer::new(Service { store: store.clone() })
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd);
    let service = MetricsServiceServer::new(Service { store })
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(MAX_MESSAGE);
    // The generated service answers other paths itself, as gRPC wants it.
    Router::new()
        .route_service("/opentelemetry.proto.collector.logs.v1.LogsService/{method}", logs)
        .fallback_service(service)
}

/// The answer to an accepted request, the same on both protocols.
pub(crate) fn acknowledgement(partial_success: Option<&PartialSuccess>) -> ExportMetricsServiceResponse {
    let partial_success = partial_success.and_then(|PartialSuccess(partial)| partial.clone());
    ExportMetricsServiceResponse {
        partial_success: partial_success.map(|(rejected_data_points, error_message)| {
            ExportMetricsPartialSuccess { rejected_data_points, error_message }
        }),
    }
}

/// A status instead of an answer.
pub(crate) fn refusal(code: Code, message: &str, retry_after: Option<Duration>) -> Response {
    let status = match retry_after {
        Some(delay) => Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(delay))),
        None => Status::new(code, message),
    };
    status.into_http()
}

/// A success whose message is no protobuf.
pub(crate) fn garbage() -> Response {
    Answer::message(&GARBAGE, Code::Ok).into_response()
}
