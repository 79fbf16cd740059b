use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn endpoint(variables: &[(&str, &str)], protocol: Protocol) -> String {
    environment(variables).endpoint(protocol).unwrap().uri.to_string()
}

#[test]
fn nothing_set_means_the_local_collector() {
    let nothing = environment(&[]);
    assert_eq!(nothing.protocol().unwrap(), Protocol::DEFAULT);
    assert_eq!(nothing.timeout().unwrap(), DEFAULT_TIMEOUT);
    assert_eq!(nothing.compression().unwrap(), Compression::None);
    assert_eq!(nothing.headers().unwrap(), Headers::default());
    if cfg!(feature = "http-proto") {
        assert_eq!(endpoint(&[], Protocol::HttpProtobuf), "http://localhost:4318/v1/metrics");
    }
    if cfg!(feature = "grpc-tonic") {
        assert_eq!(endpoint(&[], Protocol::Grpc), "http://localhost:4317/");
    }
}

#[test]
fn the_variable_of_the_signal_wins_and_an_empty_one_is_not_set() {
    let both = environment(&[
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "nonsense"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", " "),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
    ]);
    assert_eq!(both.protocol().unwrap(), Protocol::Grpc);
    assert_eq!(both.timeout().unwrap(), Duration::from_millis(250));
    assert_eq!(both.compression().unwrap(), Compression::None);
}

#[cfg(feature = "http-proto")]
#[test]
fn over_http_a_base_gets_the_path_and_the_signals_own_does_not() {
    let base = |url| endpoint(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)], Protocol::HttpProtobuf);
    assert_eq!(base("http://host:4318"), "http://host:4318/v1/metrics");
    assert_eq!(base("http://host:4318/"), "http://host:4318/v1/metrics");
    assert_eq!(base("http://host:4318/otlp/"), "http://host:4318/otlp/v1/metrics");
    let own = |url| {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other");
        endpoint(&[base, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url)], Protocol::HttpProtobuf)
    };
    assert_eq!(own("http://host:4318/custom"), "http://host:4318/custom");
    assert_eq!(own("http://host:4318"), "http://host:4318/");
}

#[cfg(feature = "grpc-tonic")]
#[test]
fn over_grpc_a_scheme_may_be_missing_and_insecure_decides() {
    let without = ("OTEL_EXPORTER_OTLP_ENDPOINT", "host:4317");
    assert_eq!(
        endpoint(&[without, ("OTEL_EXPORTER_OTLP_INSECURE", "TRUE")], Protocol::Grpc),
        "http://host:4317/"
    );
    let error = environment(&[without]).endpoint(Protocol::Grpc).unwrap_err().to_string();
    assert!(error.contains("it is https"), "{error}");
    let error =
        environment(&[without, ("OTEL_EXPORTER_OTLP_INSECURE", "yes")]).endpoint(Protocol::Grpc).unwrap_err();
    assert_eq!(error.to_string(), "OTEL_EXPORTER_OTLP_INSECURE is \"yes\": use true or false");
}

#[test]
fn headers_are_a_list_with_percent_encoded_values() {
    let given = environment(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%3D, x-tenant=one=two ,,")]);
    let headers = given.headers().unwrap();
    assert_eq!(headers.0["api-key"], "a b=");
    assert_eq!(headers.0["x-tenant"], "one=two");
    assert_eq!(headers.0.len(), 2);
}

#[test]
fn bad_values_are_refused_by_variable_and_remedy() {
    let refused = |name: &str, value: &str| {
        let given = environment(&[(name, value)]);
        let results = [
            given.protocol().err(),
            given.timeout().err(),
            given.compression().err(),
            given.headers().err(),
            given.protocol().ok().and_then(|protocol| given.endpoint(protocol).err()),
        ];
        results.into_iter().flatten().map(|error| error.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        refused("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
        ["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL is \"http/json\": use grpc or http/protobuf"]
    );
    for timeout in ["0", "-1", "soon"] {
        assert_eq!(
            refused("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
            [format!("OTEL_EXPORTER_OTLP_TIMEOUT is {timeout:?}: use a number of milliseconds above 0")]
        );
    }
    assert_eq!(
        refused("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ["OTEL_EXPORTER_OTLP_COMPRESSION is \"brotli\": use none, gzip or zstd"]
    );
    if cfg!(feature = "http-proto") {
        for endpoint in ["localhost:4318", "ftp://host", "/v1/metrics", "http://"] {
            assert_eq!(
                refused("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", endpoint),
                [
                    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is not usable: use a URL such as http://localhost:4318/v1/metrics"
                ],
                "{endpoint}"
            );
        }
    }
}

#[test]
fn no_error_and_no_debug_tells_a_secret() {
    for list in ["api-key:hunter2", "api key=hunter2", "api-key=hunter2%zz", "api-key=hunter2%0A"] {
        let error = environment(&[("OTEL_EXPORTER_OTLP_HEADERS", list)]).headers().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert!(error.to_string().starts_with("OTEL_EXPORTER_OTLP_HEADERS is not usable: "), "{error}");
    }
    let headers = Headers::parse("X", "api-key=hunter2").unwrap();
    assert_eq!(format!("{headers:?}"), "{\"api-key\"}");
    if cfg!(feature = "http-proto") {
        let url = "http://user:hunter2@host:4318/hunter2?key=hunter2";
        let endpoint = Endpoint::given("the endpoint", url, Protocol::HttpProtobuf).unwrap();
        assert_eq!(format!("{endpoint:?}"), "http://host:4318");
        let error = Endpoint::given("the endpoint", "hunter2://host", Protocol::HttpProtobuf).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
