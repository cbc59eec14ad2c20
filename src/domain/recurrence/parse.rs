//! Reading of recurrence rules.

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use super::{End, Frequency, Rule};
use crate::domain::zone::start_instant_of;

/// Longest rule read; a rule that uses every part is shorter.
const MAX_RULE_LENGTH: usize = 256;
/// Largest INTERVAL.
const MAX_INTERVAL: u32 = 1_000;
/// Largest COUNT.
const MAX_COUNT: u32 = 10_000;
/// Why a recurrence rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// Longer than any sensible rule.
    #[error("longer than {MAX_RULE_LENGTH} characters, shorten it")]
    TooLong,
    /// Not `NAME=value`.
    #[error("{0:?} is not a part of a rule, write parts like FREQ=WEEKLY;BYDAY=SU")]
    NotAPart(String),
    /// A part outside the subset.
    #[error("{0} is not supported, use FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH, WKST")]
    UnsupportedPart(String),
    /// The same part twice.
    #[error("{0} occurs twice, keep one")]
    RepeatedPart(String),
    /// No FREQ.
    #[error("FREQ is missing, add FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")]
    NoFrequency,
    /// A value the part cannot have.
    #[error("{part}={value} is not valid, write {remedy}")]
    BadValue {
        /// Name of the part.
        part: &'static str,

        /// The value as written.
        value: String,

        /// What is allowed.
        remedy: &'static str,
    },
    /// RFC 5545 allows one of both.
    #[error("COUNT and UNTIL exclude each other, keep one")]
    CountAndUntil,
    /// `2SU` needs a month to count in.
    #[error("BYDAY with a number like 2SU needs FREQ=MONTHLY")]
    OrdinalNotMonthly,
    /// A week has no day of the month.
    #[error("BYMONTHDAY does not go with FREQ=WEEKLY, use BYDAY or FREQ=MONTHLY")]
    MonthDayWeekly,
    /// The first date is not one of the rule's.
    #[error("the start {start} is not a date of the rule, start on {first}")]
    StartNotInRule {
        /// Start as given.
        start: Date,

        /// First date of the rule from there.
        first: Date,
    },
    /// No date matches.
    #[error("the rule matches no date within 100 years, correct BYMONTH, BYMONTHDAY or INTERVAL")]
    Never,
    /// It would go on for longer than anyone counts.
    #[error("COUNT is not reached within 100 years, lower it or leave it out")]
    CountNotReached,
    /// UNTIL lies before the start.
    #[error("UNTIL is before the start, move one of them")]
    UntilBeforeStart,
}

impl Rule {
    /// Reads a rule like `FREQ=MONTHLY;BYDAY=-1SU`; a part outside the subset is refused by name, not ignored.
    pub fn parse(text: &str) -> Result<Rule, RecurrenceError> {
        if text.len() > MAX_RULE_LENGTH {
            return Err(RecurrenceError::TooLong);
        }
        let mut rule = Rule {
            frequency: Frequency::Daily,
            interval: 1,
            end: End::Never,
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_month: Vec::new(),
            week_start: Weekday::Monday,
        };
        let upper = text.to_ascii_uppercase();
        let mut seen: Vec<&str> = Vec::new();
        for part in upper.split(';') {
            let (name, value) = part.split_once('=').ok_or_else(|| RecurrenceError::NotAPart(part.to_owned()))?;
            if seen.contains(&name) {
                return Err(RecurrenceError::RepeatedPart(name.to_owned()));
            }
            seen.push(name);
            rule.set_part(name, value)?;
        }
        if !seen.contains(&"FREQ") {
            return Err(RecurrenceError::NoFrequency);
        }
        if seen.contains(&"COUNT") && seen.contains(&"UNTIL") {
            return Err(RecurrenceError::CountAndUntil);
        }
        if rule.frequency != Frequency::Monthly && rule.by_day.iter().any(|(ordinal, _)| *ordinal != 0) {
            return Err(RecurrenceError::OrdinalNotMonthly);
        }
        if rule.frequency == Frequency::Weekly && !rule.by_month_day.is_empty() {
            return Err(RecurrenceError::MonthDayWeekly);
        }
        Ok(rule)
    }

    fn set_part(&mut self, name: &str, value: &str) -> Result<(), RecurrenceError> {
        let bad = |part, remedy| RecurrenceError::BadValue { part, value: value.to_owned(), remedy };
        match name {
            "FREQ" => {
                self.frequency = match value {
                    "DAILY" => Frequency::Daily,
                    "WEEKLY" => Frequency::Weekly,
                    "MONTHLY" => Frequency::Monthly,
                    "YEARLY" => Frequency::Yearly,
                    _ => return Err(bad("FREQ", "DAILY, WEEKLY, MONTHLY or YEARLY")),
                }
            }
            "INTERVAL" => {
                self.interval =
                    whole(value, 1..=MAX_INTERVAL).ok_or_else(|| bad("INTERVAL", "a number from 1 to 1000"))?;
            }
            "COUNT" => {
                let count = whole(value, 1..=MAX_COUNT);
                self.end = End::Count(count.ok_or_else(|| bad("COUNT", "a number from 1 to 10000, or use UNTIL"))?);
            }
            "UNTIL" => {
                let remedy = "20261231, 20261231T235959 or 20261231T225959Z";
                self.end = parse_until(value).ok_or_else(|| bad("UNTIL", remedy))?;
            }
            "BYDAY" => {
                let days = value.split(',').map(parse_ordinal_day).collect::<Option<_>>();
                self.by_day =
                    days.ok_or_else(|| bad("BYDAY", "days like MO,TU or, with FREQ=MONTHLY, 2SU and -1FR"))?;
            }
            "BYMONTHDAY" => {
                let days = value.split(',').map(|day| signed(day, 31)).collect::<Option<_>>();
                self.by_month_day = days.ok_or_else(|| bad("BYMONTHDAY", "days from 1 to 31 or -31 to -1"))?;
            }
            "BYMONTH" => {
                let months = value.split(',').map(|month| whole(month, 1..=12).map(|month| month as i8));
                self.by_month = months.collect::<Option<_>>().ok_or_else(|| bad("BYMONTH", "months from 1 to 12"))?;
            }
            "WKST" => self.week_start = parse_day(value).ok_or_else(|| bad("WKST", "a day like MO or SU"))?,
            other => return Err(RecurrenceError::UnsupportedPart(other.to_owned())),
        }
        Ok(())
    }
}

fn whole(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && range.contains(number))
}

/// A number from 1 to `most`, with an optional sign.
fn signed(text: &str, most: u32) -> Option<i8> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    whole(digits, 1..=most).map(|number| sign * number as i8)
}

fn parse_day(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

fn parse_ordinal_day(text: &str) -> Option<(i8, Weekday)> {
    let (ordinal, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let ordinal = if ordinal.is_empty() { 0 } else { signed(ordinal, 5)? };
    Some((ordinal, parse_day(day)?))
}

/// `20261231` is the whole day, `20261231T235959` local, `20261231T225959Z` an instant.
fn parse_until(text: &str) -> Option<End> {
    let (local, utc) = text.strip_suffix('Z').map_or((text, false), |local| (local, true));
    let (date, time) = local.split_once('T').unwrap_or((local, "235959"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if date.len() != 8 || time.len() != 6 || !all_digits(date) || !all_digits(time) || utc && !local.contains('T') {
        return None;
    }
    let number = |text: &str| text.parse::<i16>().ok();
    let small = |text: &str| text.parse::<i8>().ok();
    let year = number(&date[..4]).filter(|year| (1..=9998).contains(year))?;
    let date = Date::new(year, small(&date[4..6])?, small(&date[6..])?).ok()?;
    let time = Time::new(small(&time[..2])?, small(&time[2..4])?, small(&time[4..])?, 0).ok()?;
    let until = DateTime::from_parts(date, time);
    Some(if utc { End::UntilInstant(start_instant_of(&TimeZone::UTC, until)) } else { End::UntilLocal(until) })
}
