//! How it was measured, in words.

use std::time::Duration;

use super::found::Found;
use super::row::Row;
use super::schedule::SLICE;
use crate::load::WORKERS;
use crate::turns::micros;

pub(super) fn text(rows: &[Row]) -> String {
    let intervals = rows.iter().filter(|row| row.is_attached).map(|row| format!("{:?}", row.interval));
    format!(
        "A runtime of {WORKERS} workers is observed with default options, and works without a break, each row in processes of its own \
         that take turns. Its source is attached and detached again for slices of {SLICE:?}, A B B A, so that what is compared is the \
         same runtime with the same tasks and connections, on the machine as it is at that moment. All else lives throughout, as in a \
         service: a `PeriodicReader` with the interval of the row ({}), the exporter of this bridge over HTTP, and a \
         receiver. Pairs of slices are placed so that each export falls into an attached one.\n\n\
         The throughput against bare mixes two medians: of the pairs between exports, and of the pairs with an export, which counts as \
         much as in use, one slice in each interval. (One median of all pairs would overlook the exports; a mean would \
         follow the few slices in which other programs ran.) It lies between the ends with a probability of 95 %, as far as the pairs \
         tell; of fewer than 6 exports the ends are the least and the largest. *Bare against bare* attaches nothing: what it \
         differs from 1 is noise. Latencies are those of the bare slices → those of the attached ones (their ratio), mixed in the same \
         way; the median of the processes.\n\n\
         No histograms are kept: for `enable_worker_histograms` Tokio reads the clock at each poll, whether it is exported or not, \
         which is measured in *Overhead on a workload*.\n",
        intervals.collect::<Vec<_>>().join(", "),
    )
}

/// What the receiver took of the processors in all.
pub(super) fn receiver_text(taken: Option<Duration>, exports: u64) -> String {
    let each =
        taken.zip(u32::try_from(exports).ok()).filter(|(_, exports)| *exports > 0).map(|(taken, exports)| {
            format!(" and takes {} of processor time for an export", micros(taken / exports))
        });
    format!(
        "\nThe receiver is another process on the same machine{}; that is counted as cost, though a collector may be elsewhere.\n",
        each.unwrap_or_default()
    )
}

pub(super) fn pairs_text(found: &[&Found]) -> String {
    let sum = |of: fn(&Found) -> usize| found.iter().map(|found| of(found)).sum::<usize>();
    format!(
        "{} of {} exports were answered within their slice. Beside the {} pairs {} are left out: an export came late or early, or \
         nothing at all was done in the bare slice.\n",
        sum(|found| found.answered),
        sum(|found| found.with.len()),
        sum(|found| found.with.len() + found.without.len()),
        sum(|found| found.strays),
    )
}
