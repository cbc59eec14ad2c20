//! M-01 to M-15: calendar months, zones, edges.

use serde_json::json;

use super::Case;

#[test]
fn m_01_clock_goes_back() {
    Case::new("M-01").down("2025-10-26T02:30:00+02:00", "2025-10-26T02:15:00+01:00").gives(
        "2025-10",
        "start 2025-10-01T00:00:00+02:00; end 2025-11-01T00:00:00+01:00; S 2682000000; D 2700000; A 99.8993; \
         budget 2682000; left -18000 (-0.7 %); Missed; period Missed",
    );
}

#[test]
fn m_02_clock_goes_forward_and_the_budget_is_spent_exactly() {
    Case::new("M-02")
        .down("2026-03-29T01:45:00+01:00", "2026-03-29T03:29:34.800+02:00")
        .gives("2026-03", "S 2674800000; D 2674800; A 99.9000; budget 2674800; left 0 (0.0 %); Met; period Met");
}

#[test]
fn m_03_one_millisecond_more() {
    Case::new("M-03")
        .down("2026-03-29T01:45:00+01:00", "2026-03-29T03:29:34.801+02:00")
        .gives("2026-03", "S 2674800000; D 2674801; A 99.8999; left -1 (-0.1 %); Missed");
}

#[test]
fn m_04_new_york_clock_goes_back() {
    Case::new("M-04").zone("America/New_York").down("2025-11-02T00:30:00-04:00", "2025-11-02T01:30:00-05:00").gives(
        "2025-11",
        "start 2025-11-01T00:00:00-04:00; end 2025-12-01T00:00:00-05:00; S 2595600000; D 7200000; A 99.7226; \
             left -4604400 (-177.4 %); Missed",
    );
}

#[test]
fn m_05_new_york_clock_goes_forward() {
    Case::new("M-05")
        .zone("America/New_York")
        .down("2026-03-08T01:30:00-05:00", "2026-03-08T03:15:00-04:00")
        .gives("2026-03", "S 2674800000; D 2700000; A 99.8990; left -25200 (-1.0 %); Missed");
}

#[test]
fn m_06_half_hour_offset() {
    Case::new("M-06")
        .zone("Asia/Kolkata")
        .down("2025-10-31T18:00:00Z", "2025-10-31T18:45:00Z")
        .gives("2025-11", "start 2025-10-31T18:30:00Z; S 2592000000; D 900000; A 99.9652; Met");
}

const EVERY_DAY: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

#[test]
fn m_07_half_hour_clock_change_forward() {
    Case::new("M-07")
        .zone("Australia/Lord_Howe")
        .hours(&EVERY_DAY, "01:00", "03:00")
        .objective("99")
        .down("2025-10-05T01:45:00+10:30", "2025-10-05T02:45:00+11:00")
        .gives("2025-10", "elapsed 2676600000; H 2455200000; S 221400000; D 1800000; A 99.1869; Met");
}

#[test]
fn m_08_half_hour_clock_change_back() {
    Case::new("M-08")
        .zone("Australia/Lord_Howe")
        .hours(&EVERY_DAY, "01:00", "03:00")
        .objective("99")
        .down("2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30")
        .gives("2026-04", "elapsed 2593800000; H 2376000000; S 217800000; D 1800000; A 99.1735; Met");
}

#[test]
fn m_09_leap_day() {
    Case::new("M-09")
        .down("2028-02-29T23:50:00+01:00", "2028-03-01T00:10:00+01:00")
        .gives("2028-02", "S 2505600000; D 600000; A 99.9760; Met")
        .gives("2028-03", "S 2674800000; D 600000; A 99.9775; Met");
}

#[test]
fn m_10_month_end_to_the_millisecond() {
    Case::new("M-10")
        .down("2025-11-30T23:59:59.500+01:00", "2025-12-01T00:00:00.250+01:00")
        .gives("2025-11", "S 2592000000; D 500; A 99.9999; outages [750]; outageCount 1; Met")
        .gives("2025-12", "S 2678400000; D 250; A 99.9999; outageCount 0; Met");
}

#[test]
fn m_11_outage_across_the_period_end() {
    Case::new("M-11")
        .down("2025-10-31T23:40:00+01:00", "2025-11-01T00:50:00+01:00")
        .gives("2025-10", "D 1200000; A 99.9552; outages [4200000]; outageCount 1; Met")
        .gives("2025-11", "D 3000000; A 99.8842; outageCount 0; Missed");
}

#[test]
fn m_12_lengths_of_periods() {
    for (kind, key, instant, figures) in [
        ("CalendarQuarter", "2025-Q4", "2025-11-15T12:00:00+01:00", "elapsed 7952400000; Met"),
        (
            "CalendarWeek",
            "2026-W53",
            "2027-01-01T12:00:00+01:00",
            "start 2026-12-28T00:00:00+01:00; end 2027-01-04T00:00:00+01:00; elapsed 604800000; Met",
        ),
        ("CalendarWeek", "2026-W13", "2026-03-29T12:00:00+02:00", "elapsed 601200000; Met"),
        ("CalendarYear", "2028", "2028-07-01T12:00:00+02:00", "elapsed 31622400000; Met"),
    ] {
        let case = Case::new("M-12").agreement(json!({"reportingPeriod": {"kind": kind}})).gives(key, figures);
        // The key of the period that contains the instant.
        let answer = case.at(instant).replay(&[]);
        assert_eq!(answer.report["period"]["key"], key, "M-12 {kind}: {}", answer.error);
        assert_eq!(answer.report["period"]["kind"], kind, "M-12");
    }
}

#[test]
fn m_13_term_from_a_date_without_midnight() {
    Case::new("M-13")
        .zone("Africa/Cairo")
        .agreement(json!({"term": {"effectiveFrom": "2026-04-24"}}))
        .gives("2026-04", "from 2026-04-24T01:00:00+03:00; elapsed 601200000; Met");
}

#[test]
fn m_14_rolling_window_leaves_an_outage_behind() {
    for (instant, figures) in [
        ("2025-12-05T10:00:00Z", "S 2592000000; D 2400000; A 99.9074"),
        ("2025-12-05T10:10:00Z", "S 2592000000; D 1800000; A 99.9305"),
        ("2025-12-05T10:39:59Z", "S 2592000000; D 1000; A 99.9999"),
        ("2025-12-05T10:40:00Z", "S 2592000000; D 0; A 100.0000"),
    ] {
        Case::new("M-14").rolling(30).down("2025-11-05T10:00:00Z", "10:40").at(instant).gives("2025-12-30d", figures);
    }
}

#[test]
fn m_15_rolling_days_have_24_hours() {
    Case::new("M-15").rolling(30).zone("Europe/Berlin").at("2025-11-11T12:00:00+01:00").gives(
        "2025-11-30d",
        "start 2025-10-12T13:00:00+02:00; end 2025-11-11T12:00:00+01:00; elapsed 2592000000; S 2592000000",
    );
}
