//! Corrections among the reports of an agreement, and the order in which reports are chained.

use assize::control::streams::Stream;
use assize::domain::digest::{self, Identity};
use assize::domain::verify::{Inputs, verify};
use serde_json::{Value, json};

use super::kit::Cluster;
use super::{agreement, at, scene};

/// An agreement by calendar months, in force since the tenth of January.
fn monthly() -> Cluster {
    let mut cluster = scene(1, at("2026-01-10T00:00:00Z"));
    let mut monthly = agreement(1, "99.9");
    monthly["spec"]["reportingPeriod"]["kind"] = "CalendarMonth".into();
    cluster.put(&Stream::Agreements, "gold", monthly);
    cluster.start(None);
    cluster.at(at("2026-01-10T00:00:01Z"));
    cluster.settle();
    cluster
}

/// The month ends before this one, and its report is closed.
fn end_of_month(cluster: &mut Cluster, next: &str) {
    for day in ["01T00:00:01Z", "02T00:00:01Z"] {
        cluster.at(at(&format!("{next}-{day}")));
        cluster.settle();
    }
}

/// Adds a correction of a closed report, closed after that of `after`; returns its digest.
fn correct(cluster: &mut Cluster, name: &str, after: &str) -> Value {
    let mut correction = cluster.report(name).clone();
    let made = format!("{name}-r2");
    correction["spec"]["supersedes"] = json!({"name": name, "digest": correction["status"]["digest"]});
    correction["spec"]["reason"] = "both parties excluded an outage".into();
    correction["status"]["previousDigest"] = cluster.report(after)["status"]["digest"].clone();
    let identity = Identity { kind: "ServiceReport", namespace: Some("shop"), name: &made };
    let digest = digest::of_report(identity, &correction["spec"], &correction["status"]);
    correction["status"]["shortDigest"] = digest::short(&digest).into();
    correction["status"]["digest"] = digest.clone().into();
    cluster.put(&Stream::Reports, &made, correction);
    digest.into()
}

fn assert_chained(cluster: &Cluster, closed: usize) {
    let found = verify(&cluster.reports(), &Inputs::default());
    assert!(found.problems().next().is_none(), "{found:#?}");
    assert_eq!(found.lines.iter().find(|line| line.name == "gold").map(|line| line.reports), Some(closed));
}

fn last_report(cluster: &Cluster) -> &Value {
    &cluster.status("ServiceLevelAgreement", "gold")["lastReport"]["name"]
}

#[test]
fn the_next_report_follows_the_one_closed_last_also_if_that_corrects_an_older_period() {
    let mut cluster = monthly();
    end_of_month(&mut cluster, "2026-02");
    end_of_month(&mut cluster, "2026-03");
    cluster.at(at("2026-03-02T00:00:03Z"));
    cluster.settle();
    let january = correct(&mut cluster, "gold-2026-01", "gold-2026-02");
    let conditions = |cluster: &Cluster, name: &str| {
        let conditions = cluster.report(name)["status"]["conditions"].as_array().unwrap().clone();
        conditions.into_iter().filter(|condition| condition["type"] == "Superseded").collect::<Vec<_>>()
    };
    cluster.at(at("2026-03-02T00:00:04Z"));
    assert_eq!(cluster.settle(), 1, "the condition, and nothing else");
    let said = conditions(&cluster, "gold-2026-01");
    assert_eq!((said.len(), &said[0]["status"], &said[0]["reason"]), (1, &json!("True"), &json!("Corrected")));
    assert_eq!(said[0]["message"], "gold-2026-01-r2 corrects it; its figures stay as they were closed");
    assert_eq!(last_report(&cluster), "gold-2026-02", "the newest period");
    end_of_month(&mut cluster, "2026-04");
    assert_eq!(cluster.report("gold-2026-03")["status"]["previousDigest"], january);
    let march = correct(&mut cluster, "gold-2026-03", "gold-2026-03");
    cluster.at(at("2026-04-02T00:00:03Z"));
    cluster.settle();
    assert_eq!(last_report(&cluster), "gold-2026-03-r2");
    // The next process finds it so.
    cluster.start(Some(at("2026-04-02T00:00:03Z")));
    assert_eq!(conditions(&cluster, "gold-2026-01"), said);
    assert_eq!(last_report(&cluster), "gold-2026-03-r2");
    end_of_month(&mut cluster, "2026-05");
    assert_eq!(cluster.report("gold-2026-04")["status"]["previousDigest"], march);
    assert_chained(&cluster, 6);
}

/// A correction of another digest than the report has corrects nothing here.
#[test]
fn a_correction_of_another_digest_supersedes_nothing() {
    let mut cluster = monthly();
    end_of_month(&mut cluster, "2026-02");
    correct(&mut cluster, "gold-2026-01", "gold-2026-01");
    let mut forged = cluster.report("gold-2026-01-r2").clone();
    forged["spec"]["supersedes"]["digest"] = "sha256:51c0".into();
    cluster.put(&Stream::Reports, "gold-2026-01-r2", forged);
    cluster.at(at("2026-02-02T00:00:03Z"));
    cluster.settle();
    let conditions = cluster.report("gold-2026-01")["status"]["conditions"].as_array().unwrap();
    assert!(!conditions.iter().any(|condition| condition["type"] == "Superseded"));
}

#[test]
fn reports_that_are_closed_together_follow_each_other() {
    let mut cluster = monthly();
    cluster.at(at("2026-04-10T00:00:00Z"));
    cluster.start(Some(at("2026-01-20T00:00:00Z")));
    cluster.at(at("2026-04-10T00:00:01Z"));
    cluster.settle();
    assert_chained(&cluster, 3);
}
