//! The variables of the specification "OpenTelemetry Protocol Exporter".

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use super::endpoint::{Endpoint, Protocol};
use super::headers::Headers;
use super::tls::{PemFile, Tls};
use super::{Compression, SinkError};

/// How long a send may take where nothing is set.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The variables that are set, and not empty.
#[derive(Default)]
pub(super) struct Environment {
    variables: HashMap<String, OsString>,
}

/// A variable.
struct Variable<'a> {
    name: String,
    value: &'a str,
}

impl Environment {
    pub(super) fn of_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))))
    }

    pub(super) fn new(variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        let relevant = |(name, value): &(String, OsString)| {
            name.starts_with("OTEL_EXPORTER_OTLP_") && !value.to_string_lossy().trim().is_empty()
        };
        Self { variables: variables.into_iter().filter(relevant).collect() }
    }

    fn get(&self, name: String) -> Result<Option<Variable<'_>>, SinkError> {
        match self.variables.get(&name).map(|value| value.to_str()) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(Variable { name, value: value.trim() })),
            Some(None) => Err(SinkError::bad_secret(&name, "write it in UTF-8")),
        }
    }

    /// The variable of the signal wins over the general one.
    fn either(&self, setting: &str) -> Result<Option<Variable<'_>>, SinkError> {
        match self.of_signal(setting)? {
            None => self.general(setting),
            own => Ok(own),
        }
    }

    fn of_signal(&self, setting: &str) -> Result<Option<Variable<'_>>, SinkError> {
        self.get(format!("OTEL_EXPORTER_OTLP_METRICS_{setting}"))
    }

    fn general(&self, setting: &str) -> Result<Option<Variable<'_>>, SinkError> {
        self.get(format!("OTEL_EXPORTER_OTLP_{setting}"))
    }

    pub(super) fn protocol(&self) -> Result<Protocol, SinkError> {
        let Some(given) = self.either("PROTOCOL")? else { return Ok(Protocol::DEFAULT) };
        Protocol::parse(&given.name, given.value)?.available(&given.name)
    }

    /// The general one is a base, to which HTTP adds the path of the signal; the signal's own is taken as it is.
    pub(super) fn endpoint(&self, protocol: Protocol) -> Result<Endpoint, SinkError> {
        if let Some(own) = self.of_signal("ENDPOINT")? {
            let url = self.with_scheme(own.value, protocol)?;
            return Endpoint::given(&own.name, &url, protocol)?.connectable(&own.name);
        }
        let default = match protocol {
            Protocol::Grpc => "http://localhost:4317",
            Protocol::HttpProtobuf => "http://localhost:4318",
        };
        let by_default = || Variable { name: "the default endpoint".to_owned(), value: default };
        let base = self.general("ENDPOINT")?.unwrap_or_else(by_default);
        let url = self.with_scheme(base.value, protocol)?;
        Endpoint::base(&base.name, &url, protocol)?.connectable(&base.name)
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
        let Some(given) = self.either("INSECURE")? else { return Ok(false) };
        match given.value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(SinkError::bad(&given.name, given.value, "use true or false")),
        }
    }

    pub(super) fn headers(&self) -> Result<Headers, SinkError> {
        let Some(given) = self.either("HEADERS")? else { return Ok(Headers::default()) };
        Headers::parse(&given.name, given.value)
    }

    pub(super) fn timeout(&self) -> Result<Duration, SinkError> {
        let Some(given) = self.either("TIMEOUT")? else { return Ok(DEFAULT_TIMEOUT) };
        match given.value.parse() {
            Ok(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
            _ => Err(SinkError::bad(&given.name, given.value, "use a number of milliseconds above 0")),
        }
    }

    pub(super) fn compression(&self) -> Result<Compression, SinkError> {
        let Some(given) = self.either("COMPRESSION")? else { return Ok(Compression::None) };
        Compression::parse(&given.name, given.value)
    }

    /// What a connection to `endpoint` needs, if that is a secure one.
    pub(super) fn tls(&self, endpoint: &Endpoint) -> Result<Option<Tls>, SinkError> {
        if !endpoint.is_secure() {
            return Ok(None);
        }
        let file = |setting| {
            Ok(self.either(setting)?.map(|given| PemFile { by: given.name, path: given.value.into() }))
        };
        Tls::new(file("CERTIFICATE")?, file("CLIENT_CERTIFICATE")?, file("CLIENT_KEY")?).map(Some)
    }
}

#[cfg(test)]
mod tests;
