//! A Prometheus with the configuration of `deploy/prometheus`.

use std::collections::BTreeMap;

use otlp_receiver::lasting_port;
use reqwest::blocking::Client;
use serde_json::Value;

use crate::directory::Directory;
use crate::peers::{Peers, deployed};
use crate::process::Process;
use crate::wait::until;

#[derive(Debug)]
pub(crate) struct Prometheus {
    base: String,
    client: Client,
    _process: Process,
    _directory: Directory,
}

/// Labels and the value of a series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Prometheus {
    pub(crate) fn start(peers: &Peers) -> Self {
        Self::on(peers, lasting_port())
    }

    /// On a port that somebody knows already.
    pub(crate) fn on(peers: &Peers, port: u16) -> Self {
        Self::with(peers, port, |config| config)
    }

    /// With another strategy of translation.
    pub(crate) fn translating(peers: &Peers, strategy: &str) -> Self {
        Self::with(peers, lasting_port(), |config| {
            let changed = config.replace("UnderscoreEscapingWithSuffixes", strategy);
            assert_ne!(changed, config, "the configuration names its strategy");
            changed
        })
    }

    fn with(peers: &Peers, port: u16, change: impl FnOnce(String) -> String) -> Self {
        let directory = Directory::new();
        let deployed = deployed("prometheus");
        let config = std::fs::read_to_string(deployed.join("prometheus.yaml")).unwrap();
        let config = change(config).replace("rules/*.yaml", &format!("{}/rules/*.yaml", deployed.display()));
        let config = directory.write("prometheus.yaml", &config);
        let base = format!("http://127.0.0.1:{port}");
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", directory.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-otlp-receiver".to_owned(),
        ];
        let process = Process::start(
            &peers.binary("prometheus"),
            &arguments.map(Into::into),
            &[],
            directory.path().join("log"),
            &format!("{base}/-/ready"),
        );
        Self { base, client: Client::new(), _process: process, _directory: directory }
    }

    pub(crate) fn otlp_endpoint(&self) -> String {
        otlp_endpoint(&self.base)
    }

    /// The vector that the query gives now.
    pub(crate) fn query(&self, query: &str) -> Vec<Sample> {
        self.query_any(query).iter().filter_map(sample).collect()
    }

    /// What the query gives now, native histograms too.
    pub(crate) fn query_any(&self, query: &str) -> Vec<Value> {
        let mut answer = self.ask("query", &[("query", query)]);
        serde_json::from_value(answer["data"]["result"].take()).unwrap()
    }

    /// The groups of rules that it has loaded.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let mut answer = self.ask("rules", &[]);
        serde_json::from_value(answer["data"]["groups"].take()).unwrap()
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{what}", self.base);
        let answer = self.client.get(url).query(parameters).send().unwrap().text().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer
    }

    /// The value that the query gives now, where it gives one.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        let samples = self.query(query);
        assert!(samples.len() <= 1, "{query} has one value at most: {samples:?}");
        samples.first().map(|sample| sample.value)
    }

    /// Waits until the query gives that value.
    pub(crate) fn wait_for(&self, query: &str, expected: f64) {
        until(query, || match self.value(query) {
            Some(value) if close(value, expected) => Ok(()),
            other => Err(format!("{other:?} in place of {expected}")),
        });
    }
}

pub(crate) fn otlp_endpoint(base: &str) -> String {
    format!("{base}/api/v1/otlp/v1/metrics")
}

/// Equal, but for what adding up floating-point numbers in another order makes.
pub(crate) fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

/// A native histogram has no value, and is asked for through a function.
fn sample(result: &Value) -> Option<Sample> {
    let value = result.get("value")?[1].as_str().unwrap().parse().unwrap();
    let metric = result["metric"].as_object().unwrap();
    let labels =
        metric.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    Some(Sample { labels, value })
}
