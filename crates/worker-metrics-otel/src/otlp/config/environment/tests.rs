#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use super::super::Endpoint;
use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())))
}

/// The URL that a variable's address leads to.
fn url(variables: &[(&str, &str)], protocol: Protocol) -> String {
    let environment = environment(variables);
    let Address { by, value, given } = environment.address().unwrap().unwrap();
    Endpoint::parse(&by, &value, given, protocol, environment.insecure()).unwrap().url().to_string()
}

#[test]
fn nothing_set_is_nothing() {
    for variables in [
        &[][..],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", ""),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", ""),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", ""),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ""),
            ("OTEL_METRIC_EXPORT_INTERVAL", ""),
        ],
        // Of other signals, and of other names.
        &[("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"), ("EXPORTER_OTLP_TIMEOUT", "5")],
    ] {
        let nothing = environment(variables);
        assert_eq!(nothing.protocol(), None);
        assert_eq!(nothing.timeout(), None);
        assert_eq!(nothing.compression(), None);
        assert_eq!(nothing.temporality(), None);
        assert_eq!(nothing.interval(), None);
        assert!(nothing.address().unwrap().is_none());
        assert!(nothing.headers().map().is_empty());
        assert!(!nothing.insecure());
    }
}

#[test]
fn the_variable_of_the_signal_wins() {
    for (setting, of_signal, general) in [
        ("PROTOCOL", "http/protobuf", "grpc"),
        ("TIMEOUT", "250", "9000"),
        ("COMPRESSION", "none", "gzip"),
        ("ENDPOINT", "http://signal", "http://general"),
        ("HEADERS", "a=signal", "a=general"),
        ("INSECURE", "true", "false"),
    ] {
        let names =
            (format!("OTEL_EXPORTER_OTLP_METRICS_{setting}"), format!("OTEL_EXPORTER_OTLP_{setting}"));
        let both = environment(&[(&names.0, of_signal), (&names.1, general)]);
        match setting {
            "PROTOCOL" => assert_eq!(both.protocol(), Some(Protocol::HttpProtobuf)),
            "TIMEOUT" => assert_eq!(both.timeout(), Some(Duration::from_millis(250))),
            "COMPRESSION" => assert_eq!(both.compression(), Some(Compression::None)),
            "ENDPOINT" => assert_eq!(both.address().unwrap().unwrap().value, "http://signal"),
            "HEADERS" => assert_eq!(both.headers().map()["a"], "signal"),
            _ => assert!(both.insecure()),
        }
    }
}

#[test]
fn a_bad_value_of_the_signal_leaves_the_general_one() {
    let both = environment(&[
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "nonsense"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
    ]);
    assert_eq!(both.protocol(), Some(Protocol::HttpProtobuf));
    assert_eq!(both.timeout(), Some(Duration::from_millis(250)));
    assert_eq!(both.compression(), Some(Compression::None));
}

#[test]
fn values_of_enums_are_read_in_any_case() {
    let of = |setting: &str, value: &str| {
        environment(&[(&format!("OTEL_EXPORTER_OTLP_METRICS_{setting}"), value)])
    };
    for (value, protocol) in [
        ("HTTP/Protobuf", Some(Protocol::HttpProtobuf)),
        ("http/json", Some(Protocol::HttpProtobuf)),
        ("GRPC", cfg!(feature = "grpc-tonic").then_some(Protocol::Grpc)),
        ("http", None),
        (" grpc", None),
    ] {
        assert_eq!(of("PROTOCOL", value).protocol(), protocol, "{value}");
    }
    for (value, compression) in [
        ("NONE", Some(Compression::None)),
        ("GZip", cfg!(feature = "gzip").then_some(Compression::Gzip)),
        ("ZSTD", cfg!(feature = "zstd").then_some(Compression::Zstd)),
        ("brotli", None),
    ] {
        assert_eq!(of("COMPRESSION", value).compression(), compression, "{value}");
    }
    for (value, temporality) in [
        ("Delta", Some(Temporality::Delta)),
        ("CUMULATIVE", Some(Temporality::Cumulative)),
        ("lowMemory", Some(Temporality::LowMemory)),
        ("sometimes", None),
    ] {
        assert_eq!(of("TEMPORALITY_PREFERENCE", value).temporality(), temporality, "{value}");
    }
    for (value, is_insecure) in
        [("true", true), ("TRUE", true), ("false", false), ("yes", false), ("1", false)]
    {
        assert_eq!(of("INSECURE", value).insecure(), is_insecure, "{value}");
    }
}

#[test]
fn times_are_whole_milliseconds_above_nothing() {
    for (value, time) in [
        ("1", Some(Duration::from_millis(1))),
        ("60000", Some(Duration::from_secs(60))),
        ("18446744073709551615", Some(Duration::from_millis(u64::MAX))),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("10s", None),
        ("soon", None),
    ] {
        assert_eq!(environment(&[("OTEL_EXPORTER_OTLP_TIMEOUT", value)]).timeout(), time, "{value}");
        assert_eq!(environment(&[("OTEL_METRIC_EXPORT_INTERVAL", value)]).interval(), time, "{value}");
    }
}

#[test]
fn over_http_a_base_gets_the_path_and_the_signals_own_does_not() {
    let base = |url_: &str| url(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url_)], Protocol::HttpProtobuf);
    assert_eq!(base("http://host:4318"), "http://host:4318/v1/metrics");
    assert_eq!(base("http://host:4318/otlp/"), "http://host:4318/otlp/v1/metrics");
    assert_eq!(base("http://host/otlp?tenant=a"), "http://host/otlp/v1/metrics?tenant=a");
    assert_eq!(base("http://host/otlp#top"), "http://host/otlp/v1/metrics");
    assert_eq!(base("HTTP://[::1]:4318"), "http://[::1]:4318/v1/metrics");
    let own = |url_: &str| {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other");
        url(&[base, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url_)], Protocol::HttpProtobuf)
    };
    assert_eq!(own("http://host:4318/custom"), "http://host:4318/custom");
    assert_eq!(own("http://host:4318"), "http://host:4318/");
}

#[test]
fn over_grpc_a_scheme_may_be_missing_and_insecure_decides() {
    let without = ("OTEL_EXPORTER_OTLP_ENDPOINT", "host:4317");
    let origin = |variables: &[(&str, &str)]| {
        let environment = environment(variables);
        let Address { by, value, given } = environment.address().unwrap().unwrap();
        Endpoint::parse(&by, &value, given, Protocol::Grpc, environment.insecure())
            .unwrap()
            .origin()
            .to_string()
    };
    assert_eq!(origin(&[without, ("OTEL_EXPORTER_OTLP_INSECURE", "TRUE")]), "http://host:4317/");
    assert_eq!(origin(&[without]), "https://host:4317/");
    // A scheme wins over INSECURE.
    let insecure = ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "false");
    assert_eq!(origin(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4317"), insecure]), "http://host:4317/");
}

#[test]
fn the_port_names_the_protocol_where_nothing_else_does() {
    for (address, protocol) in [
        ("http://host:4318", Some(Protocol::HttpProtobuf)),
        ("host:4318", Some(Protocol::HttpProtobuf)),
        ("http://host:4317/", cfg!(feature = "grpc-tonic").then_some(Protocol::Grpc)),
        ("http://[::1]:4317", cfg!(feature = "grpc-tonic").then_some(Protocol::Grpc)),
        ("http://host", None),
        ("http://host:80", None),
        ("http://", None),
    ] {
        assert_eq!(Environment::protocol_of_port(address), protocol, "{address}");
    }
}

#[test]
fn headers_are_a_list_with_percent_encoded_values() {
    let given = environment(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%3D, x-tenant=one=two ,,")]);
    let headers = given.headers();
    assert_eq!(headers.map()["api-key"], "a b=");
    assert_eq!(headers.map()["x-tenant"], "one=two");
    assert_eq!(headers.map().len(), 2);
    let none =
        environment(&[("OTEL_EXPORTER_OTLP_METRICS_HEADERS", ""), ("OTEL_EXPORTER_OTLP_HEADERS", "a=b")]);
    assert!(none.headers().map().is_empty(), "the signal's own wins, even if it is empty");
}

#[test]
fn what_is_no_header_is_left_out_and_reported_without_its_value() {
    for (list, reported) in [
        ("api-key:hunter2", "its entry 1 is no name=value"),
        (
            "a=b,api key=hunter2",
            "its entry 2: its name is no name of a header: use letters, digits and \"-\"",
        ),
        ("a=b,=hunter2", "its entry 2: its name is no name of a header: use letters, digits and \"-\""),
        ("api-key=hunter2%0A", "its entry 1: header \"api-key\": leave control characters out of its value"),
        ("content-type=hunter2", "its entry 1: header \"content-type\": leave it out, the transport sets it"),
        ("grpc-timeout=hunter2", "its entry 1: header \"grpc-timeout\": leave it out, the transport sets it"),
    ] {
        let mut reports = Vec::new();
        let headers = Headers::parse(list, |report| reports.push(report.to_owned()));
        assert_eq!(reports, [reported], "{list}");
        assert!(!format!("{headers:?}").contains("hunter2"));
    }
    // The padding of Base64 makes a name of the secret.
    let mut reports = Vec::new();
    Headers::parse("authorization: Basic hunter2==", |report| reports.push(report.to_owned()));
    assert!(reports.len() == 1 && !reports[0].contains("hunter2"), "{reports:?}");
    let headers = Headers::parse("api-key=hunter2", |_| ());
    assert_eq!(format!("{headers:?}"), "{\"api-key\"}");
}

#[test]
fn an_address_is_shown_without_its_secrets() {
    let url = "http://user:hunter2@host:4318/hunter2?key=hunter2";
    let endpoint = Endpoint::parse("the endpoint", url, Given::Code, Protocol::HttpProtobuf, false).unwrap();
    assert_eq!(format!("{endpoint:?} {endpoint}"), "http://host:4318 http://host:4318");
    for bad in ["http://hunter2 host", "http://user:hunter2@", "http://:hunter2", "http://hunter2:99999999"] {
        let error = Endpoint::parse("the endpoint", bad, Given::Code, Protocol::HttpProtobuf, false);
        let error = error.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn bad_addresses_are_refused_by_variable_and_remedy() {
    for address in
        ["http://", "http://:4318", "http://user@", "http://host:99999", "http://two words", "/v1/metrics"]
    {
        let environment = environment(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", address)]);
        let Address { by, value, given } = environment.address().unwrap().unwrap();
        let error = Endpoint::parse(&by, &value, given, Protocol::HttpProtobuf, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is not usable: use a URL such as http://localhost:4318/v1/metrics",
            "{address}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_is_left_out_but_for_the_address_which_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let broken = || OsString::from_vec(vec![b'1', 0xff]);
    for setting in ["TIMEOUT", "PROTOCOL", "COMPRESSION", "HEADERS", "INSECURE"] {
        let environment = Environment::new([(format!("OTEL_EXPORTER_OTLP_{setting}"), broken())]);
        assert_eq!(
            (environment.timeout(), environment.protocol(), environment.compression()),
            (None, None, None)
        );
        assert!(environment.headers().map().is_empty() && !environment.insecure());
    }
    let general = ("OTEL_EXPORTER_OTLP_TIMEOUT".to_owned(), broken());
    let own = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT".to_owned(), "5".into());
    assert_eq!(Environment::new([general, own]).timeout(), Some(Duration::from_millis(5)));
    let environment = Environment::new([("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), broken())]);
    let Err(error) = environment.address() else { panic!("an address") };
    assert_eq!(error.to_string(), "OTEL_EXPORTER_OTLP_ENDPOINT is not usable: write it in UTF-8");
}
