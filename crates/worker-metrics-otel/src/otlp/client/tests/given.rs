//! Clients and channels that the program gives.

mod http {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::{Duration, Instant, SystemTime};

    use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use prost::Message;
    use tokio::sync::mpsc;

    use crate::otlp::client::http::RpcStatus;
    use crate::otlp::client::tests::{HOUR, PATIENCE, Program, SHORT};
    use crate::{Cause, ExportError, Otlp, Protocol, Push};

    const URL: &str = "https://collector.example/v1/metrics";

    fn push(program: &Program, client: impl HttpClient + 'static) -> Push {
        with(program, client, |otlp| otlp)
    }

    fn with(program: &Program, client: impl HttpClient + 'static, more: impl FnOnce(Otlp) -> Otlp) -> Push {
        more(program.otlp(Protocol::HttpProtobuf, URL).with_http_client(client)).start().unwrap()
    }

    fn flush(program: &Program, client: impl HttpClient + 'static) -> Result<(), ExportError> {
        push(program, client).force_flush()
    }

    /// Answers every request with the same.
    #[derive(Debug)]
    struct Canned {
        status: u16,
        retry_after: Option<String>,
        body: Vec<u8>,
        requests: Arc<AtomicUsize>,
    }

    fn canned(status: u16, body: &[u8]) -> Canned {
        Canned { status, retry_after: None, body: body.into(), requests: Arc::default() }
    }

    #[async_trait::async_trait]
    impl HttpClient for Canned {
        async fn send_bytes(&self, sent: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            assert_eq!(sent.uri(), URL);
            assert_eq!(sent.headers()["content-type"], "application/x-protobuf");
            self.requests.fetch_add(1, SeqCst);
            ExportMetricsServiceRequest::decode(sent.into_body())?;
            let mut response = Response::builder().status(self.status);
            if let Some(wait) = &self.retry_after {
                response = response.header("retry-after", wait);
            }
            Ok(response.body(self.body.clone().into())?)
        }
    }

    /// Never answers, and says when it is cut off.
    #[derive(Debug)]
    struct Silent(mpsc::UnboundedSender<()>);

    struct CutOff(mpsc::UnboundedSender<()>);

    impl Drop for CutOff {
        fn drop(&mut self) {
            _ = self.0.send(());
        }
    }

    #[async_trait::async_trait]
    impl HttpClient for Silent {
        async fn send_bytes(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let _cut_off = CutOff(self.0.clone());
            std::future::pending().await
        }
    }

    /// Blocks until it is released.
    #[derive(Clone, Debug, Default)]
    struct Blocking(Arc<(Mutex<bool>, Condvar, AtomicUsize)>);

    impl Blocking {
        fn release(&self) {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_all();
        }
    }

    #[async_trait::async_trait]
    impl HttpClient for Blocking {
        async fn send_bytes(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            let (is_released, changed, requests) = &*self.0;
            requests.fetch_add(1, SeqCst);
            drop(changed.wait_while(is_released.lock().unwrap(), |is_released| !*is_released).unwrap());
            Ok(Response::new(Bytes::new()))
        }
    }

    #[test]
    fn a_client_of_the_program_is_used_as_it_is() {
        let mut program = Program::new();
        let client = canned(200, b"");
        let requests = client.requests.clone();
        let push = push(&program, client);
        program.poll();
        push.force_flush().unwrap();
        program.poll();
        push.force_flush().unwrap();
        assert_eq!(requests.load(SeqCst), 2);
    }

    #[test]
    fn a_client_that_does_not_block_is_cut_off_at_the_timeout() {
        let (cut_off, mut seen) = mpsc::unbounded_channel();
        let program = Program::new();
        let push = push(&program, Silent(cut_off));
        // More than there are threads for clients that block.
        for _ in 0..6 {
            let error = push.force_flush_with_timeout(SHORT).unwrap_err();
            assert!(matches!(error.cause, Cause::Timeout(_)), "{error:?}");
            seen.blocking_recv().unwrap();
        }
    }

    #[test]
    fn a_client_that_blocks_for_ever_keeps_two_requests_and_no_more() {
        let client = Blocking::default();
        let program = Program::new();
        let push = push(&program, client.clone());
        let start = Instant::now();
        for _ in 0..20 {
            push.force_flush_with_timeout(Duration::from_millis(50)).unwrap_err();
        }
        assert!(start.elapsed() < PATIENCE);
        assert_eq!(client.0.2.load(SeqCst), 2);
        let error = push.force_flush_with_timeout(Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("has not returned"), "{error}");
        // Nobody waits for it at the end either.
        let start = Instant::now();
        drop(push);
        assert!(start.elapsed() < PATIENCE);
        client.release();
    }

    #[test]
    fn a_client_that_returns_after_all_is_used_again() {
        let client = Blocking::default();
        let program = Program::new();
        let push = push(&program, client.clone());
        for _ in 0..3 {
            push.force_flush_with_timeout(Duration::from_millis(50)).unwrap_err();
        }
        client.release();
        let start = Instant::now();
        while push.force_flush().is_err() {
            assert!(start.elapsed() < PATIENCE);
        }
    }

    #[test]
    fn what_a_receiver_says_is_short_and_without_the_key_that_it_quotes() {
        let message = format!("the key hunter2-hunter2 is bad{}", "!".repeat(300));
        let program = Program::new();
        let push = with(&program, canned(401, &RpcStatus { message }.encode_to_vec()), |otlp| {
            otlp.with_header("authorization", "Bearer hunter2-hunter2")
        });
        let error = push.force_flush().unwrap_err();
        let Cause::Refused { status, message } = error.cause else { panic!("refused") };
        assert_eq!(status, "401 Unauthorized");
        assert!(message.starts_with("the key [redacted] is bad!!!"), "{message}");
        assert_eq!(message.chars().count(), 256);
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let late = httpdate::fmt_http_date(SystemTime::now() + HOUR);
        let client = Canned { retry_after: Some(late), ..canned(503, b"") };
        let requests = client.requests.clone();
        let start = Instant::now();
        let error = flush(&Program::new(), client).unwrap_err();
        assert!(matches!(error.cause, Cause::Unavailable { .. }), "{error:?}");
        assert!(start.elapsed() < PATIENCE);
        assert_eq!(requests.load(SeqCst), 1);
    }

    #[test]
    fn a_body_that_is_no_protobuf_is_no_message() {
        let error = flush(&Program::new(), canned(404, b"<html>hello</html>")).unwrap_err();
        let refused = Cause::Refused { status: "404 Not Found".to_owned(), message: String::new() };
        assert_eq!(error.cause, refused);
    }

    /// Fails before there is any answer, and panics.
    #[derive(Debug)]
    struct Panicking;

    #[async_trait::async_trait]
    impl HttpClient for Panicking {
        async fn send_bytes(&self, _request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
            std::panic::resume_unwind(Box::new("the client is broken"))
        }
    }

    #[test]
    fn a_client_that_panics_fails_the_export_alone() {
        let program = Program::new();
        let push = push(&program, Panicking);
        for _ in 0..5 {
            let error = push.force_flush().unwrap_err();
            assert!(!matches!(error.cause, Cause::Timeout(_)), "{error:?}");
        }
    }
}

#[cfg(feature = "grpc-tonic")]
mod grpc {
    use tonic::transport::Endpoint;

    use crate::otlp::client::tests::{Program, receiver};

    #[test]
    fn a_channel_of_the_program_is_used_as_it_is() {
        let receiver = receiver();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let endpoint = Endpoint::from_shared(receiver.grpc_endpoint()).unwrap();
        let channel = runtime.block_on(async { endpoint.connect_lazy() });
        let mut program = Program::new();
        let push = program.workers.otlp().with_channel(channel).start().unwrap();
        program.poll();
        push.force_flush().unwrap();
        program.assert_delivered(&receiver, "a channel");
        let status = program.workers.status().to_string();
        assert!(status.contains("the channel of the program"), "{status}");
    }
}
