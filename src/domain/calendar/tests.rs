#![allow(clippy::unwrap_used)]
use jiff::civil::date;

use super::*;
use crate::domain::period::PeriodKey;
use crate::domain::time::{HOUR_MS, total_ms};
use crate::domain::zone::zone_named;

pub(super) const EVERY_DAY: &str = "Mon Tue Wed Thu Fri Sat Sun";
const WORKDAYS: &str = "Mon Tue Wed Thu Fri";

pub(super) fn row(days: &str, from: &str, to: &str) -> WeeklyHours {
    WeeklyHours { days: days.split(' ').map(str::to_owned).collect(), from: from.into(), to: to.into() }
}

pub(super) fn definition(zone: &str, weekly: &[WeeklyHours]) -> CalendarDefinition {
    let weekly = (!weekly.is_empty()).then(|| weekly.to_vec());
    CalendarDefinition { time_zone: zone.into(), weekly, ..CalendarDefinition::default() }
}

pub(super) fn holiday(date: &str) -> Holiday {
    Holiday { name: "day off".into(), date: date.into(), ..Holiday::default() }
}

pub(super) fn window(start: &str, duration: &str, rrule: &str) -> Window {
    let rrule = (!rrule.is_empty()).then(|| rrule.to_owned());
    Window { name: "w".into(), start: start.into(), duration: duration.into(), rrule, ..Window::default() }
}

fn hours(zone: &str, days: &str, from: &str, to: &str, holidays: &[&str]) -> Calendar {
    let mut definition = definition(zone, &[row(days, from, to)]);
    definition.holidays = holidays.iter().map(|date| holiday(date)).collect();
    Calendar::new(&definition).unwrap()
}

pub(super) fn with_window(zone: &str, window: Window) -> Calendar {
    let mut definition = definition(zone, &[]);
    definition.windows = vec![window];
    Calendar::new(&definition).unwrap()
}

fn month(key: &str, zone: &str) -> Interval {
    PeriodKey::parse(key).unwrap().period_in(&zone_named(zone).unwrap()).interval().unwrap()
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn span(from: &str, to: &str) -> Interval {
    Interval::new(at(from), at(to)).unwrap()
}

#[test]
fn m_07_to_m_30_service_hours_of_a_month() {
    let berlin = "Europe/Berlin";
    let lord_howe = "Australia/Lord_Howe";
    let saturdays = ["2025-11-01", "2025-11-08", "2025-11-15", "2025-11-22", "2025-11-29"];
    for (case, calendar, key, service_ms) in [
        ("M-07", hours(lord_howe, EVERY_DAY, "01:00", "03:00", &[]), "2025-10", 221_400_000),
        ("M-08", hours(lord_howe, EVERY_DAY, "01:00", "03:00", &[]), "2026-04", 217_800_000),
        ("M-16", hours(berlin, WORKDAYS, "08:00", "18:00", &["2025-12-25", "2025-12-26"]), "2025-12", 756_000_000),
        ("M-17", hours(berlin, EVERY_DAY, "22:00", "06:00", &["2025-10-03"]), "2025-10", 867_600_000),
        ("M-17", hours(berlin, EVERY_DAY, "22:00", "06:00", &[]), "2025-10", 896_400_000),
        ("M-18", hours(berlin, EVERY_DAY, "02:00", "03:00", &[]), "2025-10", 115_200_000),
        ("M-18", hours(berlin, EVERY_DAY, "02:00", "03:00", &[]), "2026-03", 108_000_000),
        ("M-20", hours(berlin, "Sat", "08:00", "18:00", &saturdays), "2025-11", 0),
        ("M-30", hours(berlin, WORKDAYS, "08:00", "18:00", &[]), "2025-11", 720_000_000),
        ("24:00", hours(berlin, EVERY_DAY, "00:00", "24:00", &[]), "2025-10", 2_682_000_000),
        ("always", Calendar::always(), "2025-11", 2_592_000_000),
    ] {
        let zone = calendar.zone().iana_name().unwrap().to_owned();
        let open = calendar.hours_within(month(key, &zone));
        assert_eq!(total_ms(&open), service_ms, "{case}");
    }
}

#[test]
fn m_07_to_m_18_lost_time_in_hours() {
    let lord_howe = hours("Australia/Lord_Howe", EVERY_DAY, "01:00", "03:00", &[]);
    let december = hours("Europe/Berlin", WORKDAYS, "08:00", "18:00", &["2025-12-25", "2025-12-26"]);
    let nights = hours("Europe/Berlin", EVERY_DAY, "22:00", "06:00", &["2025-10-03"]);
    let small_hours = hours("Europe/Berlin", EVERY_DAY, "02:00", "03:00", &[]);
    for (case, calendar, down, down_ms) in [
        ("M-07", &lord_howe, span("2025-10-05T01:45:00+10:30", "2025-10-05T02:45:00+11:00"), 1_800_000),
        ("M-08", &lord_howe, span("2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"), 1_800_000),
        ("M-16", &december, span("2025-12-23T17:30:00+01:00", "2025-12-29T08:20:00+01:00"), 39_000_000),
        ("M-17", &nights, span("2025-10-03T21:00:00+02:00", "2025-10-04T07:00:00+02:00"), 0),
        ("M-17", &nights, span("2025-10-03T00:00:00+02:00", "2025-10-03T07:00:00+02:00"), 6 * HOUR_MS),
        ("M-17", &nights, span("2025-10-26T01:00:00+02:00", "2025-10-26T03:00:00+01:00"), 10_800_000),
        ("M-18", &small_hours, span("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"), 3_600_000),
    ] {
        assert_eq!(total_ms(&calendar.hours_within(down)), down_ms, "{case} {down:?}");
    }
}

#[test]
fn m_19_an_edit_does_not_touch_the_past() {
    let before = hours("Europe/Berlin", WORKDAYS, "08:00", "18:00", &[]);
    let after = hours("Europe/Berlin", WORKDAYS, "08:00", "18:00", &["2025-11-14", "2025-11-19"]);
    let edit = at("2025-11-17T12:00:00+01:00");
    let period = month("2025-11", "Europe/Berlin");
    let past = before.hours_within(Interval { to: edit, ..period });
    let future = after.hours_within(Interval { from: edit, ..period });
    assert_eq!(total_ms(&past) + total_ms(&future), 684_000_000);
}

#[test]
fn m_32_exceptions_leave_out_single_occurrences() {
    let mut sundays = window("2025-11-02T02:00", "2h", "FREQ=WEEKLY;BYDAY=SU");
    sundays.exdates = vec!["2025-11-16T02:00".into()];
    let calendar = with_window("Europe/Berlin", sundays);
    let found = calendar.window_occurrences("w", month("2025-11", "Europe/Berlin"));
    let expected: Vec<Interval> = ["02", "09", "23", "30"]
        .iter()
        .map(|day| span(&format!("2025-11-{day}T02:00:00+01:00"), &format!("2025-11-{day}T04:00:00+01:00")))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn m_33_m_34_windows_on_the_nights_of_a_clock_change() {
    for (case, start, duration, key, expected) in [
        ("M-33", "2026-03-29T02:30", "2h", "2026-03", span("2026-03-29T03:30:00+02:00", "2026-03-29T05:30:00+02:00")),
        ("M-34", "2025-10-26T02:30", "2h", "2025-10", span("2025-10-26T02:30:00+02:00", "2025-10-26T03:30:00+01:00")),
    ] {
        let calendar = with_window("Europe/Berlin", window(start, duration, ""));
        assert_eq!(calendar.window_occurrences("w", month(key, "Europe/Berlin")), [expected], "{case}");
        assert_eq!(calendar.next_occurrence_after("w", expected.from.minus_ms(1)), Some(expected), "{case}");
        assert_eq!(calendar.next_occurrence_after("w", expected.from), None, "{case}");
    }
}

#[test]
fn m_35_count_counts_what_is_excepted() {
    let mut last_days = window("2025-10-31T22:00", "1h", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3");
    last_days.exdates = vec!["2025-12-31T22:00".into()];
    let calendar = with_window("Europe/Berlin", last_days);
    let found = calendar.window_occurrences("w", span("2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    let starts: Vec<String> = found.iter().map(|found| found.from.format_in(calendar.zone())).collect();
    assert_eq!(starts, ["2025-10-31T22:00:00+01:00", "2026-01-31T22:00:00+01:00"]);

    let leap_days = with_window("UTC", window("2024-02-29T00:00", "1d", "FREQ=YEARLY"));
    let next = leap_days.next_occurrence_after("w", at("2024-02-29T00:00:00Z")).unwrap();
    assert_eq!(next.from.format_utc(), "2028-02-29T00:00:00Z");
}

#[test]
fn windows_reach_in_from_before_and_are_not_cut() {
    let mut freeze = window("2026-11-26T00:00", "5d", "");
    freeze.rdates = vec!["2026-12-24T12:00".into()];
    let calendar = with_window("Europe/Berlin", freeze);
    let first = span("2026-11-26T00:00:00+01:00", "2026-12-01T00:00:00+01:00");
    let second = span("2026-12-24T12:00:00+01:00", "2026-12-29T12:00:00+01:00");
    let inside = at("2026-11-30T23:59:59.999+01:00");
    assert_eq!(calendar.active_windows(inside), [("w", first)]);
    assert_eq!(calendar.active_windows(first.to), []);
    assert_eq!(calendar.window_occurrences("w", month("2026-12", "Europe/Berlin")), [second]);
    assert_eq!(calendar.window_occurrences("w", Interval { from: inside, to: second.to }), [first, second]);
    assert_eq!(calendar.next_window_start(inside), Some(("w", second.from)));
    assert_eq!(calendar.next_window_start(second.from), None);
    assert_eq!(calendar.window_occurrences("other", first), []);
}

#[test]
fn occurrences_are_bounded() {
    let calendar = with_window("UTC", window("2020-01-01T00:00", "1m", "FREQ=DAILY"));
    let long = span("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
    assert_eq!(calendar.window_occurrences("w", long).len(), MAX_OCCURRENCES);
}

#[test]
fn holidays_may_have_hours_of_their_own() {
    let mut definition = definition("Europe/Berlin", &[row(WORKDAYS, "08:00", "18:00")]);
    let reduced = Some(HolidayHours { from: "08:00".into(), to: "12:00".into() });
    definition.holidays = vec![
        Holiday { hours: reduced, ..holiday("2026-12-24") },
        Holiday { rrule: Some("FREQ=YEARLY".into()), ..holiday("2024-12-25") },
    ];
    let calendar = Calendar::new(&definition).unwrap();
    let open = calendar.hours_within(span("2026-12-24T00:00:00+01:00", "2026-12-28T00:00:00+01:00"));
    assert_eq!(open, [span("2026-12-24T08:00:00+01:00", "2026-12-24T12:00:00+01:00")]);
    assert!(calendar.is_holiday(date(2026, 12, 24)) && calendar.is_holiday(date(2030, 12, 25)));
    assert!(!calendar.is_holiday(date(2023, 12, 25)) && !calendar.is_holiday(date(2026, 12, 26)));
    assert_eq!(calendar.last_dated_holiday(), Some(date(2026, 12, 24)));
    let whole_days = [span("2026-12-24T00:00:00+01:00", "2026-12-26T00:00:00+01:00")];
    assert_eq!(calendar.holidays_within(month("2026-12", "Europe/Berlin")), whole_days);
    assert_eq!(calendar.window_occurrences("holidays", month("2026-12", "Europe/Berlin")), whole_days);
}

#[test]
fn holidays_of_other_calendars_count_in_the_own_zone() {
    let german = Calendar::new(&CalendarDefinition { holidays: vec![holiday("2026-05-01")], ..definition("UTC", &[]) });
    let german = german.unwrap();
    let office = hours("America/New_York", WORKDAYS, "08:00", "18:00", &[]).with_holidays_of(&[&german]);
    let open = office.hours_within(span("2026-04-30T00:00:00-04:00", "2026-05-04T00:00:00-04:00"));
    assert_eq!(open, [span("2026-04-30T08:00:00-04:00", "2026-04-30T18:00:00-04:00")]);
    assert_eq!(office.last_dated_holiday(), Some(date(2026, 5, 1)));
}

#[test]
fn without_weekly_hours_only_holidays_close() {
    let calendar =
        Calendar::new(&CalendarDefinition { holidays: vec![holiday("2026-05-01")], ..definition("UTC", &[]) });
    let open = calendar.unwrap().hours_within(month("2026-05", "UTC"));
    assert_eq!(open, [span("2026-05-02T00:00:00Z", "2026-06-01T00:00:00Z")]);
}

#[test]
fn changes_are_found_ahead() {
    let office = hours("Europe/Berlin", WORKDAYS, "08:00", "18:00", &["2026-12-25"]);
    for (from, change) in [
        ("2026-11-23T07:00:00+01:00", "2026-11-23T08:00:00+01:00"),
        ("2026-11-23T08:00:00+01:00", "2026-11-23T18:00:00+01:00"),
        ("2026-11-27T18:00:00+01:00", "2026-11-30T08:00:00+01:00"),
        ("2026-12-24T18:00:00+01:00", "2026-12-28T08:00:00+01:00"),
    ] {
        assert_eq!(office.next_change_after(at(from)).unwrap().format_in(office.zone()), change);
    }
    assert_eq!(Calendar::always().next_change_after(at("2026-11-23T07:00:00Z")), None);
    // Open round the clock by rows: midnight is no change; the next holiday is.
    let day_and_night = hours("UTC", EVERY_DAY, "00:00", "24:00", &["2027-06-01"]);
    assert_eq!(day_and_night.next_change_after(at("2026-11-23T07:00:00Z")), Some(at("2027-06-01T00:00:00Z")));
    // Beyond the look-ahead.
    let day_and_night = hours("UTC", EVERY_DAY, "00:00", "24:00", &["2028-06-01"]);
    assert_eq!(day_and_night.next_change_after(at("2026-11-23T07:00:00Z")), None);
    assert!(day_and_night.next_change_after(Instant::MAX).is_none());
}
