//! From the spec of a `ServiceCalendar` to a validated calendar.

use serde_json::json;

use crate::api::ServiceCalendarSpec;

use super::calendar::{Calendar, CalendarDefinition, Holiday, HolidayHours, WeeklyHours, Window};
use super::digest;
use super::violation::Violation;

/// Reads a spec; all errors are named, not just the first. The holidays of other calendars are added by
/// [`Calendar::with_holidays_of`], once they are found.
pub fn read_spec(spec: &ServiceCalendarSpec) -> Result<Calendar, Vec<Violation>> {
    Calendar::new(&definition(spec)).map_err(|violations| {
        violations.into_iter().map(|wrong| Violation::new(format!("spec.{}", wrong.field), wrong.message)).collect()
    })
}

/// Digest of a calendar together with those that it takes holidays from; its own if it takes none.
pub fn effective_digest(own: &str, taken: &[&str]) -> String {
    if taken.is_empty() {
        return own.to_owned();
    }
    digest::of_value(&json!({"calendar": own, "holidaysFrom": taken}))
}

fn definition(spec: &ServiceCalendarSpec) -> CalendarDefinition {
    let texts = |list: &[crate::api::values::LocalTime]| list.iter().map(|text| text.0.clone()).collect();
    CalendarDefinition {
        time_zone: spec.time_zone.0.clone(),
        weekly: spec.weekly.as_ref().map(|rows| {
            rows.iter()
                .map(|row| WeeklyHours {
                    days: row.days.iter().map(|day| format!("{day:?}")).collect(),
                    from: row.from.0.clone(),
                    to: row.to.0.clone(),
                })
                .collect()
        }),
        holidays: spec
            .holidays
            .iter()
            .map(|holiday| Holiday {
                name: holiday.name.clone(),
                date: holiday.date.0.clone(),
                rrule: holiday.rrule.as_ref().map(|rule| rule.0.clone()),
                hours: holiday
                    .hours
                    .as_ref()
                    .map(|hours| HolidayHours { from: hours.from.0.clone(), to: hours.to.0.clone() }),
            })
            .collect(),
        holidays_from: spec.holidays_from.iter().map(|name| name.0.clone()).collect(),
        windows: spec
            .windows
            .iter()
            .map(|window| Window {
                name: window.name.0.clone(),
                start: window.start.0.clone(),
                duration: window.duration.0.clone(),
                rrule: window.rrule.as_ref().map(|rule| rule.0.clone()),
                exdates: texts(&window.exdates),
                rdates: texts(&window.rdates),
            })
            .collect(),
    }
}
