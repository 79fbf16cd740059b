//! Numbers and units in words.

use std::time::Duration;

/// A count with its unit, such as `3 tasks`.
pub(crate) fn count(count: f64, unit: &str) -> String {
    format!("{} {}", number(count), noun(unit, count))
}

/// A rate with its unit, such as `1,200 polls/s`.
pub(crate) fn rate(per_second: f64, unit: &str) -> String {
    format!("{} {}/s", number(per_second), noun(unit, per_second))
}

/// A time, such as `1.50 s` or `23 µs`.
pub(crate) fn time(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match time.as_nanos() {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{} ns", time.as_nanos()),
        1_000..1_000_000 => format!("{} µs", time.as_micros()),
        1_000_000..1_000_000_000 => format!("{} ms", time.as_millis()),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// A part of the whole, `0..=1`, such as `63 %`.
pub(crate) fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

/// A number with separators, and with a digit behind the point where it is small and has one.
pub(crate) fn number(number: f64) -> String {
    if number.fract() != 0.0 && number.abs() < 10.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digit.is_ascii_digit() && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `{file_descriptor}` in words: `file descriptors`.
fn noun(unit: &str, count: f64) -> String {
    let singular = unit.trim_matches(['{', '}']).replace('_', " ");
    let plural = if count == 1.0 { "" } else { "s" };
    format!("{singular}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_rates_read_like_words() {
        assert_eq!(count(1.0, "{task}"), "1 task");
        assert_eq!(count(12_345.0, "{file_descriptor}"), "12,345 file descriptors");
        assert_eq!(rate(1_234_567.2, "{poll}"), "1,234,567 polls/s");
        assert_eq!(rate(0.25, "{noop}"), "0.2 noops/s");
        assert_eq!(number(-123.0), "-123");
        assert_eq!(number(-1234.0), "-1,234");
        assert_eq!(number(999.0), "999");
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!(time(0.0), "0 s");
        assert_eq!(time(0.000_000_4), "400 ns");
        assert_eq!(time(0.000_023), "23 µs");
        assert_eq!(time(0.25), "250 ms");
        assert_eq!(time(1.5), "1.50 s");
    }

    #[test]
    fn a_ratio_is_shown_as_percent() {
        assert_eq!(percent(0.634), "63 %");
    }
}
