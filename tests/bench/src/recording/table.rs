//! The tables whose rows are measured in passes.

use std::fmt;

use clap::ValueEnum;

use super::figure::Figure;
use super::subject::Subject;
use super::{duration, event, poll, sharing, submit, threads};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Table {
    /// One untimed event
    Event,
    /// The duration of a poll, time already taken
    Duration,
    /// A poll, timed by whoever records it
    Poll,
    /// A batch's submit
    Submit,
    /// Neighbours in one cache line
    Sharing,
}

/// On how many threads a table is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// One alone.
    One,
    /// One alone, then one on every processor.
    OneAndAll,
}

impl Columns {
    pub(super) fn threads(self) -> Vec<usize> {
        match (self, threads::all()) {
            (Self::One, _) | (_, 1) => vec![1],
            (Self::OneAndAll, all) => vec![1, all],
        }
    }
}

impl Table {
    pub(super) fn subjects(self) -> Vec<Subject> {
        match self {
            Self::Event => event::subjects(),
            Self::Duration => duration::subjects(),
            Self::Poll => poll::subjects(),
            Self::Submit => submit::subjects(),
            Self::Sharing => sharing::subjects(),
        }
    }

    pub(super) fn columns(self) -> Columns {
        match self {
            Self::Poll | Self::Submit => Columns::One,
            Self::Event | Self::Duration | Self::Sharing => Columns::OneAndAll,
        }
    }

    /// The figures in Markdown, each row against the one that `baseline` has for it in the same
    /// column.
    pub(super) fn markdown(
        self,
        columns: &[Vec<Figure>],
        against: &str,
        baseline: fn(usize) -> usize,
    ) -> String {
        let mut header = "| |".to_owned();
        for threads in self.columns().threads() {
            header += &match threads {
                1 => format!(" one thread | against {against} |"),
                all => format!(" {all} threads | against {against} |"),
            };
        }
        let mut text = format!("{header}\n|---|{}\n", "---|---|".repeat(columns.len()));
        for (row, subject) in self.subjects().iter().enumerate() {
            let cells = columns.iter().map(|column| {
                let ratio = column[row].against(&column[baseline(row)]);
                format!(" {} | {:.2} ({:.2} – {:.2}) |", column[row], ratio.median, ratio.least, ratio.most)
            });
            text += &format!("| {} |{}\n", subject.name, cells.collect::<String>());
        }
        text
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no table is skipped");
        f.write_str(value.get_name())
    }
}
