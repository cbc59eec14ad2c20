//! M-40 to M-49: numbers and verdicts.

use serde_json::json;

use super::Case;

const BEGIN: &str = "2025-11-10T10:00:00+01:00";

/// By `replay`; the API server and `check` have their own rows.
#[test]
fn m_40_objectives_that_are_refused() {
    for objective in ["100", "100.0", "0", "99.99999", "99,9", "1e2", "-1", "101", "NaN", ""] {
        let answer = Case::new("M-40").objective(objective).replay(&["--period", "2025-11"]);
        assert_eq!(answer.code, Some(2), "{objective:?}");
        assert!(answer.error.contains("spec.targets[0].objective"), "{objective:?}: {}", answer.error);
    }
    Case::new("M-40").objective("99.9999").gives("2025-11", "S 2592000000; budget 2592; Met");
}

#[test]
fn m_41_the_budget_is_exact_to_the_millisecond() {
    for (length_ms, figures) in [
        (1_298_592, "S 2592000000; D 1298592; A 99.9499; budget 1296000; left -2592 (-0.2 %); Missed"),
        (1_296_001, "S 2592000000; D 1296001; A 99.9499; budget 1296000; left -1 (-0.1 %); Missed"),
        (1_296_000, "S 2592000000; D 1296000; A 99.9500; budget 1296000; left 0 (0.0 %); Met"),
    ] {
        Case::new("M-41").objective("99.95").down_for(BEGIN, length_ms).gives("2025-11", figures);
    }
}

#[test]
fn m_42_degraded_time_counts_in_part() {
    Case::new("M-42")
        .target(json!({"readiness": {"degradedCounts": "0.5"}}))
        .ready(BEGIN, 0)
        .degraded("2025-11-10T10:20:00+01:00", "11:20")
        .gives("2025-11", "D 1200000; G 3600000; lost 3000000; A 99.8842; left -408000 (-15.8 %); Missed");
}

#[test]
fn m_43_a_share_of_a_millisecond_is_lost() {
    Case::new("M-43")
        .target(json!({"readiness": {"degradedCounts": "0.3333"}}))
        .degraded(BEGIN, "10:00:01")
        .gives("2025-11", "G 1000; lost 334; A 99.9999; budget 2592000; left 2591666 (99.9 %); Met");
}

const BLIND: &str = "2025-11-20T00:00:00+01:00";

#[test]
fn m_44_too_little_is_known() {
    Case::new("M-44").down(BEGIN, "10:30").unseen(BLIND, "08:00").gives(
        "2025-11",
        "U 28800000; D 1800000; B 2563200000; coverage 98.8888; A 99.9297; bounds [98.8194, 99.9305]; \
         Indeterminate (LowCoverage); certain false",
    );
}

#[test]
fn m_45_nothing_unknown_could_help() {
    Case::new("M-45")
        .down(BEGIN, "10:50")
        .unseen(BLIND, "08:00")
        .gives("2025-11", "U 28800000; D 3000000; A 99.8829; bounds [98.7731, 99.8842]; Missed; certain true");
}

#[test]
fn m_46_coverage_at_its_limit() {
    for (to, figures) in [
        ("07:12", "U 25920000; coverage 99.0000; A 100.0000; Met; certain false"),
        ("07:12:01", "U 25921000; coverage 98.9999; A 100.0000; Indeterminate (LowCoverage)"),
    ] {
        Case::new("M-46").unseen(BLIND, to).gives("2025-11", figures);
    }
}

#[test]
fn m_47_certainty() {
    Case::new("M-47 a")
        .down(BEGIN, "10:30")
        .unseen(BLIND, "00:10")
        .gives("2025-11", "U 600000; D 1800000; B 2591400000; A 99.9305; bounds [99.9074, 99.9305]; Met; certain true");
    Case::new("M-47 b")
        .agreement(json!({"unmeasured": {"treatAs": "Down"}}))
        .down(BEGIN, "10:30")
        .unseen(BLIND, "00:15")
        .gives("2025-11", "U 900000; D 1800000; B 2592000000; lost 2700000; A 99.8958; Missed; certain false");
}

const TENTH_DAY: &str = "2025-11-11T00:00:00+01:00";
const FIFTH: &str = "2025-11-05T10:00:00+01:00";

#[test]
fn m_48_at_risk_and_breached_while_open() {
    Case::new("M-48").down(FIFTH, "10:33").at(TENTH_DAY).gives(
        "2025-11",
        "B 864000000; D 1980000; A 99.7708; budget 2592000; left 612000 (23.6 %); AtRisk; period AtRisk",
    );
    Case::new("M-48 all of it")
        .down(FIFTH, "10:43:12")
        .at(TENTH_DAY)
        .gives("2025-11", "D 2592000; left 0 (0.0 %); AtRisk");
    Case::new("M-48 1 ms more")
        .down(FIFTH, "10:43:12.001")
        .at(TENTH_DAY)
        .gives("2025-11", "D 2592001; left -1 (-0.1 %); Breached");
}

#[test]
fn m_49_on_track_below_the_objective() {
    Case::new("M-49")
        .down(FIFTH, "10:20")
        .at(TENTH_DAY)
        .gives("2025-11", "B 864000000; D 1200000; A 99.8611; left 1392000 (53.7 %); OnTrack; period OnTrack");
}

#[test]
fn m_97_rolling_and_open() {
    Case::new("M-97")
        .rolling(30)
        .down("2025-11-05T10:00:00Z", "10:40")
        .at("2025-12-05T10:00:00Z")
        .gives("2025-12-30d", "B 2592000000; D 2400000; budget 2592000; left 192000 (7.4 %); AtRisk; period AtRisk");
}
