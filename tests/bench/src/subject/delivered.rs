//! What an export delivered.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::otlp;

/// The series of one export, and its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Series of numbers.
    pub numbers: usize,
    /// Series of histograms, each with all of its buckets.
    pub histograms: usize,
    /// Series that the source has and that did not arrive.
    pub lost: usize,
    /// Bytes of all requests.
    pub bytes: usize,
    /// The same, each request compressed with gzip.
    pub gzipped: usize,
}

impl Delivered {
    /// What these requests in OTLP hold, of so many series.
    pub(super) fn of_otlp<'a>(bodies: impl IntoIterator<Item = &'a [u8]>, expected: usize) -> Self {
        let mut delivered = Self::default();
        for body in bodies {
            for (numbers, histograms) in otlp::decoded(body).iter().map(otlp::series) {
                delivered.numbers += numbers;
                delivered.histograms += histograms;
            }
            delivered.bytes += body.len();
            delivered.gzipped += gzipped(body);
        }
        let arrived = delivered.numbers + delivered.histograms;
        delivered.lost = expected.checked_sub(arrived).expect("no more arrives than there is");
        delivered
    }

    /// Series of either kind.
    #[must_use]
    pub fn series(&self) -> usize {
        self.numbers + self.histograms
    }
}

/// The bytes of `body`, compressed with gzip at the level that is usual.
#[must_use]
pub fn gzipped(body: &[u8]) -> usize {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes everything").len()
}

/// As numbers, for the process that asked.
impl fmt::Display for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { numbers, histograms, lost, bytes, gzipped } = self;
        write!(f, "{numbers} {histograms} {lost} {bytes} {gzipped}")
    }
}

impl FromStr for Delivered {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let mut next = || words.next().unwrap_or_default().parse();
        Ok(Self { numbers: next()?, histograms: next()?, lost: next()?, bytes: next()?, gzipped: next()? })
    }
}
