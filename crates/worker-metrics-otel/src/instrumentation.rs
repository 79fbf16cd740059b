//! The instrumentation: the meeting point of sources and ways out, which come and go in any order
//! and from any thread.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Instant, SystemTime};

use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::{otel_info, otel_warn};
use worker_metrics::{Identity, Snapshot, Source};

use crate::attachment::Attachment;
use crate::cardinality::ExpectedSeries;
use crate::coverage::SourceCoverage;
use crate::dump::Dump;
use crate::lock::lock;
use crate::meter::RegisteredMeter;
use crate::numbers_route::NumbersRoute;
use crate::options::{AttachError, Options, Watchdog};
#[cfg(feature = "otlp")]
use crate::otlp::{Destinations, Origin, Otlp};
use crate::scope::scope;
use crate::selfcheck::SelfCheck;
use crate::source::{Attached, Registry};
use crate::stall::StallRecord;
use crate::status::Status;
use crate::watchdog::{Emit, WatchdogThread, WatchedSource, WatchedSources, Witness};
use crate::ways::Ways;

/// Connects sources of worker metrics with the ways out of the process.
///
/// [`attach`](Self::attach) adds a source; [`register`](Self::register) and [`otlp`](Self::otlp)
/// add a way out: as many of each as you like, in any order, at any time, from any thread, but not
/// from within a metric callback. Every attached source is exported on every way. Clones are the
/// same instrumentation; it lives for as long as a clone or an [`Attachment`] does.
///
/// # Ways out
///
/// * **By OTLP**, [`otlp`](Self::otlp): the exact histograms, and the numbers unless a meter is
///   registered. Either as a [push](crate::Otlp::start) from a thread of its own, or as an
///   [exporter](crate::Otlp::exporter) of the program's meter provider.
/// * **By a meter**, [`register`](Self::register): observable counters, up-down counters and gauges
///   of the program's own meter provider, to whatever exporter it has.
///
/// Everything that only grows counts from the attachment on, on all ways (test
/// `counts_begin_with_the_attachment_on_every_way`).
///
/// # How it collects
///
/// The first callback of a collection cycle takes one snapshot of every source, on the reader's
/// thread; the others read it. In a steady state that allocates nothing of ours (test
/// `a_steady_cycle_allocates_nothing_of_ours`). The observed workers are not involved. A source
/// that panics is left out from then on and reported once.
///
/// # Several readers
///
/// With several readers on one provider the SDK of 0.33 lets the callbacks of one reader's cycle
/// write into the aggregations of all. A reader whose cycle comes next after a source was detached
/// may therefore show that source one more time.
///
/// # Examples
///
/// ```
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
/// use worker_metrics::Pool;
/// use worker_metrics_otel::Instrumentation;
///
/// let provider = SdkMeterProvider::builder().build(); // with a reader
/// let workers = Instrumentation::default();
/// workers.register(&provider);
///
/// let (pool, batches) = Pool::builder("render").workers(4).build()?;
/// let render = workers.attach(pool)?; // until it is dropped
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Instrumentation {
    shared: Arc<Shared>,
}

/// What the clones, the attachments and the callbacks share.
///
/// The lock of whoever makes instruments may be held while the SDK takes those of its pipelines;
/// during a collection the SDK holds them and calls back, and a callback never waits for that one.
#[derive(Default)]
struct Shared {
    options: Options,
    meters: Mutex<Vec<Arc<RegisteredMeter>>>,
    /// Held by whoever makes instruments. Nobody waits for it: a metric callback could not.
    making: Mutex<()>,
    /// Changes that whoever makes instruments carries out.
    pending: Mutex<VecDeque<Change>>,
    registry: Arc<Registry>,
    numbers: Arc<NumbersRoute>,
    #[cfg(feature = "otlp")]
    destinations: Arc<Destinations>,
    watched: Arc<WatchedSources>,
    watchdog: Mutex<Option<WatchdogThread>>,
    selfcheck: Mutex<SelfCheck>,
    /// What emits a stall through a logger of the program's.
    loggers: Mutex<Vec<Arc<EmitStall>>>,
    /// What a dump looks with; made when the first one is asked for.
    witness: Mutex<Option<Witness>>,
    warned_of_cardinality: AtomicBool,
}

/// Emits a stall through a logger of the program's.
type EmitStall = dyn Fn(&StallRecord) + Send + Sync;

/// What the meters have to follow.
enum Change {
    Attached(Arc<Attached>),
    Registered(opentelemetry::metrics::Meter),
}

impl Shared {
    fn new(options: Options) -> Self {
        Self { numbers: Arc::new(NumbersRoute::new(options.numbers)), options, ..Self::default() }
    }

    /// Lets the meters follow a change, unless another thread is at it: that one then does.
    fn follow(&self, change: Change) {
        lock(&self.pending).push_back(change);
        loop {
            let making = match self.making.try_lock() {
                Ok(making) => making,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            while let Some(change) = { lock(&self.pending).pop_front() } {
                self.carry_out(change);
            }
            drop(making);
            // Whoever has come in between has found the lock taken.
            if lock(&self.pending).is_empty() {
                return;
            }
        }
    }

    /// Whether every meter has the instruments of a source. Then there is nothing to do, and
    /// whoever attaches it within a metric callback is kept from making instruments for others,
    /// which would hang.
    fn has_instruments_for(&self, attached: &Attached) -> bool {
        let with_numbers = self.numbers.is_meter();
        lock(&self.meters).iter().all(|meter| meter.covers(attached, with_numbers))
    }

    fn carry_out(&self, change: Change) {
        let with_numbers = self.numbers.is_meter();
        let meters = || lock(&self.meters).clone();
        let attached = match change {
            Change::Attached(attached) => vec![attached],
            Change::Registered(meter) => {
                let registry = self.registry.clone();
                let registered = RegisteredMeter::new(meter, registry, &self.options, &meters());
                for attached in self.registry.attached() {
                    registered.cover(&attached, with_numbers);
                }
                lock(&self.meters).push(Arc::new(registered));
                // Whoever was attached until now may have found that the meters before have all
                // that it needs.
                self.registry.attached()
            }
        };
        for attached in attached {
            meters().iter().for_each(|meter| meter.cover(&attached, with_numbers));
        }
    }

    /// The last values are taken when nothing collects the source any more, and handed to every way
    /// out.
    fn detach(&self, attached: &Arc<Attached>) {
        let Some(last) = self.registry.remove(attached) else {
            #[cfg(feature = "otlp")]
            self.destinations.end_without_values(attached);
            return;
        };
        #[cfg(feature = "otlp")]
        self.destinations.end(&last, !self.numbers.is_meter());
        lock(&self.meters).iter().for_each(|meter| meter.end(&last));
    }

    /// Starts the watchdog, if there shall be one and it does not run yet.
    fn watch(self: &Arc<Self>) -> std::io::Result<()> {
        let mut watchdog = lock(&self.watchdog);
        if watchdog.is_none()
            && let Some(options) = &self.options.watchdog
        {
            let shared = Arc::downgrade(self);
            let check = Box::new(move |now| {
                if let Some(shared) = shared.upgrade() {
                    shared.check(now);
                }
            });
            let shared = Arc::downgrade(self);
            let emit: Emit = Box::new(move |record| {
                if let Some(shared) = shared.upgrade() {
                    shared.emit(record);
                }
            });
            *watchdog = Some(WatchdogThread::start(options.clone(), self.watched.clone(), check, emit)?);
        }
        Ok(())
    }

    /// Sends a stall through the loggers of the program, or by OTLP if there is none.
    fn emit(&self, record: &StallRecord) {
        // A logger may call back.
        let loggers = lock(&self.loggers).clone();
        loggers.iter().for_each(|emit| emit(record));
        #[cfg(feature = "otlp")]
        if loggers.is_empty() {
            self.destinations.send_event(record);
        }
    }

    /// Logs what a user would otherwise miss.
    fn check(&self, now: Instant) {
        let status = self.status(now);
        lock(&self.selfcheck).check(&status, now);
    }

    fn status(&self, now: Instant) -> Status {
        let meters = lock(&self.meters).iter().map(|meter| meter.status(now)).collect();
        #[cfg(feature = "otlp")]
        let exports = self.destinations.reports().iter().map(|report| report.status(now)).collect();
        #[cfg(not(feature = "otlp"))]
        let exports = Vec::new();
        Status { sources: self.registry.len(), meters, exports }
    }

    fn ways(&self) -> Ways {
        #[cfg(feature = "otlp")]
        let otlp = self.destinations.is_any();
        #[cfg(not(feature = "otlp"))]
        let otlp = false;
        let by_otlp = if otlp { !self.numbers.is_meter() } else { self.numbers.is_otlp_for_good() };
        Ways { otlp, replay: self.options.replay.is_some(), numbers_by_meter: !by_otlp }
    }
}

impl Default for Instrumentation {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Instrumentation {
    /// An instrumentation with options; `Instrumentation::default()` is one with the default
    /// options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { shared: Arc::new(Shared::new(options)) }
    }

    /// Exports the numbers of every source, those attached later included, through observable
    /// instruments of a meter of `provider`.
    ///
    /// The instrumentation scope is this crate's, with its version and schema URL. The instruments
    /// stay for the life of the provider (the Rust SDK cannot unregister them); without sources
    /// they observe nothing. A provider that takes the place of an earlier one goes on where that
    /// one has observed last.
    ///
    /// `&*opentelemetry::global::meter_provider()` is such a provider if the global one is set
    /// *before*; otherwise its meters never call back, which is logged. Not to be called from
    /// within a metric callback, in which the SDK can make no instrument.
    pub fn register(&self, provider: &(impl MeterProvider + ?Sized)) {
        let meter = provider.meter_with_scope(scope());
        if !self.shared.numbers.for_meter() && self.shared.options.numbers == crate::Numbers::Auto {
            otel_warn!(
                name: "WorkerMetrics.MeterTooLate",
                message = "The numbers were exported by OTLP before this meter provider was registered, and go on that way. Register the \
                           provider before the push is started, or set Options::with_numbers."
            );
        }
        if let Err(cause) = self.shared.watch() {
            otel_warn!(
                name: "WorkerMetrics.NoWatchdog",
                cause = cause.to_string(),
                message = "The thread of the watchdog cannot be started. It is tried again when a source is attached."
            );
        }
        self.shared.follow(Change::Registered(meter));
    }

    /// Emits each stall as a log record through a logger of `provider`: an event
    /// `tokio.worker.stall` when it is proved, with its stack and its cause, and
    /// `tokio.worker.stall.end` when it is over.
    ///
    /// Without this they are sent by OTLP, where there is such an [export](Self::otlp), to
    /// `/v1/logs` of the same receiver. [`Watchdog::without_log_records`] sends none.
    pub fn register_logs<P>(&self, provider: &P)
    where
        P: LoggerProvider,
        P::Logger: Send + Sync + 'static,
    {
        let logger = provider.logger_with_scope(scope());
        lock(&self.shared.loggers).push(Arc::new(move |record| record.emit(&logger)));
    }

    /// Exports `source` on every way, those added later included, until the [`Attachment`] is
    /// dropped.
    ///
    /// The values that it has now are the base of everything that only grows. The attributes are
    /// settled now: the name that the source has, and its id as well if another source of the same
    /// instrumentation has, or had, the same name (or both have none).
    ///
    /// Not to be called from within a metric callback where the source brings metrics that no
    /// source before it had: the SDK can make no instrument then.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if the same runtime or pool is attached already, its name is too long, its
    /// histograms do not have the bounds that are set, or the watchdog cannot be started. Nothing
    /// has changed then.
    pub fn attach(&self, source: impl Source + 'static) -> Result<Attachment, AttachError> {
        check_name(&source)?;
        self.check_bounds(&source)?;
        self.shared.watch().map_err(AttachError::Watchdog)?;
        let source: Arc<dyn Source> = Arc::new(source);
        let source = match &self.shared.options.watchdog {
            Some(watchdog) => {
                let watched = Arc::new(WatchedSource::new(source, watchdog.interval()));
                self.shared.watched.add(&watched);
                watched
            }
            None => source,
        };
        let attached = self.shared.registry.add(source, &self.shared.options, SystemTime::now())?;
        if !self.shared.has_instruments_for(&attached) {
            self.shared.follow(Change::Attached(attached.clone()));
        }
        self.report(&attached);
        let (identity, shared) = (attached.identity().clone(), self.shared.clone());
        Ok(Attachment::new(identity, move || shared.detach(&attached)))
    }

    /// Begins an export by OTLP: of everything, or of the exact histograms alone if the numbers go
    /// through a meter.
    ///
    /// It goes where the environment says; [`Otlp`] has the settings.
    #[cfg(feature = "otlp")]
    pub fn otlp(&self) -> Otlp {
        let shared = Arc::downgrade(&self.shared);
        Otlp::new(Origin {
            registry: self.shared.registry.clone(),
            numbers: self.shared.numbers.clone(),
            destinations: self.shared.destinations.clone(),
            histogram_options: self.shared.options.histogram_options.clone(),
            check: Box::new(move || {
                if let Some(shared) = shared.upgrade() {
                    shared.check(Instant::now());
                }
            }),
        })
    }

    /// What each attached source provides, and what it lacks and why.
    #[must_use]
    pub fn coverage(&self) -> Vec<SourceCoverage> {
        let attached = self.shared.registry.attached();
        attached.iter().map(|attached| self.coverage_of(attached)).collect()
    }

    /// What is exported, where to, and what is wrong.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status(Instant::now())
    }

    /// What every worker of every attached source does now, stuck or not: its state, the poll in
    /// progress, the system call, and the stack where it is blocked.
    ///
    /// It is made on this thread and needs no worker, so that it answers while all of them are
    /// blocked. A source that panics is left out.
    ///
    /// **Cost**: about 0.3 ms for each worker whose thread is known; the first one reads the tables
    /// of the program as well. Nothing stops the workers.
    #[must_use]
    pub fn dump(&self) -> Dump {
        let is_discreet = self.shared.options.watchdog.as_ref().is_some_and(Watchdog::is_discreet);
        let mut witness = lock(&self.shared.witness);
        let witness = witness.get_or_insert_with(|| Witness::new(is_discreet));
        Dump::of(&self.shared.registry.attached(), witness)
    }

    /// The number of series that the attached sources produce on the ways that there are.
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
        // Stalls and timers have bounds of their own, which nobody means.
        let of_workers = snapshot.workers().iter();
        let of_workers =
            of_workers.flat_map(|worker| [&worker.poll_time_histogram, &worker.schedule_latency_histogram]);
        let of_groups = snapshot.task_groups().iter();
        let of_groups =
            of_groups.flat_map(|group| [&group.poll_time_histogram, &group.schedule_latency_histogram]);
        let mut scales = of_workers.chain(of_groups).filter_map(|histogram| histogram.scale.as_ref());
        scales
            .try_for_each(|scale| self.shared.options.histogram_options.check(scale))
            .map_err(AttachError::Bounds)
    }

    fn coverage_of(&self, attached: &Attached) -> SourceCoverage {
        SourceCoverage::of(attached, &self.shared.options, self.shared.ways())
    }

    /// One line for each source.
    fn report(&self, attached: &Attached) {
        let coverage = self.coverage_of(attached);
        otel_info!(
            name: "WorkerMetrics.SourceAttached",
            source = coverage.source(),
            exported = attached.rows().len().to_string(),
            missing = coverage.missing().count().to_string(),
            message = "A source of worker metrics is attached. Instrumentation::coverage says which metrics are missing, and why."
        );
        self.report_cardinality();
    }

    fn report_cardinality(&self) {
        // Counted metric by metric only where there may be too many, and once: sources come and go
        // by the thousand.
        let attached = self.shared.registry.attached();
        let at_most: usize = attached.iter().map(|attached| attached.most_series()).sum();
        let limit = ExpectedSeries::SDK_CARDINALITY_LIMIT;
        if at_most <= limit
            || !self.shared.numbers.is_meter()
            || self.shared.warned_of_cardinality.load(Relaxed)
        {
            return;
        }
        // What leaves by OTLP does not meet the limit of the SDK.
        let series = self.series(Ways { otlp: false, ..self.shared.ways() });
        if let Some(largest) = series.largest()
            && largest.series > limit
            && !self.shared.warned_of_cardinality.swap(true, Relaxed)
        {
            otel_warn!(
                name: "WorkerMetrics.CardinalityLimit",
                metric = largest.name.clone(),
                series = largest.series.to_string(),
                message = "More series than the SDK's default limit of 2000 per instrument: the rest is lost in one overflow \
                           series. Use Detail::Runtime or Numbers::Otlp, or raise the limit with a view."
            );
        }
    }
}

/// A name is an attribute of every series.
fn check_name(source: &impl Source) -> Result<(), AttachError> {
    let name = source.identity().name.as_deref().unwrap_or_default();
    if name.len() <= Identity::MAX_NAME_LEN {
        return Ok(());
    }
    Err(AttachError::NameTooLong { beginning: name.chars().take(40).collect(), len: name.len() })
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
