//! Hours and windows against plain walks over minutes and days.
#![allow(clippy::unwrap_used)]
use jiff::civil::date;
use proptest::prelude::*;

use super::tests::{EVERY_DAY, definition, holiday, row, window, with_window};
use super::*;
use crate::domain::time::{MINUTE_MS, total_ms};

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
    prop_oneof![0..1440_i64, (0..16_i64).prop_map(|quarter| quarter * 15), Just(23 * 60 + 30), Just(23 * 60)]
}

#[derive(Debug, Clone)]
struct PlainRow {
    days: Vec<usize>,
    from: i64,
    to: i64,
}

fn any_rows() -> impl Strategy<Value = Vec<PlainRow>> {
    let days = proptest::sample::subsequence((0..7).collect::<Vec<usize>>(), 1..=7);
    let row = (days, minute_of_day(), minute_of_day().prop_map(|to| if to == 0 { 1440 } else { to }));
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
    // Each case walks over 11520 minutes.
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

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

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
