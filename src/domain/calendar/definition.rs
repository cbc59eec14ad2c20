//! What people write for a calendar, and the reading of it. A [`Calendar`] exists only if all of it is right.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Calendar, DayHours, HOLIDAYS_WINDOW, HolidayRule, Holidays, NamedWindow};
use crate::domain::duration::{format_exact, parse_duration_ms};
use crate::domain::recurrence::{RecurrenceError, Rule, Schedule};
use crate::domain::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::domain::zone::zone_named;

/// Three rows a weekday.
pub const MAX_WEEKLY_ROWS: usize = 21;
/// One a day of a leap year.
pub const MAX_HOLIDAYS: usize = 366;
/// Calendars whose holidays may be taken over.
pub const MAX_HOLIDAYS_FROM: usize = 4;
/// Named windows.
pub const MAX_WINDOWS: usize = 64;
/// Exceptions and additions of one window: one a day of a leap year each.
pub const MAX_WINDOW_DATES: usize = 366;
/// Shortest window.
pub const MIN_WINDOW_MS: i64 = MINUTE_MS;
/// Longest window.
pub const MAX_WINDOW_MS: i64 = 31 * DAY_MS;

/// The spec of a calendar as written, every value still text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalendarDefinition {
    /// IANA name of the zone of all local times here.
    pub time_zone: String,

    /// Absent: always open.
    pub weekly: Option<Vec<WeeklyHours>>,

    /// Days on which no hours start, or others.
    #[serde(default)]
    pub holidays: Vec<Holiday>,

    /// Names of calendars whose holidays count too.
    #[serde(default)]
    pub holidays_from: Vec<String>,

    /// Named windows for maintenance, changes and freezes.
    #[serde(default)]
    pub windows: Vec<Window>,
}

/// One row of the weekly hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WeeklyHours {
    /// `Mon` to `Sun`, the days on which the hours start.
    pub days: Vec<String>,

    /// `08:00`.
    pub from: String,

    /// `18:00` or `24:00`; before `from`: on the next day.
    pub to: String,
}

/// One holiday.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holiday {
    /// For people.
    pub name: String,

    /// `2026-12-25`, the first of them if there is a rule.
    pub date: String,

    /// RFC 5545 subset.
    pub rrule: Option<String>,

    /// Replace the hours of that day; absent: none.
    pub hours: Option<HolidayHours>,
}

/// The hours of a holiday.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HolidayHours {
    /// `08:00`.
    pub from: String,

    /// `12:00` or `24:00`; before `from`: on the next day.
    pub to: String,
}

/// One named window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Unique in the calendar.
    pub name: String,

    /// Local time, `2026-01-04T02:00`.
    pub start: String,

    /// Elapsed time, `2h`.
    pub duration: String,

    /// RFC 5545 subset; absent: once.
    pub rrule: Option<String>,

    /// Local starts that are left out.
    #[serde(default)]
    pub exdates: Vec<String>,

    /// Local starts beyond the rule.
    #[serde(default)]
    pub rdates: Vec<String>,
}

/// One fault of a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Violation {
    /// Where, like `weekly[2].from`.
    pub field: String,

    /// What is wrong and what to write instead.
    pub message: String,
}

/// Gathers faults, so that one visit shows them all.
#[derive(Default)]
struct Faults(Vec<Violation>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, message: &(impl ToString + ?Sized)) {
        self.0.push(Violation { field: field.into(), message: message.to_string() });
    }

    /// The value, or a note of why there is none.
    fn keep<T, E: ToString>(&mut self, field: impl Into<String>, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, &error)).ok()
    }

    fn limit(&mut self, field: impl Into<String>, length: usize, most: usize) {
        if length > most {
            self.add(field, &format!("{length} entries, at most {most}"));
        }
    }
}

/// Reads a definition; the entry point is [`Calendar::new`].
pub(super) fn read(definition: &CalendarDefinition) -> Result<Calendar, Vec<Violation>> {
    let mut faults = Faults::default();
    let zone = faults.keep("timeZone", zone_named(&definition.time_zone));
    // The other fields are read in UTC if the zone is unknown, so that their faults show too.
    let zone = zone.unwrap_or(TimeZone::UTC);
    let weekly = definition.weekly.as_deref().map(|rows| read_weekly(rows, &mut faults));
    faults.limit("holidays", definition.holidays.len(), MAX_HOLIDAYS);
    let mut holidays = Holidays::default();
    for (index, holiday) in definition.holidays.iter().take(MAX_HOLIDAYS).enumerate() {
        if let Some(rule) = read_holiday(holiday, &format!("holidays[{index}]"), &zone, &mut faults) {
            holidays.add(rule);
        }
    }
    faults.limit("holidaysFrom", definition.holidays_from.len(), MAX_HOLIDAYS_FROM);
    faults.limit("windows", definition.windows.len(), MAX_WINDOWS);
    let mut windows = Vec::new();
    let mut names = BTreeSet::new();
    for (index, window) in definition.windows.iter().take(MAX_WINDOWS).enumerate() {
        let field = format!("windows[{index}]");
        if window.name.is_empty() {
            faults.add(format!("{field}.name"), "is empty, give the window a name");
        } else if window.name == HOLIDAYS_WINDOW {
            faults.add(format!("{field}.name"), "`holidays` is reserved for the holidays, choose another name");
        } else if !names.insert(window.name.as_str()) {
            faults.add(format!("{field}.name"), &format!("{:?} is used twice, choose another name", window.name));
        }
        windows.extend(read_window(window, &field, &zone, &mut faults));
    }
    if faults.0.is_empty() { Ok(Calendar { zone, weekly, holidays, windows }) } else { Err(faults.0) }
}

fn read_weekly(rows: &[WeeklyHours], faults: &mut Faults) -> [Vec<DayHours>; 7] {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut weekly: [Vec<DayHours>; 7] = Default::default();
    if rows.is_empty() {
        faults.add("weekly", "is empty, add a row or leave it out for always open");
    }
    faults.limit("weekly", rows.len(), MAX_WEEKLY_ROWS);
    for (index, row) in rows.iter().take(MAX_WEEKLY_ROWS).enumerate() {
        let field = format!("weekly[{index}]");
        let hours = read_hours(&row.from, &row.to, &field, faults);
        if row.days.is_empty() {
            faults.add(format!("{field}.days"), "is empty, name at least one of Mon Tue Wed Thu Fri Sat Sun");
        }
        faults.limit(format!("{field}.days"), row.days.len(), DAYS.len());
        for (number, name) in row.days.iter().take(DAYS.len()).enumerate() {
            match DAYS.iter().position(|day| day == name) {
                Some(day) => weekly[day].extend(hours),
                None => faults.add(
                    format!("{field}.days[{number}]"),
                    &format!("{name:?} is not a day, write Mon Tue Wed Thu Fri Sat or Sun"),
                ),
            }
        }
    }
    weekly
}

fn read_hours(from: &str, to: &str, field: &str, faults: &mut Faults) -> Option<DayHours> {
    let from_ms = faults.keep(format!("{field}.from"), parse_time_of_day_ms(from, false));
    let to_ms = faults.keep(format!("{field}.to"), parse_time_of_day_ms(to, true));
    let (from_ms, to_ms) = (from_ms?, to_ms?);
    if from_ms == to_ms {
        faults.add(format!("{field}.to"), "is the same as from, write 00:00 to 24:00 for the whole day");
        return None;
    }
    // Over midnight: up to that time of the next day.
    Some(DayHours { from_ms, to_ms: if to_ms < from_ms { to_ms + DAY_MS } else { to_ms } })
}

fn read_holiday(holiday: &Holiday, field: &str, zone: &TimeZone, faults: &mut Faults) -> Option<HolidayRule> {
    let hours =
        holiday.hours.as_ref().map(|hours| read_hours(&hours.from, &hours.to, &format!("{field}.hours"), faults));
    let date = faults.keep(format!("{field}.date"), parse_date(&holiday.date));
    let start = date.map(|date| DateTime::from_parts(date, Time::midnight()));
    let schedule = read_schedule(start, holiday.rrule.as_deref(), &format!("{field}.rrule"), zone, faults)?;
    match hours {
        None => Some(HolidayRule { schedule, hours: None }),
        Some(hours) => hours.map(|hours| HolidayRule { schedule, hours: Some(hours) }),
    }
}

fn read_window(window: &Window, field: &str, zone: &TimeZone, faults: &mut Faults) -> Option<NamedWindow> {
    let start = faults.keep(format!("{field}.start"), parse_local(&window.start));
    let length_ms = faults.keep(format!("{field}.duration"), parse_duration_ms(&window.duration));
    if let Some(length_ms) = length_ms
        && !(MIN_WINDOW_MS..=MAX_WINDOW_MS).contains(&length_ms)
    {
        let (least, most) = (format_exact(MIN_WINDOW_MS), format_exact(MAX_WINDOW_MS));
        faults.add(
            format!("{field}.duration"),
            &format!("{} is out of bounds, write {least} to {most}", window.duration),
        );
    }
    let schedule = read_schedule(start, window.rrule.as_deref(), &format!("{field}.rrule"), zone, faults);
    let excepted = read_locals(&window.exdates, &format!("{field}.exdates"), faults);
    let added = read_locals(&window.rdates, &format!("{field}.rdates"), faults);
    Some(NamedWindow { name: window.name.clone(), schedule: schedule?, length_ms: length_ms?, excepted, added })
}

fn read_schedule(
    start: Option<DateTime>,
    rrule: Option<&str>,
    field: &str,
    zone: &TimeZone,
    faults: &mut Faults,
) -> Option<Schedule> {
    let rule = match rrule {
        None => return start.map(Schedule::once),
        Some(rrule) => faults.keep::<_, RecurrenceError>(field, Rule::parse(rrule)),
    };
    let (start, rule) = (start?, rule?);
    faults.keep(field, Schedule::recurring(start, rule, zone))
}

fn read_locals(texts: &[String], field: &str, faults: &mut Faults) -> Vec<DateTime> {
    faults.limit(field, texts.len(), MAX_WINDOW_DATES);
    let numbered = texts.iter().take(MAX_WINDOW_DATES).enumerate();
    numbered.filter_map(|(index, text)| faults.keep(format!("{field}[{index}]"), parse_local(text))).collect()
}

/// Two digits as a number.
fn two_digits(text: &str) -> Option<i8> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn hour_and_minute(text: &str) -> Option<(i8, i8)> {
    let (hour, minute) = text.split_once(':')?;
    Some((two_digits(hour)?, two_digits(minute)?))
}

fn parse_time_of_day_ms(text: &str, may_end_day: bool) -> Result<i64, String> {
    match hour_and_minute(text) {
        Some((24, 0)) if may_end_day => Ok(DAY_MS),
        Some((hour @ 0..=23, minute @ 0..=59)) => Ok(i64::from(hour) * HOUR_MS + i64::from(minute) * MINUTE_MS),
        _ if may_end_day => Err(format!("{text:?} is not a time of day, write 00:00 to 24:00 with both digits")),
        _ => Err(format!("{text:?} is not a time of day, write 00:00 to 23:59 with both digits")),
    }
}

fn date_of(text: &str) -> Option<Date> {
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.strip_prefix('-')?.split_once('-')?;
    let year_digits = year.bytes().all(|byte| byte.is_ascii_digit());
    // Years in which zones have whole rules and no sum leaves the calendar.
    let year = year.parse().ok().filter(|year| year_digits && (1970..=9998).contains(year))?;
    Date::new(year, two_digits(month)?, two_digits(day)?).ok()
}

fn parse_date(text: &str) -> Result<Date, String> {
    date_of(text).ok_or_else(|| format!("{text:?} is not a date, write it like 2026-12-25"))
}

fn parse_local(text: &str) -> Result<DateTime, String> {
    let local = text.split_once('T').and_then(|(date, time)| {
        let (hour, minute) = hour_and_minute(time)?;
        Some(DateTime::from_parts(date_of(date)?, Time::new(hour, minute, 0, 0).ok()?))
    });
    local.ok_or_else(|| format!("{text:?} is not a local time, write it without offset like 2026-11-01T02:00"))
}

#[cfg(test)]
mod tests;
