//! Service hours and amendments.

use jiff::Span;
use serde_json::{Value, json};

use super::objects::{assert_conserved, has, ledger};
use super::rig::{Rig, now};

on_both_servers! {
    time_out_of_hours_is_counted_apart_and_an_edit_is_noted,
    an_amendment_splits_the_period,
    an_amended_service_keeps_its_history,
}

fn calendar(name: &str, weekly: Value) -> Value {
    json!({"apiVersion": "assize.dev/v1alpha1", "kind": "ServiceCalendar", "metadata": {"name": name},
        "spec": {"timeZone": "UTC", "weekly": weekly}})
}

/// A calendar whose hours never end.
pub fn always_open(name: &str) -> Value {
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    calendar(name, json!([{"days": days, "from": "00:00", "to": "24:00"}]))
}

/// A calendar that is open on one day of the week only, days away from now.
fn closed_today(name: &str) -> Value {
    let later = now().in_tz("UTC").unwrap().checked_add(Span::new().days(3)).unwrap();
    let day = later.strftime("%a").to_string();
    calendar(name, json!([{"days": [day], "from": "09:00", "to": "17:00"}]))
}

async fn time_out_of_hours_is_counted_apart_and_an_edit_is_noted(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let name = format!("{}-office", rig.namespace);
    rig.put(always_open(&name)).await;
    let fields = json!({"serviceHours": {"calendar": name}, "unmeasured": {"minCoverage": "0"}});
    rig.agreement("gold", "checkout", fields).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    let open = rig.wait("Calendar", &name, "hours", |calendar| calendar["status"]["openNow"] == true).await;
    assert!(has(&open, "Ready", "True", "Active"), "{open}");
    rig.settle("op").await;
    rig.put(closed_today(&name)).await;
    let closed = rig.wait("Calendar", &name, "no hours", |calendar| calendar["status"]["openNow"] == false).await;
    assert!(closed["status"]["nextChange"].is_string(), "{closed}");
    let report = rig.open_report("gold").await;
    let report_name = report["metadata"]["name"].as_str().unwrap();
    let changed = |report: &Value| !report["status"]["rulesChanged"].as_array().is_none_or(Vec::is_empty);
    let report = rig.wait("Report", report_name, "the edit of the calendar", changed).await;
    let change = &report["status"]["rulesChanged"][0];
    assert_eq!((&change["kind"], &change["name"]), (&json!("ServiceCalendar"), &json!(name)), "{change}");
    // Down out of hours costs nothing.
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let report = rig.get("Report", report_name).await.unwrap();
    let ms = &report["status"]["parts"][0]["targets"][0]["ms"];
    assert!(ms["outOfHours"].as_i64().unwrap() > 0, "{ms}");
    assert_eq!(ms["down"], 0);
    assert!(ms["up"].as_i64().unwrap() > 0, "time before the edit keeps its hours: {ms}");
    assert_conserved(&report);
    operator.stop().await;
}

/// Fault row 49.
async fn an_amendment_splits_the_period(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    let before = rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let target = json!([{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.5"}]);
    rig.agreement("gold", "checkout", json!({"targets": target})).await;
    let what = "the new objective";
    let after = rig.wait("Agreement", "gold", what, |object| object["status"]["headline"]["objective"] == "99.5").await;
    assert_ne!(after["status"]["inForce"]["digest"], before["status"]["inForce"]["digest"]);
    let name = after["status"]["openReport"].as_str().unwrap();
    let two = |report: &Value| report["status"]["parts"].as_array().is_some_and(|parts| parts.len() == 2);
    let report = rig.wait("Report", name, "two parts", two).await;
    let parts = &report["status"]["parts"];
    assert_eq!(parts[0]["targets"][0]["objective"], "99.9");
    assert_eq!(parts[1]["targets"][0]["objective"], "99.5");
    assert_eq!(parts[0]["to"], parts[1]["from"]);
    assert_ne!(parts[0]["termsDigest"], parts[1]["termsDigest"]);
    assert_conserved(&report);
    rig.settle("op").await;
    assert_eq!(rig.list("Report").await.len(), 1);
    operator.stop().await;
}

async fn an_amended_service_keeps_its_history(rig: Rig) {
    rig.core_service("api", 2, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    let strict = json!({"components": [{"name": "api", "endpointsOf": "api", "minReady": 3}]});
    rig.service_with("checkout", strict).await;
    let down = rig.wait_current("gold", "Down").await;
    assert_eq!(down["status"]["current"]["reason"], "BelowMinimum");
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    let entries = ledger(&report);
    let states: Vec<&str> = entries.iter().map(|entry| entry.state.as_str()).collect();
    assert_eq!(states[states.len() - 2..], ["Up", "Down"], "{entries:?}");
    assert_eq!(report["status"]["rulesChanged"][0]["kind"], "Service");
    operator.stop().await;
}
