//! Recurrence: the subset of RFC 5545 that calendars use.
//!
//! A rule is a test of one date (`occurs_on`), as service hours are a test of one instant. Nothing is generated
//! ahead, so a rule that never matches costs what the days looked at cost. The crate `rrule` knows more parts, but
//! brings chrono, chrono-tz and regex and its own zone data; it is the oracle of the tests instead.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use super::time::Instant;
use super::zone::start_instant_of;

mod parse;

pub use parse::RecurrenceError;

/// How far from its start the dates of a rule are counted: what makes every search end.
const HORIZON_YEARS: i16 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Never,
    Count(u32),
    /// Inclusive, on the calendar's clock.
    UntilLocal(DateTime),
    /// Inclusive, written with `Z`.
    UntilInstant(Instant),
}

/// A parsed recurrence rule, not yet bound to a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    frequency: Frequency,
    interval: u32,
    end: End,
    /// With the number of `2SU`, or 0 without.
    by_day: Vec<(i8, Weekday)>,
    by_month_day: Vec<i8>,
    by_month: Vec<i8>,
    week_start: Weekday,
}

impl Rule {
    /// Whether `date` is one of the rule's, COUNT and UNTIL aside. Dates that do not exist are skipped by nature.
    fn matches(&self, start: Date, date: Date) -> bool {
        self.aligned(start, date) && self.month_matches(start, date) && self.day_matches(start, date)
    }

    /// Whether INTERVAL takes in the day, week, month or year of `date`.
    fn aligned(&self, start: Date, date: Date) -> bool {
        let units_apart = match self.frequency {
            Frequency::Daily => epoch_day(date) - epoch_day(start),
            Frequency::Weekly => self.week_of(date) - self.week_of(start),
            Frequency::Monthly => month_index(date) - month_index(start),
            Frequency::Yearly => i64::from(date.year()) - i64::from(start.year()),
        };
        units_apart % i64::from(self.interval) == 0
    }

    fn month_matches(&self, start: Date, date: Date) -> bool {
        if !self.by_month.is_empty() {
            self.by_month.contains(&date.month())
        } else if self.frequency == Frequency::Yearly && self.by_day.is_empty() && self.by_month_day.is_empty() {
            date.month() == start.month()
        } else {
            true
        }
    }

    fn day_matches(&self, start: Date, date: Date) -> bool {
        if self.by_day.is_empty() && self.by_month_day.is_empty() {
            return match self.frequency {
                Frequency::Daily => true,
                Frequency::Weekly => date.weekday() == start.weekday(),
                Frequency::Monthly | Frequency::Yearly => date.day() == start.day(),
            };
        }
        let day = date.day();
        let from_end = day - date.days_in_month() - 1;
        let weekday_matches = |(ordinal, weekday): &(i8, Weekday)| {
            *weekday == date.weekday()
                && (*ordinal == 0 || *ordinal == (day - 1) / 7 + 1 || *ordinal == (from_end + 1) / 7 - 1)
        };
        (self.by_day.is_empty() || self.by_day.iter().any(weekday_matches))
            && (self.by_month_day.is_empty() || self.by_month_day.iter().any(|by| *by == day || *by == from_end))
    }

    /// Number of the week that `date` is in, weeks starting on WKST.
    fn week_of(&self, date: Date) -> i64 {
        let into_week = i64::from(self.week_start.until(date.weekday()));
        (epoch_day(date) - into_week).div_euclid(7)
    }

    /// First match from `from` to `to`; months without any are stepped over whole.
    fn next_match(&self, start: Date, from: Date, to: Date) -> Option<Date> {
        let mut date = from.max(start);
        while date <= to {
            if self.matches(start, date) {
                return Some(date);
            }
            let coarse = matches!(self.frequency, Frequency::Monthly | Frequency::Yearly);
            let skip_month = !self.month_matches(start, date) || coarse && !self.aligned(start, date);
            date = if skip_month { date.last_of_month() } else { date }.tomorrow().ok()?;
        }
        None
    }
}

/// A start with or without a rule: the dates on which something recurs, always at the start's time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    start: DateTime,
    rule: Option<Rule>,
    /// The last date, where COUNT or UNTIL sets one.
    last: Option<Date>,
}

impl Schedule {
    /// Happens once.
    pub fn once(start: DateTime) -> Schedule {
        Schedule { start, rule: None, last: Some(start.date()) }
    }

    /// Recurs by `rule` from `start`, which has to be one of its dates: RFC 5545 leaves open what else would happen.
    /// `zone` decides on which date an UNTIL with `Z` falls.
    pub fn recurring(start: DateTime, rule: Rule, zone: &TimeZone) -> Result<Schedule, RecurrenceError> {
        let (schedule, count_reached) = Schedule::bind(start, rule, zone);
        let date = start.date();
        if schedule.last.is_some_and(|last| last < date) {
            return Err(RecurrenceError::UntilBeforeStart);
        }
        match schedule.rule.as_ref().and_then(|rule| rule.next_match(date, date, horizon(date))) {
            None => Err(RecurrenceError::Never),
            Some(first) if first != date => Err(RecurrenceError::StartNotInRule { start: date, first }),
            Some(_) if !count_reached => Err(RecurrenceError::CountNotReached),
            Some(_) => Ok(schedule),
        }
    }

    /// Turns COUNT and UNTIL into the last date, once, so that later questions need not begin at the start.
    /// Also says whether COUNT was reached within the horizon.
    fn bind(start: DateTime, rule: Rule, zone: &TimeZone) -> (Schedule, bool) {
        let (date, time) = (start.date(), start.time());
        let mut count_reached = true;
        let last = match rule.end {
            End::Never => None,
            End::UntilLocal(until) if until.time() >= time => Some(until.date()),
            End::UntilLocal(until) => Some(until.date().yesterday().unwrap_or(Date::MIN)),
            End::UntilInstant(until) => Some(last_start_by(zone, time, until)),
            End::Count(count) => {
                let unbounded = Schedule { start, rule: Some(rule.clone()), last: None };
                let counted = unbounded.dates_within(date, horizon(date)).take(count as usize);
                let (found, last) = counted.fold((0, None), |(found, _), date| (found + 1, Some(date)));
                count_reached = found == count;
                last
            }
        };
        (Schedule { start, rule: Some(rule), last }, count_reached)
    }

    /// The local time of day at which it starts, on each of its dates.
    pub fn time(&self) -> Time {
        self.start.time()
    }

    /// Its first date.
    pub fn first_date(&self) -> Date {
        self.start.date()
    }

    /// Its last date, if it ends.
    pub fn last_date(&self) -> Option<Date> {
        self.last
    }

    /// Whether it has no rule.
    pub fn is_single(&self) -> bool {
        self.rule.is_none()
    }

    /// Whether it starts on `date`. Constant time.
    pub fn occurs_on(&self, date: Date) -> bool {
        let start = self.start.date();
        start <= date
            && self.last.is_none_or(|last| date <= last)
            && self.rule.as_ref().map_or(date == start, |rule| rule.matches(start, date))
    }

    /// Its dates from `from` to `to`, both included. O(days), and months without any cost one step.
    pub fn dates_within(&self, from: Date, to: Date) -> impl Iterator<Item = Date> + '_ {
        let mut next = self.next_date(from, to);
        std::iter::from_fn(move || {
            let found = next?;
            next = found.tomorrow().ok().and_then(|from| self.next_date(from, to));
            Some(found)
        })
    }

    /// Its first date from `from` to `to`, both included.
    pub fn next_date(&self, from: Date, to: Date) -> Option<Date> {
        let start = self.start.date();
        let to = self.last.map_or(to, |last| last.min(to));
        match &self.rule {
            None => (from <= start && start <= to).then_some(start),
            Some(rule) => rule.next_match(start, from, to),
        }
    }
}

fn horizon(start: Date) -> Date {
    start.saturating_add(jiff::Span::new().years(HORIZON_YEARS))
}

/// The last date on which something that starts at `time` starts at `until` or before.
fn last_start_by(zone: &TimeZone, time: Time, until: Instant) -> Date {
    let mut date = until.date_in(zone).saturating_add(jiff::Span::new().days(1));
    // At most three steps: a start is never moved by more than a day.
    for _ in 0..3 {
        if start_instant_of(zone, DateTime::from_parts(date, time)) <= until {
            break;
        }
        date = date.yesterday().unwrap_or(Date::MIN);
    }
    date
}

fn epoch_day(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

fn month_index(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month())
}

#[cfg(test)]
mod tests;
