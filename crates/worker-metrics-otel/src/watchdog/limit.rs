//! How many stalls are reported in full: the first few of each minute, and of the rest how many
//! there were, by their code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Full reports in a minute, at most, as Seastar's.
const MOST: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);
/// Codes that are told apart among the rest.
const MOST_CODES: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Limit {
    began_at: Option<Instant>,
    admitted: u32,
    /// Stalls that were not reported in full, by their code.
    rest: BTreeMap<String, u64>,
    unnamed: u64,
}

impl Limit {
    /// Whether another stall is reported in full; otherwise it is counted under `code`.
    pub(super) fn admits(&mut self, now: Instant, code: impl FnOnce() -> Option<String>) -> bool {
        self.began_at.get_or_insert(now);
        if self.admitted < MOST {
            self.admitted += 1;
            return true;
        }
        match code() {
            Some(code) if self.rest.len() < MOST_CODES || self.rest.contains_key(&code) => {
                *self.rest.entry(code).or_default() += 1;
            }
            _ => self.unnamed += 1,
        }
        false
    }

    /// What was left out, when the minute is over.
    pub(super) fn summary(&mut self, now: Instant) -> Option<String> {
        let is_over = self.began_at.is_some_and(|at| now.saturating_duration_since(at) >= MINUTE);
        let over = is_over.then(|| std::mem::take(self))?;
        let named: u64 = over.rest.values().sum();
        if named + over.unnamed == 0 {
            return None;
        }
        let mut text = format!("{} more stalls within a minute", named + over.unnamed);
        let mut codes: Vec<_> = over.rest.into_iter().collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (index, (code, count)) in codes.iter().enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{separator}{count} in {code}");
        }
        if !codes.is_empty() && over.unnamed > 0 {
            let _ = write!(text, ", {} elsewhere", over.unnamed);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_a_minute_are_reported_and_the_rest_is_counted_by_code() {
        let (mut limit, start) = (Limit::default(), Instant::now());
        let code = |code: &'static str| move || Some(code.to_owned());
        for _ in 0..5 {
            assert!(limit.admits(start, code("app::query")));
        }
        for _ in 0..3 {
            assert!(!limit.admits(start, code("app::query")));
        }
        assert!(!limit.admits(start, || None));
        assert!(!limit.admits(start, code("app::render")));
        assert_eq!(limit.summary(start + MINUTE / 2), None);
        assert_eq!(
            limit.summary(start + MINUTE).unwrap(),
            "5 more stalls within a minute: 3 in app::query, 1 in app::render, 1 elsewhere"
        );
        assert_eq!(limit.summary(start + MINUTE * 3), None);
        assert!(limit.admits(start + MINUTE, code("app::query")));
    }

    #[test]
    fn a_quiet_minute_has_no_summary_and_the_codes_are_bounded() {
        let (mut limit, start) = (Limit::default(), Instant::now());
        assert!(limit.admits(start, || None));
        assert_eq!(limit.summary(start + MINUTE), None);
        for index in 0..1_000 {
            limit.admits(start, || Some(format!("f{index}")));
        }
        assert_eq!(limit.rest.len(), MOST_CODES);
        assert!(limit.summary(start + MINUTE).unwrap().starts_with("995 more stalls"));
    }
}
