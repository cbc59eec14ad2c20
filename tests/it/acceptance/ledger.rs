//! M-68, M-96, M-97, M-103: the ledger's bounds. What the operator stores of them is in `world`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Case;

fn later(at: Timestamp, ms: i64) -> Timestamp {
    at + SignedDuration::from_millis(ms)
}

/// Outages listed and omitted: how many, how long, and the longest.
fn outages(report: &Value) -> (i64, i64, i64) {
    let listed = report["outages"].as_array().unwrap();
    let lengths = || listed.iter().map(|outage| outage["countedMs"].as_i64().unwrap());
    let omitted = |field: &str| report["outagesOmitted"][field].as_i64().unwrap_or(0);
    (
        listed.len() as i64 + omitted("count"),
        lengths().sum::<i64>() + omitted("ms"),
        lengths().max().unwrap_or(0).max(omitted("longestMs")),
    )
}

#[test]
fn m_68_flapping() {
    let begin: Timestamp = "2025-11-18T14:00:00+01:00".parse().unwrap();
    let mut case = Case::new("M-68");
    for flap in 0..3000_i64 {
        let down = later(begin, 200 * flap);
        case = case.down(&down.to_string(), &later(down, 100).to_string());
    }
    let case = case.gives("2025-11", "D 300000; A 99.9884; left 2292000 (88.4 %); Met; outageCount 3000");
    let report = case.report("2025-11");
    assert_eq!(outages(&report), (3000, 300_000, 100));
    assert_eq!(report["rolledUp"]["hours"], 1);
    assert_eq!(report["rolledUp"]["days"], 0);
    assert!(report["rolledUp"]["entries"].as_i64().unwrap() >= 6000 - 400, "{}", report["rolledUp"]);
}

/// A log in which every component is down ten times a day, for a second each.
fn flapping_year(mut case: Case, components: &[String]) -> Case {
    let begin: Timestamp = "2025-01-01T09:00:00Z".parse().unwrap();
    for flap in 0..3650_i64 {
        let down = later(begin, flap / 10 * 86_400_000 + flap % 10 * 2_220_000);
        for component in components {
            for (at, ready) in [(down, 0), (later(down, 1000), 3)] {
                case = case.line(
                    json!({"at": at.to_string(), "type": "observe", "component": component, "ready": ready, "desired": 3}),
                );
            }
        }
    }
    case
}

#[test]
fn m_96_a_year_that_flaps_each_day() {
    let case = Case::new("M-96").agreement(json!({"reportingPeriod": {"kind": "CalendarYear", "timeZone": "UTC"}}));
    let case = flapping_year(case, &["api".to_owned()])
        .at("2025-12-31T20:00:00Z")
        .gives("2025", "D 3650000; A 99.9884; outageCount 3650; OnTrack");
    let report = case.report("2025");
    assert_eq!(outages(&report), (3650, 3_650_000, 1000));
    assert!(report["rolledUp"]["days"].as_i64().unwrap() > 100, "{}", report["rolledUp"]);

    // The instants are lost by then: five minutes of a day cannot be excluded any more, all of the year can.
    let excluded = |from: &str, to: &str| {
        json!({"at": "2025-12-31T19:00:00Z", "type": "exclusion", "from": from, "to": to, "cause": "CustomerCaused",
            "approvedBy": ["customer", "provider"]})
    };
    let case = case
        .agreement(json!({"exclusions": ["CustomerCaused"]}))
        .line(excluded("2025-01-08T09:00:00Z", "2025-01-08T09:05:00Z"))
        .gives("2025", "D 3650000; A 99.9884; outageCount 3650; OnTrack");
    assert_eq!(
        case.windows("2025"),
        ["CustomerCaused 2025-01-08T09:00:00+00:00 2025-01-08T09:05:00+00:00 0+0 RolledUp"]
    );
    let case = case
        .line(excluded("2025-01-01T00:00:00Z", "2025-12-31T19:00:00Z"))
        .gives("2025", "D 0; X 3650000; A 100.0000; raw 99.9884; without 99.9884; outageCount 0; OnTrack");
    let ends: Vec<String> = case.windows("2025").iter().map(|line| line.rsplit(' ').next().unwrap().into()).collect();
    assert_eq!(ends, ["3650000+0", "RolledUp"]);
}

#[test]
fn m_97_the_edge_of_a_rolling_window_takes_all_of_a_sum() {
    let case = Case::new("M-97").rolling(30).down("2025-11-05T10:00:00Z", "10:40").at("2025-12-05T10:00:00Z");
    case.gives("2025-12-30d", "B 2592000000; D 2400000; budget 2592000; left 192000 (7.4 %); AtRisk; period AtRisk");

    // The same window, with its edge in an hour that flapped: 600 outages of 100 ms from 09:40 on.
    let begin: Timestamp = "2025-11-05T09:40:00Z".parse().unwrap();
    let mut case = Case::new("M-97 rolled up").rolling(30).at("2025-12-05T09:50:00Z");
    for flap in 0..600_i64 {
        let down = later(begin, 2000 * flap);
        case = case.down(&down.to_string(), &later(down, 100).to_string());
    }
    let report = case.report("2025-12-30d");
    assert_eq!(report["rolledUp"]["edgeRolledUp"], true, "{}", report["rolledUp"]);
    let ms = &report["parts"][0]["targets"][0]["ms"];
    assert_eq!(ms["down"], 60_000);
    assert_eq!(ms["elapsed"], 30 * 86_400_000_i64 + 10 * 60_000);
    assert_eq!(report["parts"][0]["targets"][0]["outageCount"], 600);
}

#[test]
fn m_103_an_amendment_beyond_the_parts_of_a_report() {
    let components: Vec<String> = std::iter::once("api".to_owned()).chain((1..8).map(|n| format!("c{n}"))).collect();
    let targets: Vec<Value> = components
        .iter()
        .map(|name| {
            json!({"name": name, "kind": "Availability", "method": "Readiness", "objective": "99.9",
                "readiness": {"components": [name]}})
        })
        .collect();
    let year = json!({"reportingPeriod": {"kind": "CalendarYear", "timeZone": "UTC"}, "targets": targets});
    let mut case = Case::new("M-103").agreement(year);
    for name in &components[1..] {
        case = case.second_component(name);
    }
    let mut case = flapping_year(case, &components).at("2025-12-31T20:00:00Z");
    for (month, objective) in [("03", "99.8"), ("05", "99.7"), ("07", "99.6")] {
        case = case.amended(&format!("2025-{month}-01T00:00:00Z"), objective);
    }
    let report = case.report("2025");
    let parts = report["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 4);
    for index in 0..components.len() {
        let down = parts.iter().map(|part| part["targets"][index]["ms"]["down"].as_i64().unwrap());
        assert_eq!(down.sum::<i64>(), 3_650_000);
    }
    assert!(report["rolledUp"]["days"].as_i64().unwrap() > 500, "{}", report["rolledUp"]);
    let answer = case.amended("2025-09-01T00:00:00Z", "99.5").replay(&["--period", "2025"]);
    assert_eq!(answer.code, Some(2));
    let expected = "the 5 parts of the report have 40 targets together, at most 32; wait until the period ends at \
                    2026-01-01T00:00:00+00:00, or undo the change";
    assert!(answer.error.contains(expected), "{}", answer.error);
}
