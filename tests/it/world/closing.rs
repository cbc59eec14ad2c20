//! What is closed although its subject, or its calendar, is gone.

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

fn agreed() -> Cluster {
    month(|cluster| cluster.put(&Stream::Agreements, "gold", agreement("99.9", None)))
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

fn entries(report: &Value) -> Vec<String> {
    let entries = report["ledger"]["lines"][0]["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry.as_str().unwrap().to_owned()).collect()
}

fn assert_verified(cluster: &Cluster) {
    let found = verify(&cluster.reports(), &Inputs::default());
    assert!(found.problems().next().is_none(), "{found:#?}");
}

/// Fault row 90: the term ends with the object. Nothing elapses afterwards; the report is closed when its period is.
#[test]
fn the_report_of_a_deleted_agreement_is_closed_with_its_figures_until_then() {
    let mut cluster = agreed();
    delete(&mut cluster, &Stream::Agreements, "gold", "2025-11-10");
    // What happens afterwards is not of the agreement any more.
    cluster.endpoints("api", 0);
    pass(&mut cluster, "2025-11-10");
    let open = report(&cluster, "gold-2025-11");
    assert_eq!((&open["phase"], &open["parts"][0]["to"]), (&json!("Open"), &json!("2025-11-10T00:00:00+00:00")));
    assert_eq!(entries(&open).last().unwrap(), "2025-11-10T00:00:00.000+00:00 Unknown live - SubjectDeleted");
    pass(&mut cluster, "2025-12-01");
    assert_eq!(report(&cluster, "gold-2025-11")["phase"], "Provisional");
    pass(&mut cluster, "2025-12-02");
    let closed = report(&cluster, "gold-2025-11");
    assert_eq!((&closed["phase"], &closed["result"]), (&json!("Closed"), &json!("Missed")));
    assert_eq!(closed["provedUntil"], "2025-11-10T00:00:00+00:00");
    assert_eq!((&ms(&closed)["elapsed"], &ms(&closed)["down"]), (&json!(9 * DAY_MS), &json!(DOWN_MS)));
    assert_eq!(ms(&closed)["unknown"], 0);
    assert_verified(&cluster);
    let stored = |cluster: &Cluster| {
        let reports = cluster.reports();
        reports.into_iter().find(|report| report["metadata"]["name"] == "gold-2025-11").expect("it stays")
    };
    let written = stored(&cluster);
    cluster.start(Some(day("2025-12-03")));
    pass(&mut cluster, "2025-12-04");
    assert_eq!(stored(&cluster), written, "written once");
    assert_eq!(cluster.status("ServiceReport", "gold-2025-12"), &Value::Null, "there is no next period");
}

/// Whoever leads in between writes the same bytes.
#[test]
fn another_process_closes_it_alike() {
    let closed = |restarts: &[&str]| {
        let mut cluster = agreed();
        delete(&mut cluster, &Stream::Agreements, "gold", "2025-11-10");
        pass(&mut cluster, "2025-11-10");
        for at in restarts {
            cluster.at(day(at));
            cluster.start(Some(day(at).minus_ms(5000)));
        }
        pass(&mut cluster, "2025-12-01");
        pass(&mut cluster, "2025-12-02");
        report(&cluster, "gold-2025-11")
    };
    let alone = closed(&[]);
    assert!(alone["digest"].is_string());
    for restarts in [&["2025-11-12"][..], &["2025-11-12", "2025-11-20"], &["2025-12-01"], &["2025-12-02"]] {
        let mut status = closed(restarts);
        // The next leader writes the ledger of the open report under its own number.
        for field in ["epoch", "sequence"] {
            status["ledger"][field] = alone["ledger"][field].clone();
        }
        for field in ["digest", "shortDigest", "conditions"] {
            status[field] = alone[field].clone();
        }
        assert_eq!(status, alone, "{restarts:?}");
    }
}

/// Deleted while no operator ran: nobody knows when, so it ends when that is noticed, and what was not seen is unknown.
#[test]
fn deleted_while_nobody_looked_it_ends_when_that_is_noticed() {
    let mut cluster = agreed();
    pass(&mut cluster, "2025-11-08");
    cluster.stop();
    delete(&mut cluster, &Stream::Agreements, "gold", "2025-11-09");
    cluster.at(day("2025-11-10"));
    cluster.start(Some(day("2025-11-08")));
    pass(&mut cluster, "2025-12-01");
    pass(&mut cluster, "2025-12-02");
    let closed = report(&cluster, "gold-2025-11");
    assert_eq!(closed["phase"], "Closed", "{closed:#}");
    assert_eq!((&ms(&closed)["elapsed"], &ms(&closed)["down"]), (&json!(9 * DAY_MS), &json!(DOWN_MS)));
    assert_eq!(ms(&closed)["unknown"], 2 * DAY_MS);
    assert_verified(&cluster);
}

/// M-105 a), fault row 90: made anew with another spec, both reports are closed, each for its own time.
#[test]
fn made_anew_with_another_spec_both_are_closed() {
    for seen in [true, false] {
        let mut cluster = agreed();
        pass(&mut cluster, "2025-11-10");
        if !seen {
            cluster.stop();
        }
        delete(&mut cluster, &Stream::Agreements, "gold", "2025-11-10");
        cluster.put(&Stream::Agreements, "gold", agreement("99.5", None));
        if !seen {
            cluster.start(Some(day("2025-11-10")));
        }
        pass(&mut cluster, "2025-11-11");
        cluster.at(day("2025-11-20"));
        cluster.start(Some(day("2025-11-20")));
        pass(&mut cluster, "2025-12-01");
        pass(&mut cluster, "2025-12-02");
        let old = report(&cluster, "gold-2025-11");
        let names: Vec<String> =
            cluster.reports().iter().map(|report| report["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        let other = names.iter().find(|name| name.starts_with("gold-2025-11-")).expect("another name");
        let new = report(&cluster, other);
        assert_eq!((&old["phase"], &new["phase"]), (&json!("Closed"), &json!("Closed")), "{names:?}");
        assert_eq!((&ms(&old)["elapsed"], &ms(&old)["down"]), (&json!(9 * DAY_MS), &json!(DOWN_MS)), "{old:#}");
        assert_eq!((&ms(&new)["elapsed"], &ms(&new)["down"]), (&json!(21 * DAY_MS), &json!(0)), "{new:#}");
        assert_eq!((&ms(&old)["unknown"], &ms(&new)["unknown"]), (&json!(0), &json!(0)), "{new:#}");
        assert_eq!(old["parts"][0]["targets"][0]["objective"], "99.9");
        assert_eq!(new["parts"][0]["targets"][0]["objective"], "99.5");
        assert_eq!((&old["previousDigest"], &new["previousDigest"]), (&Value::Null, &Value::Null));
        assert_verified(&cluster);
    }
}

/// M-105 b): restored, it goes on with the report, and nothing says any more that it was gone.
#[test]
fn a_restored_agreement_takes_its_report_back() {
    for seen in [true, false] {
        let mut cluster = agreed();
        pass(&mut cluster, "2025-11-10");
        if !seen {
            cluster.stop();
        }
        delete(&mut cluster, &Stream::Agreements, "gold", "2025-11-10");
        if seen {
            pass(&mut cluster, "2025-11-10");
        }
        cluster.at(day("2025-11-11"));
        cluster.put(&Stream::Agreements, "gold", agreement("99.9", None));
        if !seen {
            cluster.start(Some(day("2025-11-10")));
        }
        pass(&mut cluster, "2025-11-12");
        let open = report(&cluster, "gold-2025-11");
        assert!(!entries(&open).iter().any(|entry| entry.contains("SubjectDeleted")), "{open:#}");
        pass(&mut cluster, "2025-12-01");
        pass(&mut cluster, "2025-12-02");
        let closed = report(&cluster, "gold-2025-11");
        assert_eq!(
            (&closed["phase"], &closed["parts"][0]["to"]),
            (&json!("Closed"), &json!("2025-12-01T00:00:00+00:00"))
        );
        assert_eq!(
            (&ms(&closed)["elapsed"], &ms(&closed)["down"]),
            (&json!(30 * DAY_MS), &json!(DOWN_MS)),
            "{closed:#}"
        );
        let count = cluster.reports().iter().filter(|report| report["spec"]["period"]["key"] == "2025-11").count();
        assert_eq!(count, 1);
        assert_verified(&cluster);
    }
}

/// A Service's own report ends with it, too.
#[test]
fn the_own_report_of_a_deleted_service_is_closed() {
    for seen in [true, false] {
        let mut cluster = month(|_| {});
        pass(&mut cluster, "2025-11-10");
        if !seen {
            cluster.stop();
        }
        delete(&mut cluster, &Stream::Services, "checkout", "2025-11-10");
        if !seen {
            cluster.start(Some(day("2025-11-10")));
        }
        pass(&mut cluster, "2025-12-01");
        pass(&mut cluster, "2025-12-02");
        let closed = report(&cluster, "its-checkout-2025-11");
        assert_eq!(closed["phase"], "Closed", "{closed:#}");
        assert_eq!((&ms(&closed)["elapsed"], &ms(&closed)["down"]), (&json!(9 * DAY_MS), &json!(DOWN_MS)));
        assert_eq!(ms(&closed)["unknown"], 0);
        assert_verified(&cluster);
    }
}

/// Removed with its namespace, nothing is made again.
#[test]
fn a_report_that_goes_with_its_agreement_is_not_made_again() {
    let mut cluster = agreed();
    delete(&mut cluster, &Stream::Agreements, "gold", "2025-11-10");
    pass(&mut cluster, "2025-11-10");
    delete(&mut cluster, &Stream::Reports, "gold-2025-11", "2025-11-10");
    for to in ["2025-11-11", "2025-12-01", "2025-12-02"] {
        pass(&mut cluster, to);
    }
    assert!(!cluster.reports().iter().any(|report| report["metadata"]["name"] == "gold-2025-11"));
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
        assert_eq!(report(&cluster, "gold-2025-12")["phase"], "Open", "by the hours that were in force");
        // Made anew, it is measured again.
        office(&mut cluster, "20:00");
        pass(&mut cluster, "2025-12-03");
        assert_eq!(ready(&cluster), "Active");
        assert_eq!(report(&cluster, "gold-2025-12")["phase"], "Open");
        assert_verified(&cluster);
    }
}

/// Of time that is agreed by a calendar that was misspelt and never there nothing is known, and no verdict is good; once
/// it is corrected, the rest of the period is measured.
#[test]
fn a_period_is_reported_although_its_first_calendar_was_never_there() {
    let misspelt = || {
        month(|cluster| {
            office(cluster, "18:00");
            let mut misspelt = agreement("99.9", Some("offce"));
            misspelt["spec"]["unmeasured"]["minCoverage"] = "99".into();
            cluster.put(&Stream::Agreements, "gold", misspelt);
        })
    };
    let mut cluster = misspelt();
    let open = report(&cluster, "gold-2025-11");
    assert_eq!((&ms(&open)["up"], &ms(&open)["down"]), (&json!(0), &json!(0)), "{open:#}");
    assert_eq!((&ms(&open)["unknown"], &open["parts"][0]["missingCalendar"]), (&ms(&open)["elapsed"], &json!("offce")));
    pass(&mut cluster, "2025-12-01");
    pass(&mut cluster, "2025-12-02");
    let closed = report(&cluster, "gold-2025-11");
    assert_eq!((&closed["phase"], &closed["result"]), (&json!("Closed"), &json!("Indeterminate")), "{closed:#}");
    assert_verified(&cluster);

    let mut cluster = misspelt();
    cluster.at(day("2025-11-06"));
    cluster.put(&Stream::Agreements, "gold", agreement("99.9", Some("office")));
    pass(&mut cluster, "2025-11-06");
    assert_eq!(report(&cluster, "gold-2025-11")["phase"], "Open");
    pass(&mut cluster, "2025-12-01");
    pass(&mut cluster, "2025-12-02");
    let closed = report(&cluster, "gold-2025-11");
    assert_eq!(closed["phase"], "Closed");
    let second = &closed["parts"][1]["targets"][0]["ms"];
    assert_eq!(
        (second["unknown"].as_i64(), second["up"].as_i64().map(|up| up > 0)),
        (Some(0), Some(true)),
        "{closed:#}"
    );
    assert_verified(&cluster);
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
