//! Where the metrics of workers go.
//!
//! The meeting point of sources and meters, which come and go in any order and from any thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::metrics::Meter;
use opentelemetry::{otel_info, otel_warn};
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use worker_metrics::{Snapshot, Source};

use crate::attachment::Attachment;
use crate::coverage::SourceCoverage;
use crate::error::AttachError;
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
use crate::exporter::Exporter;
use crate::meter::RegisteredMeter;
use crate::options::Options;
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
use crate::pipe::Pipe;
use crate::pipe::{self, Pipes};
use crate::registry::{Attached, Registry};
use crate::series::ExpectedSeries;
#[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
use crate::sink::{Sink, SinkError};
use crate::watchdog::WatchdogThread;
use crate::ways::Ways;

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
/// involved. A source that panics is left out from then on and reported once. There is no thread of ours, unless a
/// [`Watchdog`](crate::Watchdog) is asked for.
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
struct Shared {
    options: Options,
    meters: Mutex<Vec<RegisteredMeter>>,
    registry: Arc<Registry>,
    pipes: Pipes,
    watchdog: Mutex<Option<WatchdogThread>>,
    warned_of_cardinality: AtomicBool,
}

impl Shared {
    /// The last look comes first: an export in between that found neither the source nor its last values would end its series.
    fn detach(&self, attached: &Arc<Attached>) {
        pipe::part(&self.pipes, attached);
        self.registry.remove(attached);
    }

    /// Starts the watchdog, if there shall be one and it does not run yet.
    fn watch(&self) -> Result<(), AttachError> {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        if watchdog.is_none()
            && let Some(options) = &self.options.watchdog
        {
            let started = WatchdogThread::start(options.clone(), &self.registry);
            *watchdog = Some(started.map_err(AttachError::Watchdog)?);
        }
        Ok(())
    }

    fn ways(&self) -> Ways {
        let pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        Ways {
            exporter: pipes.iter().any(|pipe| pipe.strong_count() > 0),
            replay: self.options.replay.is_some(),
        }
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
        let mut registered =
            RegisteredMeter::new(meter.clone(), Arc::downgrade(&self.shared.registry), &self.shared.options);
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
    /// [`AttachError`] if the same runtime or pool is attached already, its histograms do not have the bounds that are set, or
    /// the watchdog cannot be started.
    pub fn attach(&self, source: impl Source + 'static) -> Result<Attachment, AttachError> {
        let mut meters = self.shared.meters.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_bounds(&source)?;
        self.shared.watch()?;
        let attached = self.shared.registry.add(Box::new(source), &self.shared.options, |attached| {
            for meter in meters.iter_mut() {
                meter.cover(attached);
            }
        })?;
        drop(meters);
        self.tell(&attached);
        let (identity, shared) = (attached.identity().clone(), self.shared.clone());
        Ok(Attachment::new(identity, move || shared.detach(&attached)))
    }

    /// Wraps an exporter, so that the histograms of every source go beside what it exports, as exact OTLP histograms, and with
    /// [`Scalars::Exporter`](crate::Scalars::Exporter) their numbers too.
    ///
    /// They go to where the `OTEL_EXPORTER_OTLP_…` variables of the OpenTelemetry specification say, or to the local collector;
    /// [`exporter_with`](Self::exporter_with) takes another [`Sink`].
    ///
    /// # Errors
    ///
    /// [`SinkError`] if a variable is bad; it names the variable and the remedy.
    #[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
    pub fn exporter<E: PushMetricExporter>(&self, inner: E) -> Result<Exporter<E>, SinkError> {
        Ok(self.exporter_with(inner, Sink::from_env()?))
    }

    /// [`exporter`](Self::exporter) with another sink than that of the environment.
    #[cfg(any(feature = "grpc-tonic", feature = "http-proto"))]
    pub fn exporter_with<E: PushMetricExporter>(&self, inner: E, sink: Sink) -> Exporter<E> {
        let pipe = Arc::new(Pipe::new(inner.temporality(), self.shared.options.histogram_options.clone()));
        self.shared.pipes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&pipe));
        Exporter::new(inner, Arc::downgrade(&self.shared.registry), pipe, sink)
    }

    /// What each attached source provides, and what it lacks and why.
    #[must_use]
    pub fn coverage(&self) -> Vec<SourceCoverage> {
        let attached = self.shared.registry.attached();
        attached.iter().map(|attached| self.coverage_of(attached)).collect()
    }

    /// The number of series that the attached sources produce on each meter.
    #[must_use]
    pub fn expected_series(&self) -> ExpectedSeries {
        self.series(self.shared.ways())
    }

    fn series(&self, ways: Ways) -> ExpectedSeries {
        ExpectedSeries::of(self.shared.registry.attached().iter().map(|attached| &**attached), ways)
    }

    fn check_bounds(&self, source: &impl Source) -> Result<(), AttachError> {
        if !self.shared.options.histogram_options.has_bounds() {
            return Ok(());
        }
        let mut snapshot = Snapshot::with_histograms();
        source.collect(&mut snapshot);
        for worker in snapshot.workers() {
            for histogram in [&worker.poll_time_histogram, &worker.schedule_latency_histogram] {
                let check = |scale| self.shared.options.histogram_options.check(scale);
                histogram.scale.as_ref().map_or(Ok(()), check).map_err(AttachError::Bounds)?;
            }
        }
        Ok(())
    }

    fn coverage_of(&self, attached: &Attached) -> SourceCoverage {
        SourceCoverage::of(attached, &self.shared.options, self.shared.ways())
    }

    /// Says in the OpenTelemetry log what a user would otherwise miss silently.
    fn tell(&self, attached: &Attached) {
        let missing: Vec<_> = self.coverage_of(attached).missing().map(|(name, _)| name).collect();
        if !missing.is_empty() {
            otel_info!(
                name: "WorkerMetrics.MetricsMissing",
                id = attached.identity().id.clone(),
                metrics = missing.join(", "),
                message = "The attached source does not export these metrics. Instrumentation::coverage says why."
            );
        }
        self.tell_of_the_limit();
    }

    fn tell_of_the_limit(&self) {
        // Counted metric by metric only where there may be too many, and once: sources come and go by the thousand.
        let attached = self.shared.registry.attached();
        let at_most: usize = attached.iter().map(|attached| attached.most_series()).sum();
        let limit = ExpectedSeries::SDK_CARDINALITY_LIMIT;
        if at_most <= limit || self.shared.warned_of_cardinality.load(Relaxed) {
            return;
        }
        // What goes out beside the SDK does not meet its limit.
        let series = self.series(Ways { exporter: false, ..self.shared.ways() });
        if let Some(largest) = series.largest()
            && largest.series > limit
            && !self.shared.warned_of_cardinality.swap(true, Relaxed)
        {
            otel_warn!(
                name: "WorkerMetrics.CardinalityLimit",
                metric = largest.name.clone(),
                series = largest.series.to_string(),
                message = "More series than the SDK's default limit of 2000 per instrument: the rest is lost in one overflow \
                           series. Use Detail::Runtime or Scalars::Exporter, or raise the limit with a view."
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
