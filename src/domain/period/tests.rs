#![allow(clippy::unwrap_used)]
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::zone::zone_named;

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

/// Case, zone, an instant inside, key, start, end, length.
const PERIODS: &str = "\
M-01 Europe/Berlin 2025-10-26T02:30:00+02:00 2025-10 2025-10-01T00:00:00+02:00 2025-11-01T00:00:00+01:00 2682000000
M-02 Europe/Berlin 2026-03-29T01:45:00+01:00 2026-03 2026-03-01T00:00:00+01:00 2026-04-01T00:00:00+02:00 2674800000
M-04 America/New_York 2025-11-02T00:30:00-04:00 2025-11 2025-11-01T00:00:00-04:00 2025-12-01T00:00:00-05:00 2595600000
M-05 America/New_York 2026-03-08T01:30:00-05:00 2026-03 2026-03-01T00:00:00-05:00 2026-04-01T00:00:00-04:00 2674800000
M-06 Asia/Kolkata 2025-10-31T18:30:00Z 2025-11 2025-11-01T00:00:00+05:30 2025-12-01T00:00:00+05:30 2592000000
M-06 Asia/Kolkata 2025-10-31T18:29:59.999Z 2025-10 2025-10-01T00:00:00+05:30 2025-11-01T00:00:00+05:30 2678400000
M-07 Australia/Lord_Howe 2025-10-05T01:45:00+10:30 2025-10 2025-10-01T00:00:00+10:30 2025-11-01T00:00:00+11:00 2676600000
M-08 Australia/Lord_Howe 2026-04-05T01:45:00+10:30 2026-04 2026-04-01T00:00:00+11:00 2026-05-01T00:00:00+10:30 2593800000
M-09 Europe/Berlin 2028-02-29T23:50:00+01:00 2028-02 2028-02-01T00:00:00+01:00 2028-03-01T00:00:00+01:00 2505600000
M-09 Europe/Berlin 2028-03-01T00:00:00+01:00 2028-03 2028-03-01T00:00:00+01:00 2028-04-01T00:00:00+02:00 2674800000
M-10 Europe/Berlin 2025-11-30T23:59:59.999+01:00 2025-11 2025-11-01T00:00:00+01:00 2025-12-01T00:00:00+01:00 2592000000
M-10 Europe/Berlin 2025-12-01T00:00:00+01:00 2025-12 2025-12-01T00:00:00+01:00 2026-01-01T00:00:00+01:00 2678400000
M-12 Europe/Berlin 2025-11-15T12:00:00+01:00 2025-Q4 2025-10-01T00:00:00+02:00 2026-01-01T00:00:00+01:00 7952400000
M-12 Europe/Berlin 2027-01-01T12:00:00+01:00 2026-W53 2026-12-28T00:00:00+01:00 2027-01-04T00:00:00+01:00 604800000
M-12 Europe/Berlin 2026-03-29T12:00:00+02:00 2026-W13 2026-03-23T00:00:00+01:00 2026-03-30T00:00:00+02:00 601200000
M-12 Europe/Berlin 2028-06-01T12:00:00+02:00 2028 2028-01-01T00:00:00+01:00 2029-01-01T00:00:00+01:00 31622400000";

#[test]
fn m_01_to_m_12_periods() {
    for line in PERIODS.lines() {
        let [_, name, instant, key, start, end, length_ms] = line.split(' ').collect::<Vec<_>>()[..] else {
            unreachable!("seven columns: {line}")
        };
        let zone = zone_named(name).unwrap();
        // The key tells the kind.
        let kind = PeriodKey::parse(key).unwrap().kind();
        let period = period_containing(kind, &zone, at(instant));
        assert_eq!(period.key.to_string(), key, "{line}");
        assert_eq!(period.start.format_in(&zone), start, "{line}");
        assert_eq!(period.end.format_in(&zone), end, "{line}");
        assert_eq!(period.interval().unwrap().length_ms().to_string(), length_ms, "{line}");
    }
}

#[test]
fn m_13_a_term_may_begin_on_a_date_without_midnight() {
    let zone = zone_named("Africa/Cairo").unwrap();
    let start = start_of_date(&zone, date(2026, 4, 24));
    assert_eq!(start.format_in(&zone), "2026-04-24T01:00:00+03:00");
    let end = period_containing(PeriodKind::CalendarMonth, &zone, start).end;
    assert_eq!(end.ms_since(start), 601_200_000);
}

#[test]
fn m_14_a_rolling_period_owns_the_ledger_of_its_month() {
    let utc = TimeZone::UTC;
    let period = period_containing(PeriodKind::Rolling { days: 30 }, &utc, at("2025-12-05T10:00:00Z"));
    assert_eq!(period.key.to_string(), "2025-12-30d");
    assert_eq!(period.key.ledger().to_string(), "2025-12");
    assert_eq!(period.start.format_utc(), "2025-12-02T00:00:00Z");
    assert_eq!(period.end.format_utc(), "2026-01-01T00:00:00Z");
    let window = rolling_window(30, at("2025-12-05T10:10:00Z"));
    let down = Interval { from: at("2025-11-05T10:00:00Z"), to: at("2025-11-05T10:40:00Z") };
    assert_eq!(window.intersect(&down).unwrap().length_ms(), 1_800_000);
}

#[test]
fn m_15_rolling_days_have_24_hours() {
    let zone = zone_named("Europe/Berlin").unwrap();
    let window = rolling_window(30, at("2025-11-11T12:00:00+01:00"));
    assert_eq!(window.from.format_in(&zone), "2025-10-12T13:00:00+02:00");
    assert_eq!(window.length_ms(), 2_592_000_000);
}

#[test]
fn m_53_m_55_terms_begin_and_end_with_dates() {
    let zone = zone_named("Europe/Berlin").unwrap();
    let period = period_containing(PeriodKind::CalendarMonth, &zone, at("2025-11-15T00:00:00+01:00"));
    assert_eq!(period.end.ms_since(start_of_date(&zone, date(2025, 11, 15))), 1_382_400_000);
    assert_eq!(end_of_date(&zone, date(2025, 11, 20)).ms_since(period.start), 1_728_000_000);
}

#[test]
fn only_canonical_keys_are_read() {
    for key in ["2026-W53", "2025-11", "2025-Q4", "2028", "2025-11-30d", "2025-11-1d", "2025-11-366d", "0001-W01"] {
        assert_eq!(PeriodKey::parse(key).unwrap().to_string(), key);
    }
    for key in [
        "",
        "28",
        "02028",
        "+2028",
        "2025-W53",
        "2026-W54",
        "2026-W00",
        "2026-W1",
        "2026-Q5",
        "2026-Q0",
        "2026-Q04",
        "2026-13",
        "2026-1",
        "2026-11-0d",
        "2026-11-367d",
        "2026-11-030d",
        "2026-11-30",
        "2026-11-30d-",
        "2026-",
        "9999",
        "2026-w01",
        "٢٠٢٦",
    ] {
        assert_eq!(PeriodKey::parse(key), Err(PeriodKeyError), "{key}");
    }
}

#[test]
fn neighbours_cross_years() {
    for (key, next) in [
        ("2026-W53", "2027-W01"),
        ("2025-12", "2026-01"),
        ("2025-Q4", "2026-Q1"),
        ("2028", "2029"),
        ("2025-12-30d", "2026-01-30d"),
    ] {
        assert_eq!(PeriodKey::parse(key).unwrap().next().to_string(), next);
        assert_eq!(PeriodKey::parse(next).unwrap().previous().to_string(), key);
    }
}

proptest! {
    #[test]
    fn periods_join_without_gap(
        ms in 0_i64..2_500_000_000_000,
        kind in prop_oneof![Just(PeriodKind::CalendarWeek), Just(PeriodKind::CalendarMonth), Just(PeriodKind::CalendarQuarter), Just(PeriodKind::CalendarYear)],
        name in prop_oneof![Just("Europe/Berlin"), Just("Africa/Cairo"), Just("Pacific/Apia"), Just("America/Havana"), Just("Australia/Lord_Howe")],
    ) {
        let zone = zone_named(name).unwrap();
        let instant = Instant::from_ms(ms);
        let period = period_containing(kind, &zone, instant);
        prop_assert!(period.interval().unwrap().contains(instant));
        prop_assert_eq!(PeriodKey::parse(&period.key.to_string()), Ok(period.key));
        prop_assert_eq!(period.key.next().previous(), period.key);
        prop_assert_eq!(period.key.next().period_in(&zone).start, period.end);
        prop_assert_eq!(period_containing(kind, &zone, period.start).key, period.key);
        prop_assert_eq!(period_containing(kind, &zone, period.end).key, period.key.next());
        prop_assert_eq!(period_containing(kind, &zone, period.end.minus_ms(1)).key, period.key);
    }
}

#[test]
fn the_ends_of_time_do_not_panic() {
    let zone = zone_named("Pacific/Kiritimati").unwrap();
    for kind in [
        PeriodKind::CalendarWeek,
        PeriodKind::CalendarQuarter,
        PeriodKind::CalendarYear,
        PeriodKind::Rolling { days: 366 },
    ] {
        for instant in [Instant::MIN, Instant::MAX] {
            let key = period_containing(kind, &zone, instant).key;
            let _ = (key.next().period_in(&zone), key.previous().period_in(&zone));
        }
    }
}
