//! Versions of Services, agreements and calendars: recorded once, and read back after a restart.

use std::time::Duration;

use serde_json::{Value, json};

use super::objects::assert_conserved;
use super::rig::Rig;
use super::terms::always_open;

on_both_servers! {
    each_version_is_recorded_once,
    m_99_a_restart_keeps_the_versions_that_were_in_force,
    an_edit_while_nobody_was_there_is_in_force_from_its_write,
}

fn objective(percent: &str) -> Value {
    let target = json!({"name": "availability", "kind": "Availability", "method": "Readiness", "objective": percent});
    json!({"targets": [target]})
}

/// The names of the records in the operator's namespace, in order of their making.
async fn records(rig: &Rig) -> Vec<Value> {
    let mut records = rig.list("ControllerRevision").await;
    records.retain(|record| record["metadata"]["labels"]["assize.dev/record"] == "version");
    records.sort_by_key(|record| record["data"]["since"].as_str().unwrap().to_owned());
    records
}

fn names(records: &[Value], prefix: &str) -> Vec<String> {
    let names = records.iter().map(|record| record["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

async fn wait_objective(rig: &Rig, objective: &str) {
    let what = format!("objective {objective}");
    let shown = |object: &Value| object["status"]["headline"]["objective"] == objective;
    rig.wait("Agreement", "gold", &what, shown).await;
    rig.settle("op").await;
}

async fn each_version_is_recorded_once(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let calendar = format!("{}-office", rig.namespace);
    rig.put(always_open(&calendar)).await;
    let hours = json!({"serviceHours": {"calendar": calendar}});
    rig.agreement("gold", "checkout", hours.clone()).await;
    let operator = rig.start("op");
    wait_objective(&rig, "99.9").await;
    let first = records(&rig).await;
    let agreement = names(&first, "sla-gold-");
    assert_eq!((agreement.len(), names(&first, "its-checkout-").len()), (1, 1), "{first:#?}");
    assert_eq!(names(&first, &format!("scal-{calendar}-")).len(), 1, "{first:#?}");
    let record = first.iter().find(|record| record["metadata"]["name"] == agreement[0].as_str()).unwrap();
    let gold = rig.get("Agreement", "gold").await.unwrap();
    assert_eq!(record["data"]["since"], gold["metadata"]["creationTimestamp"]);
    assert_eq!(record["data"]["spec"], gold["spec"]);
    assert!(record["metadata"]["ownerReferences"].is_null(), "evidence outlives its subject");
    let digest = gold["status"]["inForce"]["digest"].as_str().unwrap();
    assert_eq!(agreement[0], format!("sla-gold-{}", &digest[7..17]));

    // An amendment, and the former spec again.
    let mut amended = objective("99.5");
    amended["serviceHours"] = hours["serviceHours"].clone();
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.agreement("gold", "checkout", amended).await;
    wait_objective(&rig, "99.5").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.agreement("gold", "checkout", hours).await;
    wait_objective(&rig, "99.9").await;
    let after = names(&records(&rig).await, "sla-gold-");
    assert_eq!(after.len(), 3);
    assert_eq!(after[2], format!("{}-2", agreement[0]));
    let writes = rig.writes_of("op");
    let written = writes.iter().filter(|write| write.resource == "controllerrevisions");
    assert!(written.clone().all(|write| write.verb == "create" && write.code == 201), "{writes:#?}");
    assert_eq!(written.count(), 5, "{writes:#?}");
    // Nobody writes them again.
    operator.stop().await;
    let operator = rig.start("next");
    rig.wait_current("gold", "Up").await;
    rig.settle("next").await;
    let again = rig.writes_of("next");
    assert!(again.iter().all(|write| write.resource != "controllerrevisions"), "{again:#?}");
    operator.stop().await;
}

/// Fault row 91: restarted, with the status deleted, and the calendar edited again.
async fn m_99_a_restart_keeps_the_versions_that_were_in_force(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let calendar = format!("{}-office", rig.namespace);
    rig.put(always_open(&calendar)).await;
    let hours = json!({"calendar": calendar});
    let fields = json!({"serviceHours": hours, "unmeasured": {"minCoverage": "0"}});
    rig.agreement("gold", "checkout", fields.clone()).await;
    let operator = rig.start("op");
    wait_objective(&rig, "99.9").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut amended = fields;
    amended["targets"] = objective("99.5")["targets"].clone();
    rig.agreement("gold", "checkout", amended).await;
    wait_objective(&rig, "99.5").await;
    let mut edited = always_open(&calendar);
    edited["spec"]["holidays"] = json!([{"name": "x", "date": "2020-01-01"}]);
    rig.put(edited).await;
    let name = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    let changes = |count: usize| {
        move |report: &Value| report["status"]["rulesChanged"].as_array().is_some_and(|list| list.len() == count)
    };
    let before = rig.wait("Report", &name, "the edit of the calendar", changes(1)).await;
    rig.settle("op").await;
    operator.kill().await;
    for (kind, name) in [("ItService", "checkout"), ("Agreement", "gold"), ("Calendar", &*calendar)] {
        rig.patch_status(kind, name, json!(null)).await;
    }
    let operator = rig.start("next");
    rig.wait_current("gold", "Up").await;
    let mut edited = always_open(&calendar);
    edited["spec"]["holidays"] = json!([{"name": "y", "date": "2020-01-02"}]);
    rig.put(edited).await;
    let after = rig.wait("Report", &name, "the second edit", changes(2)).await;
    assert_eq!(after["status"]["rulesChanged"][0], before["status"]["rulesChanged"][0]);
    let of = |report: &Value, part: usize, field: &str| report["status"]["parts"][part][field].clone();
    assert_eq!(after["status"]["parts"].as_array().unwrap().len(), 2, "{after:#}");
    // What nobody saw after the kill is unknown; by which terms and hours time is judged is not.
    let judged = |report: &Value| {
        let target = &report["status"]["parts"][0]["targets"][0];
        json!([target["objective"], target["ms"]["elapsed"], target["ms"]["outOfHours"]])
    };
    assert_eq!(judged(&after), judged(&before), "the part that is over stays as it was");
    for (part, field) in [(0, "from"), (0, "to"), (0, "termsDigest"), (1, "from"), (1, "termsDigest")] {
        assert_eq!(of(&after, part, field), of(&before, part, field), "{part} {field}");
    }
    assert_conserved(&after);
    operator.stop().await;
}

/// An amendment that nobody saw begins when the API server took it, not when somebody looked.
async fn an_edit_while_nobody_was_there_is_in_force_from_its_write(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({"unmeasured": {"minCoverage": "0"}})).await;
    let operator = rig.start("op");
    wait_objective(&rig, "99.9").await;
    operator.stop().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut fields = objective("99.5");
    fields["unmeasured"] = json!({"minCoverage": "0"});
    rig.agreement("gold", "checkout", fields).await;
    let gold = rig.get("Agreement", "gold").await.unwrap();
    let managed = gold["metadata"]["managedFields"].as_array().unwrap().clone();
    let writer = managed.iter().find(|manager| manager["manager"] == "assize-tests").unwrap();
    let accepted: jiff::Timestamp = writer["time"].as_str().unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let operator = rig.start("op");
    let name = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    let two = |report: &Value| report["status"]["parts"].as_array().is_some_and(|parts| parts.len() == 2);
    let report = rig.wait("Report", &name, "two parts", two).await;
    let begins: jiff::Timestamp = report["status"]["parts"][1]["from"].as_str().unwrap().parse().unwrap();
    assert_eq!(begins, accepted, "{report:#}");
    assert_conserved(&report);
    operator.stop().await;
}
