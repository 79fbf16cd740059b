//! A runtime that is exported as a service would, and can be attached and detached.

use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tokio::runtime::Handle;
use worker_metrics_otel::{Attachment, Instrumentation, Protocol};
use worker_metrics_tokio::TokioRuntime;

use super::log::{Log, Logged};
use super::observer::Exports;

/// The reader, the exporter and the instruments live throughout; the source comes and goes.
#[derive(Debug)]
pub(super) struct Exporting {
    runtime: Handle,
    interval: Duration,
    workers: Instrumentation,
    attachment: Option<Attachment>,
    log: Log,
    provider: SdkMeterProvider,
}

impl Exporting {
    /// Exports to `endpoint` from now on, after a first export that makes the connection.
    pub(super) fn new(runtime: &Handle, interval: Duration, endpoint: &str) -> Self {
        let workers = Instrumentation::default();
        let otlp = workers.otlp().with_endpoint(endpoint).with_protocol(Protocol::HttpProtobuf);
        let exporter = otlp.exporter().expect("a good endpoint");
        let log = Log::new();
        let logged = Logged { exporter, log: log.clone() };
        let reader = PeriodicReader::builder(logged).with_interval(interval).build();
        let began = log.entry().began;
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let begins = log.clone();
        // Before all others, so that it runs when a collection begins.
        provider
            .meter("bench")
            .u64_observable_counter("bench.exports")
            .with_callback(move |counter| {
                begins.begin();
                counter.observe(begins.entry().exports.begun, &[]);
            })
            .build();
        workers.register(&provider);
        let mut exporting =
            Self { runtime: runtime.clone(), interval, workers, attachment: None, log, provider };
        exporting.attach();
        exporting.provider.force_flush().expect("the receiver answers");
        // It does not change when the next one is due.
        exporting.log.entry().began = began;
        exporting
    }

    pub(super) fn attach(&mut self) {
        if self.attachment.is_none() {
            let attachment = self.workers.attach(TokioRuntime::new(&self.runtime));
            self.attachment = Some(attachment.expect("it is not attached"));
        }
    }

    pub(super) fn detach(&mut self) {
        self.attachment = None;
    }

    pub(super) fn exports(&self) -> Exports {
        self.log.entry().exports
    }

    /// When the next export begins, or a little later.
    pub(super) fn due(&self) -> Instant {
        self.log.entry().began + self.interval
    }
}
