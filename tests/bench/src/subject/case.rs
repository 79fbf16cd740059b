//! One subject on one runtime: what a process of its own measures.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use tokio::runtime::Runtime;
use worker_metrics::{Pool, Source};
use worker_metrics_otel::Numbers;
use worker_metrics_tokio::TokioRuntime;

use super::collect::Collect;
use super::loads::Loads;
use super::observed::{pool, runtime, scale, work};
use super::otel_tokio::OtelTokio;
use super::tokio_metrics::TokioMetrics;
use super::{Attached, Bridge, Export, Halves, Observed};

/// Who exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// This bridge, through a meter of the SDK.
    Meter,
    /// This bridge, the histograms by OTLP.
    Otlp,
    /// This bridge, both halves.
    Both,
    /// This bridge, everything by OTLP.
    Everything,
    /// The same, handed over to the thread that sends.
    EverythingHandedOver,
    /// opentelemetry-instrumentation-tokio with the SDK's own limit.
    OtelTokio,
    /// opentelemetry-instrumentation-tokio with a limit that is high enough.
    OtelTokioUnlimited,
    /// tokio-metrics through metrics.rs, as a scrape.
    TokioMetrics,
    /// The source alone.
    Collect,
    /// The bare loop.
    Loads,
}

/// One subject on one runtime or pool; as text `tokio:both:64:119`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What is exported.
    pub observed: Observed,
    /// Who exports it.
    pub subject: Subject,
    /// The number of its workers.
    pub workers: usize,
    /// The number of buckets that each worker has; with 0 there are no histograms.
    pub buckets: usize,
}

/// What a case measures, and what it is about.
pub struct Prepared {
    /// The subject, ready.
    pub export: Box<dyn Export>,
    _runtime: Option<Runtime>,
}

impl Case {
    /// Makes what is observed, lets it work, and makes the subject ready.
    #[must_use]
    pub fn prepare(self) -> Prepared {
        match self.observed {
            Observed::Tokio => {
                let runtime = runtime(self.workers, self.buckets);
                let export = self.of_runtime(&runtime);
                work(&runtime);
                Prepared { export, _runtime: Some(runtime) }
            }
            Observed::Pool => {
                let scale = (self.buckets > 0).then(|| scale(self.buckets));
                let pool = Arc::new(pool(self.workers, scale.as_ref()));
                Prepared { export: self.of_pool(&pool), _runtime: None }
            }
        }
    }

    fn of_runtime(self, runtime: &Runtime) -> Box<dyn Export> {
        let handle = runtime.handle();
        let buckets = self.buckets;
        match self.subject {
            Subject::OtelTokio => Box::new(OtelTokio::new(handle, buckets, false)),
            Subject::OtelTokioUnlimited => Box::new(OtelTokio::new(handle, buckets, true)),
            Subject::TokioMetrics => Box::new(TokioMetrics::new(handle, buckets)),
            Subject::Loads => Box::new(Loads::Tokio { metrics: runtime.metrics(), buckets }),
            _ => self.of_source(Arc::new(TokioRuntime::new(handle))),
        }
    }

    fn of_pool(self, pool: &Arc<Pool>) -> Box<dyn Export> {
        match self.subject {
            Subject::Loads => Box::new(Loads::Pool(pool.clone())),
            _ => self.of_source(pool.clone()),
        }
    }

    fn of_source(self, source: Arc<dyn Source>) -> Box<dyn Export> {
        let attached = |numbers| Attached::new(vec![source.clone()], numbers);
        let bridge = |numbers, halves| Bridge::new(&attached(numbers), halves);
        match self.subject {
            Subject::Meter => Box::new(bridge(Numbers::Meter, Halves::Meter)),
            Subject::Otlp => Box::new(bridge(Numbers::Meter, Halves::Otlp)),
            Subject::Both => Box::new(bridge(Numbers::Meter, Halves::Both)),
            Subject::Everything => Box::new(bridge(Numbers::Otlp, Halves::Otlp)),
            Subject::EverythingHandedOver => Box::new(bridge(Numbers::Otlp, Halves::Otlp).handing_over()),
            Subject::Collect => Box::new(Collect::new(source)),
            other => panic!("{other:?} does not export a {:?}", self.observed),
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |value: Option<clap::builder::PossibleValue>| {
            value.expect("none is skipped").get_name().to_owned()
        };
        let (observed, subject) =
            (name(self.observed.to_possible_value()), name(self.subject.to_possible_value()));
        write!(f, "{observed}:{subject}:{}:{}", self.workers, self.buckets)
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [observed, subject, workers, buckets] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err("such as tokio:both:64:119".to_owned());
        };
        let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number"));
        Ok(Self {
            observed: <Observed as ValueEnum>::from_str(observed, false)?,
            subject: <Subject as ValueEnum>::from_str(subject, false)?,
            workers: number(workers)?,
            buckets: number(buckets)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_arrives_as_it_was_told() {
        let case = Case {
            observed: Observed::Pool,
            subject: Subject::OtelTokioUnlimited,
            workers: 64,
            buckets: 119,
        };
        assert_eq!(case.to_string().parse(), Ok(case));
    }
}
