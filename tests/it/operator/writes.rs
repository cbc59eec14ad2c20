//! Writes that are refused, lost or forbidden. On the fake server.

use std::collections::BTreeMap;
use std::time::Duration;

use assize_testkit::fake::{Action, FaultHandle, Match};
use serde_json::json;

use super::objects::{LedgerEntry, condition, has, ledger, states};
use super::rig::Rig;

async fn scene(rig: &Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.service("alone").await;
    rig.agreement("gold", "checkout", json!({})).await;
}

fn statuses() -> Match {
    Match::writes().group("assize.dev").subresource("status").user_agent("op")
}

async fn entries(rig: &Rig) -> Vec<LedgerEntry> {
    rig.settle("op").await;
    let entries = ledger(&rig.open_report("gold").await);
    entries.into_iter().skip_while(|entry| entry.state != "Up").collect()
}

/// How often each object was tried to be written under a fault that lasts for four seconds.
async fn tries_under(rig: &Rig, fault: &FaultHandle) -> BTreeMap<(String, String), usize> {
    rig.fake_server().clear_log();
    tokio::time::sleep(Duration::from_secs(4)).await;
    fault.remove();
    let mut tries = BTreeMap::new();
    for write in rig.writes_of("op") {
        *tries.entry((write.resource, write.name)).or_default() += 1;
    }
    tries
}

/// Fault rows 15, 16 and 18: refused writes are tried again at growing distances, and nothing measured is lost.
#[tokio::test]
async fn refused_writes_are_tried_again_without_haste() {
    for action in [Action::answer(409), Action::Answer { code: 429, retry_after_seconds: Some(1) }, Action::answer(500)]
    {
        let rig = Rig::fake().await;
        scene(&rig).await;
        let operator = rig.start("op");
        rig.wait_current("gold", "Up").await;
        rig.settle("op").await;
        let fault = rig.faults().on_request(statuses(), action.clone());
        rig.endpoints("api", 0, 3).await;
        let tries = tries_under(&rig, &fault).await;
        assert!(!tries.is_empty());
        assert!(tries.values().all(|count| *count <= 4), "{action:?}: {tries:?}");
        rig.wait_current("gold", "Down").await;
        rig.endpoints("api", 3, 3).await;
        rig.wait_current("gold", "Up").await;
        assert_eq!(states(&entries(&rig).await), ["Up", "Down", "Up"], "{action:?}");
        operator.stop().await;
    }
}

/// An outage that begins and ends while nothing can be written is in the ledger afterwards.
#[tokio::test]
async fn an_outage_while_nothing_can_be_written_is_kept() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let fault = rig.faults().on_request(statuses(), Action::answer(500));
    let (down, _) = rig.endpoints("api", 0, 3).await;
    tokio::time::timeout(super::rig::LIMIT, fault.reached()).await.unwrap();
    let (up, _) = rig.endpoints("api", 3, 3).await;
    fault.remove();
    let report = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    rig.wait("Report", &report, "the outage", |report| ledger(report).iter().any(|entry| entry.state == "Down")).await;
    let seen = entries(&rig).await;
    assert_eq!(states(&seen), ["Up", "Down", "Up"], "{seen:#?}");
    let truth_ms = up.as_millisecond() - down.as_millisecond();
    let ledger_ms = seen[2].at.as_millisecond() - seen[1].at.as_millisecond();
    assert!((truth_ms - ledger_ms).abs() <= 1000, "{truth_ms} {ledger_ms}");
    operator.stop().await;
}

/// Fault row 17: a write that was committed although its answer was lost is not made twice.
#[tokio::test]
async fn a_lost_answer_makes_no_second_entry() {
    for action in [Action::DropReply, Action::AnswerAfter { code: 504 }] {
        let rig = Rig::fake().await;
        scene(&rig).await;
        let ours = Match::writes().group("assize.dev").user_agent("op");
        rig.faults().on_request(ours.every(2).times(6), action.clone());
        let operator = rig.start("op");
        rig.wait_current("gold", "Up").await;
        rig.settle("op").await;
        rig.endpoints("api", 0, 3).await;
        rig.wait_current("gold", "Down").await;
        rig.endpoints("api", 3, 3).await;
        rig.wait_current("gold", "Up").await;
        assert_eq!(states(&entries(&rig).await), ["Up", "Down", "Up"], "{action:?}");
        assert_eq!(rig.list("Report").await.len(), 2);
        assert!(operator.is_running());
        operator.stop().await;
    }
}

/// Fault row 23: what may not be read is named where it matters; the rest works.
#[tokio::test]
async fn a_missing_permission_is_named_where_it_matters() {
    let rig = Rig::fake().await;
    rig.fake_server().deny(None, "apps", "daemonsets");
    rig.fake_server().deny(None, "", "pods");
    scene(&rig).await;
    let agent = json!({"name": "agent", "workloadRef": {"kind": "DaemonSet", "name": "agent"}});
    rig.service_with("agents", json!({"components": [agent]})).await;
    let pods = json!({"name": "pods", "selector": {"matchLabels": {"app": "job"}}});
    rig.service_with("jobs", json!({"components": [pods]})).await;
    let operator = rig.start("op");
    for (service, resource) in [("agents", "daemonsets"), ("jobs", "pods")] {
        let found = rig.wait_condition("ItService", service, "Ready", "False", "PermissionMissing").await;
        let message = condition(&found, "Ready")["message"].as_str().unwrap();
        assert!(message.contains(resource) && message.contains("list") && message.contains("watch"), "{message}");
        assert!(has(&found, "Available", "Unknown", "PermissionMissing"), "{found}");
    }
    rig.wait_current("gold", "Up").await;
    let service = rig.wait_condition("ItService", "checkout", "Ready", "True", "Active").await;
    assert!(has(&service, "Observed", "True", "Watching"), "{service}");
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    assert!(operator.is_running());
    operator.stop().await;
}

/// A permission that is taken away while the operator runs makes unknown what rests on it, and nothing else.
#[tokio::test]
async fn a_permission_taken_away_hides_only_what_rests_on_it() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    rig.deployment("worker", 1, 1).await;
    let worker = json!({"name": "worker", "workloadRef": {"kind": "Deployment", "name": "worker"}});
    rig.service_with("workers", json!({"components": [worker]})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.wait_state("workers", "Up").await;
    rig.settle("op").await;
    rig.fake_server().deny(None, "apps", "deployments");
    rig.faults().close_watches();
    let found = rig.wait_condition("ItService", "workers", "Ready", "False", "PermissionMissing").await;
    assert!(condition(&found, "Ready")["message"].as_str().unwrap().contains("deployments"), "{found}");
    rig.wait_state("workers", "Unknown").await;
    rig.settle("op").await;
    rig.wait_current("gold", "Up").await;
    rig.wait_state("checkout", "Up").await;
    operator.stop().await;
}
