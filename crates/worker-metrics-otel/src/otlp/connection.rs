//! The connection to a receiver: from the settings of the program and of its environment.

use std::sync::{Arc, OnceLock};

use opentelemetry::otel_warn;

#[cfg(feature = "grpc-tonic")]
use super::client::{Grpc, Interceptor};
use super::client::{Http, NetworkThread, Transport};
#[cfg(feature = "tls")]
use super::config::Tls;
use super::config::{
    Address, Endpoint, Environment, Given, OtlpError, Protocol, TlsConfig, others_start_with,
};

/// What a program sets of a connection.
#[derive(Default)]
pub(super) struct ConnectionSettings {
    pub(super) endpoint: Option<String>,
    pub(super) protocol: Option<Protocol>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
    #[cfg(feature = "grpc-tonic")]
    pub(super) interceptor: Option<Interceptor>,
    #[cfg(feature = "grpc-tonic")]
    pub(super) channel: Option<tonic::transport::Channel>,
    pub(super) http_client: Option<Arc<dyn opentelemetry_http::HttpClient>>,
}

/// A connection to a receiver.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// `None` for a channel of the program's, and where the environment names nothing usable.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) tls: Option<TlsConfig>,
}

impl ConnectionSettings {
    /// Makes the connection, whose tasks live on the network thread. Nothing is sent yet.
    pub(super) fn connect(
        self,
        environment: &Environment,
        network: &NetworkThread,
    ) -> Result<Connection, OtlpError> {
        self.check()?;
        #[cfg(feature = "grpc-tonic")]
        if let Some(channel) = self.channel {
            let grpc = Some(Grpc::given(channel, self.interceptor));
            let transport = Transport { grpc, settled: Protocol::Grpc.into(), ..Transport::default() };
            return Ok(Connection { transport, ..Connection::default() });
        }
        let address = match self.endpoint {
            Some(value) => Some(Address { by: "Otlp::with_endpoint".to_owned(), value, given: Given::Code }),
            None => environment.address()?,
        };
        let named = match self.protocol {
            Some(protocol) => Some(protocol.available("Otlp::with_protocol")?),
            None if self.http_client.is_some() => Some(Protocol::HttpProtobuf),
            None => environment.protocol(),
        };
        // An interceptor, or an address without a receiver's usual port, decides where nothing else
        // does.
        #[cfg(feature = "grpc-tonic")]
        let named = named.or(self.interceptor.is_some().then_some(Protocol::Grpc));
        let by_port = || Environment::protocol_of_port(&address.as_ref()?.value);
        let settled = named.or_else(by_port).or(address.is_none().then_some(Protocol::DEFAULT));
        let protocol = settled.unwrap_or(Protocol::DEFAULT);
        let endpoint = match &address {
            Some(address) => {
                let Address { by, value, given } = address;
                let is_fatal = *given == Given::Code || !others_start_with(value, *given, protocol);
                match Endpoint::parse(by, value, *given, protocol, environment.insecure()) {
                    Ok(_) if is_fatal && *given != Given::Code => {
                        return Err(OtlpError::bad_secret(
                            by,
                            "write a URL, with http:// or https:// before it",
                        ));
                    }
                    Ok(endpoint) => endpoint,
                    // As opentelemetry-otlp does: the service starts, and its exports say why they
                    // fail.
                    Err(error) if !is_fatal => {
                        otel_warn!(name: "WorkerMetrics.BadEndpoint", message = error.to_string());
                        let transport =
                            Transport { unusable: Some(error.to_string()), ..Transport::default() };
                        return Ok(Connection { transport, ..Connection::default() });
                    }
                    Err(error) => return Err(error),
                }
            }
            None => Endpoint::local(protocol),
        };
        if let Some(client) = self.http_client {
            let http = Some(Http::given(client, &endpoint));
            let transport =
                Transport { http, settled: Protocol::HttpProtobuf.into(), ..Transport::default() };
            return Ok(Connection { transport, endpoint: Some(endpoint), tls: None });
        }
        #[cfg(feature = "tls")]
        let tls = match (endpoint.is_secure(), self.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls.config()?),
            (true, None) => Some(Tls::config_of_environment(environment)?),
        };
        #[cfg(not(feature = "tls"))]
        let tls = match address.filter(|_| endpoint.is_secure()) {
            None => None,
            Some(Address { by, .. }) => {
                let remedy = "it is https: switch on the feature `tls` of worker-metrics-otel";
                return Err(OtlpError::bad_secret(&by, remedy));
            }
        };
        let settled = if cfg!(feature = "grpc-tonic") { settled } else { Some(protocol) };
        let mut transport =
            Transport { settled: settled.map_or_else(OnceLock::new, Into::into), ..Transport::default() };
        if settled != Some(Protocol::Grpc) {
            transport.http = Some(Http::connect(&endpoint, tls.as_ref()));
        }
        #[cfg(feature = "grpc-tonic")]
        if settled != Some(Protocol::HttpProtobuf) {
            let runtime = network.runtime();
            transport.grpc = Some(Grpc::connect(&endpoint, tls.as_ref(), self.interceptor, runtime)?);
        }
        #[cfg(not(feature = "grpc-tonic"))]
        let _ = network;
        Ok(Connection { transport, endpoint: Some(endpoint), tls })
    }

    /// Refuses settings that exclude each other: one of them would be ignored.
    fn check(&self) -> Result<(), OtlpError> {
        #[cfg(feature = "tls")]
        let has_tls = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let has_tls = false;
        #[cfg(feature = "grpc-tonic")]
        let (has_channel, has_interceptor) = (self.channel.is_some(), self.interceptor.is_some());
        #[cfg(not(feature = "grpc-tonic"))]
        let (has_channel, has_interceptor) = (false, false);
        let (has_endpoint, has_client) = (self.endpoint.is_some(), self.http_client.is_some());
        let is_http = self.protocol == Some(Protocol::HttpProtobuf) || has_client;
        let is_grpc = self.protocol == Some(Protocol::Grpc);
        let (channel, interceptor, client) =
            ("Otlp::with_channel", "Otlp::with_interceptor", "Otlp::with_http_client");
        let conflicts = [
            (has_channel && (has_endpoint || has_tls), channel, "endpoint and TLS: they are the channel's"),
            (has_channel && is_http, channel, "HTTP: a channel is for gRPC"),
            (has_interceptor && is_http, interceptor, "HTTP: use Otlp::with_changing_headers there"),
            (has_client && has_tls, client, "TLS: it is the client's"),
            (has_client && is_grpc, client, "gRPC: the client is for HTTP"),
        ];
        conflicts.iter().find(|(is_there, ..)| *is_there).map_or(Ok(()), |(_, by, with)| {
            Err(OtlpError::bad(by, "set", &format!("leave it out, or {with}")))
        })
    }
}
