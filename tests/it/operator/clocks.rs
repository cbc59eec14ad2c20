//! Replicas whose wall clocks are wrong: every recorded time is the API server's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::{LedgerEntry, assert_conserved, ledger};
use super::rig::{Rig, now};

on_both_servers! {
    replicas_ten_minutes_off_record_right_times,
}

/// How far a recorded time may be off: the API server tells its time in whole seconds.
const ERROR_MS: i64 = 1000;

async fn leads(rig: &Rig, name: &str) {
    let holds = |lease: &Value| lease["spec"]["holderIdentity"] == name;
    rig.wait("Lease", &rig.lease_name(), &format!("{name} leads"), holds).await;
}

fn near(entry: &LedgerEntry, (from, to): (Timestamp, Timestamp)) -> bool {
    let at = entry.at.as_millisecond();
    (from.as_millisecond() - ERROR_MS..=to.as_millisecond() + ERROR_MS).contains(&at)
}

/// Fault row 35: one replica is ten minutes ahead, the other ten minutes behind; the first dies.
async fn replicas_ten_minutes_off_record_right_times(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let ahead = rig.start_with("ahead", &["--test-clock-offset-ms=600000"]);
    leads(&rig, "ahead").await;
    let behind = rig.start_with("behind", &["--test-clock-offset-ms=-600000"]);
    rig.wait_current("gold", "Up").await;
    rig.settle("ahead").await;
    let down = rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("ahead").await;
    let lease = rig.get("Lease", &rig.lease_name()).await.unwrap();
    let renewed: Timestamp = lease["spec"]["renewTime"].as_str().unwrap().parse().unwrap();
    assert!((now().as_millisecond() - renewed.as_millisecond()).abs() < 5000, "{lease}");
    ahead.kill().await;
    let up = rig.endpoints("api", 3, 3).await;
    leads(&rig, "behind").await;
    rig.wait_current("gold", "Up").await;
    rig.settle("behind").await;
    let report = rig.open_report("gold").await;
    assert_conserved(&report);
    let entries: Vec<LedgerEntry> = ledger(&report).into_iter().skip_while(|entry| entry.state != "Up").collect();
    let states: Vec<&str> = entries.iter().map(|entry| entry.state.as_str()).collect();
    assert_eq!(states, ["Up", "Down", "Up"], "{entries:#?}");
    assert!(near(&entries[1], down), "{entries:#?} {down:?}");
    assert!(near(&entries[2], up), "{entries:#?} {up:?}");
    behind.stop().await;
}

/// M-104: the server's clock is set forward; no write comes of it, the next one notes it.
#[tokio::test]
async fn a_step_of_the_servers_clock_is_in_the_report() {
    const BY_MS: i64 = 20_000;
    let ahead_ms = Arc::new(AtomicI64::new(0));
    let ahead = ahead_ms.clone();
    let clock = move || now() + SignedDuration::from_millis(ahead.load(Ordering::Relaxed));
    let rig = Rig::fake_by(Arc::new(clock)).await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    // A verdict that waits for enough coverage may come as time jumps.
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
    let operator = rig.start_with("one", &[]);
    rig.wait_current("gold", "Up").await;
    for (kind, name, field) in
        [("ItService", "checkout", "/availability/ratio30d"), ("Agreement", "gold", "/headline/actual")]
    {
        let figure = |object: &Value| object["status"].pointer(field).is_some();
        rig.wait(kind, name, "the first figure", figure).await;
    }
    let writes = rig.settle("one").await;
    ahead_ms.store(BY_MS, Ordering::Relaxed);
    // The Lease is renewed every five seconds.
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(rig.settle("one").await, writes);
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("one").await;
    let report = rig.open_report("gold").await;
    assert_conserved(&report);
    let steps = report["status"]["ledger"]["clockSteps"].as_array().unwrap();
    let by_ms = steps[0]["byMs"].as_i64().unwrap();
    assert!(steps.len() == 1 && (by_ms - BY_MS).abs() <= 2 * ERROR_MS, "{steps:?}");
    operator.stop().await;
}
