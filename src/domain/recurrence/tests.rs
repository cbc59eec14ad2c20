#![allow(clippy::unwrap_used)]
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::zone::zone_named;

fn schedule(start: &str, rule: &str, zone: &str) -> Result<Schedule, RecurrenceError> {
    Schedule::recurring(start.parse().unwrap(), Rule::parse(rule)?, &zone_named(zone).unwrap())
}

fn dates(start: &str, rule: &str, to: Date) -> Vec<String> {
    let schedule = schedule(start, rule, "Europe/Berlin").unwrap();
    let found: Vec<Date> = schedule.dates_within(Date::MIN, to).collect();
    assert!(found.iter().all(|date| schedule.occurs_on(*date)));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn m_35_months_without_a_31st_are_skipped() {
    let rule = "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3";
    assert_eq!(dates("2025-10-31T22:00", rule, date(2030, 1, 1)), ["2025-10-31", "2025-12-31", "2026-01-31"]);
}

#[test]
fn m_35_leap_days_are_skipped_in_common_years() {
    assert_eq!(dates("2024-02-29T00:00", "FREQ=YEARLY", date(2031, 1, 1)), ["2024-02-29", "2028-02-29"]);
}

#[test]
fn m_35_parts_outside_the_subset_are_refused_by_name() {
    for (rule, message) in [
        ("FREQ=HOURLY", "FREQ=HOURLY is not valid, write DAILY, WEEKLY, MONTHLY or YEARLY"),
        (
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1",
            "BYSETPOS is not supported, use FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH, WKST",
        ),
        ("", "\"\" is not a part of a rule, write parts like FREQ=WEEKLY;BYDAY=SU"),
        ("FREQ=DAILY;", "\"\" is not a part of a rule, write parts like FREQ=WEEKLY;BYDAY=SU"),
        ("INTERVAL=2", "FREQ is missing, add FREQ=DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ occurs twice, keep one"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20261231", "COUNT and UNTIL exclude each other, keep one"),
        ("FREQ=YEARLY;BYDAY=2SU", "BYDAY with a number like 2SU needs FREQ=MONTHLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go with FREQ=WEEKLY, use BYDAY or FREQ=MONTHLY"),
    ] {
        assert_eq!(Rule::parse(rule).unwrap_err().to_string(), message, "{rule}");
    }
    for rule in [
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1001",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=+1",
        "FREQ=DAILY;UNTIL=2026-12-31",
        "FREQ=DAILY;UNTIL=20261231Z",
        "FREQ=DAILY;UNTIL=20261331",
        "FREQ=MONTHLY;BYDAY=6SU",
        "FREQ=MONTHLY;BYDAY=0SU",
        "FREQ=MONTHLY;BYDAY=SUN",
        "FREQ=MONTHLY;BYDAY=",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTH=13",
        "FREQ=WEEKLY;WKST=1MO",
    ] {
        assert!(matches!(Rule::parse(rule), Err(RecurrenceError::BadValue { .. })), "{rule}");
    }
}

#[test]
fn a_rule_has_to_begin_with_its_start() {
    for (start, rule, message) in [
        (
            "2026-01-01T02:00",
            "FREQ=WEEKLY;BYDAY=SU",
            "the start 2026-01-01 is not a date of the rule, start on 2026-01-04",
        ),
        (
            "2026-02-01T00:00",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
            "the rule matches no date within 100 years, correct BYMONTH, BYMONTHDAY or INTERVAL",
        ),
        ("2026-01-02T00:00", "FREQ=DAILY;UNTIL=20260101", "UNTIL is before the start, move one of them"),
        ("2026-01-01T10:00", "FREQ=DAILY;UNTIL=20260101T095959", "UNTIL is before the start, move one of them"),
    ] {
        assert_eq!(schedule(start, rule, "UTC").unwrap_err().to_string(), message, "{rule}");
    }
}

#[test]
fn until_is_inclusive_local_or_utc() {
    for (until, last) in [
        ("20260105T100000", "2026-01-05"),
        ("20260105T095959", "2026-01-04"),
        ("20260105", "2026-01-05"),
        // 10:00 in Berlin is 09:00Z.
        ("20260105T090000Z", "2026-01-05"),
        ("20260105T085959Z", "2026-01-04"),
    ] {
        let rule = format!("FREQ=DAILY;UNTIL={until}");
        let schedule = schedule("2026-01-01T10:00", &rule, "Europe/Berlin").unwrap();
        assert_eq!(schedule.last_date().unwrap().to_string(), last, "{until}");
    }
    // A start in the gap of 29 March 2026 (02:30 becomes 03:30+02:00 = 01:30Z) ends where it really starts.
    for (until, last) in [("20260329T013000Z", "2026-03-29"), ("20260329T012959Z", "2026-03-28")] {
        let rule = format!("FREQ=DAILY;UNTIL={until}");
        let schedule = schedule("2026-03-01T02:30", &rule, "Europe/Berlin").unwrap();
        assert_eq!(schedule.last_date().unwrap().to_string(), last, "{until}");
    }
}

#[test]
fn examples_of_rfc_5545() {
    for (start, rule, to, expected) in [
        ("1997-09-05T09:00", "FREQ=MONTHLY;COUNT=3;BYDAY=1FR", date(2000, 1, 1), "1997-09-05 1997-10-03 1997-11-07"),
        (
            "1997-09-28T09:00",
            "FREQ=MONTHLY;BYMONTHDAY=-3",
            date(1997, 12, 31),
            "1997-09-28 1997-10-29 1997-11-28 1997-12-29",
        ),
        // The start of the week decides which weeks are taken.
        (
            "1997-08-05T09:00",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            date(2000, 1, 1),
            "1997-08-05 1997-08-10 1997-08-19 1997-08-24",
        ),
        (
            "1997-08-05T09:00",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            date(2000, 1, 1),
            "1997-08-05 1997-08-17 1997-08-19 1997-08-31",
        ),
        (
            "1998-02-13T09:00",
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            date(1998, 12, 1),
            "1998-02-13 1998-03-13 1998-11-13",
        ),
        (
            "1996-11-05T09:00",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            date(2005, 1, 1),
            "1996-11-05 2000-11-07 2004-11-02",
        ),
    ] {
        assert_eq!(dates(start, rule, to).join(" "), expected, "{rule}");
    }
}

#[test]
fn days_with_and_without_a_number_add_up() {
    let found = dates("2023-01-05T09:00", "FREQ=MONTHLY;BYDAY=-1SU,TH", date(2023, 1, 31));
    assert_eq!(found, ["2023-01-05", "2023-01-12", "2023-01-19", "2023-01-26", "2023-01-29"]);
}

#[test]
fn an_unreachable_count_is_refused() {
    for rule in
        ["FREQ=YEARLY;INTERVAL=1000;COUNT=2", "FREQ=YEARLY;COUNT=102", "FREQ=DAILY;BYMONTHDAY=29;BYMONTH=2;COUNT=40"]
    {
        let error = schedule("2024-02-29T00:00", rule, "UTC").unwrap_err();
        assert_eq!(error, RecurrenceError::CountNotReached, "{rule}");
    }
}

fn subset(values: &'static [&'static str], most: usize) -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.4, proptest::sample::subsequence(values, 1..=most).prop_map(|chosen| chosen.join(",")))
}

/// Texts of rules within the subset, some of which never match.
fn any_rule() -> impl Strategy<Value = String> {
    let days = subset(&["MO", "TU", "WE", "TH", "FR", "SA", "SU"], 3);
    let ordinals = subset(&["1MO", "-1SU", "2TU", "5FR", "-5WE", "-2SA"], 2);
    // Not mixed: the oracle then asks for both, RFC 5545 for either.
    let month_days = subset(&["1", "13", "15", "28", "29", "30", "31", "-1", "-2", "-29", "-31"], 3);
    let months = subset(&["1", "2", "3", "6", "11", "12"], 3);
    let end = prop_oneof![
        Just(String::new()),
        (1..40).prop_map(|count| format!(";COUNT={count}")),
        (1..=12, 1..=28).prop_map(|(month, day)| format!(";UNTIL=2027{month:02}{day:02}T093000Z")),
    ];
    let week_start = prop_oneof![Just(""), Just(";WKST=SU"), Just(";WKST=WE")];
    (0..4_usize, 1..5, (days, ordinals, month_days, months), end, week_start).prop_map(
        |(frequency, interval, (days, ordinals, month_days, months), end, week_start)| {
            let name = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"][frequency];
            let mut rule = format!("FREQ={name};INTERVAL={interval}{end}{week_start}");
            let by_day = if frequency == 2 { ordinals.or(days) } else { days };
            let by_month_day = if frequency == 1 { None } else { month_days };
            for (part, value) in [("BYDAY", by_day), ("BYMONTHDAY", by_month_day), ("BYMONTH", months)] {
                rule.extend(value.map(|value| format!(";{part}={value}")));
            }
            rule
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The crate `rrule` as an independent oracle, in UTC so that its zone data do not matter.
    #[test]
    fn dates_agree_with_the_crate_rrule(rule in any_rule(), offset in 0..1500_i32) {
        let first = date(2023, 1, 1).saturating_add(jiff::Span::new().days(offset));
        let to = first.saturating_add(jiff::Span::new().years(6));
        let text = format!("DTSTART:{}T093000Z\nRRULE:{rule}", first.strftime("%Y%m%d"));
        // The oracle refuses an UNTIL before the start, as we do.
        let Ok(set) = text.parse::<rrule::RRuleSet>() else {
            prop_assume!(rule.contains("UNTIL"));
            return Ok(());
        };
        let limit_text = format!("DTSTART:{}T235959Z\nRRULE:FREQ=DAILY;COUNT=1", to.strftime("%Y%m%d"));
        let limit = *limit_text.parse::<rrule::RRuleSet>().unwrap().get_dt_start();
        let expected: Vec<String> =
            set.before(limit).all(5000).dates.iter().map(|date| date.format("%Y-%m-%d").to_string()).collect();
        let (schedule, _) = Schedule::bind(first.at(9, 30, 0, 0), Rule::parse(&rule).unwrap(), &TimeZone::UTC);
        let mut found = Vec::new();
        if schedule.last.is_some() || schedule.rule.as_ref().unwrap().end == End::Never {
            found.extend(schedule.dates_within(first, to).map(|date| date.to_string()));
        }
        prop_assert_eq!(&found, &expected, "{}", text);
        // Asking for a later part gives the same dates: nothing depends on where one begins.
        let middle = first.saturating_add(jiff::Span::new().years(2));
        let later: Vec<String> = schedule.dates_within(middle, to).map(|date| date.to_string()).collect();
        if !found.is_empty() {
            prop_assert_eq!(later, found.into_iter().filter(|date| *date >= middle.to_string()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn reading_never_panics(text in "([A-Z]{2,10}=[-+0-9A-ZÉ,]{0,6};?){0,4}", other in ".{0,20}") {
        let _ = Rule::parse(&text);
        let _ = Rule::parse(&other);
        let _ = Rule::parse(&format!("FREQ=MONTHLY;UNTIL={other};BYDAY={other}"));
        let _ = Rule::parse(&format!("FREQ=MONTHLY;BYDAY={other}"));
        let _ = Rule::parse(&format!("FREQ=MONTHLY;UNTIL={other}"));
    }
}
