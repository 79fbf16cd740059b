//! Who exports what.

use bench::subject::{Case, Observed, Subject};

use super::{BUCKETS, SDK_LIMIT};

/// Every case that this build can measure, in the order of the tables.
pub(super) fn all(workers: &[usize]) -> Vec<Case> {
    let buckets = [0].into_iter().chain(BUCKETS.into_iter().filter(|_| cfg!(tokio_unstable)));
    let of_tokio = buckets.flat_map(|buckets| of(Observed::Tokio, workers, buckets));
    of_tokio.chain(of(Observed::Pool, workers, 119)).collect()
}

fn of(observed: Observed, workers: &[usize], buckets: usize) -> impl Iterator<Item = Case> {
    use Subject::{
        Both, Collect, Everything, EverythingHandedOver, Loads, Meter, OtelTokio, OtelTokioUnlimited, Otlp,
        TokioMetrics,
    };
    workers.iter().flat_map(move |&workers| {
        let subjects = [
            Meter,
            Otlp,
            Both,
            Everything,
            EverythingHandedOver,
            OtelTokio,
            OtelTokioUnlimited,
            TokioMetrics,
            Collect,
            Loads,
        ];
        let is_there = move |subject: &Subject| match subject {
            Otlp | Both => buckets > 0,
            OtelTokio | TokioMetrics => observed == Observed::Tokio,
            OtelTokioUnlimited => observed == Observed::Tokio && workers * buckets > SDK_LIMIT,
            Meter | Everything | EverythingHandedOver | Collect | Loads => true,
        };
        let case = move |subject| Case { subject, observed, workers, buckets };
        subjects.into_iter().filter(is_there).map(case)
    })
}
