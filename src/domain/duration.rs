//! Durations as people write them (`1h30m`) and calendar spans (`P6M`).

use std::fmt;

use jiff::Span;
use jiff::civil::Date;

use super::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// Why a text is not a duration or a calendar span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text does not have the form of a duration.
    #[error("not a duration, write whole numbers with the units d h m s ms in this order, like 1h30m or 250ms")]
    NotADuration,
    /// Longer than can be counted.
    #[error("too long, at most 36500d")]
    TooLong,
    /// The text does not have the form of a calendar span.
    #[error("not a calendar span, write years, months or days, like P1Y, P6M or P30D")]
    NotACalendarSpan,
}

/// A hundred years: beyond any bound of a field, far from overflow.
const MAX_DURATION_MS: i64 = 36_500 * DAY_MS;

/// Largest first; the order in which they are written.
const UNITS: [(&str, i64); 5] = [("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS), ("ms", 1)];

/// Reads `250ms`, `30s`, `1h30m`, `5d` as milliseconds: each unit at most once, in this order, `d` is 24 hours.
pub fn parse_duration_ms(text: &str) -> Result<i64, DurationError> {
    if text.is_empty() {
        return Err(DurationError::NotADuration);
    }
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut sum_ms = 0_i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        if digits == 0 {
            return Err(DurationError::NotADuration);
        }
        let letters = tail.bytes().take_while(u8::is_ascii_lowercase).count();
        let (name, tail) = tail.split_at(letters);
        // The iterator goes on where the last unit was found, so a repeated or earlier unit is not found.
        let (_, unit_ms) = units.find(|(unit, _)| *unit == name).ok_or(DurationError::NotADuration)?;
        let number: i64 = number.parse().map_err(|_| DurationError::TooLong)?;
        sum_ms = number
            .checked_mul(*unit_ms)
            .and_then(|ms| sum_ms.checked_add(ms))
            .filter(|ms| *ms <= MAX_DURATION_MS)
            .ok_or(DurationError::TooLong)?;
        rest = tail;
    }
    Ok(sum_ms)
}

/// Whole seconds, rounded down, as `26m50s`, `20m`, `1h` or `0s`; for up time and budget.
pub fn format_seconds_floor(length_ms: i64) -> String {
    format_whole_seconds(length_ms.div_euclid(SECOND_MS))
}

/// Whole seconds, rounded up, in the same form; for lost time.
pub fn format_seconds_ceiling(length_ms: i64) -> String {
    format_whole_seconds(length_ms.div_euclid(SECOND_MS) + i64::from(length_ms.rem_euclid(SECOND_MS) > 0))
}

/// Exact, with milliseconds if there are any: the inverse of [`parse_duration_ms`].
pub fn format_exact(length_ms: i64) -> String {
    if length_ms == 0 {
        return "0s".to_owned();
    }
    let mut parts = if length_ms < 0 { vec!["-".to_owned()] } else { Vec::new() };
    let mut rest = length_ms.unsigned_abs();
    for (name, unit_ms) in UNITS {
        let unit_ms = unit_ms.unsigned_abs();
        if rest >= unit_ms {
            parts.push(format!("{}{name}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    parts.concat()
}

fn format_whole_seconds(seconds: i64) -> String {
    format_exact(seconds.saturating_mul(SECOND_MS))
}

/// A span of calendar years, months or days; its length in milliseconds depends on where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarSpan {
    years: i16,
    months: i16,
    days: i16,
}

impl CalendarSpan {
    /// Reads ISO 8601 with years, months or days: `P6M`, `P1Y`, `P30D`.
    pub fn parse(text: &str) -> Result<CalendarSpan, DurationError> {
        let error = DurationError::NotACalendarSpan;
        let mut span = CalendarSpan { years: 0, months: 0, days: 0 };
        let mut rest = text.strip_prefix('P').ok_or(error)?;
        let mut designators = "YMD".chars();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            // At most four digits: every sum stays within what a date can hold or is refused there.
            if !(1..=4).contains(&digits) {
                return Err(error);
            }
            let (number, tail) = rest.split_at(digits);
            let number: i16 = number.parse().map_err(|_| error)?;
            let designator = tail.chars().next().and_then(|found| designators.find(|known| *known == found));
            match designator.ok_or(error)? {
                'Y' => span.years = number,
                'M' => span.months = number,
                _ => span.days = number,
            }
            rest = &tail[1..];
        }
        if span == (CalendarSpan { years: 0, months: 0, days: 0 }) { Err(error) } else { Ok(span) }
    }

    /// The date so much later: years and months first, a day that does not exist becomes the last of its month;
    /// nothing beyond the year 9999.
    pub fn add_to(self, date: Date) -> Option<Date> {
        let span = Span::new()
            .try_years(self.years)
            .and_then(|span| span.try_months(self.months))
            .and_then(|span| span.try_days(self.days))
            .ok()?;
        date.checked_add(span).ok()
    }
}

impl fmt::Display for CalendarSpan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("P")?;
        for (number, designator) in [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if number > 0 {
                write!(formatter, "{number}{designator}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("250ms", 250),
            ("0s", 0),
            ("30s", 30_000),
            ("15m", 900_000),
            ("8h", 28_800_000),
            ("5d", 432_000_000),
            ("1h30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("90m", 5_400_000),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in
            ["", "5", "h", "30m1h", "1h1h", "1.5h", "-1h", "+1h", "1 h", "1H", "1w", "1hm", "1ms1s", "1µs", "١h"]
        {
            assert_eq!(parse_duration_ms(text), Err(DurationError::NotADuration), "{text}");
        }
        for text in ["36501d", "99999999999999999999ms", "9223372036854775807d", "36500d1ms"] {
            assert_eq!(parse_duration_ms(text), Err(DurationError::TooLong), "{text}");
        }
    }

    #[test]
    fn durations_are_printed_in_whole_seconds() {
        for (ms, floor, ceiling) in [
            (0, "0s", "0s"),
            (1, "0s", "1s"),
            (1_610_000, "26m50s", "26m50s"),
            (1_610_001, "26m50s", "26m51s"),
            (1_200_000, "20m", "20m"),
            (3_600_000, "1h", "1h"),
            (90_061_000, "1d1h1m1s", "1d1h1m1s"),
            (-1, "-1s", "0s"),
            (-1_800_500, "-30m1s", "-30m"),
        ] {
            assert_eq!(format_seconds_floor(ms), floor, "{ms}");
            assert_eq!(format_seconds_ceiling(ms), ceiling, "{ms}");
        }
        assert_eq!(format_exact(5_400_250), "1h30m250ms");
    }

    #[test]
    fn calendar_spans_are_read_and_added() {
        for (text, from, to) in [
            ("P6M", date(2025, 8, 31), date(2026, 2, 28)),
            ("P1Y", date(2024, 2, 29), date(2025, 2, 28)),
            ("P30D", date(2025, 11, 15), date(2025, 12, 15)),
            ("P1Y6M2D", date(2025, 1, 1), date(2026, 7, 3)),
        ] {
            let span = CalendarSpan::parse(text).unwrap();
            assert_eq!(span.add_to(from), Some(to), "{text}");
            assert_eq!(span.to_string(), text);
        }
        for text in ["", "P", "6M", "P0D", "PT1H", "P6", "P1M1Y", "P1M1M", "P-1M", "P99999D", "p6m", "P6Mx", "P1W"] {
            assert_eq!(CalendarSpan::parse(text), Err(DurationError::NotACalendarSpan), "{text}");
        }
        assert_eq!(CalendarSpan::parse("P9999Y").unwrap().add_to(date(2025, 1, 1)), None);
    }

    proptest! {
        #[test]
        fn printed_durations_read_back(ms in 0..=MAX_DURATION_MS) {
            prop_assert_eq!(parse_duration_ms(&format_exact(ms)), Ok(ms));
        }

        #[test]
        fn reading_never_panics(text in ".{0,12}", units in "[0-9dhmsPYMD]{0,24}") {
            for text in [text, units] {
                let _ = parse_duration_ms(&text);
                let _ = CalendarSpan::parse(&text).map(|span| span.add_to(date(9998, 12, 31)));
            }
        }
    }
}
