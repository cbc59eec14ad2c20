//! References that dangle, and specs that are not valid.

use serde_json::json;

use super::objects::{agreement, condition, has, ledger};
use super::rig::Rig;

on_both_servers! {
    an_agreement_without_its_service_waits_for_it,
    an_agreement_without_its_calendar_waits_for_it,
    a_target_of_an_unknown_component_is_named,
    nothing_is_claimed_of_an_address_that_is_not_tried,
}

async fn an_agreement_without_its_service_waits_for_it(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    let agreement = rig.wait_condition("Agreement", "gold", "Ready", "False", "ReferenceNotFound").await;
    assert!(condition(&agreement, "Ready")["message"].as_str().unwrap().contains("checkout"), "{agreement}");
    assert!(has(&agreement, "TargetsMet", "Unknown", "Pending"), "{agreement}");
    rig.service("checkout").await;
    rig.wait_condition("Agreement", "gold", "Ready", "True", "Active").await;
    rig.wait_current("gold", "Up").await;
    operator.stop().await;
}

async fn an_agreement_without_its_calendar_waits_for_it(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let calendar = format!("{}-office", rig.namespace);
    rig.agreement("gold", "checkout", json!({"serviceHours": {"calendar": calendar}})).await;
    let operator = rig.start("op");
    let agreement = rig.wait_condition("Agreement", "gold", "Ready", "False", "ReferenceNotFound").await;
    assert!(condition(&agreement, "Ready")["message"].as_str().unwrap().contains(&calendar), "{agreement}");
    rig.put(super::terms::always_open(&calendar)).await;
    rig.wait_condition("Agreement", "gold", "Ready", "True", "Active").await;
    rig.wait_current("gold", "Up").await;
    let calendar = rig.wait_condition("Calendar", &calendar, "Ready", "True", "Active").await;
    assert_eq!(calendar["status"]["usedBy"]["agreements"], 1);
    operator.stop().await;
}

async fn a_target_of_an_unknown_component_is_named(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let target = json!([{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.9",
        "readiness": {"components": ["db"]}}]);
    rig.agreement("gold", "checkout", json!({"targets": target})).await;
    let operator = rig.start("op");
    let agreement = rig.wait_condition("Agreement", "gold", "Ready", "False", "ReferenceNotFound").await;
    assert!(condition(&agreement, "Ready")["message"].as_str().unwrap().contains("db"), "{agreement}");
    operator.stop().await;
}

/// The Service is ready, but nobody tries the address: its time is unknown, and no outage of the Service is one of it.
async fn nothing_is_claimed_of_an_address_that_is_not_tried(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let targets = json!([
        {"name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.9"},
        {"name": "door", "kind": "Availability", "method": "Probe", "objective": "99.9",
            "probe": {"url": "https://shop.example/health"}},
    ]);
    rig.agreement("gold", "checkout", json!({"targets": targets})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    let agreement = rig.wait_condition("Agreement", "gold", "Measured", "False", "NotMeasurable").await;
    assert!(condition(&agreement, "Measured")["message"].as_str().unwrap().contains("door"), "{agreement}");
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    operator.stop().await;
    // A restart closes gaps of what follows the Service only.
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    let door = &report["status"]["parts"][0]["targets"][1];
    assert_eq!(door["name"], "door", "{door}");
    for class in ["up", "down", "degraded"] {
        assert_eq!(door["ms"][class], 0, "{door}");
    }
    assert!(door["ms"]["unknown"].as_i64().unwrap() > 0, "{door}");
    let lines = report["status"]["ledger"]["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["target"] == "door").unwrap();
    let entries = line["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{line}");
    assert!(entries[0].as_str().unwrap().ends_with("Unknown live - NotMeasurable"), "{line}");
    operator.stop().await;
}

/// The definition refuses most of what is wrong; what a definition before let through is told of, and the version
/// before stays in force (fault row 44).
#[tokio::test]
async fn a_spec_that_is_not_valid_leaves_the_version_before_in_force() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    let before = rig.wait_current("gold", "Up").await;
    let mut wrong = agreement("gold", "checkout", json!({}));
    wrong["spec"]["targets"][0]["objective"] = "100".into();
    rig.put(wrong).await;
    let after = rig.wait_condition("Agreement", "gold", "Ready", "False", "InvalidSpec").await;
    let message = condition(&after, "Ready")["message"].as_str().unwrap();
    assert!(message.contains("objective") && message.contains("last valid version"), "{message}");
    assert_eq!(after["status"]["inForce"], before["status"]["inForce"]);
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let again = rig.wait_condition("Agreement", "gold", "Ready", "True", "Active").await;
    assert_eq!(again["status"]["inForce"]["digest"], before["status"]["inForce"]["digest"]);
    let report = rig.open_report("gold").await;
    assert_eq!(ledger(&report).last().unwrap().state, "Down");
    operator.stop().await;
}

/// A first spec that is not valid has no figures, and is Ready=False with its fault.
#[tokio::test]
async fn a_first_spec_that_is_not_valid_is_told_of() {
    let rig = Rig::fake().await;
    let mut wrong = agreement("gold", "checkout", json!({}));
    wrong["spec"]["targets"][0]["objective"] = "101".into();
    rig.put(wrong).await;
    let operator = rig.start("op");
    let agreement = rig.wait_condition("Agreement", "gold", "Ready", "False", "InvalidSpec").await;
    assert!(has(&agreement, "TargetsMet", "Unknown", "Pending"), "{agreement}");
    rig.settle("op").await;
    assert!(rig.list("Report").await.is_empty());
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    rig.wait_condition("Agreement", "gold", "Ready", "True", "Active").await;
    rig.wait_current("gold", "Up").await;
    operator.stop().await;
}
