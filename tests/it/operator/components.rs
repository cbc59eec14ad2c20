//! What components are measured by.

use serde_json::json;

use super::objects::{condition, core_service, has, ledger, slice};
use super::rig::Rig;

on_both_servers! {
    scaled_to_zero_is_not_none_ready,
    a_deleted_core_service_is_down_until_a_new_one_has_endpoints,
    what_was_never_seen_is_unknown,
    a_workload_is_measured_by_its_available_replicas,
    pods_are_measured_by_selector,
    an_unpublished_address_counts_by_serving,
    objects_may_come_in_any_order,
}

/// Fault row 30.
async fn scaled_to_zero_is_not_none_ready(rig: Rig) {
    rig.core_service("api", 2, 2).await;
    rig.deployment("api", 2, 2).await;
    let component = json!({"name": "api", "endpointsOf": "api", "workloadRef": {"kind": "Deployment", "name": "api"}});
    rig.service_with("checkout", json!({"components": [component]})).await;
    let operator = rig.start("op");
    rig.wait_state("checkout", "Up").await;
    rig.deployment("api", 0, 0).await;
    rig.endpoints("api", 0, 0).await;
    let service = rig.wait_condition("ItService", "checkout", "Available", "False", "ScaledToZero").await;
    assert_eq!(service["status"]["components"][0]["wanted"], 0);
    rig.deployment("api", 2, 2).await;
    rig.endpoints("api", 2, 2).await;
    rig.wait_state("checkout", "Up").await;
    operator.stop().await;
}

/// M-75, fault row 29.
async fn a_deleted_core_service_is_down_until_a_new_one_has_endpoints(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.delete("Service", "api").await;
    rig.wait_condition("ItService", "checkout", "Available", "False", "ServiceDeleted").await;
    rig.delete("EndpointSlice", "api-1").await;
    rig.put(core_service("api")).await;
    rig.wait_condition("ItService", "checkout", "Available", "False", "NoneReady").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    let entries = ledger(&report);
    let last: Vec<&str> = entries.iter().rev().take(4).map(|entry| entry.reason.as_str()).collect();
    assert_eq!(last, ["AllCriticalReady", "NoneReady", "ServiceDeleted", "AllCriticalReady"]);
    assert_eq!(report["status"]["outages"].as_array().unwrap().len(), 1, "one outage");
    operator.stop().await;
}

async fn what_was_never_seen_is_unknown(rig: Rig) {
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    let service = rig.wait_condition("ItService", "checkout", "Ready", "False", "NoComponentFound").await;
    assert!(has(&service, "Observed", "False", "SourceMissing"), "{service}");
    assert!(has(&service, "Available", "Unknown", "NeverSeen"), "{service}");
    assert!(condition(&service, "Ready")["message"].as_str().unwrap().contains("api"), "{service}");
    rig.wait_condition("Agreement", "gold", "Measured", "False", "LowCoverage").await;
    rig.core_service("api", 1, 1).await;
    let service = rig.wait_condition("ItService", "checkout", "Ready", "True", "Active").await;
    assert!(has(&service, "Available", "True", "AllCriticalReady"), "{service}");
    rig.wait_current("gold", "Up").await;
    operator.stop().await;
}

async fn a_workload_is_measured_by_its_available_replicas(rig: Rig) {
    rig.deployment("worker", 3, 3).await;
    let component = json!({"name": "worker", "workloadRef": {"kind": "Deployment", "name": "worker"}, "minReady": "50%", "degradedBelow": "100%"});
    rig.service_with("checkout", json!({"components": [component]})).await;
    let operator = rig.start("op");
    rig.wait_state("checkout", "Up").await;
    rig.deployment("worker", 3, 2).await;
    rig.wait_state("checkout", "Degraded").await;
    rig.deployment("worker", 3, 1).await;
    rig.wait_condition("ItService", "checkout", "Available", "False", "BelowMinimum").await;
    rig.deployment("worker", 3, 3).await;
    rig.wait_state("checkout", "Up").await;
    rig.delete("Deployment", "worker").await;
    rig.wait_condition("ItService", "checkout", "Available", "False", "WorkloadDeleted").await;
    operator.stop().await;
}

async fn pods_are_measured_by_selector(rig: Rig) {
    rig.put(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})).await;
    rig.pod("job-0", "job", true).await;
    rig.pod("job-1", "job", false).await;
    rig.pod("other", "other", true).await;
    let of = |app: &str| json!({"components": [{"name": "job", "selector": {"matchLabels": {"app": app}}}]});
    rig.service_with("batch", of("job")).await;
    let operator = rig.start("op");
    let service = rig.wait_state("batch", "Up").await;
    assert_eq!(service["status"]["components"][0]["ready"], 1);
    rig.pod_ready("job-0", false).await;
    rig.wait_condition("ItService", "batch", "Available", "False", "NoneReady").await;
    rig.pod_ready("job-1", true).await;
    rig.wait_state("batch", "Up").await;
    rig.delete("Pod", "job-1").await;
    rig.wait_state("batch", "Down").await;
    // The watches follow a change of the selector, there and back.
    for (app, state) in [("other", "Up"), ("job", "Down"), ("other", "Up")] {
        rig.service_with("batch", of(app)).await;
        rig.wait_state("batch", state).await;
    }
    rig.pod_ready("other", false).await;
    rig.wait_state("batch", "Down").await;
    operator.stop().await;
}

/// Fault row 25.
async fn an_unpublished_address_counts_by_serving(rig: Rig) {
    let mut service = core_service("api");
    service["spec"]["publishNotReadyAddresses"] = true.into();
    rig.put(service).await;
    let mut endpoints = slice("api", 2, 2);
    endpoints["endpoints"][0]["conditions"]["serving"] = false.into();
    endpoints["endpoints"][1]["conditions"]["serving"] = true.into();
    rig.put(endpoints.clone()).await;
    rig.service("checkout").await;
    let operator = rig.start("op");
    let service = rig.wait_state("checkout", "Up").await;
    assert_eq!(service["status"]["components"][0]["ready"], 1);
    endpoints["endpoints"][1]["conditions"]["serving"] = false.into();
    rig.put(endpoints).await;
    rig.wait_state("checkout", "Down").await;
    operator.stop().await;
}

/// Fault row 14: whatever comes first, nothing is down that was only not there yet.
async fn objects_may_come_in_any_order(rig: Rig) {
    let operator = rig.start("op");
    rig.agreement("gold", "checkout", json!({})).await;
    rig.wait_condition("Agreement", "gold", "Ready", "False", "ReferenceNotFound").await;
    rig.put(slice("api", 3, 3)).await;
    rig.service("checkout").await;
    rig.wait_condition("ItService", "checkout", "Available", "Unknown", "NeverSeen").await;
    rig.put(core_service("api")).await;
    rig.wait_condition("Agreement", "gold", "Ready", "True", "Active").await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    assert!(ledger(&report).iter().all(|entry| entry.state != "Down"), "{report}");
    operator.stop().await;
}
