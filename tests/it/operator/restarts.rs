//! One replica that is killed and started again: what happened meanwhile is proved afterwards, or unknown.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{LedgerEntry, assert_conserved, ledger, slice, states};
use super::rig::{Rig, now};

on_both_servers! {
    a_restart_while_nothing_changes_leaves_nothing_unknown,
    a_dated_loss_while_away_is_proved_to_the_millisecond,
    an_undated_change_while_away_leaves_only_its_own_time_unknown,
}

/// After it everything is found out that can be: lists of streams and Pods take a few seconds.
const FOUND_WITHIN: Duration = Duration::from_secs(40);

async fn scene(rig: &Rig, endpoints: usize) {
    rig.core_service("api", endpoints, endpoints).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
}

/// Lets an operator lead until its Lease carries the proof of what it saw, kills it, and returns up to when it proved.
async fn seen_and_killed(rig: &Rig) -> Timestamp {
    let first = rig.start("first");
    leads(rig, "first").await;
    rig.wait_current("gold", "Up").await;
    rig.settle("first").await;
    let before = now();
    if rig.is_fake() {
        rig.fake_server().send_bookmarks();
    }
    let annotation = |lease: &Value, name: &str| lease["metadata"]["annotations"][name].as_str().map(str::to_owned);
    let until =
        |lease: &Value| annotation(lease, "assize.dev/observed-until").map(|at| at.parse::<Timestamp>().unwrap());
    let proved = |lease: &Value| {
        let streams = annotation(lease, "assize.dev/observed-versions").unwrap_or_default();
        streams.contains("endpointslices=") && until(lease).is_some_and(|at| !rig.is_fake() || at > before - LITTLE)
    };
    let lease = rig.wait("Lease", &rig.lease_name(), "proof of observation", proved).await;
    first.kill().await;
    until(&lease).unwrap()
}

const LITTLE: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

async fn leads(rig: &Rig, name: &str) {
    let holds = |lease: &Value| lease["spec"]["holderIdentity"] == name;
    rig.wait("Lease", &rig.lease_name(), &format!("{name} leads"), holds).await;
}

/// Starts the second operator and returns the report once `wanted` says that everything is found out.
async fn restarted(rig: &Rig, wanted: impl Fn(&[LedgerEntry]) -> bool) -> (super::rig::Operator, Value) {
    let second = rig.start("second");
    leads(rig, "second").await;
    let name = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    let taken_over = |report: &Value| report["status"]["ledger"]["epoch"] != 1 && wanted(&since_first_up(report));
    let report = rig.wait_within(FOUND_WITHIN, "Report", &name, "the gap is closed", taken_over).await;
    assert_conserved(&report);
    (second, report)
}

fn since_first_up(report: &Value) -> Vec<LedgerEntry> {
    ledger(report).into_iter().skip_while(|entry| entry.state != "Up").collect()
}

fn ms(report: &Value, name: &str) -> i64 {
    report["status"]["parts"][0]["targets"][0]["ms"][name].as_i64().unwrap()
}

/// M-66 a): the watches go on where the one before left off.
async fn a_restart_while_nothing_changes_leaves_nothing_unknown(rig: Rig) {
    scene(&rig, 3).await;
    seen_and_killed(&rig).await;
    if !rig.is_fake() {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    let second = rig.start("second");
    leads(&rig, "second").await;
    // Longer than a new leader looks into what it missed.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(rig.writes_of("second"), [], "what is proved and as it was is not written");
    let (from, _) = rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("second").await;
    let report = rig.open_report("gold").await;
    let entries = since_first_up(&report);
    assert_eq!(states(&entries), ["Up", "Down"], "{entries:#?}");
    assert!(entries[1].at.as_millisecond() + 1000 >= from.as_millisecond(), "{entries:#?}");
    assert_eq!(ms(&report, "inferred"), 0, "what a resumed watch proves is live");
    second.stop().await;
}

/// M-66 b): one endpoint was lost, and the slice says when.
async fn a_dated_loss_while_away_is_proved_to_the_millisecond(rig: Rig) {
    scene(&rig, 1).await;
    seen_and_killed(&rig).await;
    let mut lost = slice("api", 0, 1);
    let happened = now();
    lost["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"] = happened.to_string().into();
    rig.put(lost).await;
    let (second, report) = restarted(&rig, |entries| states(entries) == ["Up", "Down"]).await;
    let entries = since_first_up(&report);
    assert_eq!(entries[1].at.as_millisecond(), happened.as_millisecond(), "{entries:#?}");
    second.stop().await;
}

/// M-66 c), d): nothing says when it happened.
async fn an_undated_change_while_away_leaves_only_its_own_time_unknown(rig: Rig) {
    scene(&rig, 3).await;
    rig.put(super::objects::core_service("other")).await;
    rig.endpoints("other", 1, 1).await;
    rig.service_with("calm", json!({"components": [{"name": "other", "endpointsOf": "other"}]})).await;
    rig.agreement("calm", "calm", json!({"unmeasured": {"minCoverage": "0"}})).await;
    let observed = seen_and_killed(&rig).await;
    rig.endpoints("api", 0, 3).await;
    let restart = now();
    let (second, _) = restarted(&rig, |entries| states(entries) == ["Up", "Unknown", "Down"]).await;
    let calm = rig.open_report("calm").await["metadata"]["name"].as_str().unwrap().to_owned();
    let proved = |report: &Value| states(&since_first_up(report)) == ["Up"];
    rig.wait_within(FOUND_WITHIN, "Report", &calm, "what did not change is proved", proved).await;
    rig.settle("second").await;
    let entries = since_first_up(&rig.open_report("gold").await);
    assert_eq!(states(&entries), ["Up", "Unknown", "Down"], "{entries:#?}");
    assert!(entries[1].at >= observed && entries[1].at <= restart, "{entries:#?} {observed} {restart}");
    assert!(entries[2].at >= restart, "{entries:#?}");
    second.stop().await;
}

/// A Pod that has been ready for a minute.
async fn ready_pod(rig: &Rig, name: &str) -> String {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "api"}},
        "spec": {"containers": [{"name": "main", "image": "main"}]},
    });
    let uid = rig.put(pod).await["metadata"]["uid"].as_str().unwrap().to_owned();
    let before = (now() - jiff::SignedDuration::from_secs(60)).to_string();
    let status = json!({
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": before}],
        "containerStatuses": [{"name": "main", "ready": true, "restartCount": 0, "image": "main", "imageID": "",
            "state": {"running": {"startedAt": before}}}],
    });
    rig.patch_status("Pod", name, status).await;
    uid
}

/// A core Service that selects its Pods, with a slice that names them.
async fn selecting(rig: &Rig) {
    let mut service = super::objects::core_service("api");
    service["spec"]["selector"] = json!({"app": "api"});
    rig.put(service).await;
    let mut endpoints = slice("api", 2, 2);
    for index in 0..2 {
        endpoints["endpoints"][index]["targetRef"]["uid"] = ready_pod(rig, &format!("api-{index}")).await.into();
    }
    rig.put(endpoints).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
    // A Pod proves nothing of the second in which it was created.
    tokio::time::sleep(Duration::from_millis(2100)).await;
}

/// M-57 on the running operator: the history is gone (410), but the Pods say that they were ready all the time.
#[tokio::test]
async fn pods_close_a_gap_that_no_watch_can() {
    let rig = Rig::fake().await;
    selecting(&rig).await;
    let observed = seen_and_killed(&rig).await;
    rig.fake_server().compact();
    let (second, report) = restarted(&rig, |entries| states(entries) == ["Up", "Up", "Up"]).await;
    let entries = since_first_up(&report);
    assert!(entries[1].at >= observed, "{entries:#?} {observed}");
    let inferred = entries[2].at.as_millisecond() - entries[1].at.as_millisecond();
    assert_eq!(ms(&report, "inferred"), inferred);
    let gaps = report["status"]["gaps"].as_array().unwrap();
    let closed = gaps.iter().find(|gap| gap["closedBy"] == "inferred").unwrap();
    assert_eq!((&closed["reason"], &closed["unknownMs"]), (&json!("NoLeader"), &json!(0)), "{gaps:?}");
    second.stop().await;
}

/// M-61 on the running operator: who wrote the spec of the core Service meanwhile may have changed what it selects.
#[tokio::test]
async fn a_changed_core_service_voids_what_pods_say() {
    let rig = Rig::fake().await;
    selecting(&rig).await;
    seen_and_killed(&rig).await;
    let mut service = super::objects::core_service("api");
    service["spec"]["selector"] = json!({"app": "api"});
    service["spec"]["ports"] = json!([{"port": 8080}]);
    rig.put(service).await;
    rig.fake_server().compact();
    let (second, _) = restarted(&rig, |entries| states(entries) == ["Up", "Unknown", "Up"]).await;
    // Time for what must not come.
    rig.settle("second").await;
    let report = rig.open_report("gold").await;
    assert_eq!(states(&since_first_up(&report)), ["Up", "Unknown", "Up"]);
    assert_eq!(ms(&report, "inferred"), 0);
    let gaps = report["status"]["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|gap| gap["reason"] == "NoLeader" && gap["closedBy"].is_null()), "{gaps:?}");
    second.stop().await;
}

/// Streams that end at the same time ask for the same Pods: each place is listed once for all of them.
#[tokio::test]
async fn lost_streams_share_one_listing_of_pods() {
    let rig = Rig::fake().await;
    selecting(&rig).await;
    let components =
        json!([{"name": "one", "endpointsOf": "api"}, {"name": "two", "selector": {"matchLabels": {"app": "api"}}}]);
    rig.service_with("search", json!({"components": components})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.wait_state("search", "Up").await;
    rig.settle("op").await;
    let listed = || {
        let requests = rig.fake_server().requests();
        requests.iter().filter(|request| request.resource == "pods" && request.verb.as_str() == "list").count()
    };
    assert_eq!(listed(), 0);
    rig.put(super::objects::core_service("other")).await;
    rig.fake_server().compact();
    rig.faults().break_watches();
    let name = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    let closed = |report: &Value| ms(report, "inferred") > 0;
    let report = rig.wait_within(FOUND_WITHIN, "Report", &name, "the gap is closed", closed).await;
    assert!(states(&since_first_up(&report)).iter().all(|state| *state == "Up"), "{report:#}");
    rig.settle("op").await;
    // Those of the core Service, those of the selector, and one that may ask how far the stream of the selector is.
    assert!((2..=3).contains(&listed()), "{}", listed());
    operator.stop().await;
}
