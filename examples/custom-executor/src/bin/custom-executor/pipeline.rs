//! The pipeline: a receiver in this process, and a push to it.
//!
//! A program that exports metrics of its own registers its meter provider besides.

use std::time::Duration;

use otlp_receiver::{Document, Receiver};
use worker_metrics_otel::{Instrumentation, Protocol, Push};

use crate::error::Failure;

const INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Pipeline {
    receiver: Receiver,
    push: Push,
}

impl Pipeline {
    /// Exports `workers` to a receiver of its own.
    pub(crate) fn start(workers: &Instrumentation) -> Result<Self, Failure> {
        let receiver = Receiver::start().map_err(Failure::pipeline("the receiver"))?;
        let push = workers
            .otlp()
            .with_endpoint(receiver.http_endpoint())
            .with_protocol(Protocol::HttpProtobuf)
            .with_resource([("service.name", "custom-executor")])
            .with_interval(INTERVAL)
            .start()
            .map_err(Failure::pipeline("the export"))?;
        Ok(Self { receiver, push })
    }

    /// Exports once more, and what the receiver has got then.
    pub(crate) fn received(&self) -> Result<Document, Failure> {
        self.push.force_flush().map_err(Failure::pipeline("the export"))?;
        Ok(self.receiver.snapshot())
    }

    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.push.shutdown().map_err(Failure::pipeline("the end of the exports"))
    }
}
