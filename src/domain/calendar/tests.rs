#![allow(clippy::unwrap_used)]
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::period::PeriodKey;
use crate::domain::time::{HOUR_MS, MINUTE_MS, total_ms};
use crate::domain::zone::zone_named;

const EVERY_DAY: &str = "Mon Tue Wed Thu Fri Sat Sun";
const WORKDAYS: &str = "Mon Tue Wed Thu Fri";

fn row(days: &str, from: &str, to: &str) -> WeeklyHours {
    WeeklyHours {
        days: days.split(' ').map(str::to_owned).collect(),
        from: from.into(),
        to: to.into(),
    }
}

fn definition(zone: &str, weekly: &[WeeklyHours]) -> CalendarDefinition {
    let weekly = (!weekly.is_empty()).then(|| weekly.to_vec());
    CalendarDefinition {
        time_zone: zone.into(),
        weekly,
        ..CalendarDefinition::default()
    }
}

fn holiday(date: &str) -> Holiday {
    Holiday {
        name: "day off".into(),
        date: date.into(),
        ..Holiday::default()
    }
}

fn window(start: &str, duration: &str, rrule: &str) -> Window {
    let rrule = (!rrule.is_empty()).then(|| rrule.to_owned());
    Window {
        name: "w".into(),
        start: start.into(),
        duration: duration.into(),
        rrule,
        ..Window::default()
    }
}

fn hours(zone: &str, days: &str, from: &str, to: &str, holidays: &[&str]) -> Calendar {
    let mut definition = definition(zone, &[row(days, from, to)]);
    definition.holidays = holidays.iter().map(|date| holiday(date)).collect();
    Calendar::new(&definition).unwrap()
}

fn with_window(zone: &str, window: Window) -> Calendar {
    let mut definition = definition(zone, &[]);
    definition.windows = vec![window];
    Calendar::new(&definition).unwrap()
}

fn month(key: &str, zone: &str) -> Interval {
    PeriodKey::parse(key)
        .unwrap()
        .period_in(&zone_named(zone).unwrap())
        .interval()
        .unwrap()
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
        (
            "M-07",
            hours(lord_howe, EVERY_DAY, "01:00", "03:00", &[]),
            "2025-10",
            221_400_000,
        ),
        (
            "M-08",
            hours(lord_howe, EVERY_DAY, "01:00", "03:00", &[]),
            "2026-04",
            217_800_000,
        ),
        (
            "M-16",
            hours(berlin, WORKDAYS, "08:00", "18:00", &["2025-12-25", "2025-12-26"]),
            "2025-12",
            756_000_000,
        ),
        (
            "M-17",
            hours(berlin, EVERY_DAY, "22:00", "06:00", &["2025-10-03"]),
            "2025-10",
            867_600_000,
        ),
        (
            "M-17",
            hours(berlin, EVERY_DAY, "22:00", "06:00", &[]),
            "2025-10",
            896_400_000,
        ),
        (
            "M-18",
            hours(berlin, EVERY_DAY, "02:00", "03:00", &[]),
            "2025-10",
            115_200_000,
        ),
        (
            "M-18",
            hours(berlin, EVERY_DAY, "02:00", "03:00", &[]),
            "2026-03",
            108_000_000,
        ),
        ("M-20", hours(berlin, "Sat", "08:00", "18:00", &saturdays), "2025-11", 0),
        (
            "M-30",
            hours(berlin, WORKDAYS, "08:00", "18:00", &[]),
            "2025-11",
            720_000_000,
        ),
        (
            "24:00",
            hours(berlin, EVERY_DAY, "00:00", "24:00", &[]),
            "2025-10",
            2_682_000_000,
        ),
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
    let december = hours(
        "Europe/Berlin",
        WORKDAYS,
        "08:00",
        "18:00",
        &["2025-12-25", "2025-12-26"],
    );
    let nights = hours("Europe/Berlin", EVERY_DAY, "22:00", "06:00", &["2025-10-03"]);
    let small_hours = hours("Europe/Berlin", EVERY_DAY, "02:00", "03:00", &[]);
    for (case, calendar, down, down_ms) in [
        (
            "M-07",
            &lord_howe,
            span("2025-10-05T01:45:00+10:30", "2025-10-05T02:45:00+11:00"),
            1_800_000,
        ),
        (
            "M-08",
            &lord_howe,
            span("2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"),
            1_800_000,
        ),
        (
            "M-16",
            &december,
            span("2025-12-23T17:30:00+01:00", "2025-12-29T08:20:00+01:00"),
            39_000_000,
        ),
        (
            "M-17",
            &nights,
            span("2025-10-03T21:00:00+02:00", "2025-10-04T07:00:00+02:00"),
            0,
        ),
        (
            "M-17",
            &nights,
            span("2025-10-03T00:00:00+02:00", "2025-10-03T07:00:00+02:00"),
            6 * HOUR_MS,
        ),
        (
            "M-17",
            &nights,
            span("2025-10-26T01:00:00+02:00", "2025-10-26T03:00:00+01:00"),
            10_800_000,
        ),
        (
            "M-18",
            &small_hours,
            span("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"),
            3_600_000,
        ),
    ] {
        assert_eq!(total_ms(&calendar.hours_within(down)), down_ms, "{case} {down:?}");
    }
}

#[test]
fn m_19_an_edit_does_not_touch_the_past() {
    let before = hours("Europe/Berlin", WORKDAYS, "08:00", "18:00", &[]);
    let after = hours(
        "Europe/Berlin",
        WORKDAYS,
        "08:00",
        "18:00",
        &["2025-11-14", "2025-11-19"],
    );
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
        .map(|day| {
            span(
                &format!("2025-11-{day}T02:00:00+01:00"),
                &format!("2025-11-{day}T04:00:00+01:00"),
            )
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn m_33_m_34_windows_on_the_nights_of_a_clock_change() {
    for (case, start, duration, key, expected) in [
        (
            "M-33",
            "2026-03-29T02:30",
            "2h",
            "2026-03",
            span("2026-03-29T03:30:00+02:00", "2026-03-29T05:30:00+02:00"),
        ),
        (
            "M-34",
            "2025-10-26T02:30",
            "2h",
            "2025-10",
            span("2025-10-26T02:30:00+02:00", "2025-10-26T03:30:00+01:00"),
        ),
    ] {
        let calendar = with_window("Europe/Berlin", window(start, duration, ""));
        assert_eq!(
            calendar.window_occurrences("w", month(key, "Europe/Berlin")),
            [expected],
            "{case}"
        );
        assert_eq!(
            calendar.next_occurrence_after("w", expected.from.minus_ms(1)),
            Some(expected),
            "{case}"
        );
        assert_eq!(calendar.next_occurrence_after("w", expected.from), None, "{case}");
    }
}

#[test]
fn m_35_count_counts_what_is_excepted() {
    let mut last_days = window("2025-10-31T22:00", "1h", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3");
    last_days.exdates = vec!["2025-12-31T22:00".into()];
    let calendar = with_window("Europe/Berlin", last_days);
    let found = calendar.window_occurrences("w", span("2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    let starts: Vec<String> = found
        .iter()
        .map(|found| found.from.format_in(calendar.zone()))
        .collect();
    assert_eq!(starts, ["2025-10-31T22:00:00+01:00", "2026-01-31T22:00:00+01:00"]);

    let leap_days = with_window("UTC", window("2024-02-29T00:00", "1d", "FREQ=YEARLY"));
    let next = leap_days
        .next_occurrence_after("w", at("2024-02-29T00:00:00Z"))
        .unwrap();
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
    assert_eq!(
        calendar.window_occurrences("w", month("2026-12", "Europe/Berlin")),
        [second]
    );
    assert_eq!(
        calendar.window_occurrences(
            "w",
            Interval {
                from: inside,
                to: second.to
            }
        ),
        [first, second]
    );
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
    let reduced = Some(HolidayHours {
        from: "08:00".into(),
        to: "12:00".into(),
    });
    definition.holidays = vec![
        Holiday {
            hours: reduced,
            ..holiday("2026-12-24")
        },
        Holiday {
            rrule: Some("FREQ=YEARLY".into()),
            ..holiday("2024-12-25")
        },
    ];
    let calendar = Calendar::new(&definition).unwrap();
    let open = calendar.hours_within(span("2026-12-24T00:00:00+01:00", "2026-12-28T00:00:00+01:00"));
    assert_eq!(open, [span("2026-12-24T08:00:00+01:00", "2026-12-24T12:00:00+01:00")]);
    assert!(calendar.is_holiday(date(2026, 12, 24)) && calendar.is_holiday(date(2030, 12, 25)));
    assert!(!calendar.is_holiday(date(2023, 12, 25)) && !calendar.is_holiday(date(2026, 12, 26)));
    assert_eq!(calendar.last_dated_holiday(), Some(date(2026, 12, 24)));
    let whole_days = [span("2026-12-24T00:00:00+01:00", "2026-12-26T00:00:00+01:00")];
    assert_eq!(calendar.holidays_within(month("2026-12", "Europe/Berlin")), whole_days);
    assert_eq!(
        calendar.window_occurrences("holidays", month("2026-12", "Europe/Berlin")),
        whole_days
    );
}

#[test]
fn holidays_of_other_calendars_count_in_the_own_zone() {
    let german = Calendar::new(&CalendarDefinition {
        holidays: vec![holiday("2026-05-01")],
        ..definition("UTC", &[])
    });
    let german = german.unwrap();
    let office = hours("America/New_York", WORKDAYS, "08:00", "18:00", &[]).with_holidays_of(&[&german]);
    let open = office.hours_within(span("2026-04-30T00:00:00-04:00", "2026-05-04T00:00:00-04:00"));
    assert_eq!(open, [span("2026-04-30T08:00:00-04:00", "2026-04-30T18:00:00-04:00")]);
    assert_eq!(office.last_dated_holiday(), Some(date(2026, 5, 1)));
}

#[test]
fn without_weekly_hours_only_holidays_close() {
    let calendar = Calendar::new(&CalendarDefinition {
        holidays: vec![holiday("2026-05-01")],
        ..definition("UTC", &[])
    });
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
        assert_eq!(
            office.next_change_after(at(from)).unwrap().format_in(office.zone()),
            change
        );
    }
    assert_eq!(Calendar::always().next_change_after(at("2026-11-23T07:00:00Z")), None);
    // Open round the clock by rows: midnight is no change; the next holiday is.
    let day_and_night = hours("UTC", EVERY_DAY, "00:00", "24:00", &["2027-06-01"]);
    assert_eq!(
        day_and_night.next_change_after(at("2026-11-23T07:00:00Z")),
        Some(at("2027-06-01T00:00:00Z"))
    );
    // Beyond the look-ahead.
    let day_and_night = hours("UTC", EVERY_DAY, "00:00", "24:00", &["2028-06-01"]);
    assert_eq!(day_and_night.next_change_after(at("2026-11-23T07:00:00Z")), None);
    assert!(day_and_night.next_change_after(Instant::MAX).is_none());
}

#[test]
fn all_faults_of_a_definition_are_reported() {
    let text = r#"{
        "timeZone": "Mars/Olympus",
        "weekly": [
            {"days": ["Mon", "Funday"], "from": "24:00", "to": "25:00"},
            {"days": [], "from": "08:00", "to": "08:00"}
        ],
        "holidays": [
            {"name": "a", "date": "2026-02-30", "rrule": "FREQ=HOURLY", "hours": {"from": "8:00", "to": "12:00"}},
            {"name": "b", "date": "2026-01-02", "rrule": "FREQ=YEARLY;BYMONTHDAY=1"}
        ],
        "windows": [
            {"name": "holidays", "start": "2026-01-01T00:00", "duration": "1h"},
            {"name": "w", "start": "2026-01-01T00:00Z", "duration": "59s", "exdates": ["2026-01-01"]},
            {"name": "w", "start": "2026-01-01T00:00", "duration": "32d", "rdates": ["2026-01-01T24:00"]}
        ]
    }"#;
    let definition: CalendarDefinition = serde_json::from_str(text).unwrap();
    let faults = Calendar::new(&definition).unwrap_err();
    let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let expected = [
        "timeZone: unknown time zone \"Mars/Olympus\", write an IANA name like Europe/Berlin or UTC",
        "weekly[0].from: \"24:00\" is not a time of day, write 00:00 to 23:59 with both digits",
        "weekly[0].to: \"25:00\" is not a time of day, write 00:00 to 24:00 with both digits",
        "weekly[0].days[1]: \"Funday\" is not a day, write Mon Tue Wed Thu Fri Sat or Sun",
        "weekly[1].to: is the same as from, write 00:00 to 24:00 for the whole day",
        "weekly[1].days: is empty, name at least one of Mon Tue Wed Thu Fri Sat Sun",
        "holidays[0].hours.from: \"8:00\" is not a time of day, write 00:00 to 23:59 with both digits",
        "holidays[0].date: \"2026-02-30\" is not a date, write it like 2026-12-25",
        "holidays[0].rrule: FREQ=HOURLY is not valid, write DAILY, WEEKLY, MONTHLY or YEARLY",
        "holidays[1].rrule: the start 2026-01-02 is not a date of the rule, start on 2026-02-01",
        "windows[0].name: `holidays` is reserved for the holidays, choose another name",
        "windows[1].start: \"2026-01-01T00:00Z\" is not a local time, write it without offset like 2026-11-01T02:00",
        "windows[1].duration: 59s is out of bounds, write 1m to 31d",
        "windows[1].exdates[0]: \"2026-01-01\" is not a local time, write it without offset like 2026-11-01T02:00",
        "windows[2].name: \"w\" is used twice, choose another name",
        "windows[2].duration: 32d is out of bounds, write 1m to 31d",
        "windows[2].rdates[0]: \"2026-01-01T24:00\" is not a local time, write it without offset like 2026-11-01T02:00",
    ];
    assert_eq!(found, expected);
    let empty = CalendarDefinition {
        weekly: Some(Vec::new()),
        ..super::tests::definition("UTC", &[])
    };
    assert_eq!(Calendar::new(&empty).unwrap_err()[0].field, "weekly");
}

/// Dates around which the clock changes, or not.
fn zone_and_first_date() -> impl Strategy<Value = (&'static str, Date)> {
    let changes = prop_oneof![
        Just(("Europe/Berlin", date(2025, 10, 26))),
        Just(("Europe/Berlin", date(2026, 3, 29))),
        Just(("America/New_York", date(2025, 11, 2))),
        Just(("America/New_York", date(2026, 3, 8))),
        Just(("Australia/Lord_Howe", date(2025, 10, 5))),
        Just(("Australia/Lord_Howe", date(2026, 4, 5))),
        Just(("Africa/Cairo", date(2026, 4, 24))),
        Just(("Africa/Cairo", date(2026, 10, 30))),
        Just(("Asia/Kolkata", date(2026, 2, 28))),
        Just(("UTC", date(2026, 12, 31))),
    ];
    (changes, 0..7_i64).prop_map(|((zone, date), before)| (zone, shifted(date, -before)))
}

/// Minutes of the day, with the hours of clock changes more often than others.
fn minute_of_day() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..1440_i64,
        (0..16_i64).prop_map(|quarter| quarter * 15),
        Just(23 * 60 + 30),
        Just(23 * 60)
    ]
}

#[derive(Debug, Clone)]
struct PlainRow {
    days: Vec<usize>,
    from: i64,
    to: i64,
}

fn any_rows() -> impl Strategy<Value = Vec<PlainRow>> {
    let days = proptest::sample::subsequence((0..7).collect::<Vec<usize>>(), 1..=7);
    let row = (
        days,
        minute_of_day(),
        minute_of_day().prop_map(|to| if to == 0 { 1440 } else { to }),
    );
    let row = row.prop_filter("from and to differ", |(_, from, to)| from != to);
    proptest::collection::vec(row.prop_map(|(days, from, to)| PlainRow { days, from, to }), 1..4)
}

/// The membership rule word for word, by jiff's own conversion to local time.
fn is_member(zone: &TimeZone, rows: &[PlainRow], holidays: &[Date], instant: Instant) -> bool {
    let local = zone.to_datetime(instant.timestamp());
    let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
    let starts_on = |row: &PlainRow, date: Date| {
        let weekday = date.weekday().to_monday_zero_offset() as usize;
        row.days.contains(&weekday) && !holidays.contains(&date)
    };
    let (today, yesterday) = (local.date(), local.date().yesterday().unwrap());
    rows.iter().any(|row| {
        if row.from < row.to {
            starts_on(row, today) && row.from <= minute && minute < row.to
        } else {
            starts_on(row, today) && row.from <= minute || starts_on(row, yesterday) && minute < row.to
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn hours_agree_with_membership_of_each_minute(
        (name, first) in zone_and_first_date(),
        rows in any_rows(),
        holiday_offsets in proptest::collection::vec(0..9_i64, 0..3),
    ) {
        let text = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days: Vec<&str> = EVERY_DAY.split(' ').collect();
        let weekly: Vec<WeeklyHours> = rows.iter().map(|plain| {
            let names: Vec<&str> = plain.days.iter().map(|day| days[*day]).collect();
            row(&names.join(" "), &text(plain.from), &text(plain.to))
        }).collect();
        let holidays: Vec<Date> = holiday_offsets.iter().map(|offset| shifted(first, *offset)).collect();
        let mut definition = definition(name, &weekly);
        definition.holidays = holidays.iter().map(|date| holiday(&date.to_string())).collect();
        let calendar = Calendar::new(&definition).unwrap();
        let zone = calendar.zone();
        let span = Interval { from: first_instant_of(zone, first), to: first_instant_of(zone, shifted(first, 8)) };
        let open = calendar.hours_within(span);
        prop_assert!(open.windows(2).all(|pair| pair[0].to < pair[1].from), "sorted and joined");
        // All edges lie on whole minutes, so equal minutes are equal instants.
        let mut remaining = open.iter().peekable();
        let mut instant = span.from;
        let mut member_ms = 0;
        while instant < span.to {
            let expected = is_member(zone, &rows, &holidays, instant);
            while remaining.peek().is_some_and(|interval| interval.to <= instant) {
                remaining.next();
            }
            let found = remaining.peek().is_some_and(|interval| interval.contains(instant));
            prop_assert_eq!(found, expected, "{}", instant.format_in(zone));
            if instant.as_ms() % (7 * MINUTE_MS) == 0 {
                prop_assert_eq!(calendar.open_at(instant), expected, "{}", instant.format_in(zone));
            }
            member_ms += if expected { MINUTE_MS } else { 0 };
            instant = instant.plus_ms(MINUTE_MS);
        }
        prop_assert_eq!(total_ms(&open), member_ms);
        // The next change is the next edge; where the span ends is none.
        let edges = open.iter().flat_map(|interval| [interval.from, interval.to]);
        let edges: Vec<Instant> = edges.filter(|edge| *edge < span.to).collect();
        for pair in edges.windows(2) {
            prop_assert_eq!(calendar.next_change_after(pair[0]), Some(pair[1]));
        }
    }

    #[test]
    fn parts_of_a_span_add_up((name, first) in zone_and_first_date(), rows in any_rows(), cut in 0..8 * 1440_i64) {
        let weekly: Vec<WeeklyHours> = rows.iter().map(|plain| {
            let text = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
            row(EVERY_DAY, &text(plain.from), &text(plain.to))
        }).collect();
        let calendar = Calendar::new(&definition(name, &weekly)).unwrap();
        let zone = calendar.zone();
        let span = Interval { from: first_instant_of(zone, first), to: first_instant_of(zone, shifted(first, 9)) };
        let middle = span.from.plus_ms(cut * MINUTE_MS + 1);
        let before = calendar.hours_within(Interval { to: middle, ..span });
        let after = calendar.hours_within(Interval { from: middle, ..span });
        let joined = normalise(before.into_iter().chain(after).collect());
        prop_assert_eq!(joined, calendar.hours_within(span));
    }

    #[test]
    fn windows_agree_with_a_walk_over_the_days(
        (name, first) in zone_and_first_date(),
        start_minute in minute_of_day(),
        length_minutes in 1..4000_i64,
        cut in 0..12 * 1440_i64,
    ) {
        let start = format!("{}T{:02}:{:02}", shifted(first, -10), start_minute / 60, start_minute % 60);
        let calendar = with_window(name, window(&start, &format!("{length_minutes}m"), "FREQ=DAILY"));
        let zone = calendar.zone();
        let span = Interval { from: first_instant_of(zone, first).plus_ms(cut * MINUTE_MS), to: first_instant_of(zone, shifted(first, 14)) };
        prop_assume!(span.from < span.to);
        let mut expected: Vec<Interval> = days(shifted(first, -10), shifted(first, 16)).map(|date| {
            let local = date.at((start_minute / 60) as i8, (start_minute % 60) as i8, 0, 0);
            let from = local.to_zoned_datetime(zone.clone()).unwrap().timestamp().as_millisecond();
            Interval { from: Instant::from_ms(from), to: Instant::from_ms(from + length_minutes * MINUTE_MS) }
        }).filter(|occurrence| occurrence.from < span.to && occurrence.to > span.from).collect();
        expected.sort_unstable();
        prop_assert_eq!(calendar.window_occurrences("w", span), expected.clone());
        let now = expected.iter().filter(|occurrence| occurrence.contains(span.from)).copied().collect::<Vec<_>>();
        prop_assert_eq!(calendar.active_windows(span.from).into_iter().map(|(_, occurrence)| occurrence).collect::<Vec<_>>(), now);
        let next = expected.iter().find(|occurrence| occurrence.from > span.from).copied();
        if next.is_some() {
            prop_assert_eq!(calendar.next_occurrence_after("w", span.from), next);
        }
    }
}
