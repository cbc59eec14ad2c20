//! Reporting periods: their keys and their boundaries, which are local dates in the agreement's zone.

use std::fmt;

use jiff::Span;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;

use super::time::{DAY_MS, Instant, Interval};
use super::zone::first_instant_of;

/// Longest rolling period, in days of 24 hours.
pub const MAX_ROLLING_DAYS: u16 = 366;

/// How an agreement cuts time into periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeriodKind {
    /// Monday to Monday, ISO week year.
    CalendarWeek,

    /// From the 1st to the 1st.
    CalendarMonth,

    /// From 1 January, April, July, October.
    CalendarQuarter,

    /// From 1 January.
    CalendarYear,

    /// Exact days of 24 hours, judged at each end of a calendar month.
    Rolling {
        /// 1 to [`MAX_ROLLING_DAYS`].
        days: u16,
    },
}

impl PeriodKind {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CalendarWeek => "CalendarWeek",
            Self::CalendarMonth => "CalendarMonth",
            Self::CalendarQuarter => "CalendarQuarter",
            Self::CalendarYear => "CalendarYear",
            Self::Rolling { .. } => "Rolling",
        }
    }
}

/// Why a text is not a period key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a period key, write it like 2026-11, 2026-W47, 2026-Q4, 2026 or 2026-11-30d")]
pub struct PeriodKeyError;

/// Names one period of one kind, in no zone yet: `2025-11`, `2026-W53`, `2025-Q4`, `2028`, `2025-11-30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeriodKey {
    kind: PeriodKind,
    /// First local date of the calendar period; for a rolling one, of the month at whose end it is judged.
    first: Date,
}

/// A period in a zone: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// Its name.
    pub key: PeriodKey,

    /// First instant inside; of a rolling period, `end` minus its days.
    pub start: Instant,

    /// First instant after it.
    pub end: Instant,
}

impl Period {
    /// What its figures are of at an instant: all of it, or of a rolling period its days up to then.
    pub fn window_at(&self, as_of: Instant) -> Interval {
        match self.key.rolling_days() {
            Some(days) => rolling_window(days, as_of.min(self.end)),
            None => Interval { from: self.start, to: self.end },
        }
    }

    /// The period as an interval; nothing at the very end of the calendar.
    pub fn interval(&self) -> Option<Interval> {
        Interval::new(self.start, self.end)
    }
}

impl PeriodKey {
    /// The key of the period of `kind` that has the local date in it (of a rolling kind: whose month has it).
    pub fn of_date(kind: PeriodKind, date: Date) -> PeriodKey {
        let first = match kind {
            PeriodKind::CalendarWeek => {
                let into_week = Weekday::Monday.until(date.weekday());
                date.saturating_sub(Span::new().days(into_week))
            }
            PeriodKind::CalendarMonth | PeriodKind::Rolling { .. } => date.first_of_month(),
            PeriodKind::CalendarQuarter => {
                let months_into = (date.month() - 1) % 3;
                date.first_of_month().saturating_sub(Span::new().months(months_into))
            }
            PeriodKind::CalendarYear => date.first_of_year(),
        };
        PeriodKey { kind, first }
    }

    /// Reads a key of any kind, only in the form in which it is printed.
    pub fn parse(text: &str) -> Result<PeriodKey, PeriodKeyError> {
        let mut parts = text.splitn(3, '-');
        let year = parts.next().and_then(|year| year.parse::<i16>().ok()).filter(|year| (1..=9998).contains(year));
        let year = year.ok_or(PeriodKeyError)?;
        let key = match (parts.next(), parts.next()) {
            (None, _) => date_key(PeriodKind::CalendarYear, year, 1),
            (Some(part), None) => match (part.strip_prefix('W'), part.strip_prefix('Q')) {
                (Some(week), _) => {
                    let week = week.parse().ok().and_then(|week| ISOWeekDate::new(year, week, Weekday::Monday).ok());
                    week.map(|week| PeriodKey { kind: PeriodKind::CalendarWeek, first: week.date() })
                }
                (_, Some(quarter)) => quarter
                    .parse::<i8>()
                    .ok()
                    .filter(|quarter| (1..=4).contains(quarter))
                    .and_then(|quarter| date_key(PeriodKind::CalendarQuarter, year, quarter * 3 - 2)),
                _ => part.parse().ok().and_then(|month| date_key(PeriodKind::CalendarMonth, year, month)),
            },
            (Some(month), Some(days)) => {
                let days = days.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
                let days = days.filter(|days| (1..=MAX_ROLLING_DAYS).contains(days)).ok_or(PeriodKeyError)?;
                month.parse().ok().and_then(|month| date_key(PeriodKind::Rolling { days }, year, month))
            }
        };
        // Only the canonical form: a report's name is made of it.
        key.filter(|key| key.to_string() == text).ok_or(PeriodKeyError)
    }

    /// The kind of its period.
    pub fn kind(&self) -> PeriodKind {
        self.kind
    }

    /// Days of the window of a rolling period; none for calendar periods.
    pub fn rolling_days(&self) -> Option<u16> {
        match self.kind {
            PeriodKind::Rolling { days } => Some(days),
            _ => None,
        }
    }

    /// The key of the following period. The last one of the calendar follows itself.
    #[must_use]
    pub fn next(&self) -> PeriodKey {
        PeriodKey { first: self.end_date(), ..*self }
    }

    /// The key of the period before. The first one of the calendar precedes itself.
    #[must_use]
    pub fn previous(&self) -> PeriodKey {
        let day_before = self.first.yesterday().unwrap_or(self.first);
        PeriodKey::of_date(self.kind, day_before)
    }

    /// The calendar period whose ledger holds its entries: its own, for a rolling one that of the month.
    #[must_use]
    pub fn ledger(&self) -> PeriodKey {
        match self.kind {
            PeriodKind::Rolling { .. } => PeriodKey { kind: PeriodKind::CalendarMonth, first: self.first },
            _ => *self,
        }
    }

    /// Its boundaries in `zone`.
    pub fn period_in(&self, zone: &TimeZone) -> Period {
        let end = first_instant_of(zone, self.end_date());
        let start = match self.kind {
            PeriodKind::Rolling { days } => end.minus_ms(i64::from(days) * DAY_MS),
            _ => first_instant_of(zone, self.first),
        };
        Period { key: *self, start, end }
    }

    /// First local date of the next period.
    fn end_date(self) -> Date {
        let length = match self.kind {
            PeriodKind::CalendarWeek => Span::new().weeks(1),
            PeriodKind::CalendarMonth | PeriodKind::Rolling { .. } => Span::new().months(1),
            PeriodKind::CalendarQuarter => Span::new().months(3),
            PeriodKind::CalendarYear => Span::new().years(1),
        };
        self.first.checked_add(length).unwrap_or(self.first)
    }
}

fn date_key(kind: PeriodKind, year: i16, month: i8) -> Option<PeriodKey> {
    Date::new(year, month, 1).ok().map(|first| PeriodKey { kind, first })
}

impl fmt::Display for PeriodKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.first.year(), self.first.month());
        match self.kind {
            PeriodKind::CalendarWeek => {
                let week = self.first.iso_week_date();
                write!(formatter, "{:04}-W{:02}", week.year(), week.week())
            }
            PeriodKind::CalendarMonth => write!(formatter, "{year:04}-{month:02}"),
            PeriodKind::CalendarQuarter => write!(formatter, "{year:04}-Q{}", (month + 2) / 3),
            PeriodKind::CalendarYear => write!(formatter, "{year:04}"),
            PeriodKind::Rolling { days } => write!(formatter, "{year:04}-{month:02}-{days}d"),
        }
    }
}

/// The period of `kind` in `zone` that has `instant` in it. Of a rolling kind: the one judged at the end of the
/// calendar month that has `instant` in it, whose ledger that month's is.
pub fn period_containing(kind: PeriodKind, zone: &TimeZone, instant: Instant) -> Period {
    let key = PeriodKey::of_date(kind, instant.date_in(zone));
    let period = key.period_in(zone);
    // Where the clock goes back over midnight, the local date falls behind a boundary already passed.
    if instant >= period.end { key.next().period_in(zone) } else { period }
}

/// The live window of a rolling period: exact days of 24 hours up to `now`.
pub fn rolling_window(days: u16, now: Instant) -> Interval {
    Interval { from: now.minus_ms(i64::from(days.max(1)) * DAY_MS), to: now }
}

/// The term's beginning for a date: its first local instant.
pub fn start_of_date(zone: &TimeZone, date: Date) -> Instant {
    first_instant_of(zone, date)
}

/// The term's end for the last date in force: the first instant of the next date.
pub fn end_of_date(zone: &TimeZone, date: Date) -> Instant {
    first_instant_of(zone, date.saturating_add(Span::new().days(1)))
}

#[cfg(test)]
mod tests;
