//! What was measured at one size.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bench::subject::Export;

use crate::export::least;
use crate::spread::Spread;

/// One export, and what it delivers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) us: f64,
    pub(super) series: usize,
    pub(super) bytes: usize,
}

/// One for each way to export.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Points(pub(super) Vec<(String, Point)>);

impl Point {
    pub(super) fn of(export: &mut dyn Export, rounds: usize) -> Self {
        let time: Duration = least(export, rounds).export.expect("it encodes");
        let delivered = export.delivered();
        assert_eq!(delivered.lost, 0, "nothing is compared with what loses series");
        Self { us: time.as_secs_f64() * 1e6, series: delivered.series(), bytes: delivered.bytes }
    }
}

impl Points {
    /// The median times of several processes.
    pub(super) fn median(processes: &[Self]) -> Self {
        let mut points = processes.first().expect("something was measured").0.clone();
        for (place, (_, point)) in points.iter_mut().enumerate() {
            point.us = Spread::of(processes.iter().map(|Self(points)| points[place].1.us)).median;
        }
        Self(points)
    }
}

/// A line for each, for the process that asked.
impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines =
            self.0.iter().map(|(name, Point { us, series, bytes })| format!("{us} {series} {bytes} {name}"));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl FromStr for Points {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let point = |line: &str| {
            let mut words = line.splitn(4, ' ');
            let (us, series, bytes) = (words.next()?, words.next()?, words.next()?);
            let point =
                Point { us: us.parse().ok()?, series: series.parse().ok()?, bytes: bytes.parse().ok()? };
            Some((words.next()?.to_owned(), point))
        };
        text.lines()
            .map(|line| point(line).ok_or_else(|| line.to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_arrive_as_they_were_told() {
        let points = ["meter half", "both halves"]
            .map(|name| (name.to_owned(), Point { us: 12.5, series: 3, bytes: 400 }));
        let points = Points(points.into());
        assert_eq!(points.to_string().parse(), Ok(points));
    }
}
