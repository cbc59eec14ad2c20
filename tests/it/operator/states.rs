//! From readiness to states, status, reports and Events.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::objects::{LedgerEntry, assert_conserved, condition, has, lasted_ms, ledger};
use super::rig::Rig;

on_both_servers! {
    a_service_alone_is_up_and_has_its_own_report,
    an_agreement_has_status_report_and_conditions,
    lost_readiness_is_shown_within_a_second_and_told,
    the_ledger_agrees_with_the_log_of_the_scenario,
    two_agreements_on_one_service_agree,
    fewer_ready_than_wanted_is_degraded,
}

async fn a_service_alone_is_up_and_has_its_own_report(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let operator = rig.start("op");
    let service = rig
        .wait("ItService", "checkout", "30-day availability", |service| {
            service["status"]["availability"]["ratio30d"] == "100.0000"
        })
        .await;
    assert_eq!(service["status"]["availability"]["state"], "Up");
    assert_eq!(service["status"]["availability"]["coverage30d"], "100.0000");
    assert_eq!(service["status"]["components"][0]["ready"], 3);
    assert!(has(&service, "Ready", "True", "Active"), "{service}");
    assert!(has(&service, "Observed", "True", "Watching"), "{service}");
    assert!(has(&service, "Available", "True", "AllCriticalReady"), "{service}");
    assert!(has(&service, "DependenciesAvailable", "True", "NoDependencies"), "{service}");
    let month = super::rig::now().strftime("%Y-%m").to_string();
    let report = rig
        .wait("Report", &format!("its-checkout-{month}"), "a ledger", |report| report["status"]["phase"] == "Open")
        .await;
    assert_eq!(report["metadata"]["labels"]["assize.dev/service"], "checkout");
    assert_eq!(report["spec"]["subject"]["kind"], "Service");
    assert_eq!(ledger(&report).last().unwrap().state, "Up");
    assert_conserved(&report);
    operator.stop().await;
}

async fn an_agreement_has_status_report_and_conditions(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
    let operator = rig.start("op");
    let agreement = rig.wait_condition("Agreement", "gold", "TargetsMet", "True", "OnTrack").await;
    assert!(has(&agreement, "Ready", "True", "Active"), "{agreement}");
    assert!(has(&agreement, "Agreed", "True", "SignaturesNotRequired"), "{agreement}");
    assert!(has(&agreement, "Measured", "True", "AllTargetsMeasured"), "{agreement}");
    let status = &agreement["status"];
    assert_eq!(status["state"], "OnTrack");
    assert_eq!(status["current"]["state"], "Up");
    assert_eq!(status["headline"]["objective"], "99.9");
    let report = rig.open_report("gold").await;
    assert_eq!(report["status"]["phase"], "Open");
    assert_eq!(report["spec"]["period"]["timeZone"], "UTC");
    assert_eq!(ledger(&report).last().unwrap().state, "Up");
    assert_conserved(&report);
    assert!(condition(&report, "Closed")["status"] == "False");
    // The agreement measures what the service shows, so the service has no report of its own.
    rig.settle("op").await;
    assert_eq!(rig.list("Report").await.len(), 1);
    let agreement = rig.get("Agreement", "gold").await.unwrap();
    assert!(has(&agreement, "BudgetAvailable", "True", "BudgetLeft"), "{agreement}");
    operator.stop().await;
}

async fn lost_readiness_is_shown_within_a_second_and_told(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    // The machine of the tests is shared; what is held is a second and the time it takes to look.
    let limit = Duration::from_millis(1500);
    rig.endpoints("api", 0, 3).await;
    let down = rig
        .wait_within(limit, "Agreement", "gold", "Down", |object| object["status"]["current"]["state"] == "Down")
        .await;
    assert_eq!(down["status"]["current"]["component"], "api");
    assert_eq!(down["status"]["current"]["reason"], "NoneReady");
    let service = rig.wait_condition("ItService", "checkout", "Available", "False", "NoneReady").await;
    assert!(condition(&service, "Available")["message"].as_str().unwrap().contains("api: 0 ready"), "{service}");
    let event = rig.wait_event("checkout", "NoneReady").await;
    assert_eq!((&event["type"], &event["action"]), (&json!("Warning"), &json!("Available")));
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    let event = rig.wait_event("checkout", "AllCriticalReady").await;
    assert_eq!(event["type"], "Normal");
    operator.stop().await;
}

/// The scenario notes what it did and when; an independent sum over that log has to give what the report says.
async fn the_ledger_agrees_with_the_log_of_the_scenario(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    let up = rig.wait_current("gold", "Up").await;
    let first: Timestamp = up["status"]["current"]["since"].as_str().unwrap().parse().unwrap();
    let mut log = vec![(first, first, "Up")];
    for (ready, state) in [(0, "Down"), (2, "Up"), (0, "Down"), (3, "Up")] {
        let (from, to) = rig.endpoints("api", ready, 3).await;
        rig.wait_current("gold", state).await;
        log.push((from, to, state));
    }
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    let entries = ledger(&report);
    let seen: Vec<&LedgerEntry> = entries.iter().filter(|entry| entry.at >= first).collect();
    assert_eq!(seen.len(), log.len(), "{entries:#?}\n{log:#?}");
    for (entry, (from, to, state)) in seen.iter().zip(&log) {
        assert_eq!(entry.state, *state);
        assert!(entry.at.as_millisecond() >= from.as_millisecond() - 1, "{entry:?} before {from}");
        assert!(entry.at.as_millisecond() <= to.as_millisecond() + 1000, "{entry:?} more than 1 s after {to}");
    }
    let truth_ms = (log[2].0.as_millisecond() - log[1].0.as_millisecond())
        + (log[4].0.as_millisecond() - log[3].0.as_millisecond());
    let as_of = super::rig::now();
    let ledger_ms = lasted_ms(&entries, "Down", as_of);
    assert!((ledger_ms - truth_ms).abs() <= 1000, "the log says {truth_ms} ms down, the ledger {ledger_ms} ms");
    let figures = &report["status"]["parts"][0]["targets"][0];
    assert_eq!(figures["ms"]["down"], ledger_ms);
    assert_eq!(figures["outageCount"], 2);
    assert_eq!(report["status"]["outages"].as_array().unwrap().len(), 2);
    assert_conserved(&report);
    operator.stop().await;
}

/// Fault row 48.
async fn two_agreements_on_one_service_agree(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let weekly = json!({"reportingPeriod": {"kind": "CalendarWeek", "timeZone": "Europe/Berlin"}});
    rig.agreement("silver", "checkout", weekly).await;
    let operator = rig.start("op");
    for name in ["gold", "silver"] {
        rig.wait_current(name, "Up").await;
    }
    rig.endpoints("api", 0, 3).await;
    for name in ["gold", "silver"] {
        rig.wait_current(name, "Down").await;
    }
    rig.endpoints("api", 3, 3).await;
    for name in ["gold", "silver"] {
        rig.wait_current(name, "Up").await;
    }
    rig.settle("op").await;
    let (gold, silver) = (rig.open_report("gold").await, rig.open_report("silver").await);
    assert_ne!(gold["metadata"]["name"], silver["metadata"]["name"]);
    let down = |report: &serde_json::Value| report["status"]["parts"][0]["targets"][0]["ms"]["down"].clone();
    assert_eq!(down(&gold), down(&silver));
    assert_eq!(ledger(&gold), ledger(&silver));
    operator.stop().await;
}

async fn fewer_ready_than_wanted_is_degraded(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    let component = json!({"name": "api", "endpointsOf": "api", "minReady": 2, "degradedBelow": 3});
    rig.service_with("checkout", json!({"components": [component]})).await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 2, 3).await;
    let service = rig.wait_state("checkout", "Degraded").await;
    assert!(has(&service, "Available", "True", "Degraded"), "{service}");
    assert!(condition(&service, "Available")["message"].as_str().unwrap().contains("3 wanted"), "{service}");
    rig.endpoints("api", 1, 3).await;
    let service = rig.wait_state("checkout", "Down").await;
    assert!(has(&service, "Available", "False", "BelowMinimum"), "{service}");
    rig.endpoints("api", 3, 3).await;
    rig.wait_state("checkout", "Up").await;
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    let ms = &report["status"]["parts"][0]["targets"][0]["ms"];
    assert!(ms["degraded"].as_i64().unwrap() > 0 && ms["down"].as_i64().unwrap() > 0, "{ms}");
    assert_eq!(ms["lost"], ms["down"], "Degraded costs nothing unless agreed");
    assert_conserved(&report);
    operator.stop().await;
}
