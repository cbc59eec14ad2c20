//! A service that flaps: writes stay few, the ledger small, and every figure as it is, also for the next leader.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::objects::assert_conserved;
use super::rig::Rig;

/// More than a ledger holds.
const TRANSITIONS: usize = 520;
/// Faster than the 10 Hz of the promise, so that the ledger overflows soon.
const EVERY: Duration = Duration::from_millis(40);

fn target(report: &Value) -> &Value {
    &report["status"]["parts"][0]["targets"][0]
}

fn entries(report: &Value) -> usize {
    report["status"]["ledger"]["lines"][0]["entries"].as_array().unwrap().len()
}

/// What rolling up and a restart must not change.
fn figures(report: &Value) -> Value {
    let target = target(report);
    let ms = &target["ms"];
    json!([ms["down"], ms["degraded"], ms["ignoredShort"], target["outageCount"], report["status"]["rolledUp"]])
}

/// Fault row 31, M-68.
#[tokio::test]
async fn flapping_is_written_once_a_second_and_summed_up_exactly() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    rig.fake_server().clear_log();
    let began = Instant::now();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut down_ms, mut down_since) = (0, 0);
    for flap in 0..TRANSITIONS {
        ticks.tick().await;
        let ready = if flap % 2 == 0 { 0 } else { 3 };
        let (_, after) = rig.endpoints("api", ready, 3).await;
        match ready {
            0 => down_since = after.as_millisecond(),
            _ => down_ms += after.as_millisecond() - down_since,
        }
    }
    let seconds = began.elapsed().as_secs() as usize;
    let mut writes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for write in rig.writes_of("op") {
        *writes.entry((write.resource, write.name)).or_default() += 1;
    }
    assert!(writes.values().all(|count| *count <= seconds + 2), "{writes:?} in {seconds} s");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let report = rig.open_report("gold").await;
    assert_conserved(&report);
    assert!(entries(&report) <= 400, "{}", entries(&report));
    let rolled = &report["status"]["rolledUp"];
    // The run may cross the turn of an hour.
    assert!((1..=2).contains(&rolled["hours"].as_i64().unwrap()) && rolled["days"] == 0, "{rolled}");
    let seen = target(&report)["ms"]["down"].as_i64().unwrap();
    assert!((seen - down_ms).abs() <= 1000, "{seen} of {down_ms}");
    // What comes within one turn of the operator's loop is one change.
    let outages = target(&report)["outageCount"].as_u64().unwrap() as usize;
    assert!((TRANSITIONS / 2 * 9 / 10..=TRANSITIONS / 2).contains(&outages), "{outages}");
    let omitted = report["status"]["outagesOmitted"]["count"].as_u64().unwrap() as usize;
    assert_eq!(report["status"]["outages"].as_array().unwrap().len() + omitted, outages);
    operator.stop().await;

    let operator = rig.start("next");
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    let (_, _) = rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("next").await;
    let later = rig.open_report("gold").await;
    assert_conserved(&later);
    assert!(entries(&later) <= 400, "{}", entries(&later));
    assert_eq!(target(&later)["outageCount"].as_u64().unwrap() as usize, outages + 1);
    let last = later["status"]["outages"].as_array().unwrap().last().unwrap()["ms"].as_i64().unwrap();
    assert_eq!(target(&later)["ms"]["down"].as_i64().unwrap(), seen + last, "{}", figures(&later));
    operator.stop().await;

    // And a third changes nothing that is written.
    let operator = rig.start("third");
    rig.settle("third").await;
    assert_eq!(figures(&rig.open_report("gold").await), figures(&later));
    operator.stop().await;
}
