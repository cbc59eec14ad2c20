//! Instants in whole milliseconds and half-open intervals of them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day of exactly 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Why a text is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// A local time: it names no instant.
    #[error("no offset")]
    NoOffset,
    /// Anything else that RFC 3339 does not allow.
    #[error("not an RFC 3339 instant, write it like 2026-11-24T21:00:00Z or 2026-11-24T22:00:00+01:00")]
    NotRfc3339,
}

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z, no leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// The earliest instant that has a calendar date with a four-digit year in every zone.
    pub const MIN: Instant = Instant(-62_135_510_400_000);
    /// The latest instant that has a calendar date with a four-digit year in every zone.
    pub const MAX: Instant = Instant(253_402_207_200_000);

    /// The instant so many milliseconds after 1970-01-01T00:00:00Z, moved into `MIN..=MAX` if it is beyond.
    pub const fn from_ms(ms: i64) -> Instant {
        if ms < Self::MIN.0 {
            Self::MIN
        } else if ms > Self::MAX.0 {
            Self::MAX
        } else {
            Instant(ms)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with an offset; decimals of a second beyond the third are cut.
    ///
    /// Stricter than jiff's own parser, which also takes brackets, missing seconds and second 60.
    pub fn parse(text: &str) -> Result<Instant, TimeError> {
        const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";
        let bytes = text.as_bytes();
        let matches_shape = bytes.len() >= SHAPE.len()
            && bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't'),
                other => byte == other,
            });
        if !matches_shape {
            return Err(TimeError::NotRfc3339);
        }
        // The shape is ASCII, so the split is at a character boundary.
        let (local, rest) = text.split_at(SHAPE.len());
        let (fraction_ms, offset) = split_fraction(rest)?;
        let offset_ms = parse_offset_ms(offset)?;
        let number = |from: usize, to: usize| local[from..to].parse::<i16>().map_err(|_| TimeError::NotRfc3339);
        let small = |from: usize| number(from, from + 2).map(|value| value as i8);
        let date_time = DateTime::new(number(0, 4)?, small(5)?, small(8)?, small(11)?, small(14)?, small(17)?, 0)
            .map_err(|_| TimeError::NotRfc3339)?;
        let ms = local_ms(date_time) + fraction_ms - offset_ms;
        if (Self::MIN.0..=Self::MAX.0).contains(&ms) { Ok(Instant(ms)) } else { Err(TimeError::NotRfc3339) }
    }

    /// `2026-11-24T21:00:00Z`, with `.123` only when there are milliseconds.
    pub fn format_utc(self) -> String {
        format!("{}{}Z", local_date_time(self.0).strftime("%Y-%m-%dT%H:%M:%S"), self.fraction_if_any())
    }

    /// `2025-11-01T00:00:00+01:00`, with `.123` only when there are milliseconds.
    pub fn format_in(self, zone: &TimeZone) -> String {
        self.format_with_offset(zone, &self.fraction_if_any())
    }

    /// The form of a ledger entry, always with three decimals: `2026-10-12T10:05:04.000+02:00`.
    pub fn format_ms_in(self, zone: &TimeZone) -> String {
        self.format_with_offset(zone, &format!(".{:03}", self.0.rem_euclid(SECOND_MS)))
    }

    /// The instant `length_ms` later (earlier if negative), held within `MIN..=MAX`.
    #[must_use]
    pub const fn plus_ms(self, length_ms: i64) -> Instant {
        Instant::from_ms(self.0.saturating_add(length_ms))
    }

    /// The instant `length_ms` earlier (later if negative), held within `MIN..=MAX`.
    #[must_use]
    pub const fn minus_ms(self, length_ms: i64) -> Instant {
        Instant::from_ms(self.0.saturating_sub(length_ms))
    }

    /// Milliseconds from `earlier` to this instant; negative if it is in fact later.
    pub const fn ms_since(self, earlier: Instant) -> i64 {
        // Both are within MIN..=MAX: no overflow.
        self.0 - earlier.0
    }

    /// The local date in `zone`.
    pub fn date_in(self, zone: &TimeZone) -> Date {
        local_date_time(self.0 + offset_ms_at(zone, self)).date()
    }

    pub(crate) fn timestamp(self) -> Timestamp {
        // MIN..=MAX lies within jiff's range, so the fallback is never taken.
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn fraction_if_any(self) -> String {
        match self.0.rem_euclid(SECOND_MS) {
            0 => String::new(),
            ms => format!(".{ms:03}"),
        }
    }

    fn format_with_offset(self, zone: &TimeZone, fraction: &str) -> String {
        let offset_ms = offset_ms_at(zone, self);
        let local = local_date_time(self.0 + offset_ms);
        let sign = if offset_ms < 0 { '-' } else { '+' };
        // RFC 3339 knows no seconds in an offset. Only local mean times of long ago have them.
        let minutes = offset_ms.abs() / MINUTE_MS;
        format!("{}{fraction}{sign}{:02}:{:02}", local.strftime("%Y-%m-%dT%H:%M:%S"), minutes / 60, minutes % 60)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.format_utc())
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.format_utc())
    }
}

impl FromStr for Instant {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Instant, TimeError> {
        Instant::parse(text)
    }
}

/// Splits `.123456+01:00` into 123 ms and `+01:00`.
fn split_fraction(rest: &str) -> Result<(i64, &str), TimeError> {
    let Some(fraction) = rest.strip_prefix('.') else {
        return Ok((0, rest));
    };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return Err(TimeError::NotRfc3339);
    }
    let (digits, offset) = fraction.split_at(length);
    let ms = digits.bytes().chain(*b"000").take(3).fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    Ok((ms, offset))
}

fn parse_offset_ms(text: &str) -> Result<i64, TimeError> {
    let bytes = text.as_bytes();
    match bytes {
        [] => Err(TimeError::NoOffset),
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) => {
            let pair = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
            let (hours, minutes) = (pair(*h1, *h2), pair(*m1, *m2));
            if hours > 23 || minutes > 59 {
                return Err(TimeError::NotRfc3339);
            }
            let ms = hours * HOUR_MS + minutes * MINUTE_MS;
            Ok(if *sign == b'-' { -ms } else { ms })
        }
        _ => Err(TimeError::NotRfc3339),
    }
}

/// A local date and time as milliseconds on a clock without offset changes: local = UTC + offset.
pub(crate) fn local_ms(local: DateTime) -> i64 {
    // Years -9999..=9999 in ms fit into i64.
    local.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0)).as_millis() as i64
}

/// The inverse of [`local_ms`].
pub(crate) fn local_date_time(ms: i64) -> DateTime {
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0).saturating_add(jiff::SignedDuration::from_millis(ms))
}

/// What `zone` adds to UTC at `instant`.
pub(crate) fn offset_ms_at(zone: &TimeZone, instant: Instant) -> i64 {
    i64::from(zone.to_offset(instant.timestamp()).seconds()) * SECOND_MS
}

/// A stretch of time, `[from, to)`, of at least 1 ms when built by [`Interval::new`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    /// First instant inside.
    pub from: Instant,

    /// First instant after it.
    pub to: Instant,
}

impl fmt::Debug for Interval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}, {})", self.from, self.to)
    }
}

impl Interval {
    /// The interval, or nothing if it would be empty: length 0 does not exist.
    pub fn new(from: Instant, to: Instant) -> Option<Interval> {
        (from < to).then_some(Interval { from, to })
    }

    /// Its length in milliseconds.
    pub const fn length_ms(&self) -> i64 {
        self.to.ms_since(self.from)
    }

    /// What both have in common.
    pub fn intersect(&self, other: &Interval) -> Option<Interval> {
        Interval::new(self.from.max(other.from), self.to.min(other.to))
    }

    /// Whether `instant` is inside; `to` itself is not.
    pub fn contains(&self, instant: Instant) -> bool {
        self.from <= instant && instant < self.to
    }
}

/// Sorts, drops empty intervals and joins those that overlap or touch. O(n log n).
pub fn normalise(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| interval.from < interval.to);
    intervals.sort_unstable();
    intervals.dedup_by(|next, kept| {
        let joined = next.from <= kept.to;
        if joined {
            kept.to = kept.to.max(next.to);
        }
        joined
    });
    intervals
}

/// What two normalised lists have in common. O(n + m).
pub fn intersect_lists(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let mut common = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        common.extend(a.intersect(b));
        if a.to <= b.to {
            i += 1;
        } else {
            j += 1;
        }
    }
    common
}

/// What is in the normalised list `from_list` but not in the normalised list `removed`. O(n + m).
pub fn subtract_lists(from_list: &[Interval], removed: &[Interval]) -> Vec<Interval> {
    let mut rest = Vec::new();
    let mut first = 0;
    for interval in from_list {
        let mut from = interval.from;
        while removed.get(first).is_some_and(|hole| hole.to <= from) {
            first += 1;
        }
        for hole in removed[first..].iter().take_while(|hole| hole.from < interval.to) {
            rest.extend(Interval::new(from, hole.from));
            from = from.max(hole.to);
        }
        rest.extend(Interval::new(from, interval.to));
    }
    rest
}

/// The part of a normalised list that lies within `span`. The cost follows what lies within, not the list.
pub fn clip_list(intervals: &[Interval], span: Interval) -> Vec<Interval> {
    let first = intervals.partition_point(|interval| interval.to <= span.from);
    let within = intervals[first..].iter().take_while(|interval| interval.from < span.to);
    within.filter_map(|interval| interval.intersect(&span)).collect()
}

/// The length of a normalised list in milliseconds.
pub fn total_ms(intervals: &[Interval]) -> i64 {
    intervals.iter().map(Interval::length_ms).sum()
}

#[cfg(test)]
mod tests;
