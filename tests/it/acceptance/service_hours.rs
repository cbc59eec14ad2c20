//! M-16 to M-20: service hours and holidays.

use super::Case;

const EVERY_DAY: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const WORK_DAYS: [&str; 5] = ["Mon", "Tue", "Wed", "Thu", "Fri"];

#[test]
fn m_16_holidays_and_weekends_inside_an_outage() {
    Case::new("M-16")
        .hours(&WORK_DAYS, "08:00", "18:00")
        .holidays(&["2025-12-25", "2025-12-26"])
        .down("2025-12-23T17:30:00+01:00", "2025-12-29T08:20:00+01:00")
        .gives(
            "2025-12",
            "H 1922400000; S 756000000; D 39000000; A 94.8412; budget 756000; left -38244000 (-5058.8 %); Missed; \
             outages [485400000]; outageCount 1",
        );
}

#[test]
fn m_17_hours_over_midnight() {
    let case = || Case::new("M-17").hours(&EVERY_DAY, "22:00", "06:00").objective("95");
    case()
        .holidays(&["2025-10-03"])
        .down("2025-10-03T21:00:00+02:00", "2025-10-04T07:00:00+02:00")
        .down("2025-10-26T01:00:00+02:00", "2025-10-26T03:00:00+01:00")
        .gives("2025-10", "H 1814400000; S 867600000; D 10800000; A 98.7551; Met");
    case().gives("2025-10", "H 1785600000; S 896400000; A 100.0000; Met");
}

#[test]
fn m_18_hours_that_occur_twice_or_never() {
    Case::new("M-18")
        .hours(&EVERY_DAY, "02:00", "03:00")
        .objective("95")
        .down("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00")
        .gives("2025-10", "H 2566800000; S 115200000; D 3600000; A 96.8750; Met")
        .gives("2026-03", "H 2566800000; S 108000000; A 100.0000; Met");
}

#[test]
fn m_19_a_calendar_does_not_change_the_past() {
    let case = Case::new("M-19")
        .hours(&WORK_DAYS, "08:00", "18:00")
        .down("2025-11-14T09:00:00+01:00", "10:00")
        .down("2025-11-19T09:00:00+01:00", "10:00")
        .holidays_added("2025-11-17T12:00:00+01:00", &["2025-11-14", "2025-11-19"])
        .gives("2025-11", "H 1908000000; S 684000000; D 3600000; A 99.4736; Missed; rulesChanged 1; outages [3600000]");
    let report = case.report("2025-11");
    let change = &report["rulesChanged"][0];
    assert_eq!(change["kind"], "ServiceCalendar");
    assert_eq!(change["at"], "2025-11-17T12:00:00+01:00");
    assert_ne!(change["before"], change["after"]);
}

#[test]
fn m_20_no_service_time() {
    Case::new("M-20")
        .hours(&["Sat"], "08:00", "18:00")
        .holidays(&["2025-11-01", "2025-11-08", "2025-11-15", "2025-11-22", "2025-11-29"])
        .down("2025-11-03T10:00:00+01:00", "10:45")
        .gives(
            "2025-11",
            "H 2592000000; S 0; B 0; A null; raw null; bounds [null, null]; Indeterminate (NoServiceTime); \
             period Indeterminate; outages []; outageCount 0",
        );
}
