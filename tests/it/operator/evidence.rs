//! What is deleted is made again; and a quiet operator writes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::objects::{has, ledger};
use super::rig::Rig;

on_both_servers! {
    a_deleted_status_is_made_again,
    a_deleted_report_is_made_again,
    m_105_made_anew_with_another_spec_it_has_a_line_of_its_own,
    nothing_is_written_while_nothing_changes,
    changes_without_meaning_are_not_answered_with_writes,
}

async fn a_deleted_status_is_made_again(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let calendar = format!("{}-office", rig.namespace);
    rig.put(super::terms::always_open(&calendar)).await;
    rig.agreement("gold", "checkout", json!({"serviceHours": {"calendar": calendar}})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let kept = ledger(&rig.open_report("gold").await);
    let report = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    for (kind, name) in
        [("ItService", "checkout"), ("Agreement", "gold"), ("Calendar", &*calendar), ("Report", &*report)]
    {
        let patch = json!(null);
        rig.patch_status(kind, name, patch).await;
        let made =
            rig.wait(kind, name, "a status made again", |object| !object["status"]["conditions"].is_null()).await;
        assert!(has(&made, "Ready", "True", "Active"), "{made}");
    }
    rig.settle("op").await;
    assert_eq!(ledger(&rig.open_report("gold").await), kept, "nothing is lost");
    operator.stop().await;
}

async fn a_deleted_report_is_made_again(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.service("alone").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let reports = rig.list("Report").await;
    assert_eq!(reports.len(), 2);
    for report in reports {
        let (name, uid) = (report["metadata"]["name"].as_str().unwrap(), &report["metadata"]["uid"]);
        rig.delete("Report", name).await;
        let made = rig
            .wait("Report", name, "the report made again", |made| {
                made["metadata"]["uid"] != *uid && made["status"]["ledger"].is_object()
            })
            .await;
        assert_eq!(ledger(&made), ledger(&report), "nothing is lost");
    }
    rig.settle("op").await;
    operator.stop().await;
}

/// M-105 a), fault row 90.
async fn m_105_made_anew_with_another_spec_it_has_a_line_of_its_own(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    let first = rig.open_report("gold").await;
    rig.settle("op").await;
    rig.delete("Agreement", "gold").await;
    let target = json!([{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.5"}]);
    rig.agreement("gold", "checkout", json!({"targets": target})).await;
    let name = first["metadata"]["name"].as_str().unwrap().to_owned();
    let other = |object: &Value| object["status"]["openReport"].as_str().is_some_and(|open| open != name);
    rig.wait("Agreement", "gold", "another open report", other).await;
    let second = rig.open_report("gold").await;
    let suffix = second["metadata"]["name"].as_str().unwrap().strip_prefix(&format!("{name}-")).unwrap();
    assert!(suffix.len() == 5 && suffix.bytes().all(|byte| byte.is_ascii_hexdigit()), "{second}");
    assert!(second["spec"]["reason"].is_null(), "{second}");
    assert_eq!(second["status"]["parts"].as_array().unwrap().len(), 1, "it has a history of its own: {second:#}");
    assert_ne!(first["spec"]["subject"]["uid"], second["spec"]["subject"]["uid"]);
    rig.settle("op").await;
    assert!(rig.get("Report", &name).await.is_some(), "evidence outlives its subject");
    operator.stop().await;
}

/// The Lease apart (R7, P3; M-107 a).
async fn nothing_is_written_while_nothing_changes(rig: Rig) {
    const IDLE: Duration = Duration::from_mins(1);
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.service("alone").await;
    let calendar = format!("{}-office", rig.namespace);
    rig.put(super::terms::always_open(&calendar)).await;
    // Coverage that grows in the first minutes of its life would change a verdict.
    let fields = json!({"serviceHours": {"calendar": calendar}, "unmeasured": {"minCoverage": "0"}});
    rig.agreement("gold", "checkout", fields).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    let before = rig.settle("op").await;
    tokio::time::sleep(IDLE).await;
    let writes = rig.writes_of("op");
    assert_eq!(writes.len(), before, "{:#?}", &writes[before..]);
    assert!(operator.is_running());
    operator.stop().await;
}

async fn changes_without_meaning_are_not_answered_with_writes(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let operator = rig.start("op");
    rig.wait_current("gold", "Up").await;
    let before = rig.settle("op").await;
    for mut object in [
        super::objects::core_service("api"),
        super::objects::slice("api", 3, 3),
        super::objects::it_service("checkout", &json!({"components": [{"name": "api", "endpointsOf": "api"}]})),
        super::objects::agreement("gold", "checkout", json!({})),
    ] {
        object["metadata"]["annotations"]["example.com/touched"] = "yes".into();
        rig.put(object).await;
    }
    assert_eq!(rig.settle("op").await, before, "{:#?}", rig.writes_of("op"));
    operator.stop().await;
}
