//! Over TLS, with the configuration for it.

use opentelemetry_sdk::metrics::Temporality;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::collector::Collector;
use crate::directory::Directory;
use crate::peers::peers;
use crate::process::in_a_process;
use crate::prometheus::Prometheus;
use crate::service::{BOTH, EXPLICIT, JOB, POLLS, Protocol, Service, To, Way};

const AUTHORITY: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const ENDPOINT: &str = "COLLECTOR_TESTS_ENDPOINT";

/// An authority and, by it, a certificate for `localhost` with its key, as files.
fn certificates(directory: &Directory) -> [String; 3] {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    [("ca.pem", issuer.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
        .map(|(name, pem)| directory.write(name, &pem).to_str().unwrap().to_owned())
}

#[test]
fn a_service_that_trusts_the_authority_of_a_collector_reaches_it_over_tls() {
    let peers = peers!("a_service_that_trusts_the_authority_of_a_collector_reaches_it_over_tls");
    let directory = Directory::new();
    let [authority, certificate, key] = certificates(&directory);
    let prometheus = Prometheus::start(&peers);
    let gateway = Collector::start(
        &peers,
        &["gateway.yaml", "tls.yaml"],
        &[
            ("PROMETHEUS_OTLP_ENDPOINT", prometheus.otlp_endpoint()),
            ("TLS_CERTIFICATE", certificate),
            ("TLS_KEY", key),
        ],
    );
    for (protocol, test) in BOTH.into_iter().zip(["tls::over_grpc", "tls::over_http"]) {
        // The authority is read from the environment, so that the service is a process of its own:
        // this one, with another test.
        let environment = [(AUTHORITY, &*authority), (ENDPOINT, &*gateway.secure_endpoint(protocol))];
        let said = in_a_process(test, environment);
        let instance = said.lines().find_map(|line| line.strip_prefix(INSTANCE)).unwrap().to_owned();
        for name in ["worker_pool_worker_polls_total", "worker_pool_task_poll_duration_seconds_count"] {
            let series =
                format!("{name}{{job=\"{JOB}\", instance=\"{instance}\", worker_pool_name=\"{EXPLICIT}\"}}");
            prometheus.wait_for(&series, POLLS as f64);
        }
    }
}

const INSTANCE: &str = "instance ";

fn push_over(protocol: Protocol) {
    let to = To::new(protocol, std::env::var(ENDPOINT).unwrap(), Temporality::Cumulative);
    let mut service = Service::start(&To { way: Way::Push, ..to });
    service.work();
    service.deliver();
    println!("\n{INSTANCE}{}", service.instance);
}

#[test]
#[ignore = "the service of the test above, which starts it"]
fn over_grpc() {
    push_over(Protocol::Grpc);
}

#[test]
#[ignore = "the service of the test above, which starts it"]
fn over_http() {
    push_over(Protocol::Http);
}
