//! The connection to a receiver: from the settings of the program and of its environment.

use std::sync::Arc;
#[cfg(feature = "grpc-tonic")]
use std::sync::OnceLock;

use opentelemetry::otel_warn;

#[cfg(feature = "grpc-tonic")]
use super::client::{Grpc, Interceptor};
use super::client::{Http, NetworkThread, Transport};
#[cfg(feature = "tls")]
use super::config::Tls;
use super::config::{Address, Endpoint, Environment, Given, OtlpError, Protocol, others_start_with};

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
pub(super) struct Connection {
    pub(super) transport: Transport,
    /// `None` for a channel of the program's, and where the environment names nothing usable.
    pub(super) endpoint: Option<Endpoint>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<rustls::ClientConfig>,
}

impl Connection {
    /// One that is secured by the program, or not at all.
    fn over(transport: Transport, endpoint: Option<Endpoint>) -> Self {
        Self {
            transport,
            endpoint,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
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
            return Ok(Connection::over(Transport::Grpc(Grpc::given(channel, self.interceptor)), None));
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
                        return Ok(Connection::over(Transport::Unusable(error.to_string()), None));
                    }
                    Err(error) => return Err(error),
                }
            }
            None => Endpoint::local(protocol),
        };
        if let Some(client) = self.http_client {
            let transport = Transport::Http(Box::new(Http::given(client, &endpoint)));
            return Ok(Connection::over(transport, Some(endpoint)));
        }
        #[cfg(feature = "tls")]
        let tls = match (endpoint.is_secure(), self.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls.config()?),
            (true, None) => Some(Tls::config_of_environment(environment)?),
        };
        #[cfg(not(feature = "tls"))]
        if endpoint.is_secure() {
            let by = address.map_or_else(|| "the endpoint".to_owned(), |address| address.by);
            let remedy = "it is https: switch on the feature `tls` of worker-metrics-otel";
            return Err(OtlpError::bad_secret(&by, remedy));
        }
        let http = || {
            Box::new(Http::connect(
                &endpoint,
                #[cfg(feature = "tls")]
                tls.as_ref().map(|tls| tls.http.clone()),
            ))
        };
        #[cfg(feature = "grpc-tonic")]
        let grpc = || {
            Grpc::connect(
                &endpoint,
                #[cfg(feature = "tls")]
                tls.as_ref().map(|tls| tls.grpc.clone()),
                self.interceptor,
                network.runtime(),
            )
        };
        #[cfg(not(feature = "grpc-tonic"))]
        let transport = {
            let _ = network;
            Transport::Http(http())
        };
        #[cfg(feature = "grpc-tonic")]
        let transport = match settled {
            Some(Protocol::HttpProtobuf) => Transport::Http(http()),
            Some(Protocol::Grpc) => Transport::Grpc(grpc()?),
            None => Transport::Either { grpc: grpc()?, http: http(), settled: OnceLock::new() },
        };
        Ok(Connection {
            transport,
            endpoint: Some(endpoint),
            #[cfg(feature = "tls")]
            tls: tls.map(|tls| tls.http),
        })
    }

    /// Refuses settings that exclude each other: one of them would be ignored.
    fn check(&self) -> Result<(), OtlpError> {
        #[cfg(feature = "tls")]
        let has_tls = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let has_tls = false;
        let refuse =
            |by: &str, with: &str| Err(OtlpError::bad(by, "set", &format!("leave it out, or {with}")));
        #[cfg(feature = "grpc-tonic")]
        {
            let is_http = self.protocol == Some(Protocol::HttpProtobuf) || self.http_client.is_some();
            if self.channel.is_some() {
                if self.endpoint.is_some() || has_tls {
                    return refuse("Otlp::with_channel", "endpoint and TLS: they are the channel's");
                }
                if is_http {
                    return refuse("Otlp::with_channel", "HTTP: a channel is for gRPC");
                }
            }
            if self.interceptor.is_some() && is_http {
                return refuse("Otlp::with_interceptor", "HTTP: use Otlp::with_changing_headers there");
            }
        }
        if self.http_client.is_some() {
            if has_tls {
                return refuse("Otlp::with_http_client", "TLS: it is the client's");
            }
            if self.protocol == Some(Protocol::Grpc) {
                return refuse("Otlp::with_http_client", "gRPC: the client is for HTTP");
            }
        }
        Ok(())
    }
}
