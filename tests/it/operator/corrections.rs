//! A closed report that another one corrects: what shows it, and how the chain goes on.

use assize::domain::digest::{self, Identity};
use assize::domain::verify::{Inputs, verify};
use jiff::ToSpan;
use serde_json::{Value, json};

use super::objects::has;
use super::periods::{phase, scene, start, week_end};
use super::rig::{Rig, now};

on_both_servers! {
    m_93_a_correction_is_the_figure_of_its_period_and_the_head_of_the_chain,
}

/// Makes a correction of a closed report with another verdict, as it stands once both parties agreed to it.
async fn correct(rig: &Rig, closed: &Value) -> Value {
    let name = format!("{}-r2", closed["metadata"]["name"].as_str().unwrap());
    let mut correction = closed.clone();
    correction["metadata"] = json!({"name": name, "labels": closed["metadata"]["labels"]});
    correction["spec"]["supersedes"] =
        json!({"name": closed["metadata"]["name"], "digest": closed["status"]["digest"]});
    correction["spec"]["reason"] = "both parties excluded an outage".into();
    let status = &mut correction["status"];
    status["result"] = "Indeterminate".into();
    status["previousDigest"] = closed["status"]["digest"].clone();
    let namespace = closed["metadata"]["namespace"].as_str();
    let identity = Identity { kind: "ServiceReport", namespace, name: &name };
    let digest = digest::of_report(identity, &correction["spec"], &correction["status"]);
    correction["status"]["shortDigest"] = digest::short(&digest).into();
    correction["status"]["digest"] = digest.into();
    let status = correction["status"].take();
    rig.put(correction).await;
    rig.patch_status("Report", &name, status).await;
    rig.get("Report", &name).await.unwrap()
}

async fn m_93_a_correction_is_the_figure_of_its_period_and_the_head_of_the_chain(rig: Rig) {
    scene(&rig).await;
    let end = week_end(now());
    let operator = start(&rig, "op", end, 8);
    rig.wait_current("gold", "Up").await;
    let first = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    let closed = rig.wait("Report", &first, "Closed", phase("Closed")).await;
    let correction = correct(&rig, &closed).await;
    let superseded = rig.wait_condition("Report", &first, "Superseded", "True", "Corrected").await;
    assert!(has(&superseded, "Closed", "True", "PeriodClosed"), "{superseded}");
    let without_conditions = |report: &Value| {
        let mut status = report["status"].clone();
        status.as_object_mut().unwrap().remove("conditions");
        status
    };
    assert_eq!(without_conditions(&superseded), without_conditions(&closed));
    let last = json!({"name": correction["metadata"]["name"], "verdict": "Indeterminate"});
    let shows = |agreement: &Value| agreement["status"]["lastReport"] == last;
    rig.wait("Agreement", "gold", "the correction as the last report", shows).await;
    rig.settle("op").await;
    operator.stop().await;

    // Another operator finds the correction, says nothing twice, and closes the next report onto it.
    let end = end.in_tz("UTC").unwrap().checked_add(7.days()).unwrap().timestamp();
    let operator = start(&rig, "later", end, 6);
    let second = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    let chained = rig.wait("Report", &second, "Closed", phase("Closed")).await;
    assert_eq!(chained["status"]["previousDigest"], correction["status"]["digest"]);
    rig.settle("later").await;
    assert_eq!(rig.get("Report", &first).await.unwrap(), superseded, "it is said once");
    let found = verify(&rig.list("Report").await, &Inputs::default());
    assert_eq!(found.lines.iter().find(|line| line.name == "gold").map(|line| line.reports), Some(3));
    assert!(found.problems().next().is_none(), "{found:#?}");
    operator.stop().await;
}
