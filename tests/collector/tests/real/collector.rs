//! A collector with configurations of `deploy/collector`.

use std::ffi::OsString;

use otlp_receiver::lasting_port;

use crate::directory::Directory;
use crate::peers::{Peers, deployed};
use crate::process::Process;
use crate::service::Protocol;

/// A collector on ports and with a queue of its own. It may be killed and started again.
#[derive(Debug)]
pub(crate) struct Collector {
    peers: Peers,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, String)>,
    grpc_port: u16,
    http_port: u16,
    health: String,
    // Before the directory that it writes to: fields are dropped in this order.
    process: Option<Process>,
    directory: Directory,
}

impl Collector {
    /// Starts it with these files of `deploy/collector`, and these variables beside those of its
    /// ports and its queue.
    pub(crate) fn start(peers: &Peers, files: &[&str], variables: &[(&'static str, String)]) -> Self {
        let directory = Directory::new();
        let [grpc_port, http_port, health_port, telemetry_port] = std::array::from_fn(|_| lasting_port());
        let local = |port: u16| format!("127.0.0.1:{port}");
        let mut environment = vec![
            ("OTLP_GRPC_ENDPOINT", local(grpc_port)),
            ("OTLP_HTTP_ENDPOINT", local(http_port)),
            ("HEALTH_ENDPOINT", local(health_port)),
            ("TELEMETRY_PORT", telemetry_port.to_string()),
            ("QUEUE_DIRECTORY", directory.path().join("queue").to_str().unwrap().to_owned()),
        ];
        environment.extend_from_slice(variables);
        let mut arguments = Vec::new();
        for file in files {
            arguments.push("--config".into());
            arguments.push(deployed("collector").join(file).into());
        }
        let health = format!("http://{}/", local(health_port));
        let peers = peers.clone();
        let mut collector =
            Self { peers, arguments, environment, grpc_port, http_port, health, process: None, directory };
        collector.restart();
        collector
    }

    /// One that writes to Prometheus.
    pub(crate) fn gateway(peers: &Peers, prometheus_otlp_endpoint: String) -> Self {
        Self::start(peers, &["gateway.yaml"], &[("PROMETHEUS_OTLP_ENDPOINT", prometheus_otlp_endpoint)])
    }

    /// One that sends to gateways.
    pub(crate) fn agent(peers: &Peers, gateways: &[&Collector]) -> Self {
        let gateways: Vec<_> =
            gateways.iter().map(|gateway| format!("127.0.0.1:{}", gateway.grpc_port)).collect();
        Self::start(peers, &["agent.yaml"], &[("GATEWAYS", format!("[{}]", gateways.join(", ")))])
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// With the same ports and the same queue.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let log = self.directory.path().join("log");
        let binary = self.peers.binary("otelcol");
        self.process = Some(Process::start(&binary, &self.arguments, &self.environment, log, &self.health));
    }

    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    pub(crate) fn endpoint(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Grpc => format!("http://127.0.0.1:{}", self.grpc_port),
            Protocol::Http => format!("http://127.0.0.1:{}/v1/metrics", self.http_port),
        }
    }

    /// By name, for certificates.
    pub(crate) fn secure_endpoint(&self, protocol: Protocol) -> String {
        self.endpoint(protocol).replace("http://127.0.0.1", "https://localhost")
    }
}
