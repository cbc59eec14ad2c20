//! M-50 to M-55: term and amendment.

use serde_json::json;

use super::Case;

#[test]
fn m_50_each_part_has_its_own_budget() {
    Case::new("M-50")
        .amended("2025-11-16T00:00:00+01:00", "99.5")
        .down("2025-11-05T10:00:00+01:00", "10:30")
        .down("2025-11-20T10:00:00+01:00", "11:30")
        .gives(
            "2025-11",
            "B 1296000000; D 1800000; A 99.8611; budget 1296000; Missed; period Missed \
             / from 2025-11-16T00:00:00+01:00; B 1296000000; D 5400000; A 99.5833; budget 6480000; Met",
        );
}

#[test]
fn m_51_an_amendment_inside_an_outage() {
    Case::new("M-51").amended("2025-11-20T10:20:00+01:00", "99").down("2025-11-20T10:00:00+01:00", "11:00").gives(
        "2025-11",
        "B 1678800000; D 1200000; A 99.9285; Met; outageCount 1; outages [3600000]; period Met \
             / B 913200000; D 2400000; A 99.7371; Met; outageCount 0",
    );
}

#[test]
fn m_52_loosening_does_not_save_what_came_before() {
    Case::new("M-52").amended("2025-11-20T10:20:00+01:00", "99").down("2025-11-20T09:30:00+01:00", "11:00").gives(
        "2025-11",
        "B 1678800000; D 3000000; A 99.8213; Missed; period Missed / B 913200000; D 2400000; A 99.7371; Met",
    );
}

#[test]
fn m_53_term_begins_inside_an_outage() {
    Case::new("M-53")
        .agreement(json!({"term": {"effectiveFrom": "2025-11-15"}}))
        .created("2025-11-01T00:00:00+01:00")
        .down("2025-11-14T23:50:00+01:00", "2025-11-15T00:20:00+01:00")
        .gives("2025-11", "elapsed 1382400000; D 1200000; A 99.9131; budget 1382400; left 182400 (13.1 %); Met");
}

#[test]
fn m_54_time_before_the_first_observation_is_unknown() {
    Case::unobserved("M-54")
        .agreement(json!({"term": {"effectiveFrom": "2025-11-01"}}))
        .created("2025-11-03T12:00:00+01:00")
        .ready("2025-11-03T12:00:00+01:00", 3)
        .gives(
            "2025-11",
            "elapsed 2592000000; U 216000000; B 2376000000; coverage 91.6666; A 100.0000; bounds [91.6666, 100.0000]; \
             Indeterminate (LowCoverage)",
        );
}

#[test]
fn m_55_term_ends_inside_an_outage() {
    Case::new("M-55")
        .agreement(json!({"term": {"expires": "2025-11-20"}}))
        .down("2025-11-20T23:45:00+01:00", "2025-11-21T00:30:00+01:00")
        .gives("2025-11", "elapsed 1728000000; D 900000; A 99.9479; Met");
}

/// Section 9: another kind of period begins when the running one ends, and cuts nothing in two.
#[test]
fn another_kind_of_period_begins_at_the_end_of_the_running_one() {
    Case::new("period kind")
        .amended_by("2025-11-16T00:00:00+01:00", json!({"reportingPeriod": {"kind": "CalendarQuarter"}}))
        .down("2025-11-20T10:00:00+01:00", "11:00")
        .down("2025-12-05T10:00:00+01:00", "10:30")
        .gives(
            "2025-11",
            "start 2025-11-01T00:00:00+01:00; end 2025-12-01T00:00:00+01:00; B 1296000000; Met; period Missed \
             / from 2025-11-16T00:00:00+01:00; B 1296000000; D 3600000; Missed",
        )
        .gives(
            "2025-Q4",
            "start 2025-12-01T00:00:00+01:00; end 2026-01-01T00:00:00+01:00; B 2678400000; D 1800000; Met",
        );
}

/// Section 9: in another zone the next boundary is another one; the period up to it is longer or shorter.
#[test]
fn another_zone_moves_the_next_boundary() {
    let boundary = "2026-01-01T00:00:00-05:00";
    Case::new("period zone")
        .amended_by("2025-11-16T00:00:00+01:00", json!({"reportingPeriod": {"timeZone": "America/New_York"}}))
        .down("2025-12-31T23:50:00-05:00", "2026-01-01T00:20:00-05:00")
        .gives("2025-11", "start 2025-11-01T00:00:00+01:00; end 2025-12-01T00:00:00+01:00; D 0 / D 0")
        .gives("2025-12", &format!("start 2025-11-30T18:00:00-05:00; end {boundary}; D 600000; B 2700000000; Met"))
        .gives("2026-01", &format!("start {boundary}; end 2026-02-01T00:00:00-05:00; D 1200000; B 2678400000; Met"));
}
