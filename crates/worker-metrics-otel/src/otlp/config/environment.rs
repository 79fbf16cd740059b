//! The variables of the OTLP exporter.
//!
//! **Source**: the specification "OpenTelemetry Protocol Exporter", as opentelemetry-otlp 0.33
//! reads it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use opentelemetry::otel_warn;
use opentelemetry_sdk::metrics::Temporality;

use super::endpoint::{Given, port_of};
use super::{Compression, Headers, OtlpError, Protocol};

/// The variables that are set.
#[derive(Default)]
pub(in crate::otlp) struct Environment {
    variables: HashMap<String, OsString>,
}

/// An address of the environment.
pub(in crate::otlp) struct Address {
    /// The variable.
    pub(in crate::otlp) by: String,
    pub(in crate::otlp) value: String,
    pub(in crate::otlp) given: Given,
}

const SIGNAL: &str = "OTEL_EXPORTER_OTLP_METRICS_";
const GENERAL: &str = "OTEL_EXPORTER_OTLP_";
/// The variable of the SDK's periodic reader.
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";

impl Environment {
    pub(in crate::otlp) fn of_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))))
    }

    pub(in crate::otlp) fn new(variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        let is_relevant = |(name, _): &(String, OsString)| name.starts_with(GENERAL) || name == INTERVAL;
        Self { variables: variables.into_iter().filter(is_relevant).collect() }
    }

    /// A variable that is set and not empty, if it is UTF-8; otherwise that is reported.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        match value.to_str() {
            Some(value) => Some(value).filter(|value| !value.is_empty()),
            None => {
                ignored(name, "it is not UTF-8");
                None
            }
        }
    }

    /// The variable of the signal and the general one, if they are set, with their names.
    fn set(&self, setting: &str) -> impl Iterator<Item = (String, &OsStr)> {
        let names = [format!("{SIGNAL}{setting}"), format!("{GENERAL}{setting}")];
        names.into_iter().filter_map(|name| self.variables.get(&name).map(|value| (name, &**value)))
    }

    /// The same, if they are not empty, and are UTF-8; what is not is reported.
    fn both(&self, setting: &str) -> impl Iterator<Item = (String, &str)> {
        self.set(setting).filter_map(|(name, _)| self.get(&name).map(|value| (name, value)))
    }

    /// The variable of the signal or else the general one, if one is set and can be read; what
    /// cannot is reported.
    fn parsed<T>(&self, setting: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.both(setting).find_map(|(name, value)| reported(&name, parse(value)))
    }

    /// The protocol that is given.
    pub(in crate::otlp) fn protocol(&self) -> Option<Protocol> {
        self.parsed("PROTOCOL", |value| match Protocol::parse(value) {
            Some(protocol) if protocol.is_available() => Ok(protocol),
            Some(protocol) => {
                Err(format!("{protocol} needs the feature `grpc-tonic` of worker-metrics-otel"))
            }
            None => Err(format!("it is {value:?}: use grpc or http/protobuf")),
        })
    }

    /// The address that is given.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8: there is no telling where it should go.
    pub(in crate::otlp) fn address(&self) -> Result<Option<Address>, OtlpError> {
        for (prefix, given) in [(SIGNAL, Given::Metrics), (GENERAL, Given::Base)] {
            let by = format!("{prefix}ENDPOINT");
            let Some(value) = self.variables.get(&by).filter(|value| !value.is_empty()) else { continue };
            let value = value.to_str().ok_or_else(|| OtlpError::bad_secret(&by, "write it in UTF-8"))?;
            return Ok(Some(Address { value: value.to_owned(), by, given }));
        }
        Ok(None)
    }

    /// Whether gRPC is not to be secured where the address has no scheme.
    pub(in crate::otlp) fn insecure(&self) -> bool {
        let value = self.set("INSECURE").find_map(|(_, value)| value.to_str());
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The headers. The variable of the signal wins, even if it is empty.
    pub(in crate::otlp) fn headers(&self) -> Headers {
        let set = self.set("HEADERS").find_map(|(name, value)| Some((name, value.to_str()?)));
        set.map_or_else(Headers::default, |(name, value)| {
            Headers::parse(value, |problem| ignored(&name, problem))
        })
    }

    pub(in crate::otlp) fn timeout(&self) -> Option<Duration> {
        self.parsed("TIMEOUT", milliseconds)
    }

    pub(in crate::otlp) fn compression(&self) -> Option<Compression> {
        self.parsed("COMPRESSION", |value| {
            let compression = Compression::parse(value)
                .ok_or_else(|| format!("it is {value:?}: use none, gzip or zstd"))?;
            compression.missing_feature().map_or(Ok(compression), |feature| {
                Err(format!("it needs the feature `{feature}` of worker-metrics-otel"))
            })
        })
    }

    pub(in crate::otlp) fn temporality(&self) -> Option<Temporality> {
        let name = format!("{SIGNAL}TEMPORALITY_PREFERENCE");
        let value = self.get(&name)?;
        let bad = |_| format!("it is {value:?}: use cumulative, delta or lowmemory");
        reported(&name, value.parse().map_err(bad))
    }

    /// The interval of the SDK's periodic reader.
    pub(in crate::otlp) fn interval(&self) -> Option<Duration> {
        reported(INTERVAL, milliseconds(self.get(INTERVAL)?))
    }

    #[cfg(feature = "tls")]
    /// A PEM file of `CERTIFICATE`, `CLIENT_CERTIFICATE` or `CLIENT_KEY`, and the variable that
    /// names it.
    pub(in crate::otlp) fn pem_file(&self, setting: &str) -> Option<(String, std::path::PathBuf)> {
        self.both(setting).next().map(|(name, value)| (name, value.into()))
    }

    /// The protocol by convention of the port of an address.
    pub(in crate::otlp) fn protocol_of_port(address: &str) -> Option<Protocol> {
        port_of(address).and_then(Protocol::of_port).filter(|protocol| protocol.is_available())
    }
}

fn milliseconds(value: &str) -> Result<Duration, String> {
    let milliseconds = value.parse().ok().filter(|milliseconds| *milliseconds > 0);
    let bad = || format!("it is {value:?}: use a number of milliseconds above 0");
    milliseconds.map(Duration::from_millis).ok_or_else(bad)
}

/// What a variable says; if it is bad, that is reported.
fn reported<T>(variable: &str, said: Result<T, String>) -> Option<T> {
    said.inspect_err(|problem| ignored(variable, problem)).ok()
}

/// Reports a variable that is ignored, and why.
pub(super) fn ignored(variable: &str, reason: &str) {
    otel_warn!(
        name: "WorkerMetrics.VariableIgnored",
        variable = variable.to_owned(),
        message = format!("{variable} is ignored: {reason}.")
    );
}

#[cfg(test)]
mod tests;
