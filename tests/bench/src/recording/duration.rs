//! The duration of one poll, time already taken: a value goes into a histogram.

use std::hint::black_box;

use metrics::Recorder;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use prometheus_client::metrics::{family::Family, histogram::Histogram as OfPrometheusClient};
use worker_metrics::histogram::{Histogram, HistogramWriter, LocalHistogram, Scale};

use super::figure::Figure;
use super::labels::{attributes, labels};
use super::subject::Subject;
use crate::report::{Limit, Target, version_of};

pub(super) const NOTHING: usize = 0;
pub(super) const LOCAL: usize = 1;
pub(super) const BOUND: usize = 6;
/// Those of [`LocalHistogram`], with the most instructions that one value may take.
pub(super) const LOCALS: [(&str, usize, f64); 3] =
    [("the preset scale", LOCAL, 48.0), ("Tokio's log scale", 2, 48.0), ("an exponential scale", 3, 80.0)];

/// Durations in the order in which they come, the same for every subject.
#[derive(Clone, Debug)]
struct Durations<T> {
    all: Box<[T; COUNT]>,
    next: usize,
}

pub(super) const COUNT: usize = 1 << 12;
const LEAST_NS: f64 = 1e3;
const MOST_NS: f64 = 1e7;

impl<T: Copy> Durations<T> {
    /// Every doubling has about as many of them as any other, and they come in no order that a
    /// processor could foresee.
    fn new(unit: impl Fn(f64) -> T) -> Self {
        let nth = |n| LEAST_NS * (MOST_NS / LEAST_NS).powf(scattered(n));
        let all: Vec<T> = (0..COUNT as u64).map(|n| unit(nth(n))).collect();
        Self { all: all.try_into().unwrap_or_else(|_| unreachable!("so many were made")), next: 0 }
    }

    #[inline]
    fn next(&mut self) -> T {
        self.next = (self.next + 1) % COUNT;
        self.all[self.next]
    }
}

/// A number from 0 to 1 that is the same in every run.
///
/// **Source**: SplitMix64, <https://prng.di.unimi.it/splitmix64.c>.
fn scattered(n: u64) -> f64 {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as f64 / 2.0_f64.powi(64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are whole enough")]
fn in_ns() -> Durations<u64> {
    Durations::new(|ns| ns as u64)
}

fn in_s() -> Durations<f64> {
    Durations::new(|ns| ns / 1e9)
}

/// Bounds of Tokio's log scale with its defaults: 119 buckets.
pub(super) fn log_scale() -> Scale {
    Scale::log().build().expect("the defaults are good")
}

/// OTLP's exponential buckets over what the preset spans.
fn exponential_scale() -> Scale {
    Scale::exponential(2, Scale::PRESET_MIN, Scale::PRESET_MAX).expect("a good range")
}

pub(super) fn subjects() -> Vec<Subject> {
    let preset = Scale::preset();
    let mut subjects = vec![
        Subject::new("nothing: the next duration", |_| {
            let mut durations = in_ns();
            move || {
                black_box(durations.next());
            }
        }),
        local("the preset scale", preset.clone()),
        local("Tokio's log scale", log_scale()),
        local("an exponential scale", exponential_scale()),
        Subject::new(
            format!("`HistogramWriter`, the preset scale, {} buckets", preset.buckets()),
            move |_| {
                let mut durations = in_ns();
                let mut writer = HistogramWriter::new(Histogram::new(&preset));
                move || black_box(&mut writer).measure(durations.next())
            },
        ),
    ];
    subjects.extend(of_opentelemetry());
    subjects.push(of_prometheus_client());
    subjects.push(of_metrics());
    subjects.extend(of_metriken());
    subjects
}

fn local(name: &str, scale: Scale) -> Subject {
    Subject::new(format!("`LocalHistogram`, {name}, {} buckets", scale.buckets()), move |_| {
        let mut durations = in_ns();
        let mut histogram = LocalHistogram::new(&scale);
        move || black_box(&mut histogram).measure(durations.next())
    })
}

const NAME: &str = "poll_duration";

fn bounds_s() -> Vec<f64> {
    Scale::preset().bounds_s()
}

fn of_opentelemetry() -> [Subject; 2] {
    let name = format!("{} histogram, {} buckets", version_of("opentelemetry"), bounds_s().len() + 1);
    let provider = SdkMeterProvider::builder().with_reader(ManualReader::builder().build()).build();
    let histogram = provider.meter("bench").f64_histogram(NAME).with_boundaries(bounds_s()).build();
    let (unbound, bound) = ((provider.clone(), histogram.clone()), (provider, histogram));
    [
        Subject::new(name.clone(), move |thread| {
            let mut durations = in_s();
            let (attributes, histogram) = (attributes(thread), unbound.1.clone());
            move || black_box(&histogram).record(durations.next(), &attributes)
        }),
        Subject::new(format!("{name}, bound"), move |thread| {
            let mut durations = in_s();
            let histogram = bound.1.bind(&attributes(thread));
            move || black_box(&histogram).record(durations.next())
        }),
    ]
}

fn of_prometheus_client() -> Subject {
    type Labels = Vec<(String, String)>;
    let family =
        Family::<Labels, OfPrometheusClient>::new_with_constructor(|| OfPrometheusClient::new(bounds_s()));
    let name =
        format!("{} histogram, {} buckets, kept", version_of("prometheus-client"), bounds_s().len() + 1);
    Subject::new(name, move |thread| {
        let mut durations = in_s();
        let histogram = family.get_or_create_owned(&labels(thread));
        move || black_box(&histogram).observe(durations.next())
    })
}

fn of_metrics() -> Subject {
    let builder = PrometheusBuilder::new().set_buckets(&bounds_s()).expect("there are bounds");
    let recorder = builder.build_recorder();
    let name = format!(
        "{} histogram, {}, {} buckets, kept",
        version_of("metrics"),
        version_of("metrics-exporter-prometheus"),
        bounds_s().len() + 1
    );
    // It keeps every value until its upkeep counts them, which a thread or a scrape does elsewhere.
    let handle = recorder.handle();
    Subject::new(name, move |thread| {
        let mut durations = in_s();
        let labels: Vec<_> = labels(thread).iter().map(metrics::Label::from).collect();
        let metadata = metrics::Metadata::new("bench", metrics::Level::INFO, None);
        let histogram = recorder.register_histogram(&metrics::Key::from_parts(NAME, labels), &metadata);
        move || black_box(&histogram).record(durations.next())
    })
    .between(move || handle.run_upkeep())
}

fn of_metriken() -> [Subject; 2] {
    // 8 buckets for each doubling, of which there are 64.
    static HISTOGRAM: metriken::AtomicCounterHistogram = metriken::AtomicCounterHistogram::new(3, 64);
    static SHARDED: metriken::ShardedCounterHistogram = metriken::ShardedCounterHistogram::new(3, 64);
    let version = version_of("metriken");
    let buckets = HISTOGRAM.config().total_buckets();
    [
        Subject::new(
            format!("{version} `AtomicCounterHistogram`, {buckets} buckets, one for all threads"),
            |_| {
                let mut durations = in_ns();
                move || black_box(&HISTOGRAM).increment(durations.next()).expect("there is a bucket for all")
            },
        ),
        Subject::new(format!("{version} `ShardedCounterHistogram`, {buckets} buckets"), |_| {
            let mut durations = in_ns();
            move || black_box(&SHARDED).increment(durations.next()).expect("there is a bucket for all")
        }),
    ]
}

pub(super) fn target(one_thread: &[Figure]) -> Target {
    let measure = format!(
        "a poll's duration into `LocalHistogram`, time already taken, against a bound histogram of {}",
        version_of("opentelemetry")
    );
    Target {
        measure,
        limit: Limit::AtMost(1.0 / 8.0),
        measured: one_thread[LOCAL].against(&one_thread[BOUND]).median,
        note: "",
    }
}
