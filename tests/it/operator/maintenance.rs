//! Standing maintenance windows of the running operator.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::objects::{assert_conserved, has};
use super::rig::{Rig, now};

/// A calendar that is always open, with a window of one hour from an instant on.
fn calendar(name: &str, start: Timestamp) -> Value {
    let start = start.strftime("%Y-%m-%dT%H:%M").to_string();
    json!({"apiVersion": "assize.dev/v1alpha1", "kind": "ServiceCalendar", "metadata": {"name": name},
        "spec": {"timeZone": "UTC", "windows": [{"name": "patching", "start": start, "duration": "1h"}]}})
}

fn fields(window: &str) -> Value {
    json!({
        "plannedMaintenance": {"windows": [{"calendar": "nights", "name": window}]},
        "unmeasured": {"minCoverage": "0"},
    })
}

/// Windows begin at whole minutes: the next that is not too near.
fn next_minute() -> Timestamp {
    let second = now().as_second() + 10;
    Timestamp::from_second(second - second % 60 + 60).unwrap()
}

#[tokio::test]
async fn a_standing_window_is_honoured_and_its_edge_is_written() {
    let rig = Rig::fake().await;
    let edge = next_minute();
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.put(calendar("nights", edge)).await;
    rig.agreement("gold", "checkout", fields("patching")).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    let report = rig.open_report("gold").await;
    assert!(report["status"]["maintenance"].is_null(), "the window has not begun: {report}");
    // Down from some seconds before the window on, into it.
    let ahead = edge.checked_sub(4.seconds()).unwrap().duration_since(now());
    tokio::time::sleep(Duration::try_from(ahead).unwrap_or_default()).await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    // Nothing happens at the edge but that it is one.
    let name = report["metadata"]["name"].as_str().unwrap();
    let begun = |report: &Value| report["status"]["maintenance"][0]["name"] == "nights/patching";
    let report = rig.wait("Report", name, "the beginning of the window", begun).await;
    let from: Timestamp = report["status"]["maintenance"][0]["from"].as_str().unwrap().parse().unwrap();
    assert_eq!(from, edge);
    rig.settle("op").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let report = rig.get("Report", name).await.unwrap();
    assert_conserved(&report);
    let ms = &report["status"]["parts"][0]["targets"][0]["ms"];
    let time = |class: &str| ms[class].as_i64().unwrap();
    assert!(time("excluded") > 500, "loss in the window: {ms}");
    assert!((500..=12_000).contains(&time("down")), "loss before it: {ms}");
    assert_eq!(report["status"]["maintenance"][0]["excludedMs"], ms["excluded"]);
    assert_eq!(report["status"]["outages"][0]["countedMs"], ms["down"]);
    assert_eq!(report["status"]["outages"][0]["excludedMs"], ms["excluded"]);
    operator.stop().await;
}

#[tokio::test]
async fn a_window_that_is_not_there_is_named() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", fields("patching")).await;
    let operator = rig.start("op");
    let missing = |field: &'static str| {
        move |agreement: &Value| {
            let conditions = agreement["status"]["conditions"].as_array();
            has(agreement, "Ready", "False", "ReferenceNotFound")
                && conditions.unwrap().iter().any(|condition| condition["message"].as_str().unwrap().contains(field))
        }
    };
    rig.wait("Agreement", "gold", "no calendar", missing("plannedMaintenance.windows[0].calendar")).await;
    let mut other = calendar("nights", now());
    other["spec"]["windows"][0]["name"] = "other".into();
    rig.put(other).await;
    rig.wait("Agreement", "gold", "no window", missing("plannedMaintenance.windows[0].name")).await;
    rig.put(calendar("nights", now())).await;
    let agreement = rig.wait("Agreement", "gold", "the window", |agreement| has(agreement, "Ready", "True", "Active"));
    assert_eq!(agreement.await["status"]["current"]["state"], "Up", "measured all the time");
    operator.stop().await;
}
