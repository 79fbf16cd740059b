//! opentelemetry-instrumentation-tokio, which has one instrumentation a process, bound to the first
//! global meter provider.

use std::fmt;

use opentelemetry_instrumentation_tokio::observe_runtime;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use tokio::runtime::Handle;

use super::{Delivered, Export, Steps, otlp};
use crate::reader::Reader;

/// The gauge of a series for each bucket.
const BUCKETS: &str = "tokio.worker.poll_time_bucket";

pub(super) struct OtelTokio {
    reader: Reader,
    metrics: ResourceMetrics,
    request: Vec<u8>,
    /// Series of the gauge of buckets that the runtime has.
    bucket_series: usize,
}

impl OtelTokio {
    /// With the SDK's own limit of 2,000 series, or with one that is high enough.
    pub(super) fn new(runtime: &Handle, buckets: usize, unlimited: bool) -> Self {
        let bucket_series = runtime.metrics().num_workers() * buckets;
        let reader = Reader::default();
        let mut provider = SdkMeterProvider::builder().with_reader(reader.clone());
        if unlimited && buckets > 0 {
            provider = provider.with_view(move |instrument: &Instrument| {
                let stream = || Stream::builder().with_cardinality_limit(bucket_series + 1).build().ok();
                (instrument.name() == BUCKETS).then(stream).flatten()
            });
        }
        opentelemetry::global::set_meter_provider(provider.build());
        observe_runtime(runtime);
        Self { reader, metrics: ResourceMetrics::default(), request: Vec::new(), bucket_series }
    }
}

impl Export for OtelTokio {
    fn steps(&self) -> Steps {
        Steps::Apart
    }

    fn collect(&mut self) {
        self.reader.cycle(&mut self.metrics);
    }

    fn encode(&mut self) {
        self.request = otlp::encoded(&self.metrics);
    }

    /// Of its instruments for each worker, none but that of the buckets comes near the limit.
    fn delivered(&mut self) -> Delivered {
        self.export();
        let metrics = otlp::decoded(&self.request);
        let numbers = |metric| otlp::series(metric).0;
        let of_others = metrics.iter().filter(|metric| metric.name != BUCKETS).map(numbers).sum::<usize>();
        Delivered::of_otlp([&self.request[..]], of_others + self.bucket_series)
    }
}

impl fmt::Debug for OtelTokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelTokio").finish_non_exhaustive()
    }
}
