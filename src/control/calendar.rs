//! The status of a calendar.

use crate::api::ServiceCalendarStatus;
use crate::api::calendar::{UsedBy, WindowStatus};
use crate::domain::calendar::Calendar;
use crate::domain::conditions::Finding;
use crate::domain::time::Instant;

use super::world::CalendarEntry;

/// The status of a calendar at an instant, and when time alone changes it.
pub fn status(
    entry: &CalendarEntry,
    calendar: Option<&Calendar>,
    users: usize,
    now: Instant,
) -> (ServiceCalendarStatus, Vec<Finding>, Option<Instant>) {
    let mut status = ServiceCalendarStatus {
        window_count: Some(entry.spec.windows.len() as i64),
        holiday_count: Some(entry.spec.holidays.len() as i64),
        used_by: Some(UsedBy { agreements: users as u32 }),
        ..ServiceCalendarStatus::default()
    };
    let mut deadline = None;
    if let Some(calendar) = calendar {
        let change = calendar.next_change_after(now);
        status.open_now = Some(calendar.open_at(now));
        status.next_change = change.map(Instant::format_utc);
        deadline = change;
        let active = calendar.active_windows(now);
        for name in calendar.window_names() {
            let running = active.iter().find(|(other, _)| *other == name).map(|(_, span)| *span);
            let next = running.or_else(|| calendar.next_occurrence_after(name, now));
            let edge = running.map(|span| span.to).or(next.map(|span| span.from));
            deadline = [deadline, edge].into_iter().flatten().min();
            status.windows.push(WindowStatus {
                name: name.to_owned(),
                active: running.is_some(),
                next_start: next.map(|span| span.from.format_utc()),
                next_end: next.map(|span| span.to.format_utc()),
            });
        }
    }
    (status, findings(entry, calendar, now), deadline)
}

fn findings(entry: &CalendarEntry, calendar: Option<&Calendar>, now: Instant) -> Vec<Finding> {
    let ready = if !entry.problems.is_empty() {
        let used = if calendar.is_some() { "; the last valid version stays in use" } else { "" };
        Finding::no("Ready", "InvalidSpec", format!("{}{used}", super::join(&entry.problems)))
    } else if !entry.missing.is_empty() {
        let message =
            format!("holidaysFrom: no valid calendar {}; create it or remove the name", entry.missing.join(", "));
        Finding::no("Ready", "HolidayCalendarNotFound", message)
    } else {
        Finding::yes("Ready", "Active", "in use")
    };
    let current = match calendar {
        None => Finding::unknown("HolidaysCurrent", "Pending", "the calendar is not valid yet"),
        Some(calendar) if !calendar.has_holidays() => {
            Finding::yes("HolidaysCurrent", "NoneListed", "no holidays are listed")
        }
        Some(calendar) => match calendar.last_dated_holiday() {
            Some(last) if last < now.date_in(calendar.zone()) => Finding::no(
                "HolidaysCurrent",
                "LastHolidayPassed",
                format!("the last dated holiday was {last}; list those ahead"),
            ),
            _ => Finding::yes("HolidaysCurrent", "Listed", "holidays ahead are listed"),
        },
    };
    vec![ready, current]
}
