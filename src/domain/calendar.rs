//! Calendars: service hours, holidays and named windows in one time zone.
//!
//! Hours are membership: an instant is in hours if its local date and time of day are. So time is cut at the changes
//! of the zone's offset, and in each stretch local hours are shifted by its offset and clipped to it. A gap then adds
//! nothing and a fold counts twice, without a special case. Windows are a start and an exact elapsed duration.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::recurrence::Schedule;
use super::time::{DAY_MS, Instant, Interval, local_ms, normalise, offset_ms_at};
use super::zone::{Stretch, first_instant_of, start_instant_of, stretches};

mod definition;

pub use definition::{
    CalendarDefinition, Holiday, HolidayHours, MAX_HOLIDAYS, MAX_HOLIDAYS_FROM, MAX_WEEKLY_ROWS, MAX_WINDOW_DATES,
    MAX_WINDOW_MS, MAX_WINDOWS, MIN_WINDOW_MS, Violation, WeeklyHours, Window,
};

/// Most occurrences of one window that a question returns; a year has 366 days.
pub const MAX_OCCURRENCES: usize = 1_000;
/// How far ahead the next opening or closing is looked for.
pub const CHANGE_LOOK_AHEAD_DAYS: i64 = 400;
/// How far ahead the next start of a window is looked for: beyond the eight years between 29 February 2096 and 2104.
pub const WINDOW_LOOK_AHEAD_DAYS: i64 = 3_000;
/// The window that every calendar has: its holidays, as whole local dates.
pub const HOLIDAYS_WINDOW: &str = "holidays";

/// Hours that start on one local day: `[from_ms, to_ms)` after 00:00 on a clock without changes; `to_ms` is beyond
/// 24 h if they run over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DayHours {
    from_ms: i64,
    to_ms: i64,
}

/// All of a local day.
const WHOLE_DAY: DayHours = DayHours { from_ms: 0, to_ms: DAY_MS };

#[derive(Clone, Debug, PartialEq, Eq)]
struct HolidayRule {
    schedule: Schedule,
    hours: Option<DayHours>,
}

/// Holidays, those with a single date by date: a year of them costs one look-up a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holidays {
    dated: BTreeMap<Date, Vec<Option<DayHours>>>,
    recurring: Vec<HolidayRule>,
}

impl Holidays {
    fn add(&mut self, rule: HolidayRule) {
        if rule.schedule.is_single() {
            self.dated.entry(rule.schedule.first_date()).or_default().push(rule.hours);
        } else {
            self.recurring.push(rule);
        }
    }

    /// The hours of each holiday on `date`; empty if it is none.
    fn on(&self, date: Date) -> impl Iterator<Item = Option<DayHours>> + '_ {
        let recurring = self.recurring.iter().filter(move |rule| rule.schedule.occurs_on(date));
        self.dated.get(&date).into_iter().flatten().copied().chain(recurring.map(|rule| rule.hours))
    }

    fn is_empty(&self) -> bool {
        self.dated.is_empty() && self.recurring.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NamedWindow {
    name: String,
    schedule: Schedule,
    length_ms: i64,
    excepted: Vec<DateTime>,
    added: Vec<DateTime>,
}

/// A validated calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    zone: TimeZone,
    /// By weekday from Monday; absent: always open.
    weekly: Option<[Vec<DayHours>; 7]>,
    holidays: Holidays,
    windows: Vec<NamedWindow>,
}

impl Calendar {
    /// Checks a definition and reads it; all faults are reported, not the first alone.
    pub fn new(definition: &CalendarDefinition) -> Result<Calendar, Vec<Violation>> {
        definition::read(definition)
    }

    /// Open round the clock in UTC, without holidays and windows: what no reference means.
    pub fn always() -> Calendar {
        Calendar { zone: TimeZone::UTC, weekly: None, holidays: Holidays::default(), windows: Vec::new() }
    }

    /// Adds the holidays of the calendars that `holidaysFrom` names, as dates in this calendar's zone. Pass them as
    /// built by [`Calendar::new`]: one level, what they take from others does not come along.
    #[must_use]
    pub fn with_holidays_of(mut self, others: &[&Calendar]) -> Calendar {
        for other in others {
            for (date, hours) in &other.holidays.dated {
                self.holidays.dated.entry(*date).or_default().extend(hours);
            }
            self.holidays.recurring.extend(other.holidays.recurring.iter().cloned());
        }
        self
    }

    /// Its time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The time in `span` in which it is open, sorted and disjoint.
    /// O(days × (rows of a day + recurring holidays)), and one look-up a day in the dated holidays.
    pub fn hours_within(&self, span: Interval) -> Vec<Interval> {
        if self.weekly.is_none() && self.holidays.is_empty() {
            return Interval::new(span.from, span.to).into_iter().collect();
        }
        let mut open = Vec::new();
        for stretch in stretches(&self.zone, span) {
            let (first, last) = self.dates_touching(&stretch);
            for date in days(first, last) {
                let midnight_ms = midnight_ms(date);
                self.for_hours_on(date, |hours| {
                    open.extend(stretch.covered(midnight_ms + hours.from_ms, midnight_ms + hours.to_ms));
                });
            }
        }
        normalise(open)
    }

    /// Whether it is open at `instant`. O(rows of two days + recurring holidays).
    pub fn open_at(&self, instant: Instant) -> bool {
        let now_ms = instant.as_ms() + offset_ms_at(&self.zone, instant);
        let date = instant.date_in(&self.zone);
        let mut open = false;
        for date in [date.yesterday().unwrap_or(date), date] {
            let into_day_ms = now_ms - midnight_ms(date);
            self.for_hours_on(date, |hours| {
                open |= hours.from_ms <= into_day_ms && into_day_ms < hours.to_ms;
            });
        }
        open
    }

    /// The first instant after `instant` at which it opens or closes, within [`CHANGE_LOOK_AHEAD_DAYS`].
    pub fn next_change_after(&self, instant: Instant) -> Option<Instant> {
        // A change is mostly a day away and rarely more than a week: short pieces, then long ones.
        const PIECE_DAYS: [i64; 3] = [2, 14, 60];
        let end = instant.plus_ms(CHANGE_LOOK_AHEAD_DAYS * DAY_MS);
        let open = self.open_at(instant);
        let mut from = instant;
        let mut pieces = PIECE_DAYS.iter();
        let mut piece_days = PIECE_DAYS[0];
        while from < end {
            if self.open_at(from) != open {
                return Some(from);
            }
            piece_days = pieces.next().copied().unwrap_or(piece_days);
            let piece = Interval { from, to: from.plus_ms(piece_days * DAY_MS).min(end) };
            // The state at `from` is `open`, so the first interval begins there exactly if it is open.
            let first = self.hours_within(piece).first().copied();
            let change = if open { first.map(|first| first.to) } else { first.map(|first| first.from) };
            if let Some(change) = change.filter(|change| *change < piece.to) {
                return Some(change);
            }
            from = piece.to;
        }
        None
    }

    /// Whether the local date is a holiday, with or without hours of its own.
    pub fn is_holiday(&self, date: Date) -> bool {
        self.holidays.on(date).next().is_some()
    }

    /// The holidays in `span` as whole local dates, sorted and disjoint; neighbouring dates are one interval.
    pub fn holidays_within(&self, span: Interval) -> Vec<Interval> {
        let (first, last) = (span.from.date_in(&self.zone), span.to.date_in(&self.zone));
        // One more on each side: where the clock goes back over midnight, a date reaches behind its successor.
        let (first, last) = (shifted(first, -1), shifted(last, 1));
        let dates = days(first, last).filter(|date| self.is_holiday(*date));
        let whole = dates.filter_map(|date| {
            let to = first_instant_of(&self.zone, shifted(date, 1));
            Interval::new(first_instant_of(&self.zone, date), to)?.intersect(&span)
        });
        normalise(whole.collect())
    }

    /// The last of the holidays with a single date. None: no holiday has one.
    pub fn last_dated_holiday(&self) -> Option<Date> {
        self.holidays.dated.last_key_value().map(|(date, _)| *date)
    }

    /// Whether it lists any holiday, dated or recurring.
    pub fn has_holidays(&self) -> bool {
        !self.holidays.is_empty()
    }

    /// The names of its windows in the order of the definition, without `holidays`.
    pub fn window_names(&self) -> impl Iterator<Item = &str> {
        self.windows.iter().map(|window| window.name.as_str())
    }

    /// Whether `name` is a window here; `holidays` always is.
    pub fn has_window(&self, name: &str) -> bool {
        name == HOLIDAYS_WINDOW || self.windows.iter().any(|window| window.name == name)
    }

    /// The occurrences of a window that share time with `span`, whole (not cut to it), in order of their start, at
    /// most [`MAX_OCCURRENCES`]. Two may overlap. Of `holidays`: [`Calendar::holidays_within`]. Unknown name: none.
    /// O(days of the span and of the duration).
    pub fn window_occurrences(&self, name: &str, span: Interval) -> Vec<Interval> {
        if name == HOLIDAYS_WINDOW {
            return self.holidays_within(span);
        }
        let window = self.windows.iter().find(|window| window.name == name);
        window.map(|window| self.occurrences_of(window, span)).unwrap_or_default()
    }

    /// The windows in which `instant` is, by name and occurrence, without `holidays`.
    pub fn active_windows(&self, instant: Instant) -> Vec<(&str, Interval)> {
        let now = Interval { from: instant, to: instant.plus_ms(1) };
        let named = self.windows.iter().map(|window| (window.name.as_str(), window));
        named.flat_map(|(name, window)| self.occurrences_of(window, now).into_iter().map(move |o| (name, o))).collect()
    }

    /// The next occurrence of a window that starts after `instant`, within [`WINDOW_LOOK_AHEAD_DAYS`].
    pub fn next_occurrence_after(&self, name: &str, instant: Instant) -> Option<Interval> {
        let window = self.windows.iter().find(|window| window.name == name)?;
        let date = instant.date_in(&self.zone);
        let last = shifted(date, WINDOW_LOOK_AHEAD_DAYS);
        let ruled = window.schedule.dates_within(shifted(date, -1), last);
        let ruled = ruled.map(|date| DateTime::from_parts(date, window.schedule.time()));
        let ruled = ruled.filter(|start| !window.excepted.contains(start));
        let ruled = ruled.map(|start| self.occurrence(window, start)).find(|occurrence| occurrence.from > instant);
        let added = window.added.iter().filter(|start| start.date() <= last && !window.excepted.contains(start));
        let added = added.map(|start| self.occurrence(window, *start)).filter(|occurrence| occurrence.from > instant);
        ruled.into_iter().chain(added).min()
    }

    /// The next start of any window after `instant`, with its name; ties by name.
    pub fn next_window_start(&self, instant: Instant) -> Option<(&str, Instant)> {
        let starts = self
            .window_names()
            .filter_map(|name| self.next_occurrence_after(name, instant).map(|occurrence| (occurrence.from, name)));
        starts.min().map(|(start, name)| (name, start))
    }

    fn occurrence(&self, window: &NamedWindow, start: DateTime) -> Interval {
        let from = start_instant_of(&self.zone, start);
        Interval { from, to: from.plus_ms(window.length_ms) }
    }

    fn occurrences_of(&self, window: &NamedWindow, span: Interval) -> Vec<Interval> {
        // A gap moves a start, so one local date more on each side.
        let first = shifted(span.from.minus_ms(window.length_ms).date_in(&self.zone), -2);
        let last = shifted(span.to.date_in(&self.zone), 1);
        let ruled = window.schedule.dates_within(first, last);
        let ruled = ruled.map(|date| DateTime::from_parts(date, window.schedule.time()));
        let added = window.added.iter().copied().filter(|start| first <= start.date() && start.date() <= last);
        let starts = ruled.chain(added).filter(|start| !window.excepted.contains(start));
        let occurrences = starts.map(|start| self.occurrence(window, start));
        let mut occurrences: Vec<_> = occurrences.filter(|occurrence| occurrence.intersect(&span).is_some()).collect();
        occurrences.sort_unstable();
        occurrences.dedup();
        occurrences.truncate(MAX_OCCURRENCES);
        occurrences
    }

    /// The hours that start on the local `date`.
    fn for_hours_on(&self, date: Date, mut each: impl FnMut(DayHours)) {
        let mut holiday = false;
        for hours in self.holidays.on(date) {
            holiday = true;
            hours.into_iter().for_each(&mut each);
        }
        if holiday {
            return;
        }
        match &self.weekly {
            None => each(WHOLE_DAY),
            Some(weekly) => {
                let rows = &weekly[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())];
                rows.iter().copied().for_each(each);
            }
        }
    }

    /// The local dates whose hours may reach into a stretch: its own and the day before.
    fn dates_touching(&self, stretch: &Stretch) -> (Date, Date) {
        let first = stretch.interval.from.date_in(&self.zone);
        // The last instant inside: `to` may already have the next offset.
        let last = stretch.interval.to.minus_ms(1).date_in(&self.zone);
        (shifted(first, -1), last)
    }
}

fn midnight_ms(date: Date) -> i64 {
    local_ms(DateTime::from_parts(date, Time::midnight()))
}

fn shifted(date: Date, days: i64) -> Date {
    date.saturating_add(Span::new().days(days))
}

fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    let mut next = Some(first).filter(|first| *first <= last);
    std::iter::from_fn(move || {
        let date = next?;
        next = date.tomorrow().ok().filter(|date| *date <= last);
        Some(date)
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
