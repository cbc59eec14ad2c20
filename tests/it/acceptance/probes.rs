//! M-79, M-80: tries of an address.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Case;

/// 2025-11-10 in Berlin.
const DAY: &str = "2025-11-10";
const MIDNIGHT: &str = "2025-11-10T00:00:00+01:00";
const TEN: &str = "2025-11-10T10:00:00+01:00";
/// When the tries of a row are over.
const AFTER: &str = "2025-11-10T10:04:00+01:00";

fn probe(fields: Value) -> Value {
    let mut probe = json!({"url": "https://shop.example/health", "interval": "30s", "failAfter": 2});
    super::merge(&mut probe, fields);
    json!({"method": "Probe", "readiness": null, "probe": probe})
}

/// An agreement about one day, all of it tried successfully, but for what a row says of the minutes from 10:00 on: one
/// letter a scheduled start, `+` success, `-` failure, `.` no try.
fn day(name: &'static str, row: &str) -> Case {
    let ten: Timestamp = TEN.parse().unwrap();
    let midnight: Timestamp = MIDNIGHT.parse().unwrap();
    let mut case = Case::unobserved(name)
        .agreement(json!({"term": {"effectiveFrom": DAY, "expires": DAY}}))
        .target(probe(json!({})));
    for index in 0..24 * 120 {
        let at = midnight + SignedDuration::from_secs(30 * index);
        let place = usize::try_from(at.duration_since(ten).as_secs() / 30).ok();
        match place.and_then(|place| row.as_bytes().get(place)).unwrap_or(&b'+') {
            b'.' => {}
            letter => case = case.line(attempt(&at.to_string(), *letter == b'+')),
        }
    }
    case
}

fn attempt(at: &str, ok: bool) -> Value {
    json!({"at": at, "type": "probe", "target": "availability", "ok": ok})
}

#[test]
fn m_79_down_from_the_first_of_two_failures() {
    let case = day("M-79", "+-+---+").gives("2025-11", "D 90000; outages [90000]; reason ProbeFailed");
    let outage = &case.report("2025-11")["outages"][0];
    let at = |name: &str| outage[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    let expected = ["2025-11-10T10:01:30+01:00", "2025-11-10T10:03:00+01:00"].map(|text| text.parse().unwrap());
    assert_eq!([at("from"), at("to")], expected);
}

#[test]
fn m_80_without_a_try_it_is_unknown() {
    day("M-80", "+-+---..+").gives("2025-11", "D 90000; U 60000; outages [90000]");
}

#[test]
fn without_tries_nothing_is_known_even_of_a_service_that_is_ready() {
    Case::new("no tries")
        .agreement(json!({"term": {"effectiveFrom": DAY, "expires": DAY}}))
        .target(probe(json!({})))
        .gives("2025-11", "U 86400000");
}

#[test]
fn what_is_not_decided_is_decided_by_later_tries() {
    let row = "+++++++-----------";
    day("one failure", row).at("2025-11-10T10:03:45+01:00").gives("2025-11", "D 0");
    day("two failures", row).at("2025-11-10T10:04:15+01:00").gives("2025-11", "D 45000; outages [45000]");
}

#[test]
fn another_address_begins_anew() {
    let amended = json!({"targets": [probe(json!({"url": "https://shop.example/other"}))]});
    // The try of 10:00:00 proves nothing of the other address.
    day("another address", "").amended_by("2025-11-10T10:00:10+01:00", amended).gives("2025-11", "U 0 / U 20000");
    let renamed = json!({"customer": {"name": "Acme"}});
    day("the same address", "").amended_by("2025-11-10T10:00:10+01:00", renamed).gives("2025-11", "U 0");
}

#[test]
fn a_try_of_an_unknown_target_is_refused() {
    let answer = Case::new("target").line(attempt(AFTER, true)).replay(&["--period", "2025-11"]);
    let error = "error: line 2: target: the agreement has no target \"availability\" of method Probe\n";
    assert_eq!((answer.code, answer.error.as_str()), (Some(2), error));
}
