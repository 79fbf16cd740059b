//! The same polls in exponential and in explicit buckets, on the wire.

use bench::scales;
use bench::subject::Delivered;

use super::table::size;
use crate::report::{Limit, Target};

const WORKERS: usize = 64;

/// What an export of the histograms delivers on each scale.
#[derive(Debug)]
pub(super) struct Wire {
    buckets: usize,
    exponential: Delivered,
    explicit: Delivered,
}

impl Wire {
    pub(super) fn measure() -> Self {
        let exponential = scales::exponential();
        let explicit = scales::explicit(&exponential);
        Self {
            buckets: exponential.buckets(),
            exponential: scales::delivered(WORKERS, &exponential),
            explicit: scales::delivered(WORKERS, &explicit),
        }
    }

    pub(super) fn table(&self) -> String {
        let mut table = format!(
            "The poll-time histograms of a pool of {WORKERS} workers, whose polls are log-normal around 20 µs with a tail \
             around 2 ms: the \
             same values in the core's exponential buckets, four for each power of two, and in explicit ones with the same {} ends. \
             OTLP's exponential points say where they begin and hold the buckets that have values alone, as integers of variable \
             length; explicit ones hold each bound and each count in 8 bytes.\n\n\
             | buckets | bytes | for each worker | with gzip |\n|---|---|---|---|\n",
            self.buckets
        );
        for (name, delivered) in [("exponential", self.exponential), ("explicit", self.explicit)] {
            let Delivered { bytes, gzipped, .. } = delivered;
            table +=
                &format!("| {name} | {} | {} | {} |\n", size(bytes), size(bytes / WORKERS), size(gzipped));
        }
        let ratio = |of: fn(&Delivered) -> usize| of(&self.exponential) as f64 / of(&self.explicit) as f64;
        table += &format!("| ratio | {:.3} | | {:.3} |\n", ratio(|one| one.bytes), ratio(|one| one.gzipped));
        table
    }

    pub(super) fn target(&self) -> Target {
        Target {
            measure: format!(
                "bytes of an export of {WORKERS} workers on the core's exponential scale, against explicit bounds"
            ),
            limit: Limit::AtMost(0.2),
            measured: self.exponential.bytes as f64 / self.explicit.bytes as f64,
            note: "",
        }
    }
}
