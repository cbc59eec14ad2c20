//! A node that dies shows only after a while: how long it had been silent is noted with the outages that it caused.

use assize_testkit::fake::{Action, Match};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::slice;
use super::rig::{Rig, now};

on_both_servers! {
    row_32_a_lost_node_that_was_silent_is_noted_with_the_outage,
}

/// The Lease of a node that was renewed so long ago; returns when.
pub async fn heard(rig: &Rig, node: &str, ago: SignedDuration) -> Timestamp {
    let renewed = (now() - ago).round(jiff::Unit::Millisecond).unwrap();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "kube-node-lease", "name": node},
        "spec": {"holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": format!("{renewed:.6}")},
    });
    rig.put(lease).await;
    renewed
}

/// Two endpoints on a node, both of them ready or none.
pub async fn on_node(rig: &Rig, service: &str, node: &str, ready: bool) {
    let mut slice = slice(service, if ready { 2 } else { 0 }, 2);
    for endpoint in slice["endpoints"].as_array_mut().unwrap() {
        endpoint["nodeName"] = node.into();
    }
    rig.put(slice).await;
}

/// A Service of this name on endpoints of this name, with an agreement of this name.
pub async fn scene(rig: &Rig, name: &str, node: &str, dependencies: Value) {
    rig.put(super::objects::core_service(name)).await;
    on_node(rig, name, node, true).await;
    let components = json!([{"name": "main", "endpointsOf": name}]);
    rig.service_with(name, json!({"components": components, "dependencies": dependencies})).await;
    rig.agreement(name, name, json!({})).await;
}

/// The only outage in the open report of an agreement, once it goes on for `lag` or not; with its beginning.
pub async fn outage(rig: &Rig, agreement: &str, lag: impl Fn(i64) -> bool) -> (Timestamp, i64) {
    let name = rig.open_report(agreement).await["metadata"]["name"].as_str().unwrap().to_owned();
    let noted = |report: &Value| report["status"]["outages"][0]["detectionLagMs"].as_i64().is_some_and(&lag);
    let report = rig.wait("Report", &name, "an outage with that lag", noted).await;
    let outages = report["status"]["outages"].as_array().unwrap();
    assert_eq!(outages.len(), 1, "{outages:?}");
    (outages[0]["from"].as_str().unwrap().parse().unwrap(), outages[0]["detectionLagMs"].as_i64().unwrap())
}

/// Fault row 32.
async fn row_32_a_lost_node_that_was_silent_is_noted_with_the_outage(rig: Rig) {
    if rig.is_fake() {
        rig.make_namespace("kube-node-lease").await;
    }
    let [dead, alive] = ["dead", "alive"].map(|node| format!("{node}-{}", rig.namespace));
    let renewed = heard(&rig, &dead, SignedDuration::from_secs(45)).await;
    heard(&rig, &alive, SignedDuration::from_secs(4)).await;
    scene(&rig, "checkout", &dead, json!([])).await;
    scene(&rig, "search", &alive, json!([])).await;
    let dependency = json!([{"name": "checkout", "service": {"name": "checkout"}, "critical": true}]);
    scene(&rig, "shop", &alive, dependency).await;
    let operator = rig.start("op");
    for agreement in ["checkout", "search", "shop"] {
        rig.wait_current(agreement, "Up").await;
    }
    on_node(&rig, "checkout", &dead, false).await;
    on_node(&rig, "search", &alive, false).await;
    let (from, lag_ms) = outage(&rig, "checkout", |lag_ms| lag_ms > 0).await;
    assert_eq!(lag_ms, from.as_millisecond() - renewed.as_millisecond());
    assert_eq!(outage(&rig, "shop", |lag_ms| lag_ms > 0).await, (from, lag_ms), "it went down with it");
    rig.settle("op").await;
    assert_eq!(outage(&rig, "search", |_| true).await.1, 0, "its node is heard");
    on_node(&rig, "checkout", &dead, true).await;
    rig.wait_current("checkout", "Up").await;
    rig.settle("op").await;
    operator.kill().await;
    let second = rig.start("second");
    on_node(&rig, "checkout", &alive, true).await;
    rig.wait("Lease", &rig.lease_name(), "second leads", |lease| lease["spec"]["holderIdentity"] == "second").await;
    rig.settle("second").await;
    assert_eq!(outage(&rig, "checkout", |_| true).await, (from, lag_ms), "the ledger keeps it");
    second.stop().await;
}

/// Of Pods that are measured themselves the node is known, too.
#[tokio::test]
async fn a_lost_pod_names_its_node() {
    let rig = Rig::fake().await;
    rig.make_namespace("kube-node-lease").await;
    let renewed = heard(&rig, "dead", SignedDuration::from_secs(45)).await;
    rig.put(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "worker-0", "labels": {"app": "worker"}},
        "spec": {"nodeName": "dead", "containers": [{"name": "main", "image": "main"}]},
    }))
    .await;
    rig.pod_ready("worker-0", true).await;
    let components = json!([{"name": "worker", "selector": {"matchLabels": {"app": "worker"}}}]);
    rig.service_with("batch", json!({"components": components})).await;
    rig.agreement("batch", "batch", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("batch", "Up").await;
    rig.pod_ready("worker-0", false).await;
    let (from, lag_ms) = outage(&rig, "batch", |lag_ms| lag_ms > 0).await;
    assert_eq!(lag_ms, from.as_millisecond() - renewed.as_millisecond());
    operator.stop().await;
}

/// The right to read the Leases of nodes is one that may be missing.
#[tokio::test]
async fn without_the_right_the_figure_is_0_and_nothing_else_changes() {
    let rig = Rig::fake().await;
    rig.make_namespace("kube-node-lease").await;
    heard(&rig, "dead", SignedDuration::from_secs(45)).await;
    let leases = Match::any().resource("leases").namespace("kube-node-lease");
    rig.faults().on_request(leases, Action::answer(403));
    scene(&rig, "checkout", "dead", json!([])).await;
    let operator = rig.start("op");
    rig.wait_current("checkout", "Up").await;
    on_node(&rig, "checkout", "dead", false).await;
    rig.wait_current("checkout", "Down").await;
    rig.settle("op").await;
    assert_eq!(outage(&rig, "checkout", |_| true).await.1, 0);
    operator.stop().await;
}
