//! How many series a source has at the moment: what must arrive.

use worker_metrics::catalogue::Reading;
use worker_metrics::histogram::HistogramSnapshot;
use worker_metrics::{Row, Snapshot, Source, StallCause};

/// The series of numbers and of histograms that `source` knows, those of workers for each worker.
///
/// Counted from the catalogue and the values, not asked of what exports them.
pub(super) fn expected(source: &impl Source) -> (usize, usize) {
    let mut snapshot = Snapshot::with_histograms();
    source.collect(&mut snapshot);
    let counts = source.definitions().iter().filter(|row| row.is_covered()).map(|row| known(row, &snapshot));
    counts.fold((0, 0), |(numbers, histograms), (more, more_histograms)| {
        (numbers + more, histograms + more_histograms)
    })
}

fn known(row: &Row, snapshot: &Snapshot) -> (usize, usize) {
    let workers = snapshot.workers();
    let is_filled = |histogram: &HistogramSnapshot| !histogram.buckets.is_empty();
    match row.definition.reading {
        Reading::Count(read) => (usize::from(read(snapshot).is_some()), 0),
        Reading::CountByState(_, counts) => {
            (counts.iter().filter(|count| (count.read)(snapshot).is_some()).count(), 0)
        }
        Reading::WorkerCount(counter) => {
            (workers.iter().filter_map(|worker| worker.count(counter)).count(), 0)
        }
        Reading::WorkerValue(read) => (workers.iter().filter_map(read).count(), 0),
        Reading::WorkerTime { read, .. } => (workers.iter().filter_map(read).count(), 0),
        Reading::WorkerTimeByMicrostate(read) => {
            (workers.iter().filter_map(read).count() * row.definition.states().len(), 0)
        }
        Reading::WorkerCountByCause(read) => {
            let known = |worker| StallCause::ALL.into_iter().filter_map(move |cause| read(worker, cause));
            (workers.iter().flat_map(known).count(), 0)
        }
        Reading::WorkerHistogramByCause(read) => {
            let filled =
                |worker| StallCause::ALL.into_iter().filter(move |cause| is_filled(read(worker, *cause)));
            (0, workers.iter().flat_map(filled).count())
        }
        Reading::Histogram(read) => (0, usize::from(is_filled(read(snapshot)))),
        Reading::TaskGroupHistogram(read) => {
            (0, snapshot.task_groups().iter().filter(|group| is_filled(read(group))).count())
        }
        Reading::WorkerHistogram(read) => {
            (0, workers.iter().filter(|worker| is_filled(read(worker))).count())
        }
        reading => panic!("how is {reading:?} read?"),
    }
}
