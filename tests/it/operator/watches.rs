//! Watches that end, break, go too far back, or show what cannot be read. On the fake server.

use assize_testkit::fake::{EventAction, Match};
use serde_json::{Value, json};

use super::objects::{LedgerEntry, condition, ledger, slice, states};
use super::rig::{Rig, now};

async fn scene(rig: &Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
}

async fn proved(rig: &Rig) {
    // A bookmark that is younger than a renewal proves the time until then; the next renewal carries it.
    rig.fake_server().send_bookmarks();
    let carries = |lease: &Value| lease["metadata"]["annotations"]["assize.dev/observed-until"].is_string();
    rig.wait("Lease", &rig.lease_name(), "proof of observation", carries).await;
}

async fn entries(rig: &Rig) -> Vec<LedgerEntry> {
    rig.settle("op").await;
    let entries = ledger(&rig.open_report("gold").await);
    entries.into_iter().skip_while(|entry| entry.state != "Up").collect()
}

/// Fault row 5: an object that cannot be decoded stops nothing but itself.
#[tokio::test]
async fn an_object_that_cannot_be_read_is_passed_over() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    let mut odd = slice("api", 0, 3);
    odd["metadata"]["name"] = "odd-1".into();
    odd["metadata"]["labels"]["kubernetes.io/service-name"] = "odd".into();
    odd["endpoints"] = json!("none at all");
    rig.put(odd.clone()).await;
    for mut definition in assize::api::all() {
        // As if an older definition had let anything through.
        let text = serde_json::to_string(&definition).unwrap();
        let mut loose: Value = serde_json::from_str(&text).unwrap();
        let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = open;
        rig.fake_server().install_definitions(&loose.to_string()).unwrap();
        let kind = std::mem::take(&mut definition.spec.names.kind);
        let broken = json!({"apiVersion": "assize.dev/v1alpha1", "kind": kind, "metadata": {"name": "odd"},
            "spec": {"components": 7, "targets": 7, "weekly": 7, "period": 7}});
        rig.put(broken).await;
        rig.fake_server().install_definitions(&text).unwrap();
    }
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    odd["metadata"]["annotations"]["example.com/touched"] = "yes".into();
    rig.put(odd).await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    assert!(operator.is_running());
    let entries = entries(&rig).await;
    assert_eq!(states(&entries), ["Up", "Down", "Up"]);
    operator.stop().await;
}

/// A watch that the server ends is resumed: nothing is lost and nothing unknown.
#[tokio::test]
async fn a_watch_that_ends_is_resumed_without_a_gap() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    let before = rig.settle("op").await;
    rig.faults().close_watches();
    assert_eq!(rig.settle("op").await, before, "a new connection is no reason to write");
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.faults().on_event(Match::any().resource("endpointslices").nth(1), EventAction::Close);
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    assert_eq!(states(&entries(&rig).await), ["Up", "Down", "Up"]);
    operator.stop().await;
}

/// Connections that break are made again; what did not change meanwhile is proved once the stream says so.
#[tokio::test]
async fn a_broken_watch_is_made_again_and_its_silence_is_proved() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    // The first moments of its life are unknown, and it does not live long.
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    rig.faults().break_watches();
    let agreement = rig.wait_condition("Agreement", "gold", "Measured", "False", "SourceMissing").await;
    assert_eq!(agreement["status"]["current"]["state"], "Unknown");
    assert!(agreement["status"]["provedUntil"].is_string());
    let service = rig.wait_condition("ItService", "checkout", "Observed", "False", "WatchInterrupted").await;
    assert!(condition(&service, "Observed")["message"].as_str().unwrap().contains("endpointslices"), "{service}");
    rig.wait_condition("Agreement", "gold", "Measured", "True", "AllTargetsMeasured").await;
    let agreement = rig.wait_current("gold", "Up").await;
    assert_eq!(agreement["status"]["provedUntil"], Value::Null);
    rig.wait_condition("ItService", "checkout", "Observed", "True", "Watching").await;
    assert_eq!(states(&entries(&rig).await), ["Up"], "silence that is proved leaves no gap");
    operator.stop().await;
}

/// 410: the watch goes on with a new list; the time since the last proof is unknown, and nothing else.
#[tokio::test]
async fn a_watch_that_went_too_far_back_lists_anew() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    proved(&rig).await;
    let lease = rig.get("Lease", &rig.lease_name()).await.unwrap();
    let observed: jiff::Timestamp =
        lease["metadata"]["annotations"]["assize.dev/observed-until"].as_str().unwrap().parse().unwrap();
    rig.faults().on_event(Match::any().resource("endpointslices").nth(1), EventAction::Expire);
    let (_, to) = rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    let entries = entries(&rig).await;
    assert_eq!(states(&entries), ["Up", "Unknown", "Down"], "{entries:#?}");
    assert!(entries[1].at >= observed && entries[1].at <= to, "{entries:#?} {observed}");
    assert!(entries[2].at.as_millisecond() <= to.as_millisecond() + 1000, "{entries:#?} {to}");
    // Later time is measured as ever.
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    assert!(now() > entries[2].at);
    operator.stop().await;
}

/// An outage before the last proof is not overwritten by a gap after it.
#[tokio::test]
async fn a_new_list_keeps_what_was_seen_before() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    proved(&rig).await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    let before = entries(&rig).await;
    assert_eq!(states(&before), ["Up", "Down", "Up"]);
    // Another object's event: what is measured did not change, but nothing proves it.
    rig.put(super::objects::core_service("other")).await;
    rig.faults().on_event(Match::any().resource("endpointslices").nth(1), EventAction::Expire);
    rig.put(slice("other", 1, 1)).await;
    let report = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    let gap = |report: &Value| ledger(report).iter().any(|entry| entry.reason == "SourceLost");
    rig.wait("Report", &report, "the gap", gap).await;
    let after = entries(&rig).await;
    assert_eq!(after[..2], before[..2], "{after:#?}");
    assert_eq!(states(&after), ["Up", "Down", "Up", "Unknown", "Up"], "{after:#?}");
    assert_eq!(after[2], before[2], "what was proved stays: {after:#?}");
    operator.stop().await;
}

/// A dated loss of one endpoint inside the gap of a resumed watch is proved from its date on (M-66 b); an undated change
/// leaves the gap unknown (M-66 d).
#[tokio::test]
async fn what_a_resumed_watch_brings_is_dated_or_unknown() {
    let rig = Rig::fake().await;
    rig.core_service("api", 1, 1).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    proved(&rig).await;
    rig.faults().break_watches();
    rig.wait_condition("Agreement", "gold", "Measured", "False", "SourceMissing").await;
    let mut lost = slice("api", 0, 1);
    let happened = now();
    lost["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"] = happened.to_string().into();
    rig.put(lost).await;
    rig.wait_current("gold", "Down").await;
    let seen = entries(&rig).await;
    assert_eq!(states(&seen), ["Up", "Down"], "{seen:#?}");
    assert_eq!(seen[1].at.as_millisecond(), happened.as_millisecond());
    rig.faults().break_watches();
    rig.wait_condition("Agreement", "gold", "Measured", "False", "SourceMissing").await;
    rig.endpoints("api", 1, 1).await;
    rig.wait_current("gold", "Up").await;
    let seen = entries(&rig).await;
    assert_eq!(states(&seen), ["Up", "Down", "Unknown", "Up"], "{seen:#?}");
    operator.stop().await;
}
