use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())))
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
    assert_eq!(base("http://host/otlp?tenant=a"), "http://host/otlp/v1/metrics?tenant=a");
    assert_eq!(base("http://host/otlp#top"), "http://host/otlp/v1/metrics");
    assert_eq!(base("HTTP://[::1]:4318"), "http://[::1]:4318/v1/metrics");
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
    if cfg!(feature = "tls") {
        assert_eq!(endpoint(&[without], Protocol::Grpc), "https://host:4317/");
    } else {
        let error = environment(&[without]).endpoint(Protocol::Grpc).unwrap_err();
        assert_eq!(
            error.to_string(),
            "OTEL_EXPORTER_OTLP_ENDPOINT is not usable: it is https: switch on the feature `tls` of worker-metrics-otel"
        );
    }
    // A scheme wins over INSECURE.
    let insecure = ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "false");
    assert_eq!(
        endpoint(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4317"), insecure], Protocol::Grpc),
        "http://host:4317/"
    );
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
        let whole = crate::sink::Sink::of(&given).unwrap_err().to_string();
        assert!(whole.starts_with(name), "{whole}");
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
        for endpoint in [
            "localhost:4318",
            "ftp://host",
            "/v1/metrics",
            "http://",
            "http://:4318",
            "http://user@",
            "http://host:",
            "http://host:99999",
            "http://two words",
        ] {
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
    let nameless =
        |number| format!("its entry {number} has no name of a header: write name=value,name=value");
    let encode = "header \"api-key\": write its value as percent-encoded UTF-8, such as a%20b for \"a b\"";
    for (list, remedy) in [
        ("api-key:hunter2", nameless(1)),
        ("a=b,api key=hunter2", nameless(2)),
        // The padding of Base64 makes a name of the secret.
        ("authorization: Basic hunter2==", nameless(1)),
        ("=hunter2", nameless(1)),
        ("api-key=hunter2%zz", encode.to_owned()),
        ("api-key=hunter2%4", encode.to_owned()),
        ("api-key=hunter2%ff", encode.to_owned()),
        (
            "api-key=hunter2%0A",
            "header \"api-key\": leave the control characters of its value out".to_owned(),
        ),
        ("content-type=hunter2", "header \"content-type\": leave it out, the transport sets it".to_owned()),
        ("grpc-timeout=hunter2", "header \"grpc-timeout\": leave it out, the transport sets it".to_owned()),
        ("key-bin=hunter2", "header \"key-bin\": leave it out, binary metadata is not supported".to_owned()),
    ] {
        let error = environment(&[("OTEL_EXPORTER_OTLP_HEADERS", list)]).headers().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("OTEL_EXPORTER_OTLP_HEADERS is not usable: {remedy}"),
            "{list}"
        );
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

#[test]
fn a_protocol_or_compression_that_is_not_compiled_in_is_refused_with_its_feature() {
    for (setting, value, feature, compiled_in) in [
        ("PROTOCOL", "grpc", "grpc-tonic", cfg!(feature = "grpc-tonic")),
        ("PROTOCOL", "http/protobuf", "http-proto", cfg!(feature = "http-proto")),
        ("COMPRESSION", "gzip", "gzip", cfg!(feature = "gzip")),
        ("COMPRESSION", "zstd", "zstd", cfg!(feature = "zstd")),
    ] {
        let name = format!("OTEL_EXPORTER_OTLP_METRICS_{setting}");
        let given = environment(&[(&name, value)]);
        let error = given.protocol().err().or(given.compression().err()).map(|error| error.to_string());
        let message =
            format!("{name} is {value:?}: switch on the feature `{feature}` of worker-metrics-otel");
        assert_eq!(error, (!compiled_in).then_some(message));
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_is_refused_unless_another_one_wins() {
    use std::os::unix::ffi::OsStringExt;
    let broken = OsString::from_vec(vec![b'1', 0xff]);
    let general = ("OTEL_EXPORTER_OTLP_TIMEOUT".to_owned(), broken);
    let error = Environment::new([general.clone()]).timeout().unwrap_err();
    assert_eq!(error.to_string(), "OTEL_EXPORTER_OTLP_TIMEOUT is not usable: write it in UTF-8");
    let own = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT".to_owned(), "5".into());
    assert_eq!(Environment::new([general, own]).timeout().unwrap(), Duration::from_millis(5));
}
