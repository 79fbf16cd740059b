//! Where the metrics of workers go.
//!
//! The meeting point of sources and meters, which come and go in any order and from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::metrics::Meter;
use opentelemetry::{otel_info, otel_warn};
use worker_metrics::Source;

use crate::attachment::Attachment;
use crate::coverage::SourceCoverage;
use crate::error::AttachError;
use crate::meter::RegisteredMeter;
use crate::options::Options;
use crate::registry::{Attached, Registry};
use crate::series::ExpectedSeries;

/// Connects sources of worker metrics with meters.
///
/// [`register`](Self::register) names a meter, [`attach`](Self::attach) a source: as many of each as you like, in any order, at
/// any time, from any thread. Every attached source is exported through every registered meter. Clones are the same
/// instrumentation; it lives for as long as a clone or an [`Attachment`] does.
///
/// # How it collects
///
/// The first callback of a collection cycle takes one snapshot of every source, on the reader's thread; the others read it. In a
/// steady state that allocates nothing of ours (test `a_steady_cycle_allocates_nothing_of_ours`). The observed workers are not
/// involved. A source that panics is left out from then on and reported once.
///
/// # Several readers
///
/// With several readers on one provider the SDK of 0.33 lets the callbacks of one reader's cycle write into the aggregations of
/// all. A reader whose cycle comes next after a source was detached may therefore show that source one more time.
///
/// # Examples
///
/// ```
/// use opentelemetry::metrics::MeterProvider;
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
/// use worker_metrics::Pool;
/// use worker_metrics_otel::Instrumentation;
///
/// let provider = SdkMeterProvider::builder().build(); // with a reader
/// let workers = Instrumentation::default();
/// workers.register(&provider.meter("worker-metrics"));
///
/// let (pool, batches) = Pool::builder("render").workers(4).build()?;
/// let render = workers.attach(pool)?; // until it is dropped
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Instrumentation {
    shared: Arc<Shared>,
}

/// What the clones, the attachments and the callbacks share.
///
/// Two locks, always taken in this order: `meters`, then the registry's. In between the SDK may take those of its pipelines;
/// during a collection it holds them and calls back, and a callback takes the registry's alone.
#[derive(Default)]
pub(crate) struct Shared {
    options: Options,
    meters: Mutex<Vec<RegisteredMeter>>,
    registry: Registry,
    warned_of_cardinality: AtomicBool,
}

impl Shared {
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Instrumentation {
    /// An instrumentation with options; `Instrumentation::default()` is one without.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { shared: Arc::new(Shared { options, ..Shared::default() }) }
    }

    /// Exports every source, those attached later included, through the observable instruments of `meter`.
    ///
    /// The instruments stay for the life of the meter (the Rust SDK cannot unregister them); without sources they observe
    /// nothing.
    pub fn register(&self, meter: &Meter) {
        let mut meters = self.shared.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut registered = RegisteredMeter::new(meter.clone(), Arc::downgrade(&self.shared));
        for attached in self.shared.registry.attached() {
            registered.cover(&attached);
        }
        meters.push(registered);
    }

    /// Exports `source` through every meter, those registered later included, until the [`Attachment`] is dropped.
    ///
    /// The attributes are settled now: the name that the source has, and its id as well if another source of the same
    /// instrumentation has, or had, the same name (or both have none).
    ///
    /// # Errors
    ///
    /// [`AttachError`] if the same runtime or pool is attached already.
    pub fn attach(&self, source: impl Source + 'static) -> Result<Attachment, AttachError> {
        let mut meters = self.shared.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let attached = self.shared.registry.add(Box::new(source), &self.shared.options, |attached| {
            for meter in meters.iter_mut() {
                meter.cover(attached);
            }
        })?;
        drop(meters);
        self.tell(&attached);
        Ok(Attachment::new(self.shared.clone(), attached))
    }

    /// What each attached source provides, and what it lacks and why.
    #[must_use]
    pub fn coverage(&self) -> Vec<SourceCoverage> {
        let attached = self.shared.registry.attached();
        attached.iter().map(|attached| SourceCoverage::of(attached, &self.shared.options)).collect()
    }

    /// The number of series that the attached sources produce on each meter.
    #[must_use]
    pub fn expected_series(&self) -> ExpectedSeries {
        ExpectedSeries::of(self.shared.registry.attached().iter().map(|attached| &**attached))
    }

    /// Says in the OpenTelemetry log what a user would otherwise miss silently.
    fn tell(&self, attached: &Attached) {
        let missing: Vec<_> =
            SourceCoverage::of(attached, &self.shared.options).missing().map(|(name, _)| name).collect();
        if !missing.is_empty() {
            otel_info!(
                name: "WorkerMetrics.MetricsMissing",
                id = attached.identity().id.clone(),
                metrics = missing.join(", "),
                message = "The attached source does not export these metrics. Instrumentation::coverage says why."
            );
        }
        let series = self.expected_series();
        if let Some(largest) = series.largest()
            && largest.series > ExpectedSeries::SDK_CARDINALITY_LIMIT
            && !self.shared.warned_of_cardinality.swap(true, Relaxed)
        {
            otel_warn!(
                name: "WorkerMetrics.CardinalityLimit",
                metric = largest.name.clone(),
                series = largest.series.to_string(),
                message = "More series than the SDK's default limit of 2000 per instrument: the rest is lost in one overflow \
                           series. Use Detail::Runtime, or raise the limit with a view."
            );
        }
    }
}

impl fmt::Debug for Instrumentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attached: Vec<_> =
            self.shared.registry.attached().iter().map(|attached| attached.identity().clone()).collect();
        f.debug_struct("Instrumentation")
            .field("options", &self.shared.options)
            .field("attached", &attached)
            .finish()
    }
}
