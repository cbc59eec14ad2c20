//! M-86: targets derived from outages.

use serde_json::{Value, json};

use super::Case;

/// The default agreement with a Reliability target besides.
fn case(name: &'static str, limits: Value) -> Case {
    let mut target = json!({"name": "outages", "kind": "Reliability"});
    super::merge(&mut target, limits);
    let availability = json!({
        "name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.5", "contractual": false,
    });
    Case::new(name).agreement(json!({"targets": [availability, target]}))
}

fn limits() -> Value {
    json!({"maxOutages": 3, "maxSingleOutage": "30m", "maxMTRS": "20m"})
}

fn target(case: &Case, period: &str) -> Value {
    case.report(period)["parts"][0]["targets"][1].clone()
}

#[test]
fn m_86_outages_their_longest_and_their_mean() {
    let three = |name| {
        case(name, limits())
            .down("2025-11-03T10:00:00+01:00", "10:10")
            .down("2025-11-10T10:00:00+01:00", "10:25")
            .down("2025-11-17T10:00:00+01:00", "10:31")
    };
    let case = three("M-86");
    let target = target(&case, "2025-11");
    assert_eq!(
        target["reliability"],
        json!({"outages": 3, "longestMs": 1_860_000, "meanMs": 1_320_000, "exceeded": ["maxSingleOutage", "maxMTRS"]})
    );
    assert_eq!(
        (&target["result"], &target["outageCount"], &target["objective"]),
        (&json!("Missed"), &json!(3), &json!(null))
    );
    assert_eq!(case.report("2025-11")["result"], "Missed");
    for (as_of, result) in [
        ("2025-11-02T00:00:00+01:00", "OnTrack"),
        ("2025-11-03T12:00:00+01:00", "OnTrack"),
        ("2025-11-10T12:00:00+01:00", "AtRisk"),
        ("2025-11-17T10:30:00+01:00", "AtRisk"),
        ("2025-11-17T10:30:00.001+01:00", "Breached"),
    ] {
        assert_eq!(three("M-86 open").at(as_of).report("2025-11")["result"], result, "{as_of}");
    }
}

#[test]
fn m_86_unknown_time_over_the_coverage_limit_leaves_it_open() {
    let blind = |to: &str| {
        case("M-86 blind", json!({"maxOutages": 0}))
            .down("2025-11-03T10:00:00+01:00", "10:10")
            .unseen("2025-11-20T00:00:00+01:00", to)
    };
    let known_enough = target(&blind("07:12"), "2025-11");
    assert_eq!((&known_enough["result"], &known_enough["certain"]), (&json!("Missed"), &json!(false)));
    let too_little = target(&blind("07:12:01"), "2025-11");
    assert_eq!((&too_little["result"], &too_little["reason"]), (&json!("Indeterminate"), &json!("LowCoverage")));
}

/// Out of hours does not split an outage, Unknown does; excluded time is not counted time.
#[test]
fn m_86_what_one_outage_is() {
    let night = case("M-86 night", limits())
        .hours(&["Mon", "Tue", "Wed", "Thu", "Fri"], "08:00", "18:00")
        .down("2025-11-03T17:50:00+01:00", "2025-11-04T08:05:00+01:00");
    assert_eq!(target(&night, "2025-11")["reliability"]["longestMs"], 900_000);
    let blind = case("M-86 blind", limits())
        .ready("2025-11-03T10:00:00+01:00", 0)
        .line(json!({"at": "2025-11-03T10:05:00+01:00", "type": "gap", "until": "2025-11-03T10:06:00+01:00"}))
        .ready("2025-11-03T10:06:00+01:00", 0)
        .ready("2025-11-03T10:10:00+01:00", 3);
    assert_eq!(
        target(&blind, "2025-11")["reliability"],
        json!({"outages": 2, "longestMs": 300_000, "meanMs": 270_000, "exceeded": []})
    );
    let maintained = case("M-86 maintained", limits())
        .change("chg-1", "2025-11-12T22:00:00+01:00", "23:00", "1h", "2025-11-05T09:00:00+01:00")
        .down("2025-11-12T22:00:00+01:00", "22:50")
        .down("2025-11-13T22:00:00+01:00", "22:05");
    assert_eq!(
        target(&maintained, "2025-11")["reliability"],
        json!({"outages": 1, "longestMs": 300_000, "meanMs": 300_000, "exceeded": []})
    );
}

/// An outage across the period's end belongs to the period in which it begins, and counts there whole.
#[test]
fn m_86_an_outage_across_the_period_end_counts_once() {
    let case = case("M-86 edge", limits()).down("2025-11-30T23:40:00+01:00", "2025-12-01T00:15:00+01:00");
    assert_eq!(
        target(&case, "2025-11")["reliability"],
        json!({"outages": 1, "longestMs": 2_100_000, "meanMs": 2_100_000, "exceeded": ["maxSingleOutage", "maxMTRS"]})
    );
    let december = target(&case, "2025-12");
    assert_eq!(december["reliability"]["outages"], 0);
    assert_eq!(december["result"], "Met");
}
