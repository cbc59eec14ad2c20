//! Streams that show nothing, or nothing new: without proof the time is unknown, and never good. On the fake server.

use std::time::Duration;

use assize_testkit::fake::Match;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{LedgerEntry, condition, ledger, states};
use super::rig::Rig;

/// With a Lease of 3 s a stream is asked for after 12 s and stalled after 30 s.
const STALLED: Duration = Duration::from_mins(1);

async fn scene() -> Rig {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    // The first moments of its life are unknown, and it does not live long.
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
    rig
}

fn observed_until(lease: &Value) -> Option<Timestamp> {
    lease["metadata"]["annotations"]["assize.dev/observed-until"].as_str().map(|text| text.parse().unwrap())
}

/// Waits until the agreement says that its source is lost; by reads, because watches may be what is broken.
async fn is_blind(rig: &Rig) -> Value {
    let lost = |object: &Value| {
        condition(object, "Measured")["reason"] == "SourceMissing" && object["status"]["current"]["state"] == "Unknown"
    };
    let polled = async {
        loop {
            match rig.get("Agreement", "gold").await {
                Some(agreement) if lost(&agreement) => return agreement,
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    tokio::time::timeout(STALLED, polled).await.expect("the stream is stalled")
}

async fn sees_again(rig: &Rig) -> Vec<LedgerEntry> {
    let seen = |object: &Value| condition(object, "Measured")["status"] == "True";
    rig.wait_within(STALLED, "Agreement", "gold", "it is measured again", seen).await;
    rig.settle("op").await;
    let entries = ledger(&rig.open_report("gold").await);
    entries.into_iter().skip_while(|entry| entry.state != "Up").collect()
}

/// Fault row 11: a stalled watch proves nothing, although its connection is open and other streams go on.
#[tokio::test]
async fn a_stalled_watch_is_unknown_from_its_last_proof() {
    let rig = scene().await;
    let operator = rig.start_with("op", &["--test-silence-ms=12000"]);
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    rig.fake_server().send_bookmarks();
    rig.wait("Lease", &rig.lease_name(), "proof", |lease| observed_until(lease).is_some()).await;
    let silent = rig.faults().stall_watches(Match::any().resource("endpointslices"));
    let (from, _) = rig.endpoints("api", 0, 3).await;
    let agreement = is_blind(&rig).await;
    let proved: Timestamp = agreement["status"]["provedUntil"].as_str().unwrap().parse().unwrap();
    assert!(proved <= from, "{proved} {from}");
    let lease = rig.get("Lease", &rig.lease_name()).await.unwrap();
    assert!(observed_until(&lease).unwrap() <= from, "{lease}");
    silent.release();
    rig.wait_current("gold", "Down").await;
    let entries = sees_again(&rig).await;
    assert_eq!(states(&entries), ["Up", "Unknown", "Down"], "{entries:#?}");
    assert!(entries[1].at >= proved && entries[1].at <= from, "{entries:#?} {proved} {from}");
    operator.stop().await;
}

/// A silent stream is asked for by a list of one object, and proved once it shows what the answer says.
#[tokio::test]
async fn a_quiet_stream_is_proved_by_its_own_request() {
    let rig = scene().await;
    let operator = rig.start_with("op", &["--test-silence-ms=12000"]);
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let asked = || {
        let requests = rig.fake_server().requests();
        requests.iter().any(|request| request.resource == "endpointslices" && request.verb.as_str() == "list")
    };
    tokio::time::timeout(STALLED, async {
        while !asked() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the stream is asked for");
    let before = observed_until(&rig.get("Lease", &rig.lease_name()).await.unwrap());
    rig.fake_server().send_bookmarks();
    let moves = |lease: &Value| observed_until(lease) > before;
    rig.wait("Lease", &rig.lease_name(), "proof goes on", moves).await;
    operator.stop().await;
}

/// Fault row 85: etcd stands still behind a live API server. Bookmarks go on with an old resourceVersion.
#[tokio::test]
async fn bookmarks_with_an_old_version_prove_nothing() {
    let rig = scene().await;
    let operator = rig.start_with("op", &["--test-silence-ms=12000"]);
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let version = rig.get("Lease", &rig.lease_name()).await.unwrap()["metadata"]["resourceVersion"].clone();
    rig.faults().freeze_cache_at(version.as_str().unwrap().parse().unwrap()).unwrap();
    let bookmarks = async {
        loop {
            rig.fake_server().send_bookmarks();
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    };
    tokio::select! {
        () = bookmarks => {}
        _ = is_blind(&rig) => {}
    }
    rig.faults().thaw();
    rig.fake_server().send_bookmarks();
    let entries = sees_again(&rig).await;
    assert_eq!(states(&entries), ["Up"], "silence that is proved leaves no gap: {entries:#?}");
    operator.stop().await;
}
