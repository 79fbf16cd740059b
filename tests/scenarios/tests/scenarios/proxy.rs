//! A proxy is the only way out.

use otlp_receiver::HttpProxy;
use scenarios::receiver;

use crate::service::run;

#[test]
fn exports_over_http_go_by_way_of_the_proxy_of_the_environment() {
    let receiver = receiver().start().unwrap();
    let proxy = HttpProxy::start(([127, 0, 0, 1], receiver.http_port())).unwrap();
    let url = proxy.url();
    for (scenario, variable) in [("push", "HTTP_PROXY"), ("exporter", "http_proxy"), ("push", "ALL_PROXY")] {
        let before = receiver.exports();
        let ended = run(
            &[scenario],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.test.invalid:4318"), (variable, &url)],
        );
        assert!(ended.success, "{scenario} {variable}: {ended:#?}");
        assert!(receiver.exports() > before, "{scenario} {variable}");
    }
    assert!(proxy.hosts().iter().all(|host| host == "collector.test.invalid"), "{:?}", proxy.hosts());
    // One that is not for this host is not used.
    let ended = run(
        &["push"],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.test.invalid:4318"),
            ("HTTP_PROXY", &url),
            ("NO_PROXY", "test.invalid"),
        ],
    );
    assert!(!ended.success && ended.output.contains("does not resolve"), "{ended:#?}");
}
