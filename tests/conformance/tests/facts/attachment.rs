//! From when on a source is counted, whichever way its values go, and that attaching never hangs.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use otlp_receiver::{Data, Receiver, Series};
use worker_metrics::histogram::Scale;
use worker_metrics::{Batch, Namespace, Pool, WorkerConfig};
use worker_metrics_otel::{Attachment, Instrumentation, Numbers, Options, Push};

use crate::rig::{Rig, poll};
use crate::wire::{HOURLY, PATIENCE, Protocol, Wire, otlp};

const POLLS: &str = "worker_pool.worker.polls";
const DURATION: &str = "worker_pool.task.poll.duration";
const TEMPORALITIES: [Temporality; 3] = [Temporality::Cumulative, Temporality::Delta, Temporality::LowMemory];

fn pool(name: &str) -> (Arc<Pool>, Vec<Batch>) {
    let config = WorkerConfig::new().with_poll_time_histogram(Scale::preset());
    let (pool, batches) = Pool::builder(name).workers(1).config(config).build().unwrap();
    (Arc::new(pool), batches)
}

/// A way out of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A: a push of its own.
    Push,
    /// B: an exporter of ours in the program's provider, which the numbers go through as well.
    Exporter,
    /// B: the same, with the numbers by OTLP.
    ExporterOfNumbers,
    /// C: the program's provider and its own exporter.
    Meter,
    /// C, with the histograms replayed.
    Replay,
    /// A and C.
    MeterAndPush,
}

const WAYS: [Way; 6] =
    [Way::Push, Way::Exporter, Way::ExporterOfNumbers, Way::Meter, Way::Replay, Way::MeterAndPush];

/// The ways out of one instrumentation to one receiver.
struct Out {
    workers: Instrumentation,
    provider: Option<SdkMeterProvider>,
    push: Option<Push>,
}

impl Out {
    fn new(way: Way, receiver: &Receiver, temporality: Temporality) -> Self {
        let options = match way {
            Way::Replay => Options::default().with_replayed_histograms(),
            Way::ExporterOfNumbers => Options::default().with_numbers(Numbers::Otlp),
            _ => Options::default(),
        };
        let workers = Instrumentation::new(options);
        let otlp =
            || otlp(&workers, Protocol::Http, receiver).with_timeout(PATIENCE).with_temporality(temporality);
        let provider = match way {
            Way::Push => None,
            Way::Exporter | Way::ExporterOfNumbers => {
                Some(SdkMeterProvider::builder().with_periodic_exporter(otlp().exporter().unwrap()).build())
            }
            Way::Meter | Way::Replay | Way::MeterAndPush => {
                Some(Wire::start(Protocol::Http, receiver, temporality, HOURLY).provider)
            }
        };
        if let Some(provider) = &provider {
            workers.register(provider);
            // The SDK calls no exporter without anything to export.
            let meter = provider.meter("program");
            meter.u64_observable_gauge("alive").with_callback(|to| to.observe(1, &[])).build();
        }
        let push = matches!(way, Way::Push | Way::MeterAndPush).then(|| otlp().start().unwrap());
        Self { workers, provider, push }
    }

    fn export(&self) {
        if let Some(provider) = &self.provider {
            provider.force_flush().unwrap();
        }
        if let Some(push) = &self.push {
            push.force_flush().unwrap();
        }
    }
}

/// All that a series has counted: whatever falls has begun anew.
fn counted(series: &Series) -> u64 {
    let (mut all, mut before) = (0, 0);
    for point in &series.points {
        let value = match &point.data {
            Some(Data::Number { value }) => u64::try_from(value.as_i64().unwrap()).unwrap(),
            Some(Data::Histogram(histogram)) => histogram.count,
            Some(other) => panic!("{other:?}"),
            None => {
                before = 0;
                continue;
            }
        };
        if series.temporality == Some(otlp_receiver::Temporality::Delta) {
            all += value;
        } else {
            all += if value >= before { value - before } else { value };
            before = value;
        }
    }
    all
}

#[test]
fn counts_begin_with_the_attachment_on_every_way() {
    for way in WAYS {
        for temporality in TEMPORALITIES {
            for exports_between in [0, 1, 2] {
                let receiver = Receiver::builder().keep_requests(true).start().unwrap();
                let out = Out::new(way, &receiver, temporality);
                let (pool, mut batches) = pool("render");
                let all = |metric: &str| receiver.series(metric).iter().map(counted).sum::<u64>();
                let context = format!("{way:?} {temporality:?}, {exports_between} exports between");
                let mut expected = 0;
                for (round, polls) in [30, 20, 10].into_iter().enumerate() {
                    // Before the attachment.
                    poll(&mut batches[0], 1_000);
                    let attachment: Attachment = out.workers.attach(pool.clone()).unwrap();
                    out.export();
                    poll(&mut batches[0], polls);
                    out.export();
                    poll(&mut batches[0], polls);
                    expected += 2 * polls;
                    drop(attachment);
                    // After the last one until everything has been shown.
                    for _ in 0..if round == 2 { 8 } else { exports_between } {
                        out.export();
                    }
                }
                assert_eq!(all(POLLS), expected, "{context}");
                let with_histograms = way != Way::Meter;
                assert_eq!(all(DURATION), if with_histograms { expected } else { 0 }, "{context}");
                if way == Way::Push {
                    assert_eq!(receiver.violations(), [], "{context}");
                }
            }
        }
    }
}

/// The SDK holds its pipeline while it makes an instrument, and while it calls back.
#[test]
fn a_source_comes_and_goes_in_a_metric_callback_while_another_thread_attaches_one_with_new_metrics() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let rig = Rig::cumulative();
        let workers = Instrumentation::default();
        workers.register(&rig.provider);
        let attached = Arc::new(Mutex::new(vec![workers.attach(pool("first").0).unwrap()]));
        let in_callback = (workers.clone(), attached.clone());
        rig.provider
            .meter("program")
            .u64_observable_gauge("attaches")
            .with_callback(move |_| {
                let (workers, attached) = &in_callback;
                let mut attached = attached.lock().unwrap();
                // The one of the last callback is detached in this one.
                attached.truncate(1);
                attached.push(workers.attach(pool("in a callback").0).unwrap());
            })
            .build();
        thread::scope(|scope| {
            let attaches = scope.spawn(|| {
                for index in 0..100 {
                    let namespace = Namespace::new(format!("pool_{index}")).unwrap();
                    let (pool, _batches) =
                        Pool::builder("another").namespace(namespace).workers(1).build().unwrap();
                    drop(workers.attach(pool).unwrap());
                }
            });
            while !attaches.is_finished() {
                rig.collect();
            }
        });
        assert!(rig.collect().metric("worker_pool.worker.count").points.len() > 1);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(PATIENCE).expect("it neither hangs nor panics");
}
