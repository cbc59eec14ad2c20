//! M-21 to M-39, M-74 b, M-106: maintenance and exclusions.

use serde_json::json;

use super::Case;

const W_FROM: &str = "2025-11-12T22:00:00+01:00";
const W_TO: &str = "2025-11-13T00:00:00+01:00";
const APPROVED: &str = "2025-11-05T09:00:00+01:00";
/// Notice is kept for every window of November.
const EARLY: &str = "2025-10-20T09:00:00+02:00";

/// The window W as change chg-1.
fn in_w(name: &'static str, expected: &str) -> Case {
    Case::new(name).change("chg-1", W_FROM, W_TO, expected, APPROVED)
}

#[test]
fn m_21_only_loss_inside_the_window_is_excluded() {
    let case = in_w("M-21", "1h").down("2025-11-12T21:50:00+01:00", "22:40").gives(
        "2025-11",
        "X 2400000; D 600000; S 2592000000; B 2589600000; A 99.9768; raw 99.8842; budget 2589600; Met; outages [3000000]; \
         outageCount 1",
    );
    let report = case.report("2025-11");
    assert_eq!(
        (&report["outages"][0]["countedMs"], &report["outages"][0]["excludedMs"]),
        (&json!(600_000), &json!(2_400_000))
    );
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 2400000+0")]);
    assert_eq!(report["maintenance"][0]["noticeMs"], 651_600_000);
    assert_eq!(report["maintenance"][0]["retroactive"], false);
}

#[test]
fn m_22_a_window_without_loss_excludes_nothing() {
    let case = in_w("M-22", "1h")
        .down("2025-11-10T10:00:00+01:00", "10:43:12")
        .gives("2025-11", "X 0; D 2592000; B 2592000000; A 99.9000; raw 99.9000; budget 2592000; left 0 (0.0 %); Met");
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 0+0")]);
}

#[test]
fn m_23_one_second_too_late_voids_the_whole_window() {
    let case = Case::new("M-23")
        .change("chg-1", W_FROM, W_TO, "1h", "2025-11-09T22:00:01+01:00")
        .down(W_FROM, "22:50")
        .gives("2025-11", "X 0; D 3000000; A 99.8842; Missed");
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 0+0 LateNotice")]);
    assert_eq!(case.report("2025-11")["maintenance"][0]["noticeMs"], 259_199_000);
}

#[test]
fn m_24_exactly_the_notice_is_enough() {
    let case =
        Case::new("M-24").change("chg-1", W_FROM, W_TO, "1h", "2025-11-09T22:00:00+01:00").down(W_FROM, "22:50").gives(
            "2025-11",
            "X 3000000; D 0; B 2589000000; A 100.0000; raw 99.8842; Met; outages []; outageCount 0; certain true",
        );
    assert_eq!(case.report("2025-11")["maintenance"][0]["noticeMs"], 259_200_000);
}

/// As M-24, but the stakeholders were told a second later.
#[test]
fn m_24_notice_begins_when_stakeholders_are_told() {
    let change = json!({
        "at": EARLY, "type": "change", "name": "chg-1", "notBefore": W_FROM, "notAfter": W_TO, "expectedOutage": "1h",
        "notifiedAt": "2025-11-09T22:00:01+01:00", "services": ["checkout"],
    });
    let case =
        Case::new("M-24 told").line(change).down(W_FROM, "22:50").gives("2025-11", "D 3000000; A 99.8842; Missed");
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 0+0 LateNotice")]);
}

/// An approval counts from its own instant, although the operator that should have seen it was down. What the service
/// did meanwhile, its Pods prove.
#[test]
fn m_106_an_approval_while_the_operator_is_down() {
    let (from, until) = ("2025-11-09T21:50:00+01:00", "2025-11-09T23:00:00+01:00");
    let before = "2025-11-08T08:00:00+01:00";
    let pod = |uid: &str| json!({"uid": uid, "created": before, "started": before, "ready": true, "since": before});
    let pods = json!([pod("p1"), pod("p2"), pod("p3")]);
    let case = |name, approved| {
        Case::new(name)
            .line(json!({"at": from, "type": "gap", "until": until, "reason": "NoLeader"}))
            .line(json!({"at": until, "type": "pods", "component": "api", "ready": 3, "pods": pods}))
            .change("chg-1", W_FROM, W_TO, "1h", approved)
            .down(W_FROM, "22:50")
    };
    let in_time = case("M-106 a", "2025-11-09T22:00:00+01:00")
        .gives("2025-11", "X 3000000; D 0; B 2589000000; A 100.0000; raw 99.8842; Met; inferred 4200000");
    assert_eq!(in_time.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 3000000+0")]);
    assert_eq!(in_time.report("2025-11")["maintenance"][0]["noticeMs"], 259_200_000);
    let late = case("M-106 b", "2025-11-09T22:00:01+01:00")
        .gives("2025-11", "X 0; D 3000000; A 99.8842; Missed; inferred 4200000");
    assert_eq!(late.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 0+0 LateNotice")]);
    assert_eq!(late.report("2025-11")["maintenance"][0]["noticeMs"], 259_199_000);
}

#[test]
fn m_25_windows_share_the_cap_of_the_period() {
    let case = || {
        Case::new("M-25")
            .change("chg-1", "2025-11-05T20:00:00+01:00", "2025-11-06T00:00:00+01:00", "3h", EARLY)
            .change("chg-2", "2025-11-19T20:00:00+01:00", "2025-11-20T00:00:00+01:00", "3h", EARLY)
            .down("2025-11-05T20:00:00+01:00", "23:00")
            .down("2025-11-19T20:00:00+01:00", "22:00")
    };
    let closed = case().gives(
        "2025-11",
        "X 14400000; D 3600000; B 2577600000; A 99.8603; raw 99.3055; Missed; outages [7200000]; outageCount 1",
    );
    assert_eq!(
        closed.windows("2025-11"),
        [
            "chg-1 2025-11-05T20:00:00+01:00 2025-11-06T00:00:00+01:00 10800000+0",
            "chg-2 2025-11-19T20:00:00+01:00 2025-11-20T00:00:00+01:00 3600000+3600000",
        ]
    );
    // X of chg-2 ends at 21:00.
    for (as_of, figures) in [
        ("2025-11-19T21:00:00+01:00", "X 14400000; D 0; A 100.0000; raw 99.1169"),
        ("2025-11-19T21:00:00.001+01:00", "X 14400000; D 1; A 99.9999; raw 99.1169"),
    ] {
        case().at(as_of).gives("2025-11", figures);
    }
}

#[test]
fn m_26_what_exceeds_the_announced_outage_is_down() {
    let case = in_w("M-26", "30m")
        .down(W_FROM, "22:55")
        .gives("2025-11", "X 1800000; D 1500000; B 2590200000; A 99.9420; raw 99.8726; Met");
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 1800000+1500000")]);
}

#[test]
fn m_27_loss_after_the_window_is_down() {
    let case = in_w("M-27", "1h")
        .down("2025-11-12T23:30:00+01:00", "2025-11-13T00:20:00+01:00")
        .gives("2025-11", "X 1800000; D 1200000; B 2590200000; A 99.9536; raw 99.8842; Met");
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} {W_TO} 1800000+0")]);
}

#[test]
fn m_28_overlapping_windows_in_order_of_their_start() {
    let case = Case::new("M-28")
        .change("chg-2", "2025-11-12T22:20:00+01:00", W_TO, "1h", APPROVED)
        .change("chg-1", W_FROM, "23:00", "30m", APPROVED)
        .down(W_FROM, "2025-11-13T00:10:00+01:00")
        .gives("2025-11", "X 5400000; D 2400000; B 2586600000; A 99.9072; raw 99.6990; Met");
    assert_eq!(
        case.windows("2025-11"),
        [
            format!("chg-1 {W_FROM} 2025-11-12T23:00:00+01:00 1800000+0"),
            format!("chg-2 2025-11-12T22:20:00+01:00 {W_TO} 3600000+1800000"),
        ]
    );
}

#[test]
fn m_29_each_period_has_its_cap() {
    let (from, to) = ("2025-11-30T22:00:00+01:00", "2025-12-01T02:00:00+01:00");
    let case = Case::new("M-29")
        .agreement(json!({"plannedMaintenance": {"maxPerPeriod": "1h"}}))
        .change("chg-1", from, to, "4h", EARLY)
        .down(from, to)
        .gives("2025-11", "X 3600000; D 3600000; A 99.8609; raw 99.7222; Missed; outageCount 1")
        .gives("2025-12", "X 3600000; D 3600000; A 99.8654; raw 99.7311; Missed; outageCount 0");
    for period in ["2025-11", "2025-12"] {
        assert_eq!(case.windows(period), [format!("chg-1 {from} {to} 3600000+3600000")]);
    }
}

/// The allowance of a change is of the change, not of each period.
#[test]
fn m_29_an_announced_outage_is_used_once() {
    let (from, to) = ("2025-11-30T22:00:00+01:00", "2025-12-01T02:00:00+01:00");
    Case::new("M-29 90m")
        .change("chg-1", from, to, "150m", EARLY)
        .down(from, to)
        .gives("2025-11", "X 7200000; D 0; A 100.0000; raw 99.7222; Met; outageCount 0")
        .gives("2025-12", "X 1800000; D 5400000; A 99.7982; raw 99.7311; Missed; outageCount 1");
}

#[test]
fn m_30_only_loss_in_service_hours_uses_the_cap() {
    let (from, to) = ("2025-11-12T17:00:00+01:00", "2025-11-12T20:00:00+01:00");
    let case = || {
        Case::new("M-30")
            .hours(&["Mon", "Tue", "Wed", "Thu", "Fri"], "08:00", "18:00")
            .objective("99")
            .change("chg-1", from, to, "3h", EARLY)
            .down("2025-11-12T16:00:00+01:00", "20:00")
    };
    case()
        .gives("2025-11", "H 1872000000; S 720000000; X 3600000; D 3600000; B 716400000; A 99.4974; raw 99.0000; Met");
    // 10800000 of the cap are left: what a later change excludes before its loss stays.
    let later = case()
        .change("chg-2", "2025-11-19T08:00:00+01:00", "18:00", "10h", EARLY)
        .down("2025-11-19T08:00:00+01:00", "12:00")
        .gives("2025-11", "H 1872000000; S 720000000; X 14400000; D 7200000; A 98.9795; raw 97.0000; Missed");
    assert_eq!(
        later.windows("2025-11")[1],
        "chg-2 2025-11-19T08:00:00+01:00 2025-11-19T18:00:00+01:00 10800000+3600000"
    );
}

#[test]
fn m_31_blind_time_in_a_window_stays_unknown() {
    in_w("M-31", "1h")
        .line(json!({"at": "2025-11-12T22:10:00+01:00", "type": "gap", "until": "2025-11-12T22:30:00+01:00"}))
        .ready("2025-11-12T22:30:00+01:00", 0)
        .ready("2025-11-12T23:00:00+01:00", 3)
        .gives(
            "2025-11",
            "U 1200000; X 1800000; D 0; B 2589000000; coverage 99.9537; A 100.0000; bounds [99.9536, 100.0000]; \
             raw 99.9305; Met; certain true",
        );
}

#[test]
fn m_32_a_standing_window_with_an_exception() {
    let case = Case::new("M-32").standing(json!({
        "name": "patching", "start": "2025-11-02T02:00", "duration": "2h", "rrule": "FREQ=WEEKLY;BYDAY=SU",
        "exdates": ["2025-11-16T02:00"],
    }));
    let days = ["02", "09", "16", "23", "30"];
    let case = days.iter().fold(case, |case, day| case.down(&format!("2025-11-{day}T02:00:00+01:00"), "02:30"));
    let case = case.gives("2025-11", "X 7200000; D 1800000; B 2584800000; A 99.9303; raw 99.6527; Met; outageCount 1");
    let expected: Vec<String> = ["02", "09", "23", "30"]
        .map(|day| format!("hours/patching 2025-11-{day}T02:00:00+01:00 2025-11-{day}T04:00:00+01:00 1800000+0"))
        .into();
    assert_eq!(case.windows("2025-11"), expected);
    assert_eq!(case.report("2025-11")["maintenance"][0]["noticeMs"], json!(null), "being agreed is its notice");
}

#[test]
fn m_33_a_start_that_does_not_exist_moves_forward() {
    let case = Case::new("M-33")
        .standing(json!({"name": "patching", "start": "2026-03-29T02:30", "duration": "2h"}))
        .down("2026-03-29T01:30:00+01:00", "2026-03-29T04:00:00+02:00")
        .gives("2026-03", "X 1800000; D 3600000; A 99.8653; raw 99.7981; Missed");
    assert_eq!(
        case.windows("2026-03"),
        ["hours/patching 2026-03-29T03:30:00+02:00 2026-03-29T05:30:00+02:00 1800000+0"]
    );
}

#[test]
fn m_34_a_start_that_occurs_twice_is_the_first() {
    let case = Case::new("M-34").standing(json!({"name": "patching", "start": "2025-10-26T02:30", "duration": "2h"}));
    assert_eq!(case.windows("2025-10"), ["hours/patching 2025-10-26T02:30:00+02:00 2025-10-26T03:30:00+01:00 0+0"]);
}

#[test]
fn m_35_recurrence() {
    let starts = |case: &Case, periods: &[&str]| -> Vec<String> {
        let windows = periods.iter().flat_map(|period| case.windows(period));
        windows.map(|window| window.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    let monthly = Case::new("M-35").standing(json!({
        "name": "patching", "start": "2025-10-31T22:00", "duration": "1h", "rrule": "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3",
        "exdates": ["2025-12-31T22:00"],
    }));
    let months = ["2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03", "2026-05"];
    assert_eq!(starts(&monthly, &months), ["2025-10-31T22:00:00+01:00", "2026-01-31T22:00:00+01:00"]);
    let yearly = Case::new("M-35 leap day")
        .agreement(json!({"reportingPeriod": {"kind": "CalendarYear"}}))
        .created("2023-12-01T00:00:00Z")
        .standing(json!({"name": "patching", "start": "2024-02-29T22:00", "duration": "1h", "rrule": "FREQ=YEARLY"}));
    let years = ["2024", "2025", "2026", "2027", "2028"];
    assert_eq!(starts(&yearly, &years), ["2024-02-29T22:00:00+01:00", "2028-02-29T22:00:00+01:00"]);
    let answer = Case::new("M-35 hourly")
        .standing(json!({"name": "patching", "start": "2025-10-31T22:00", "duration": "1h", "rrule": "FREQ=HOURLY"}))
        .replay(&["--period", "2025-11"]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.error.contains("spec.windows[0].rrule"), "{}", answer.error);
}

/// Down for an hour, and an exclusion for it.
fn excluded(name: &'static str, approved_by: &[&str], approved: &str) -> Case {
    let (from, to) = ("2025-11-20T10:00:00+01:00", "2025-11-20T11:00:00+01:00");
    Case::new(name).agreement(json!({"exclusions": ["CustomerCaused"]})).down(from, to).line(json!({
        "at": approved, "type": "exclusion", "from": from, "to": to, "cause": "CustomerCaused", "approvedBy": approved_by,
    }))
}

#[test]
fn m_36_an_exclusion_agreed_afterwards_is_marked() {
    let case = excluded("M-36", &["customer", "provider"], "2025-11-25T09:00:00+01:00")
        .gives("2025-11", "X 3600000; D 0; B 2588400000; A 100.0000; raw 99.8611; without 99.8611; Met; outageCount 0");
    let report = case.report("2025-11");
    assert_eq!(report["maintenance"][0]["retroactive"], true);
    assert_eq!(
        case.windows("2025-11"),
        ["CustomerCaused 2025-11-20T10:00:00+01:00 2025-11-20T11:00:00+01:00 3600000+0"]
    );
    // Before it was approved it excluded nothing; agreed at its start it is not retroactive; after the closing it is late.
    excluded("M-36 before", &["customer", "provider"], "2025-11-25T09:00:00+01:00")
        .at("2025-11-25T08:59:59+01:00")
        .gives("2025-11", "D 3600000; X 0");
    excluded("M-36 in time", &["customer", "provider"], "2025-11-20T10:00:00+01:00")
        .gives("2025-11", "X 3600000; D 0; A 100.0000; raw 99.8611; Met");
    excluded("M-36 provisional", &["customer", "provider"], "2025-12-01T23:59:59+01:00")
        .gives("2025-11", "X 3600000; D 0; A 100.0000; raw 99.8611; without 99.8611; Met");
    // After the closing it needs a correction: see corrections.rs.
    excluded("M-36 closed", &["customer", "provider"], "2025-12-02T00:00:01+01:00")
        .at("2025-12-02T00:00:00+01:00")
        .gives("2025-11", "X 0; D 3600000; A 99.8611; Missed");
}

#[test]
fn m_37_both_parties_have_to_agree() {
    let case = excluded("M-37", &["provider"], "2025-11-25T09:00:00+01:00")
        .gives("2025-11", "X 0; D 3600000; A 99.8611; Missed");
    assert!(case.windows("2025-11")[0].ends_with("0+0 ApprovalMissing"), "{:?}", case.windows("2025-11"));
    let other = excluded("M-37 cause", &["customer", "provider"], "2025-11-25T09:00:00+01:00")
        .agreement(json!({"exclusions": ["ForceMajeure"]}))
        .gives("2025-11", "X 0; D 3600000; A 99.8611; Missed");
    assert!(other.windows("2025-11")[0].ends_with("0+0 NotAgreed"), "{:?}", other.windows("2025-11"));
}

#[test]
fn m_38_a_cancelled_change_ends_its_window() {
    let case = in_w("M-38", "1h")
        .line(json!({"at": "2025-11-12T22:45:00+01:00", "type": "cancel", "name": "chg-1"}))
        .down("2025-11-12T22:30:00+01:00", "23:20")
        .gives("2025-11", "X 900000; D 2100000; A 99.9189; raw 99.8842; Met");
    assert_eq!(case.windows("2025-11"), [format!("chg-1 {W_FROM} 2025-11-12T22:45:00+01:00 900000+0")]);
    let answer = Case::new("M-38 unknown")
        .line(json!({"at": W_FROM, "type": "cancel", "name": "chg-9"}))
        .replay(&["--period", "2025-11"]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.error.contains("line 2: name: no change \"chg-9\" was approved before"), "{}", answer.error);
}

#[test]
fn m_39_degraded_time_is_excluded_where_it_counts() {
    let case = |name, share| {
        in_w(name, "1h").target(json!({"readiness": {"degradedCounts": share}})).degraded(W_FROM, "22:40")
    };
    case("M-39 a", "0.5").gives("2025-11", "X 2400000; G 0; A 100.0000; raw 99.9074; Met");
    case("M-39 b", "0").gives("2025-11", "X 0; G 2400000; A 100.0000; Met");
}

#[test]
fn m_74_scaled_to_zero_in_a_window() {
    let observe = |at: &str, desired: u32| json!({"at": at, "type": "observe", "component": "api", "ready": desired, "desired": desired});
    in_w("M-74 b", "1h")
        .line(observe(W_FROM, 0))
        .line(observe("2025-11-12T22:30:00+01:00", 3))
        .gives("2025-11", "X 1800000; D 0; A 100.0000; raw 99.9305; Met");
}

/// An amendment: each part uses its own cap less what earlier parts used.
#[test]
fn a_later_part_uses_its_cap_less_what_was_used() {
    Case::new("amended cap")
        .amended_by("2025-11-15T00:00:00+01:00", json!({"plannedMaintenance": {"maxPerPeriod": "2h"}}))
        .change("chg-1", "2025-11-05T20:00:00+01:00", "23:00", "3h", EARLY)
        .change("chg-2", "2025-11-19T20:00:00+01:00", "23:00", "3h", EARLY)
        .down("2025-11-05T20:00:00+01:00", "21:30")
        .down("2025-11-19T20:00:00+01:00", "21:00")
        .gives("2025-11", "X 5400000; D 0; raw 99.5535; Met / X 1800000; D 1800000; A 99.8696; raw 99.7395; Missed");
}

/// A rolling agreement counts the cap by calendar months, and what its window left behind stays used.
#[test]
fn a_rolling_window_counts_the_cap_by_month() {
    let day = |day: u32, hour: u32| format!("2025-11-{day:02}T{hour:02}:00:00Z");
    Case::new("rolling cap")
        .rolling(30)
        .change("chg-1", &day(3, 0), &day(3, 12), "12h", EARLY)
        .change("chg-2", &day(20, 0), &day(20, 12), "12h", EARLY)
        .down(&day(3, 0), &day(3, 3))
        .down(&day(20, 0), &day(20, 2))
        .at("2025-12-10T00:00:00Z")
        .gives("2025-12-30d", "X 3600000; D 3600000; A 99.8609; raw 99.7222; Breached");
}

#[test]
fn errors_of_approvals_name_their_line() {
    for (line, message) in [
        (
            json!({"at": EARLY, "type": "change", "name": "c", "notBefore": W_TO, "notAfter": W_FROM, "expectedOutage": "1h"}),
            "line 2: notAfter: is not after notBefore",
        ),
        (
            json!({"at": EARLY, "type": "exclusion", "from": W_TO, "to": W_TO, "cause": "ForceMajeure", "approvedBy": []}),
            "line 2: to: is not after from",
        ),
    ] {
        let answer = Case::new("line").line(line).replay(&["--period", "2025-11"]);
        assert_eq!(answer.code, Some(2));
        assert!(answer.error.contains(message), "{}", answer.error);
    }
    let answer = Case::new("no window")
        .standing(json!({"name": "patching", "start": "2025-10-31T22:00", "duration": "1h"}))
        .agreement(json!({"plannedMaintenance": {"windows": [{"calendar": "hours", "name": "other"}]}}))
        .replay(&["--period", "2025-11"]);
    assert_eq!(answer.code, Some(2));
    assert!(answer.error.contains("spec.plannedMaintenance.windows[0].name"), "{}", answer.error);
}
