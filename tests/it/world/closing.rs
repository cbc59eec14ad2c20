//! What is closed although its calendar, or who led, is gone.

use assize::control::streams::Stream;
use assize::domain::time::Instant;
use assize::domain::verify::{Inputs, verify};
use serde_json::{Value, json};

use super::kit::Cluster;

const DAY_MS: i64 = assize::domain::time::DAY_MS;
/// Of the outage in the month, before anything is deleted.
const DOWN_MS: i64 = 1_980_000;

fn day(text: &str) -> Instant {
    Instant::parse(&format!("{text}T00:00:00Z")).unwrap()
}

fn agreement(objective: &str, calendar: Option<&str>) -> Value {
    let mut agreement = json!({"metadata": {}, "spec": {
        "serviceRef": {"name": "checkout"},
        "unmeasured": {"minCoverage": "0"},
        "targets": [{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": objective}],
    }});
    if let Some(calendar) = calendar {
        agreement["spec"]["serviceHours"] = json!({"calendar": calendar});
    }
    agreement
}

/// A Service that is there and down for 33 minutes on 2025-11-05; from the first of the month on.
fn month(declare: impl Fn(&mut Cluster)) -> Cluster {
    let mut cluster = Cluster::new(day("2025-11-01"));
    cluster.put(&Stream::CoreServices, "api", json!({"metadata": {}, "spec": {"type": "ClusterIP"}}));
    cluster.endpoints("api", 3);
    let components = json!([{"name": "api", "endpointsOf": "api"}]);
    cluster.put(&Stream::Services, "checkout", json!({"metadata": {}, "spec": {"components": components}}));
    declare(&mut cluster);
    cluster.start(None);
    for (ready, at) in [(0, "2025-11-05T10:00:00Z"), (3, "2025-11-05T10:33:00Z")] {
        cluster.at(Instant::parse(at).unwrap());
        cluster.endpoints("api", ready);
        cluster.at(Instant::parse(at).unwrap().plus_ms(1000));
        cluster.settle();
    }
    cluster
}

fn pass(cluster: &mut Cluster, to: &str) -> usize {
    cluster.at(day(to).plus_ms(1000));
    cluster.settle()
}

fn delete(cluster: &mut Cluster, stream: &Stream, name: &str, at: &str) {
    cluster.at(day(at));
    cluster.delete(stream, name);
}

fn report(cluster: &Cluster, name: &str) -> Value {
    cluster.status("ServiceReport", name).clone()
}

fn ms(report: &Value) -> &Value {
    &report["parts"][0]["targets"][0]["ms"]
}

fn assert_verified(cluster: &Cluster) {
    let found = verify(&cluster.reports(), &Inputs::default());
    assert!(found.problems().next().is_none(), "{found:#?}");
}

fn office(cluster: &mut Cluster, to: &str) {
    let hours = json!({"metadata": {}, "spec": {"timeZone": "UTC", "weekly": [
        {"days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "from": "08:00", "to": to}]}});
    cluster.put(&Stream::Calendars, "office", hours);
}

/// What is over is judged by the calendar that was in force, although that is gone; what runs has no figures.
#[test]
fn a_period_is_closed_although_its_calendar_was_deleted() {
    for restarted in [false, true] {
        let mut cluster = month(|cluster| {
            office(cluster, "18:00");
            cluster.put(&Stream::Agreements, "gold", agreement("99.9", Some("office")));
        });
        pass(&mut cluster, "2025-11-20");
        delete(&mut cluster, &Stream::Calendars, "office", "2025-11-20");
        pass(&mut cluster, "2025-11-21");
        if restarted {
            cluster.start(Some(day("2025-11-21")));
        }
        let ready = |cluster: &Cluster| {
            let status = cluster.status("ServiceLevelAgreement", "gold");
            let conditions = status["conditions"].as_array().unwrap();
            conditions.iter().find(|condition| condition["type"] == "Ready").unwrap()["reason"].clone()
        };
        assert_eq!(ready(&cluster), "ReferenceNotFound");
        assert_eq!(cluster.status("ServiceLevelAgreement", "gold")["headline"], Value::Null, "no figures now");
        pass(&mut cluster, "2025-12-01");
        pass(&mut cluster, "2025-12-02");
        let closed = report(&cluster, "gold-2025-11");
        assert_eq!(closed["phase"], "Closed", "{closed:#}");
        let elapsed = ms(&closed)["elapsed"].as_i64().unwrap();
        assert_eq!(elapsed - ms(&closed)["outOfHours"].as_i64().unwrap(), 30 * DAY_MS * 10 / 24);
        assert_eq!((&ms(&closed)["down"], &ms(&closed)["unknown"]), (&json!(DOWN_MS), &json!(0)));
        assert!(closed["inputs"]["calendar"].is_string());
        assert_eq!(ready(&cluster), "ReferenceNotFound");
        assert_eq!(cluster.status("ServiceReport", "gold-2025-12"), &Value::Null, "the running period waits");
        // Made anew, it is measured again.
        office(&mut cluster, "20:00");
        pass(&mut cluster, "2025-12-03");
        assert_eq!(ready(&cluster), "Active");
        assert_eq!(report(&cluster, "gold-2025-12")["phase"], "Open");
        assert_verified(&cluster);
    }
}

/// Who takes over judges each part by its own terms, also targets that the agreement has no more.
#[test]
fn an_amended_agreement_keeps_its_parts_when_another_takes_over() {
    let with_targets = |names: &[&str]| {
        let mut agreement = agreement("99.9", None);
        let target =
            |name: &&str| json!({"name": name, "kind": "Availability", "method": "Readiness", "objective": "99.9"});
        agreement["spec"]["targets"] = names.iter().map(target).collect();
        agreement
    };
    let mut cluster = month(|cluster| cluster.put(&Stream::Agreements, "gold", with_targets(&["kept", "removed"])));
    cluster.at(day("2025-11-10"));
    cluster.put(&Stream::Agreements, "gold", with_targets(&["kept"]));
    pass(&mut cluster, "2025-11-11");
    let before = report(&cluster, "gold-2025-11");
    cluster.start(Some(day("2025-11-11")));
    pass(&mut cluster, "2025-12-01");
    let after = report(&cluster, "gold-2025-11");
    let targets = |report: &Value, part: usize| {
        let targets = report["parts"][part]["targets"].as_array().cloned().unwrap_or_default();
        let shown =
            |target: Value| (target["name"].clone(), target["ms"]["down"].clone(), target["ms"]["unknown"].clone());
        targets.into_iter().map(shown).collect::<Vec<_>>()
    };
    let first = [("kept", DOWN_MS), ("removed", DOWN_MS)].map(|(name, down)| (json!(name), json!(down), json!(0)));
    assert_eq!(targets(&before, 0), first);
    assert_eq!(targets(&after, 0), first, "{after:#}");
    assert_eq!(targets(&after, 1).len(), 1);
}
