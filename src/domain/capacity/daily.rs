//! One value for each local day: high enough that almost all of the day stayed below it, and not made by one spike.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Amount, KEPT_DAYS, Sample};
use crate::domain::time::{DAY_MS, Instant, MINUTE_MS, local_ms};
use crate::domain::zone::first_instant_of;

/// Distance of samples.
pub const SAMPLE_MS: i64 = 5 * MINUTE_MS;

/// What a local day used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daily {
    /// The day, as [`day_number`] counts.
    pub number: i64,
    /// The 95th percentile of its samples, nearest rank.
    pub value: Amount,
    /// The greatest of its samples.
    pub peak: Amount,
}

/// Number of a date, in days since 1970-01-01.
pub fn day_number(date: Date) -> i64 {
    local_ms(date.at(0, 0, 0, 0)).div_euclid(DAY_MS)
}

/// The values of the last 56 local days that are over at an instant, in order; samples are in order of time. A slot of
/// five minutes has one sample, the greatest used in it. A day with less than 80 % of its slots is missing.
pub fn daily_values(samples: &[Sample], zone: &TimeZone, until: Instant) -> Vec<Daily> {
    let today = until.date_in(zone);
    let oldest = day_number(today) - KEPT_DAYS;
    let mut rest = samples;
    let mut days = Vec::new();
    while let Some(first) = rest.first() {
        let date = first.at.date_in(zone);
        if date >= today {
            break;
        }
        let (begin, end) = (first_instant_of(zone, date), end_of(zone, date));
        let within = rest.partition_point(|sample| sample.at < end).max(1);
        if day_number(date) >= oldest {
            days.extend(daily(day_number(date), &rest[..within], begin, end));
        }
        rest = &rest[within..];
    }
    days
}

/// The first instant after a date.
fn end_of(zone: &TimeZone, date: Date) -> Instant {
    date.tomorrow().map_or(Instant::MAX, |next| first_instant_of(zone, next))
}

fn daily(number: i64, samples: &[Sample], begin: Instant, end: Instant) -> Option<Daily> {
    let mut slots: BTreeMap<i64, Amount> = BTreeMap::new();
    for sample in samples {
        let slot = slots.entry(sample.at.ms_since(begin).div_euclid(SAMPLE_MS)).or_insert(sample.used);
        *slot = sample.used.max(*slot);
    }
    let is_missing = slots.len() as i64 * SAMPLE_MS * 100 < end.ms_since(begin) * 80;
    let mut used: Vec<Amount> = slots.into_values().collect();
    used.sort_unstable();
    let (value, peak) = (percentile_95(&used)?, *used.last()?);
    (!is_missing).then_some(Daily { number, value, peak })
}

/// Nearest rank: the least value that at least 95 % do not exceed.
fn percentile_95(sorted: &[Amount]) -> Option<Amount> {
    let rank = (sorted.len() * 95).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}
