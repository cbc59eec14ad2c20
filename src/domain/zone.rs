//! Time zones: which instants a local date or time stands for.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::time::{DAY_MS, HOUR_MS, Instant, Interval, SECOND_MS, local_ms, offset_ms_at};

/// Why a text is not a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// The database does not know the name.
    #[error("unknown time zone {0:?}, write an IANA name like Europe/Berlin or UTC")]
    Unknown(String),
    /// Known, but written differently.
    #[error("time zone {0:?} is written {1}")]
    Spelling(String, String),
}

/// The zone of that IANA name in the bundled database; never that of the machine, so that every replica agrees.
pub fn zone_named(name: &str) -> Result<TimeZone, ZoneError> {
    let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| ZoneError::Unknown(name.to_owned()))?;
    match zone.iana_name() {
        _ if zone.is_unknown() => Err(ZoneError::Unknown(name.to_owned())),
        Some(known) if known != name => Err(ZoneError::Spelling(name.to_owned(), known.to_owned())),
        Some(_) => Ok(zone),
        None => Err(ZoneError::Unknown(name.to_owned())),
    }
}

/// A stretch of time in which a zone's offset does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) interval: Interval,
    pub(crate) offset_ms: i64,
}

impl Stretch {
    /// The part of local `[from_ms, to_ms)` that this stretch covers. On either side of a gap or a fold the same
    /// local time belongs to no stretch or to two: that is the membership rule of service hours.
    pub(crate) fn covered(&self, from_ms: i64, to_ms: i64) -> Option<Interval> {
        let at = |local: i64| Instant::from_ms(local - self.offset_ms);
        Interval::new(at(from_ms), at(to_ms))?.intersect(&self.interval)
    }
}

/// Cuts `span` at the changes of the zone's offset: usually one piece, one more for each change.
pub(crate) fn stretches(zone: &TimeZone, span: Interval) -> Vec<Stretch> {
    let mut found = Vec::with_capacity(2);
    let mut from = span.from;
    let mut offset_ms = offset_ms_at(zone, from);
    for transition in zone.following(from.timestamp()) {
        let at = Instant::from_ms(transition.timestamp().as_millisecond());
        if at >= span.to {
            break;
        }
        found.extend(Interval::new(from, at).map(|interval| Stretch { interval, offset_ms }));
        from = at;
        offset_ms = i64::from(transition.offset().seconds()) * SECOND_MS;
    }
    found.extend(Interval::new(from, span.to).map(|interval| Stretch { interval, offset_ms }));
    found
}

/// The boundary that a local date stands for: the first instant whose local date is that date or later.
/// Not always 00:00 (Cairo skips midnight), and not always on that date (Samoa skipped a whole day).
pub fn first_instant_of(zone: &TimeZone, date: Date) -> Instant {
    let midnight_ms = local_ms(DateTime::from_parts(date, Time::midnight()));
    // No offset is beyond 26 h, so the boundary is within this span, even when a whole day is skipped.
    let near = Interval {
        from: Instant::from_ms(midnight_ms - 26 * HOUR_MS),
        to: Instant::from_ms(midnight_ms + 26 * HOUR_MS + DAY_MS),
    };
    stretches(zone, near)
        .iter()
        .find_map(|stretch| stretch.covered(midnight_ms, i64::MAX / 2).map(|rest| rest.from))
        .unwrap_or(near.from)
}

/// The instant at which something planned for a local time starts: one in a gap moves forward by the gap,
/// one that occurs twice is the first.
pub fn start_instant_of(zone: &TimeZone, local: DateTime) -> Instant {
    match zone.to_ambiguous_timestamp(local).compatible() {
        Ok(timestamp) => Instant::from_ms(timestamp.as_millisecond()),
        // Only at the very ends of the calendar, which no parsed date reaches.
        Err(_) => Instant::from_ms(local_ms(local)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::civil::date;

    use super::*;

    #[test]
    fn zones_are_known_by_their_exact_name() {
        for name in ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"] {
            assert_eq!(zone_named(name).unwrap().iana_name(), Some(name));
        }
        for (name, message) in [
            ("Mars/Olympus", "unknown time zone \"Mars/Olympus\", write an IANA name like Europe/Berlin or UTC"),
            ("", "unknown time zone \"\", write an IANA name like Europe/Berlin or UTC"),
            ("+01:00", "unknown time zone \"+01:00\", write an IANA name like Europe/Berlin or UTC"),
            ("europe/berlin", "time zone \"europe/berlin\" is written Europe/Berlin"),
            ("utc", "time zone \"utc\" is written UTC"),
        ] {
            assert_eq!(zone_named(name).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn m_13_a_date_without_midnight_starts_later() {
        for (name, day, text) in [
            ("Africa/Cairo", date(2026, 4, 24), "2026-04-24T01:00:00+03:00"),
            ("Africa/Cairo", date(2026, 4, 25), "2026-04-25T00:00:00+03:00"),
            ("Europe/Berlin", date(2025, 11, 1), "2025-11-01T00:00:00+01:00"),
            // The clock goes back at 24:00: the date begins, ends and begins again; the first counts.
            ("Africa/Cairo", date(2026, 10, 30), "2026-10-30T00:00:00+02:00"),
            ("America/Havana", date(2026, 11, 1), "2026-11-01T00:00:00-04:00"),
            // 30 December 2011 did not exist.
            ("Pacific/Apia", date(2011, 12, 30), "2011-12-31T00:00:00+14:00"),
            ("Pacific/Apia", date(2011, 12, 31), "2011-12-31T00:00:00+14:00"),
        ] {
            let zone = zone_named(name).unwrap();
            assert_eq!(first_instant_of(&zone, day).format_in(&zone), text);
        }
    }

    #[test]
    fn starts_move_forward_over_a_gap_and_take_the_first_of_two() {
        let zone = zone_named("Australia/Lord_Howe").unwrap();
        for (local, text) in [
            (date(2025, 10, 5).at(2, 15, 0, 0), "2025-10-05T02:45:00+11:00"),
            (date(2026, 4, 5).at(1, 45, 0, 0), "2026-04-05T01:45:00+11:00"),
        ] {
            assert_eq!(start_instant_of(&zone, local).format_in(&zone), text);
        }
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for name in ["UTC", "Pacific/Kiritimati", "America/New_York"] {
            let zone = zone_named(name).unwrap();
            for day in [Date::MIN, Date::MAX, date(1, 1, 1), date(9999, 12, 30)] {
                let _ = first_instant_of(&zone, day);
                let _ = start_instant_of(&zone, day.at(23, 59, 59, 0));
            }
        }
    }
}
