//! What one export takes.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::{Duration, Instant};

use bench::subject::{Export, Steps};

/// The least times of one subject, as far as its steps can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) collect: Option<Duration>,
    /// Collecting and encoding.
    pub(crate) export: Option<Duration>,
}

/// A process measures no longer, however many rounds it is told, but for the fewest.
pub(crate) const LONGEST: Duration = Duration::from_millis(100);
const FEWEST: usize = 3;
/// The share of it that is for warming up.
const WARM_UP: u32 = 10;

/// The least times in `rounds` exports, or in as many as there is time for.
pub(crate) fn least(export: &mut dyn Export, rounds: usize) -> Times {
    let warm_up = Instant::now();
    for _ in 0..rounds.div_ceil(WARM_UP as usize) {
        export.export();
        if warm_up.elapsed() > LONGEST / WARM_UP {
            break;
        }
    }
    let (mut collect, mut whole) = (Duration::MAX, Duration::MAX);
    let begin = Instant::now();
    for round in 1..=rounds {
        let start = Instant::now();
        export.collect();
        let collected = start.elapsed();
        export.encode();
        whole = whole.min(start.elapsed());
        collect = collect.min(collected);
        if round >= FEWEST && begin.elapsed() > LONGEST {
            break;
        }
    }
    let steps = export.steps();
    Times {
        collect: (steps != Steps::Together).then_some(collect),
        export: (steps != Steps::CollectOnly).then_some(whole),
    }
}

/// In nanoseconds, for the process that asked; 0 is none.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = |time: Option<Duration>| time.map_or(0, |time| time.as_nanos().max(1));
        write!(f, "{} {}", ns(self.collect), ns(self.export))
    }
}

impl FromStr for Times {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let mut next = || {
            let ns = words.next().unwrap_or_default().parse()?;
            Ok((ns > 0).then_some(Duration::from_nanos(ns)))
        };
        Ok(Self { collect: next()?, export: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_arrive_as_they_were_told() {
        let collect = Some(Duration::from_nanos(1_234));
        for times in [Times { collect, export: None }, Times { collect: None, export: collect }] {
            assert_eq!(times.to_string().parse(), Ok(times));
        }
    }
}
