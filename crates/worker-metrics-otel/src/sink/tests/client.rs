//! Clients and channels that the program gives.

#[cfg(feature = "http-proto")]
mod http {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::time::{Duration, Instant, SystemTime};

    use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use otlp_receiver::{Fault, Receiver};
    use prost::Message;
    use tokio::sync::mpsc;

    use crate::sink::tests::{PATIENCE, request, send};
    use crate::sink::{SendError, Sink};

    const URL: &str = "https://collector.example/v1/metrics";

    /// Answers every request with the same.
    #[derive(Debug)]
    struct Canned(u16, Option<String>, Vec<u8>);

    #[async_trait::async_trait]
    impl HttpClient for Canned {
        async fn send_bytes(&self, sent: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            assert_eq!(ExportMetricsServiceRequest::decode(sent.into_body())?, request());
            let mut response = Response::builder().status(self.0);
            if let Some(wait) = &self.1 {
                response = response.header("retry-after", wait);
            }
            Ok(response.body(self.2.clone().into())?)
        }
    }

    /// Never answers, and says when it is cut off.
    #[derive(Debug)]
    struct Silent(Arc<AtomicBool>, mpsc::UnboundedSender<()>);

    struct CutOff(Arc<AtomicBool>, mpsc::UnboundedSender<()>);

    impl Drop for CutOff {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
            _ = self.1.send(());
        }
    }

    #[async_trait::async_trait]
    impl HttpClient for Silent {
        async fn send_bytes(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let _cut_off = CutOff(self.0.clone(), self.1.clone());
            std::future::pending().await
        }
    }

    /// A `google.rpc.Status` with this message.
    fn status(message: &str) -> Vec<u8> {
        super::super::super::http::RpcStatus { message: message.to_owned() }.encode_to_vec()
    }

    #[test]
    fn a_client_that_blocks_is_welcome_and_the_timeout_holds() {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let sink = Sink::http(reqwest::blocking::Client::new(), &receiver.http_endpoint()).unwrap();
        send(&sink).unwrap();
        assert_eq!(receiver.requests(), [request()]);
        receiver.set_fault(Fault::Hang);
        let start = Instant::now();
        let timeout = Duration::from_millis(100);
        assert_eq!(send(&sink.with_timeout(timeout)).unwrap_err(), SendError::Timeout(timeout));
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn a_client_that_does_not_block_is_cut_off_at_the_timeout() {
        let is_cut_off = Arc::new(AtomicBool::new(false));
        let (cut_off, mut seen) = mpsc::unbounded_channel();
        let timeout = Duration::from_millis(50);
        let sink = Sink::http(Silent(is_cut_off.clone(), cut_off), URL).unwrap().with_timeout(timeout);
        // More than there are threads for clients that block.
        for _ in 0..6 {
            assert_eq!(send(&sink).unwrap_err(), SendError::Timeout(timeout));
            seen.blocking_recv().unwrap();
        }
        assert!(is_cut_off.load(SeqCst));
    }

    #[test]
    fn what_a_receiver_says_is_short_and_without_the_key_that_it_quotes() {
        let message = format!("the key hunter2-hunter2 is bad{}", "!".repeat(300));
        let sink = Sink::http(Canned(401, None, status(&message)), URL).unwrap();
        let sink = sink.with_header("authorization", "Bearer hunter2-hunter2").unwrap();
        let SendError::Refused { status, message } = send(&sink).unwrap_err() else { panic!("refused") };
        assert_eq!(status, "401 Unauthorized");
        assert!(message.starts_with("the key [redacted] is bad!!!"), "{message}");
        assert_eq!(message.chars().count(), 256);
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3_600));
        let sink = Sink::http(Canned(503, Some(soon), Vec::new()), URL).unwrap().with_timeout(PATIENCE * 2);
        let start = Instant::now();
        assert!(matches!(send(&sink), Err(SendError::Unavailable { .. })));
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn a_body_that_is_no_protobuf_is_no_message() {
        let sink = Sink::http(Canned(404, None, b"<html>hello</html>".to_vec()), URL).unwrap();
        let refused = SendError::Refused { status: "404 Not Found".to_owned(), message: String::new() };
        assert_eq!(send(&sink).unwrap_err(), refused);
    }
}

#[cfg(feature = "grpc-tonic")]
mod grpc {
    use otlp_receiver::Receiver;
    use tonic::transport::Endpoint;

    use crate::sink::Sink;
    use crate::sink::tests::{request, send};

    #[test]
    fn a_channel_of_the_program_is_used_as_it_is() {
        let receiver = Receiver::builder().keep_requests(true).start().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let endpoint = Endpoint::from_shared(receiver.grpc_endpoint()).unwrap();
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        send(&Sink::grpc(channel).unwrap()).unwrap();
        assert_eq!(receiver.requests(), [request()]);
    }
}
