//! What is promised of a figure, and whether it was kept.

/// The figure of one promise.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What was measured, against what.
    pub(crate) measure: String,
    pub(crate) limit: Limit,
    pub(crate) measured: f64,
    /// Why it is missed where it is, or what the figure does not tell.
    pub(crate) note: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub(crate) fn is_kept(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.measured <= most,
            Limit::AtLeast(least) => self.measured >= least,
        }
    }
}

/// A table of all of them.
pub(crate) fn table(targets: &[&Target]) -> String {
    let mut table = "| what | promised | measured | |\n|---|---|---|---|\n".to_owned();
    for target in targets {
        let limit = match target.limit {
            Limit::AtMost(most) => format!("at most {}", number(most)),
            Limit::AtLeast(least) => format!("at least {}", number(least)),
        };
        let kept = if target.is_kept() { "kept" } else { "**missed**" };
        let note = if target.note.is_empty() { String::new() } else { format!(": {}", target.note) };
        table += &format!("| {} | {limit} | {} | {kept}{note} |\n", target.measure, number(target.measured));
    }
    table
}

/// Small numbers with the digits that tell them apart.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.1 => format!("{value:.4}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(limit: Limit, measured: f64) -> Target {
        Target { measure: "a poll".to_owned(), limit, measured, note: "" }
    }

    #[test]
    fn what_is_at_the_limit_is_kept() {
        assert!(target(Limit::AtMost(1.2), 1.2).is_kept());
        assert!(!target(Limit::AtMost(1.2), 1.21).is_kept());
        assert!(target(Limit::AtLeast(0.99), 0.99).is_kept());
        assert!(!target(Limit::AtLeast(0.99), 0.98).is_kept());
    }

    #[test]
    fn the_table_says_what_was_missed_and_why() {
        let missed = Target { note: "the clock costs that", ..target(Limit::AtMost(0.02), 0.0301) };
        let kept = target(Limit::AtMost(0.0), 0.0);
        let table = table(&[&kept, &missed]);
        assert!(table.contains("| a poll | at most 0 | 0 | kept |\n"), "{table}");
        assert!(
            table.contains("| a poll | at most 0.0200 | 0.0301 | **missed**: the clock costs that |\n"),
            "{table}"
        );
    }
}
