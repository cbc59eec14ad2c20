//! Steps of the API server's clock in reports (M-104): each once, and without a write of its own.

use assize::control::streams::Stream;
use assize::domain::cluster_time::ClockStep;
use assize::domain::time::HOUR_MS;
use assize::domain::verify::{Inputs, verify};
use serde_json::{Value, json};

use super::kit::Cluster;
use super::{agreement, at, scene};

const REPORT: &str = "gold-2025";

fn step(text: &str, by_ms: i64) -> ClockStep {
    ClockStep { at: at(text), by_ms }
}

/// A year that is observed from its beginning.
fn year() -> Cluster {
    let mut cluster = scene(1, at("2025-01-01T00:00:00Z"));
    cluster.start(None);
    pass(&mut cluster, "2025-01-01T00:00:10Z");
    cluster
}

fn pass(cluster: &mut Cluster, to: &str) -> usize {
    cluster.at(at(to));
    cluster.settle()
}

/// The clock steps; no report is written because of it, though its agreement is looked at again.
fn steps(cluster: &mut Cluster, step: ClockStep) {
    cluster.at(step.at);
    cluster.settle();
    let reports = cluster.reports();
    cluster.world.clock_stepped(step);
    assert_eq!(cluster.settle(), 0);
    cluster.put(&Stream::Agreements, "gold", agreement(1, "99.9"));
    cluster.settle();
    assert!(cluster.reports() == reports, "a report was written");
}

/// An outage of a second, with the writes that it takes.
fn flap(cluster: &mut Cluster, text: &str) {
    let mut now = at(text);
    for ready in [0, 3] {
        cluster.at(now);
        cluster.endpoints("component-0", ready);
        now = now.plus_ms(1000);
        cluster.at(now);
        cluster.settle();
    }
}

/// Another process leads from then on.
fn restart(cluster: &mut Cluster, text: &str, noticed: &[ClockStep]) {
    cluster.at(at(text));
    cluster.take_over(Some(at(text).minus_ms(1000)), noticed);
}

fn noted(cluster: &Cluster, report: &str) -> Vec<(String, i64)> {
    let ledger = &cluster.status("ServiceReport", report)["ledger"];
    let listed = ledger["clockSteps"].as_array().into_iter().flatten();
    listed.map(|step| (step["at"].as_str().unwrap().to_owned(), step["byMs"].as_i64().unwrap())).collect()
}

fn expected(steps: &[(&str, i64)]) -> Vec<(String, i64)> {
    steps.iter().map(|(at, by_ms)| ((*at).to_owned(), *by_ms)).collect()
}

#[test]
fn m_104_a_step_is_in_the_closed_report_once_also_across_a_restart() {
    let mut cluster = year();
    steps(&mut cluster, step("2025-03-05T10:00:00.250Z", 2000));
    assert_eq!(noted(&cluster, REPORT), []);
    flap(&mut cluster, "2025-03-06T10:00:00Z");
    let first = ("2025-03-05T10:00:00.250+00:00", 2000);
    assert_eq!(noted(&cluster, REPORT), expected(&[first]), "with the next write");
    // The next leader noticed the same step, and what the one before it had no time to write.
    let noticed = [step("2025-03-05T10:00:00.9Z", 1700), step("2025-03-07T10:00:00Z", -3_600_000)];
    restart(&mut cluster, "2025-04-01T00:00:00Z", &noticed);
    flap(&mut cluster, "2025-04-02T10:00:00Z");
    let second = ("2025-03-07T10:00:00.000+00:00", -3_600_000);
    assert_eq!(noted(&cluster, REPORT), expected(&[first, second]));
    restart(&mut cluster, "2025-05-01T00:00:00Z", &[]);
    steps(&mut cluster, step("2025-06-01T10:00:00Z", 5000));
    pass(&mut cluster, "2026-01-01T00:00:00Z");
    let third = ("2025-06-01T10:00:00.000+00:00", 5000);
    let all = expected(&[first, second, third]);
    assert_eq!(
        (&cluster.status("ServiceReport", REPORT)["phase"], noted(&cluster, REPORT)),
        (&json!("Provisional"), all.clone())
    );
    steps(&mut cluster, step("2026-01-01T10:00:00Z", 7000));
    pass(&mut cluster, "2026-01-02T00:00:00Z");
    assert_eq!((&cluster.status("ServiceReport", REPORT)["phase"], noted(&cluster, REPORT)), (&json!("Closed"), all));
    flap(&mut cluster, "2026-01-02T10:00:00Z");
    assert_eq!(noted(&cluster, "gold-2026"), expected(&[("2026-01-01T10:00:00.000+00:00", 7000)]));
    let found = verify(&cluster.reports(), &Inputs::default());
    assert!(found.problems().next().is_none(), "{found:#?}");
}

/// The report that is over was written by a leader that knew all of its steps.
#[test]
fn whoever_closes_a_report_writes_the_same_steps() {
    let closed = |noticed: Option<ClockStep>| -> Value {
        let mut cluster = year();
        steps(&mut cluster, step("2025-03-05T10:00:00Z", 2000));
        pass(&mut cluster, "2026-01-01T00:00:00Z");
        if let Some(step) = noticed {
            restart(&mut cluster, "2026-01-01T10:00:00Z", &[step]);
        }
        pass(&mut cluster, "2026-01-02T00:00:00Z");
        cluster.status("ServiceReport", REPORT).clone()
    };
    let own = closed(None);
    assert_eq!(own["ledger"]["clockSteps"], json!([{"at": "2025-03-05T10:00:00.000+00:00", "byMs": 2000}]));
    for noticed in [step("2025-03-05T10:00:01Z", 2300), step("2025-09-09T09:00:00Z", 4000)] {
        assert_eq!(closed(Some(noticed))["digest"], own["digest"], "{noticed:?}");
    }
}

/// A clock that jumps to and fro grows no report beyond its bound, and what is not listed is counted.
#[test]
fn the_newest_twelve_steps_are_listed() {
    let mut cluster = year();
    let begin = at("2025-02-01T00:00:00Z");
    for hour in 0..30 {
        let by_ms = if hour % 2 == 0 { 3000 } else { -3000 };
        cluster.world.clock_stepped(ClockStep { at: begin.plus_ms(hour * HOUR_MS), by_ms });
        if hour == 19 {
            flap(&mut cluster, "2025-02-01T20:00:00Z");
        }
    }
    flap(&mut cluster, "2025-02-03T00:00:00Z");
    let ledger = &cluster.status("ServiceReport", REPORT)["ledger"];
    assert_eq!(ledger["clockStepsOmitted"], 18);
    let listed = noted(&cluster, REPORT);
    assert_eq!((listed.len(), listed[11].0.as_str()), (12, "2025-02-02T05:00:00.000+00:00"));
    // Read back by the next leader, they are neither counted nor listed anew.
    restart(&mut cluster, "2025-02-04T00:00:00Z", &[]);
    flap(&mut cluster, "2025-02-05T00:00:00Z");
    assert_eq!(cluster.status("ServiceReport", REPORT)["ledger"]["clockStepsOmitted"], 18);
    assert_eq!(noted(&cluster, REPORT), listed);
}
