//! M-91, M-92: capacity and its trend.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Case;

/// A Monday, the first of 28 days up to the end of November 2025 in Berlin.
const FIRST: &str = "2025-11-03T00:00:00+01:00";

/// The daily values of the case.
fn values() -> Vec<i64> {
    (0..28_i64).map(|i| 1000 + 10 * i + if i % 7 < 5 { 100 } else { 0 } + [0, 14, -7, 7][(i / 7) as usize]).collect()
}

/// A sample each five minutes of the last days of the month, one value a day.
fn month(name: &'static str, values: &[i64]) -> Case {
    let first: Timestamp = FIRST.parse().unwrap();
    let skipped = 28 - values.len() as i64;
    let mut case = Case::new(name);
    for (day, used) in values.iter().enumerate() {
        let midnight = first + SignedDuration::from_hours(24 * (skipped + day as i64));
        for slot in 0..288 {
            let at = midnight + SignedDuration::from_mins(5 * slot);
            case = case.line(sample(&at.to_string(), &used.to_string(), "1800"));
        }
    }
    case
}

fn sample(at: &str, used: &str, limit: &str) -> Value {
    json!({"at": at, "type": "capacity", "resource": "orders", "used": used, "limit": limit})
}

fn capacity(case: &Case) -> Value {
    case.report("2025-11")["capacity"][0].clone()
}

#[test]
fn m_91_days_to_exhaustion_by_a_robust_weekly_trend() {
    // 1277 of 1800 on the last day, 1357 on the Friday before.
    assert_eq!(
        capacity(&month("M-91", &values())),
        json!({
            "name": "orders", "headroom": "29.0", "headroomLowest": "24.6", "peak7d": "75.3",
            "growthPerDay": "9.9166", "daysToExhaustion": "44", "lowConfidence": [], "verdict": "ExhaustionForecast",
        })
    );
}

#[test]
fn m_92_short_histories_and_no_growth() {
    let told = |item: &Value| [&item["daysToExhaustion"], &item["lowConfidence"], &item["verdict"]].map(Clone::clone);
    let short = capacity(&month("M-92 20 days", &values()[..20]));
    // It looks further ahead than twice the 20 days, too.
    assert_eq!(short["lowConfidence"], json!(["ShortHistory", "FarAhead"]));
    assert_eq!(short["verdict"], "LowConfidence");
    let none = capacity(&month("M-92 13 days", &values()[..13]));
    assert_eq!(told(&none), [Value::Null, json!([]), json!("TooLittleHistory")]);
    let constant = capacity(&month("M-92 constant", &[1000; 28]));
    assert_eq!(told(&constant), [json!(">365"), json!([]), json!("HeadroomKept")]);
}

#[test]
fn an_old_sample_says_nothing_of_now() {
    let case = Case::new("old").line(sample("2025-11-10T10:00:00+01:00", "1", "4"));
    let item = capacity(&case);
    assert_eq!((&item["headroom"], &item["headroomLowest"]), (&Value::Null, &json!("75.0")));
    assert_eq!(item["verdict"], "NoData");
    // A log without such lines says nothing of capacity.
    assert_eq!(Case::new("none").report("2025-11")["capacity"], json!([]));
}

#[test]
fn the_report_for_people_shows_it() {
    let page = month("markdown", &values()[..20]).markdown("2025-11");
    let line = page.lines().find(|line| line.starts_with("| orders |")).expect("a line of the item");
    assert!(line.contains("low confidence: ShortHistory") && page.contains("## Capacity"), "{line}");
}
