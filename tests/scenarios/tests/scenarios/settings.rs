//! Settings in code: each is used, or refused with the remedy.

use std::time::Duration;

use otlp_receiver::Fault;
use scenarios::{DURATION, counted, poll, pool, receiver};
use worker_metrics_otel::{Compression, Instrumentation, Otlp, OtlpError, Protocol};

fn otlp() -> Otlp {
    Instrumentation::default().otlp()
}

#[track_caller]
fn assert_refused(result: Result<impl std::fmt::Debug, OtlpError>, by: &str, remedy: &str) {
    let said = result.unwrap_err().to_string();
    assert!(said.contains(by) && said.contains(remedy), "{said}");
}

#[test]
fn a_bad_value_is_refused_with_the_remedy_before_anything_starts() {
    assert_refused(otlp().with_endpoint("http://").start(), "with_endpoint", "http://localhost:4318");
    assert_refused(otlp().with_timeout(Duration::ZERO).start(), "with_timeout", "above 0");
    assert_refused(otlp().with_interval(Duration::ZERO).start(), "with_interval", "above 0");
    assert_refused(otlp().with_header("bad name", "secret").start(), "a header", "letters");
    let hidden = otlp().with_header("api-key", "sec\nret").start().unwrap_err().to_string();
    assert!(hidden.contains("api-key") && !hidden.contains("sec"), "{hidden}");
    assert_refused(otlp().with_interval(Duration::from_secs(1)).exporter(), "with_interval", "the reader");
    assert_refused(
        otlp().with_resource([("service.name", "x")]).exporter(),
        "with_resource",
        "meter provider",
    );
    let client = || reqwest_client();
    assert_refused(
        otlp().with_http_client(client()).with_protocol(Protocol::Grpc).start(),
        "with_http_client",
        "HTTP",
    );
    let interceptor = |request: tonic::Request<()>| Ok(request);
    assert_refused(
        otlp().with_interceptor(interceptor).with_protocol(Protocol::HttpProtobuf).start(),
        "with_interceptor",
        "with_changing_headers",
    );
}

fn reqwest_client() -> reqwest::blocking::Client {
    // Made on a thread that is no runtime's.
    std::thread::spawn(reqwest::blocking::Client::new).join().unwrap()
}

#[test]
fn everything_that_is_set_in_code_arrives_with_nothing_in_the_environment() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let receiver = receiver().start().unwrap();
        let endpoint = match protocol {
            Protocol::Grpc => receiver.grpc_endpoint(),
            _ => receiver.http_base(),
        };
        let workers = Instrumentation::default();
        let token = std::sync::atomic::AtomicU64::new(0);
        let push = workers
            .otlp()
            .with_endpoint(endpoint)
            .with_protocol(protocol)
            .with_header("api-key", "secret")
            .with_headers([("x-tenant", "a b")])
            .with_changing_headers(move |headers| {
                let next = token.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                headers.insert("x-token", next.into());
            })
            .with_compression(Compression::Gzip)
            .with_resource([("service.name", "by-code"), ("custom", "1")])
            .start()
            .unwrap();
        let (pool, mut batches) = pool("render", 1);
        let _attached = workers.attach(pool).unwrap();
        for number in 0..3_u64 {
            poll(&mut batches, 10);
            push.force_flush().unwrap();
            let transport = receiver.last_transport().unwrap();
            assert_eq!(transport.header("api-key"), Some("secret"));
            assert_eq!(transport.header("x-tenant"), Some("a b"));
            assert_eq!(transport.header("x-token"), Some(number.to_string().as_str()));
            assert_eq!(transport.content_encoding.as_deref(), Some("gzip"));
        }
        assert_eq!(counted(&receiver, DURATION), 30);
        let resources = receiver.resources();
        assert_eq!(resources.len(), 1);
        let resource = format!("{:?}", resources[0]);
        assert!(resource.contains("by-code") && resource.contains("custom"), "{resource}");
    }
}

#[test]
fn a_channel_a_client_and_an_interceptor_of_the_program_s_are_used() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let receiver = receiver().start().unwrap();
    let channel = {
        let _entered = runtime.enter();
        tonic::transport::Channel::from_shared(receiver.grpc_endpoint()).unwrap().connect_lazy()
    };
    let interceptor = |mut request: tonic::Request<()>| {
        request.metadata_mut().insert("x-token", "fresh".parse().unwrap());
        Ok(request)
    };
    let by_channel = otlp().with_channel(channel).with_interceptor(interceptor).start().unwrap();
    by_channel.force_flush().unwrap();
    let by_client = otlp().with_http_client(reqwest_client()).with_endpoint(receiver.http_endpoint());
    by_client.start().unwrap().force_flush().unwrap();

    let workers = Instrumentation::default();
    let (pool, mut batches) = pool("render", 1);
    let _attached = workers.attach(pool).unwrap();
    poll(&mut batches, 10);
    let mut metadata = tonic::metadata::MetadataMap::new();
    metadata.insert("x-tenant", "a".parse().unwrap());
    let push = workers
        .otlp()
        .with_endpoint(receiver.grpc_endpoint())
        .with_interceptor(interceptor)
        .with_metadata(metadata)
        .start()
        .unwrap();
    push.force_flush().unwrap();
    let transport = receiver.last_transport().unwrap();
    assert_eq!(transport.protocol, otlp_receiver::Protocol::Grpc);
    assert_eq!((transport.header("x-token"), transport.header("x-tenant")), (Some("fresh"), Some("a")));
}

#[test]
fn an_exporter_sends_the_program_s_own_without_ours_if_a_receiver_refuses_the_two_together() {
    use opentelemetry::metrics::MeterProvider;
    let receiver = receiver().start().unwrap();
    let workers = Instrumentation::default();
    let exporter = workers.otlp().with_endpoint(receiver.http_endpoint()).exporter().unwrap();
    let provider =
        opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    let own = provider.meter("own").u64_counter("requests").build();
    let (pool, mut batches) = pool("render", 1);
    let _attached = workers.attach(pool).unwrap();
    own.add(1, &[]);
    poll(&mut batches, 10);
    let refuse = Fault::Status { grpc: otlp_receiver::Code::InvalidArgument, http: 400, retry_after: None };
    receiver.set_faults([refuse]);
    provider.force_flush().unwrap();
    assert_eq!((counted(&receiver, "requests"), counted(&receiver, DURATION)), (1, 0));
    provider.force_flush().unwrap();
    assert_eq!(counted(&receiver, DURATION), 10);
}
