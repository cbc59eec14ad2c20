//! The ledger's bounds over long times, by the plan of the operator itself.

mod clock_steps;
mod closing;
mod corrections;
mod kit;

use assize::control::streams::Stream;
use assize::domain::time::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use assize::observe::facts::ObjectKey;
use serde_json::{Value, json};

use kit::Cluster;

/// What the API server adds to a stored report, `managedFields` above all.
const ADDED_BYTES: usize = 2_000;
const LIMIT_BYTES: usize = 50_000;

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("component-{number}")).collect()
}

/// A Service of `count` components, and an agreement by the calendar year with one target for each.
fn scene(count: usize, created: Instant) -> Cluster {
    let mut cluster = Cluster::new(created);
    let components: Vec<Value> = names(count).iter().map(|name| json!({"name": name, "endpointsOf": name})).collect();
    for name in names(count) {
        cluster.put(&Stream::CoreServices, &name, json!({"metadata": {}, "spec": {"type": "ClusterIP"}}));
        cluster.endpoints(&name, 3);
    }
    cluster.put(&Stream::Services, "checkout", json!({"metadata": {}, "spec": {"components": components}}));
    cluster.put(&Stream::Agreements, "gold", agreement(count, "99.9"));
    cluster
}

fn agreement(count: usize, objective: &str) -> Value {
    let target = |name: &String| {
        json!({"name": name, "kind": "Availability", "method": "Readiness", "objective": objective,
            "readiness": {"components": [name]}})
    };
    json!({"metadata": {}, "spec": {
        "serviceRef": {"name": "checkout"},
        "reportingPeriod": {"kind": "CalendarYear", "timeZone": "UTC", "lateDataGrace": "24h"},
        "targets": names(count).iter().map(target).collect::<Vec<_>>(),
    }})
}

/// A day on which every component is down ten times for a second.
fn flap(cluster: &mut Cluster, count: usize, day: Instant) {
    for flap in 0..10 {
        let down = day.plus_ms(9 * HOUR_MS + flap * 37 * MINUTE_MS);
        for (ready, at) in [(0, down), (3, down.plus_ms(1000))] {
            cluster.at(at);
            for name in names(count) {
                cluster.endpoints(&name, ready);
            }
        }
    }
    cluster.at(day.plus_ms(16 * HOUR_MS));
    cluster.settle();
}

fn down_of(report: &Value, target: &str) -> i64 {
    let targets = report["parts"].as_array().unwrap().iter().flat_map(|part| part["targets"].as_array().unwrap());
    targets.filter(|found| found["name"] == target).map(|found| found["ms"]["down"].as_i64().unwrap()).sum()
}

fn held(report: &Value) -> (usize, usize, Vec<String>) {
    let lines = report["ledger"]["lines"].as_array().unwrap();
    let list = |field: &'static str| {
        let of = move |line: &Value| line[field].as_array().cloned().unwrap_or_default();
        lines.iter().flat_map(of).map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let rolled = list("rolled");
    let hours = rolled.iter().filter(|sum| sum.split(' ').nth(2) == Some("hour")).count();
    (list("entries").len(), hours, rolled)
}

fn assert_bounded(cluster: &Cluster, report: &Value) {
    let (entries, hours, rolled) = held(report);
    assert!(entries <= 400 && hours <= 150 && rolled.len() - hours <= 366, "{entries} {hours} {}", rolled.len());
    let largest = cluster.largest_report + ADDED_BYTES;
    assert!(largest <= LIMIT_BYTES, "{largest} bytes");
}

/// A year of flapping; another process takes over now and then. An amendment is tried on these days.
fn year(count: usize, amendments: &[(i64, &str)]) -> Cluster {
    let begin = at("2025-01-01T00:00:00Z");
    let mut cluster = scene(count, begin);
    cluster.start(None);
    assert_eq!(cluster.undecodable(), 0);
    for day in 0..365 {
        let morning = begin.plus_ms(day * DAY_MS);
        if let Some((_, objective)) = amendments.iter().find(|(on, _)| *on == day) {
            cluster.at(morning.plus_ms(HOUR_MS));
            cluster.put(&Stream::Agreements, "gold", agreement(count, objective));
            cluster.settle();
        }
        flap(&mut cluster, count, morning);
    }
    cluster
}

/// M-96, but for its exclusion: a year that flaps each day, with a restart on the way and at the end.
#[test]
fn m_96_a_year_that_flaps_each_day_stays_exact_and_small() {
    let mut cluster = year(1, &[]);
    let before = cluster.status("ServiceReport", "gold-2025").clone();
    assert_eq!(down_of(&before, "component-0"), 3_650_000);
    assert_eq!(before["parts"][0]["targets"][0]["outageCount"], 3650);
    assert!(before["rolledUp"]["days"].as_i64().unwrap() > 100, "{}", before["rolledUp"]);
    assert_bounded(&cluster, &before);
    cluster.at(at("2025-12-31T16:30:00Z"));
    cluster.start(Some(at("2025-12-31T16:30:00Z")));
    flap(&mut cluster, 1, at("2025-12-31T07:45:00Z"));
    let after = cluster.status("ServiceReport", "gold-2025").clone();
    assert_eq!(down_of(&after, "component-0"), 3_660_000, "and ten more after the restart");
    assert_eq!(after["parts"][0]["targets"][0]["ms"]["unknown"], 0);
    assert_eq!(after["parts"][0]["targets"][0]["outageCount"], 3660);
    let ms = &after["outagesOmitted"];
    assert_eq!(ms["count"].as_i64().unwrap() + after["outages"].as_array().unwrap().len() as i64, 3660);
    assert_eq!(ms["longestMs"], 1000);
    assert_bounded(&cluster, &after);
    cluster.at(at("2026-01-02T00:00:01Z"));
    cluster.settle();
    let closed = cluster.status("ServiceReport", "gold-2025");
    assert_eq!((&closed["phase"], down_of(closed, "component-0")), (&json!("Closed"), 3_660_000));
    assert_bounded(&cluster, closed);
}

/// M-103: eight targets; three amendments are taken, the fourth is refused until the year ends.
#[test]
fn m_103_eight_targets_and_four_parts_stay_exact_and_small() {
    let amendments = [(60, "99.8"), (120, "99.7"), (180, "99.6"), (300, "99.5")];
    let mut cluster = year(8, &amendments);
    let report = cluster.status("ServiceReport", "gold-2025").clone();
    assert_eq!(report["parts"].as_array().unwrap().len(), 4);
    for name in names(8) {
        assert_eq!(down_of(&report, &name), 3_650_000, "{name}");
    }
    assert_bounded(&cluster, &report);
    assert!(held(&report).2.iter().any(|sum| sum.split(' ').nth(2) == Some("weeks")), "week sums");
    let ready = |cluster: &Cluster| {
        let status = cluster.status("ServiceLevelAgreement", "gold");
        let conditions = status["conditions"].as_array().unwrap();
        conditions.iter().find(|condition| condition["type"] == "Ready").unwrap().clone()
    };
    let refused = ready(&cluster);
    assert_eq!((&refused["status"], &refused["reason"]), (&json!("False"), &json!("InvalidSpec")));
    let message = refused["message"].as_str().unwrap();
    let expected = "spec: with this amendment the 5 parts of the report have 40 targets together, at most 32; wait until \
                    the period ends at 2026-01-01T00:00:00+00:00, or undo the change; the last valid version stays in use";
    assert_eq!(message, expected);
    // Another process lists the agreement before the records of its versions: the amendment stays refused.
    cluster.at(at("2025-12-31T17:00:00Z"));
    cluster.start(Some(at("2025-12-31T17:00:00Z")));
    assert_eq!(ready(&cluster)["message"], expected);
    let taken_over = cluster.status("ServiceReport", "gold-2025");
    assert_eq!(taken_over["parts"].as_array().unwrap().len(), 4);
    assert_eq!(down_of(taken_over, "component-7"), 3_650_000);
    cluster.at(at("2026-01-01T00:00:01Z"));
    cluster.settle();
    cluster.at(at("2026-01-02T01:00:00Z"));
    cluster.settle();
    assert_eq!(ready(&cluster)["status"], "True", "the amendment came into force with the new year");
    let next = cluster.status("ServiceReport", "gold-2026");
    assert_eq!(next["parts"].as_array().unwrap().len(), 1);
    assert_eq!(next["parts"][0]["targets"][0]["objective"], "99.5");
    assert_eq!(next["parts"][0]["from"], "2026-01-01T00:00:00+00:00");
}

/// A calendar says how many agreements use it, also after one left it and another is gone.
#[test]
fn a_calendar_follows_the_agreements_that_use_it() {
    let mut cluster = scene(1, at("2025-01-01T00:00:00Z"));
    let hours = json!({"timeZone": "UTC"});
    for name in ["office", "night"] {
        cluster.put(&Stream::Calendars, name, json!({"metadata": {}, "spec": hours}));
    }
    let by = |cluster: &mut Cluster, name: &str, calendar: &str| {
        let mut agreement = agreement(1, "99.9");
        agreement["spec"]["serviceHours"] = json!({"calendar": calendar});
        cluster.put(&Stream::Agreements, name, agreement);
    };
    by(&mut cluster, "gold", "office");
    by(&mut cluster, "silver", "office");
    cluster.start(None);
    let mut now = at("2025-01-01T00:00:00Z");
    let mut used = |cluster: &mut Cluster| {
        now = now.plus_ms(10_000);
        cluster.at(now);
        cluster.settle();
        ["office", "night"].map(|name| cluster.status("ServiceCalendar", name)["usedBy"]["agreements"].clone())
    };
    assert_eq!(used(&mut cluster), [json!(2), json!(0)]);
    by(&mut cluster, "silver", "night");
    assert_eq!(used(&mut cluster), [json!(1), json!(1)], "one took other hours");
    cluster.delete(&Stream::Agreements, "silver");
    assert_eq!(used(&mut cluster), [json!(1), json!(0)]);
    cluster.delete(&Stream::Agreements, "gold");
    assert_eq!(used(&mut cluster), [json!(0), json!(0)]);
}

/// A report that is deleted while its period runs is written anew.
#[test]
fn a_deleted_report_is_written_anew() {
    let now = at("2025-01-01T00:00:00Z");
    let mut cluster = scene(1, now);
    cluster.start(None);
    cluster.at(now.plus_ms(10_000));
    cluster.settle();
    let key = ObjectKey::new("shop", "gold");
    assert_eq!(cluster.world.agreement_reports(&key).len(), 1);
    cluster.delete(&Stream::Reports, "gold-2025");
    assert!(cluster.world.agreement_reports(&key).is_empty());
    cluster.at(now.plus_ms(20_000));
    assert!(cluster.settle() > 0);
    assert_eq!(cluster.world.agreement_reports(&key).len(), 1);
}
