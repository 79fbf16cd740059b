//! The transport protocol of OTLP.

use std::fmt;

use super::OtlpError;

/// The transport protocol of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// gRPC; needs the feature `grpc-tonic`.
    Grpc,
    /// Protobuf over HTTP.
    HttpProtobuf,
}

impl Protocol {
    /// The protocol if nothing names one, and the port does not either.
    pub(in crate::otlp) const DEFAULT: Self = Self::HttpProtobuf;

    /// The protocol that a variable names. `http/json` is the same endpoint, which takes protobuf
    /// as well.
    pub(super) fn parse(value: &str) -> Option<Self> {
        match value.to_ascii_lowercase().as_str() {
            "grpc" => Some(Self::Grpc),
            "http/protobuf" | "http/json" => Some(Self::HttpProtobuf),
            _ => None,
        }
    }

    /// The protocol that receivers speak on a port by convention.
    pub(in crate::otlp) fn of_port(port: u16) -> Option<Self> {
        match port {
            4317 => Some(Self::Grpc),
            4318 => Some(Self::HttpProtobuf),
            _ => None,
        }
    }

    pub(in crate::otlp) fn is_available(self) -> bool {
        match self {
            Self::Grpc => cfg!(feature = "grpc-tonic"),
            Self::HttpProtobuf => true,
        }
    }

    /// Itself, if it is compiled in.
    pub(in crate::otlp) fn available(self, by: &str) -> Result<Self, OtlpError> {
        if self.is_available() {
            Ok(self)
        } else {
            Err(OtlpError::not_compiled_in(by, &self.to_string(), "grpc-tonic"))
        }
    }
}

impl fmt::Display for Protocol {
    /// As in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
        })
    }
}
