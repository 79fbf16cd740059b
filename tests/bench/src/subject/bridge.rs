//! This bridge: through a meter of the SDK, by OTLP, or both.

use std::fmt;
use std::sync::Arc;

use futures_executor::block_on;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{Instrument, MeterProviderBuilder, SdkMeterProvider, Stream};
use worker_metrics_otel::OtlpExporter;

use super::kept::Kept;
use super::{Attached, Delivered, Export, Steps, otlp};
use crate::reader::Reader;

/// What of the bridge exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halves {
    /// The observable instruments of a meter: all numbers.
    Meter,
    /// The exporter: all histograms, and the numbers as well if they go by OTLP.
    Otlp,
    /// Both.
    Both,
}

/// One reader of what is attached.
pub struct Bridge {
    attached: Arc<Attached>,
    halves: Halves,
    /// What the SDK collected.
    metrics: ResourceMetrics,
    meter: Option<Meter>,
    exporter: Option<(OtlpExporter, Kept)>,
    hands_over: bool,
    /// The request of the meter half alone.
    numbers: Vec<u8>,
}

struct Meter {
    reader: Reader,
    _provider: SdkMeterProvider,
}

impl Bridge {
    /// A reader with the SDK's own limit of series.
    #[must_use]
    pub fn new(attached: &Arc<Attached>, halves: Halves) -> Self {
        Self::with_provider(attached, halves, SdkMeterProvider::builder())
    }

    /// A reader that takes `limit` series of each instrument.
    #[must_use]
    pub fn with_limit(attached: &Arc<Attached>, halves: Halves, limit: usize) -> Self {
        let view = move |_: &Instrument| Stream::builder().with_cardinality_limit(limit).build().ok();
        Self::with_provider(attached, halves, SdkMeterProvider::builder().with_view(view))
    }

    /// Hands what the exporter encodes over to the thread that sends, where it is thrown away, and
    /// waits for the answer.
    #[must_use]
    pub fn handing_over(self) -> Self {
        Self { hands_over: true, ..self }
    }

    fn with_provider(attached: &Arc<Attached>, halves: Halves, provider: MeterProviderBuilder) -> Self {
        let workers = &attached.workers;
        let meter = (halves != Halves::Otlp).then(|| {
            let reader = Reader::default();
            let provider = provider.with_reader(reader.clone()).build();
            workers.register(&provider);
            Meter { reader, _provider: provider }
        });
        let exporter = (halves != Halves::Meter).then(|| {
            let kept = Kept::default();
            let otlp = workers.otlp().with_endpoint("http://127.0.0.1").with_http_client(kept.clone());
            (otlp.exporter().expect("a good endpoint"), kept)
        });
        Self {
            attached: attached.clone(),
            halves,
            metrics: ResourceMetrics::default(),
            meter,
            exporter,
            hands_over: false,
            numbers: Vec::new(),
        }
    }
}

impl Export for Bridge {
    /// The exporter collects and encodes at once.
    fn steps(&self) -> Steps {
        if self.exporter.is_some() { Steps::Together } else { Steps::Apart }
    }

    fn collect(&mut self) {
        if let Some(meter) = &self.meter {
            meter.reader.cycle(&mut self.metrics);
        }
    }

    fn encode(&mut self) {
        match &self.exporter {
            None => self.numbers = otlp::encoded(&self.metrics),
            Some((exporter, _)) if self.hands_over => {
                block_on(exporter.export(&self.metrics)).expect("it is thrown away");
            }
            Some((exporter, _)) => exporter.discard(&self.metrics),
        }
    }

    fn delivered(&mut self) -> Delivered {
        let hands_over = std::mem::replace(&mut self.hands_over, true);
        let bodies = match self.exporter.as_ref().map(|(_, kept)| kept.clone()) {
            Some(kept) => kept.during(|| self.export()),
            None => {
                self.export();
                vec![std::mem::take(&mut self.numbers).into()]
            }
        };
        self.hands_over = hands_over;
        let (by_meter, by_otlp) = self.attached.expected();
        let expected = match self.halves {
            Halves::Meter => by_meter,
            Halves::Otlp => by_otlp,
            Halves::Both => by_meter + by_otlp,
        };
        Delivered::of_otlp(bodies.iter().map(|body| &body[..]), expected)
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("halves", &self.halves).finish_non_exhaustive()
    }
}
