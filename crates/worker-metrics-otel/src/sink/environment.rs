//! The variables of the specification "OpenTelemetry Protocol Exporter".

use std::collections::HashMap;
use std::time::Duration;

use super::endpoint::{Endpoint, Protocol};
use super::headers::Headers;
use super::{Compression, SinkError};

/// How long a send may take where nothing is set.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The variables that are set, and not empty.
#[derive(Default)]
pub(super) struct Environment {
    variables: HashMap<String, String>,
}

/// A variable.
struct Variable<'a> {
    name: String,
    value: &'a str,
}

impl Environment {
    pub(super) fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::new(std::env::vars_os().filter_map(utf8))
    }

    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let relevant = |(name, value): &(String, String)| {
            name.starts_with("OTEL_EXPORTER_OTLP_") && !value.trim().is_empty()
        };
        Self { variables: variables.into_iter().filter(relevant).collect() }
    }

    fn get(&self, name: String) -> Option<Variable<'_>> {
        let value = self.variables.get(&name)?.trim();
        Some(Variable { name, value })
    }

    /// The variable of the signal wins over the general one.
    fn either(&self, setting: &str) -> Option<Variable<'_>> {
        self.of_signal(setting).or_else(|| self.general(setting))
    }

    fn of_signal(&self, setting: &str) -> Option<Variable<'_>> {
        self.get(format!("OTEL_EXPORTER_OTLP_METRICS_{setting}"))
    }

    fn general(&self, setting: &str) -> Option<Variable<'_>> {
        self.get(format!("OTEL_EXPORTER_OTLP_{setting}"))
    }

    pub(super) fn protocol(&self) -> Result<Protocol, SinkError> {
        let given = self.either("PROTOCOL").map(|given| Protocol::parse(&given.name, given.value));
        given.unwrap_or(Ok(Protocol::DEFAULT))
    }

    /// The general one is a base, to which HTTP adds the path of the signal; the signal's own is taken as it is.
    pub(super) fn endpoint(&self, protocol: Protocol) -> Result<Endpoint, SinkError> {
        match (self.of_signal("ENDPOINT"), self.general("ENDPOINT"), protocol) {
            (Some(own), _, _) => {
                Endpoint::given(&own.name, &self.with_scheme(own.value, protocol)?, protocol)
            }
            (None, Some(base), Protocol::HttpProtobuf) => {
                let url = format!("{}/v1/metrics", base.value.trim_end_matches('/'));
                Endpoint::given(&base.name, &url, protocol)
            }
            (None, Some(base), Protocol::Grpc) => {
                Endpoint::given(&base.name, &self.with_scheme(base.value, protocol)?, protocol)
            }
            (None, None, Protocol::HttpProtobuf) => {
                Endpoint::given("the default endpoint", "http://localhost:4318/v1/metrics", protocol)
            }
            (None, None, Protocol::Grpc) => {
                Endpoint::given("the default endpoint", "http://localhost:4317", protocol)
            }
        }
    }

    /// A gRPC endpoint may come without a scheme: then `INSECURE` decides.
    fn with_scheme(&self, value: &str, protocol: Protocol) -> Result<String, SinkError> {
        if protocol != Protocol::Grpc || value.contains("://") {
            return Ok(value.to_owned());
        }
        let scheme = if self.insecure()? { "http" } else { "https" };
        Ok(format!("{scheme}://{value}"))
    }

    fn insecure(&self) -> Result<bool, SinkError> {
        let Some(given) = self.either("INSECURE") else { return Ok(false) };
        match given.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(SinkError::bad(&given.name, given.value, "use true or false")),
        }
    }

    pub(super) fn headers(&self) -> Result<Headers, SinkError> {
        self.either("HEADERS")
            .map_or_else(|| Ok(Headers::default()), |given| Headers::parse(&given.name, given.value))
    }

    pub(super) fn timeout(&self) -> Result<Duration, SinkError> {
        let Some(given) = self.either("TIMEOUT") else { return Ok(DEFAULT_TIMEOUT) };
        match given.value.parse() {
            Ok(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
            _ => Err(SinkError::bad(&given.name, given.value, "use a number of milliseconds above 0")),
        }
    }

    pub(super) fn compression(&self) -> Result<Compression, SinkError> {
        let given = self.either("COMPRESSION").map(|given| Compression::parse(&given.name, given.value));
        given.unwrap_or(Ok(Compression::None))
    }
}

#[cfg(test)]
mod tests;
