//! The values of options and variables: what is good, and what is wrong with the others.
//!
//! The OTLP crates fall back to defaults without a word where a variable is bad, so that every value is checked here first.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use opentelemetry_sdk::metrics::Temporality;
use url::Url;

/// How OTLP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// Where OTLP goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint(pub(crate) String);

const MAX_WORKERS: usize = 1024;

/// A number of workers.
pub(crate) fn workers(value: &str) -> Result<NonZeroUsize, String> {
    let workers = value.parse().map_err(|_| format!("use a number from 1 to {MAX_WORKERS}"))?;
    NonZeroUsize::new(workers)
        .filter(|workers| workers.get() <= MAX_WORKERS)
        .ok_or_else(|| format!("use a number from 1 to {MAX_WORKERS}"))
}

/// One for each core, and at least 2: with a single worker there is nothing to compare.
pub(crate) fn default_workers() -> usize {
    thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, MAX_WORKERS)
}

const ENDPOINT: &str = "ENDPOINT";
const PROTOCOL: &str = "PROTOCOL";
const TIMEOUT: &str = "TIMEOUT";
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The variables of the process that OpenTelemetry reads.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    variables: HashMap<String, String>,
}

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self::new(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// An empty variable is one that is not set.
    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let set = |(name, value): &(String, String)| name.starts_with("OTEL_") && !value.is_empty();
        Self { variables: variables.into_iter().filter(set).collect() }
    }

    fn get(&self, name: &str) -> Option<Given> {
        self.variables.get(name).map(|value| Given { by: name.to_owned(), value: value.clone() })
    }

    /// The variable of the signal, or else the one of all signals.
    fn exporter(&self, setting: &str) -> Option<Given> {
        self.get(&format!("OTEL_EXPORTER_OTLP_METRICS_{setting}"))
            .or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{setting}")))
    }

    pub(crate) fn protocol(&self, option: Option<String>) -> Result<Protocol, String> {
        let Some(given) = Given::option("--protocol", option).or_else(|| self.exporter(PROTOCOL)) else {
            return Ok(Protocol::Grpc);
        };
        match given.value.as_str() {
            "grpc" => Ok(Protocol::Grpc),
            "http/protobuf" => Ok(Protocol::HttpProtobuf),
            _ => Err(given.refuse("use grpc or http/protobuf")),
        }
    }

    /// The path rule of the specification: a base gets the path of the signal, the signal's own variable is taken as it is.
    pub(crate) fn endpoint(
        &self,
        option: Option<String>,
        protocol: Protocol,
    ) -> Result<Option<Endpoint>, String> {
        let own = self.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
        let base = Given::option("--endpoint", option);
        let is_base = base.is_some() || own.is_none();
        let Some(given) = base.or(own).or_else(|| self.exporter(ENDPOINT)) else { return Ok(None) };

        let remedy =
            "use a URL such as http://localhost:4317 for grpc, or http://localhost:4318 for http/protobuf";
        let url = Url::parse(&given.value).map_err(|cause| given.refuse(&format!("{cause}: {remedy}")))?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err(given.refuse("this example is built without TLS: send to a collector over http, and let it go on by https"));
            }
            _ => return Err(given.refuse(remedy)),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(given.refuse(remedy));
        }
        let url = given.value.trim_end_matches('/');
        Ok(Some(Endpoint(match protocol {
            Protocol::HttpProtobuf if is_base => format!("{url}/v1/metrics"),
            _ => url.to_owned(),
        })))
    }

    pub(crate) fn temporality(&self, option: Option<String>) -> Result<Temporality, String> {
        if let Some(given) = Given::option("--temporality", option) {
            return match given.value.as_str() {
                "cumulative" => Ok(Temporality::Cumulative),
                "delta" => Ok(Temporality::Delta),
                _ => Err(given.refuse("use cumulative or delta")),
            };
        }
        let Some(given) = self.get(TEMPORALITY) else { return Ok(Temporality::Cumulative) };
        match given.value.to_ascii_lowercase().as_str() {
            "cumulative" => Ok(Temporality::Cumulative),
            "delta" => Ok(Temporality::Delta),
            "lowmemory" => Ok(Temporality::LowMemory),
            _ => Err(given.refuse("use cumulative, delta or lowmemory")),
        }
    }

    /// A second, if nothing is set: the 60 s of the specification would show nothing in a short run.
    pub(crate) fn interval(&self) -> Result<Duration, String> {
        self.get(INTERVAL).map_or(Ok(Duration::from_secs(1)), |given| given.milliseconds())
    }

    /// The exporter reads the timeout itself.
    pub(crate) fn check_timeouts(&self) -> Result<(), String> {
        self.exporter(TIMEOUT).map_or(Ok(()), |given| given.milliseconds().map(|_| ()))
    }

    /// The specification puts it above `service.name` in `OTEL_RESOURCE_ATTRIBUTES`; the SDK has it the other way round.
    pub(crate) fn service_name(&self) -> Option<String> {
        self.get(SERVICE_NAME).map(|given| given.value)
    }
}

/// A value, and where it was given.
#[derive(Debug)]
struct Given {
    by: String,
    value: String,
}

impl Given {
    fn option(name: &str, value: Option<String>) -> Option<Self> {
        value.map(|value| Self { by: name.to_owned(), value })
    }

    fn refuse(&self, remedy: &str) -> String {
        format!("{} is {:?}: {remedy}", self.by, self.value)
    }

    fn milliseconds(&self) -> Result<Duration, String> {
        match self.value.parse() {
            Ok(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
            _ => Err(self.refuse("use a number of milliseconds above 0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn nothing_set_means_grpc_cumulative_each_second_into_the_process() {
        let environment = environment(&[]);
        assert_eq!(environment.protocol(None), Ok(Protocol::Grpc));
        assert_eq!(environment.endpoint(None, Protocol::Grpc), Ok(None));
        assert_eq!(environment.temporality(None), Ok(Temporality::Cumulative));
        assert_eq!(environment.interval(), Ok(Duration::from_secs(1)));
        assert_eq!(environment.service_name(), None);
    }

    #[test]
    fn an_option_wins_over_the_signals_variable_which_wins_over_the_general_one() {
        let environment = environment(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "nonsense"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://signal:2/path"),
        ]);
        assert_eq!(environment.protocol(None), Ok(Protocol::HttpProtobuf));
        assert_eq!(environment.protocol(Some("grpc".into())), Ok(Protocol::Grpc));
        let endpoint = |option: Option<&str>| {
            let option = option.map(str::to_owned);
            environment.endpoint(option, Protocol::HttpProtobuf).unwrap().unwrap().0
        };
        assert_eq!(endpoint(None), "http://signal:2/path");
        assert_eq!(endpoint(Some("http://option:3")), "http://option:3/v1/metrics");
    }

    #[test]
    fn a_base_gets_the_path_of_the_signal_over_http_alone() {
        let environment = environment(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otlp/")]);
        let endpoint = |protocol| environment.endpoint(None, protocol).unwrap().unwrap().0;
        assert_eq!(endpoint(Protocol::HttpProtobuf), "http://collector:4318/otlp/v1/metrics");
        assert_eq!(endpoint(Protocol::Grpc), "http://collector:4318/otlp");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = environment(&[("OTEL_METRIC_EXPORT_INTERVAL", ""), ("OTEL_SERVICE_NAME", "")]);
        assert_eq!(environment.interval(), Ok(Duration::from_secs(1)));
        assert_eq!(environment.service_name(), None);
    }

    #[test]
    fn the_preference_is_read_in_any_case() {
        let environment = environment(&[("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory")]);
        assert_eq!(environment.temporality(None), Ok(Temporality::LowMemory));
        assert_eq!(environment.temporality(Some("delta".into())), Ok(Temporality::Delta));
    }

    #[test]
    fn bad_values_are_refused_by_where_they_stand_and_a_remedy() {
        let bad = environment(&[
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
        ]);
        assert_eq!(
            bad.interval().unwrap_err(),
            "OTEL_METRIC_EXPORT_INTERVAL is \"0\": use a number of milliseconds above 0"
        );
        assert_eq!(
            bad.check_timeouts().unwrap_err(),
            "OTEL_EXPORTER_OTLP_TIMEOUT is \"soon\": use a number of milliseconds above 0"
        );
        assert_eq!(
            bad.protocol(None).unwrap_err(),
            "OTEL_EXPORTER_OTLP_PROTOCOL is \"http/json\": use grpc or http/protobuf"
        );
        assert_eq!(
            bad.temporality(None).unwrap_err(),
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE is \"both\": use cumulative, delta or lowmemory"
        );
        assert_eq!(
            bad.temporality(Some("lowmemory".into())).unwrap_err(),
            "--temporality is \"lowmemory\": use cumulative or delta"
        );
        for endpoint in ["localhost:4317", "ftp://host", "http://", "", "nonsense"] {
            let error = bad.endpoint(Some(endpoint.into()), Protocol::Grpc).unwrap_err();
            assert!(error.starts_with(&format!("--endpoint is {endpoint:?}: ")), "{error}");
            assert!(error.contains("http://localhost:4317"), "{error}");
        }
        assert!(
            bad.endpoint(Some("https://host".into()), Protocol::Grpc).unwrap_err().contains("without TLS")
        );
    }

    #[test]
    fn the_number_of_workers_has_bounds() {
        assert_eq!(workers("1"), Ok(NonZeroUsize::MIN));
        assert_eq!(workers("1024").map(NonZeroUsize::get), Ok(1024));
        for bad in ["0", "1025", "-1", "two", ""] {
            assert_eq!(workers(bad), Err("use a number from 1 to 1024".to_owned()));
        }
        assert!(default_workers() >= 2);
    }
}
