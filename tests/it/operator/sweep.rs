//! The crash sweep (fault row 1): the leader dies before or after its k-th write, the standby goes on, and the end is
//! the same as that of an undisturbed run, object by object, with the same number of writes but for one that is made
//! again.
//!
//! `SWEEP=all` takes every point of every workload; else a fixed sample of them.

use std::collections::BTreeMap;
use std::time::Duration;

use assize_testkit::fake::{Action, FaultHandle, Match};
use futures::StreamExt;
use serde_json::{Value, json};

use super::objects::{assert_conserved, ledger};
use super::periods::{offset_to, week_end};
use super::rig::{LIMIT, Operator, Rig, now};

const SERVICES: [&str; 3] = ["cart", "checkout", "search"];
/// Readiness of one service after another: a storm and its end.
const FLIPS: [(usize, usize); 6] = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)];
/// Points of one workload that the sample takes.
const SAMPLE: usize = 6;
/// What etcd's progress notifications do for the real server: quiet streams are proved.
const BOOKMARKS: Duration = Duration::from_millis(300);
/// Longer than any pause before a write that a step leads to.
const QUIET: Duration = Duration::from_millis(2300);
/// Runs at a time: each waits most of its time for Leases and pauses.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Workload {
    /// Services lose their endpoints and get them back.
    ReadinessStorm,
    /// Weeks end, and their reports are closed.
    PeriodClose,
    /// Agreements and a Service are amended.
    Amendment,
}

/// What an object says at the end, without times, versions and what a moment without observation changes.
type End = BTreeMap<String, Value>;
/// Writes that were carried out, by object and verb.
type Counts = BTreeMap<(String, String, String), usize>;

struct Ran {
    end: End,
    counts: Counts,
    ledgers: Vec<String>,
    /// Whether the leader died: a run that coalesces more has fewer writes.
    reached: bool,
}

async fn sources(rig: &Rig) {
    for service in SERVICES {
        rig.core_service(service, 1, 1).await;
    }
}

async fn services(rig: &Rig) {
    for service in SERVICES {
        rig.service_with(service, json!({"components": [{"name": "main", "endpointsOf": service}]})).await;
    }
    rig.service_with("alone", json!({"components": [{"name": "main", "endpointsOf": "cart"}]})).await;
}

async fn agreements(rig: &Rig) {
    for service in SERVICES {
        rig.agreement(&format!("{service}-gold"), service, terms("99.9")).await;
    }
}

/// Weeks, so that one can end; no verdict that depends on how much of some seconds was seen.
fn terms(objective: &str) -> Value {
    json!({
        "reportingPeriod": {"kind": "CalendarWeek", "timeZone": "UTC", "lateDataGrace": "3s"},
        "unmeasured": {"minCoverage": "0"},
        "targets": [{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": objective}],
    })
}

/// One run: a leader, a standby that saw the same, and the leader's death at the fault, if there is one.
struct Run<'a> {
    rig: &'a Rig,
    fault: Option<FaultHandle>,
    leader: Option<Operator>,
}

impl Run<'_> {
    /// Waits for something that is shown, whoever leads by then, and until nothing more is written: what a step leads
    /// to is written in that step, so that runs can be compared write by write.
    async fn until(&mut self, shown: impl Future<Output = ()>) {
        let rig = self.rig;
        self.or_death(async {
            shown.await;
            quiet(rig).await;
        })
        .await;
    }

    async fn or_death(&mut self, shown: impl Future<Output = ()>) {
        let fault = self.fault.clone().filter(|_| self.leader.is_some());
        let mut shown = std::pin::pin!(shown);
        if let Some(fault) = fault {
            tokio::select! {
                () = &mut shown => return,
                () = fault.reached() => {}
            }
            self.leader.take().unwrap().kill().await;
            fault.remove();
            let leads = |lease: &Value| lease["spec"]["holderIdentity"] == "second";
            self.rig.wait("Lease", &self.rig.lease_name(), "second leads", leads).await;
        }
        shown.await;
    }

    async fn all_current(&mut self) {
        let rig = self.rig;
        self.until(async {
            for service in SERVICES {
                rig.wait_current(&format!("{service}-gold"), "Up").await;
            }
        })
        .await;
    }

    async fn storm(&mut self) {
        let rig = self.rig;
        for (index, ready) in FLIPS {
            let service = SERVICES[index];
            rig.endpoints(service, ready, 1).await;
            let state = if ready == 0 { "Down" } else { "Up" };
            self.until(async {
                rig.wait_current(&format!("{service}-gold"), state).await;
                if service == "cart" {
                    rig.wait_state("alone", state).await;
                }
            })
            .await;
        }
    }

    async fn close(&mut self) {
        let rig = self.rig;
        self.until(async {
            for service in SERVICES {
                let closed = |object: &Value| object["status"]["lastReport"]["name"].is_string();
                rig.wait("Agreement", &format!("{service}-gold"), "a closed report", closed).await;
            }
        })
        .await;
    }

    async fn amend(&mut self) {
        let rig = self.rig;
        for service in SERVICES {
            let name = format!("{service}-gold");
            rig.agreement(&name, service, terms("99.5")).await;
            self.until(async {
                let amended = |object: &Value| object["status"]["headline"]["objective"] == "99.5";
                rig.wait("Agreement", &name, "the new objective", amended).await;
            })
            .await;
        }
        let spec = json!({"components": [{"name": "main", "endpointsOf": "cart", "critical": false}]});
        rig.service_with("alone", spec).await;
        self.until(async {
            let amended = |object: &Value| object["status"]["conditions"][0]["observedGeneration"] == 2;
            rig.wait("ItService", "alone", "the new spec", amended).await;
        })
        .await;
    }
}

/// Waits until no operator writes any more; the first figure of a new part comes within 2 s.
async fn quiet(rig: &Rig) {
    let count = || rig.fake_server().writes().iter().filter(|write| write.resource != "leases").count();
    let (mut before, mut since) = (count(), tokio::time::Instant::now());
    while since.elapsed() < QUIET {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if count() != before {
            (before, since) = (count(), tokio::time::Instant::now());
        }
    }
}

/// A leader, and a standby that saw all that the Lease proves.
async fn replicas(rig: &Rig, offset: &str) -> (Operator, Operator) {
    let leader = rig.start_with("first", &[offset]);
    let leads = |lease: &Value| lease["spec"]["holderIdentity"] == "first";
    rig.wait("Lease", &rig.lease_name(), "first leads", leads).await;
    let standby = rig.start_with("second", &[offset]);
    let proved = |lease: &Value| lease["metadata"]["annotations"]["assize.dev/observed-until"].clone();
    let mut before = Value::Null;
    for _ in 0..3 {
        let further = |lease: &Value| proved(lease).is_string() && proved(lease) != before;
        before = proved(&rig.wait("Lease", &rig.lease_name(), "more proof", further).await);
    }
    (leader, standby)
}

/// Runs a workload; returns the end and the writes.
async fn run(workload: Workload, point: Option<(u64, bool)>) -> Ran {
    let rig = Rig::fake().await;
    let server = rig.fake_server().clone();
    let bookmarks = tokio::spawn(async move {
        loop {
            tokio::time::sleep(BOOKMARKS).await;
            server.send_bookmarks();
        }
    });
    sources(&rig).await;
    let fault = point.map(|(index, committed)| {
        let action = if committed { Action::HangReply } else { Action::Hang };
        rig.faults().on_request(Match::writes().group("assize.dev").user_agent("first").nth(index), action)
    });
    let offset = match workload {
        Workload::PeriodClose => offset_to(week_end(now()), jiff::SignedDuration::from_secs(20)),
        _ => offset_to(week_end(now()), jiff::SignedDuration::from_hours(24)),
    };
    let (leader, standby) = replicas(&rig, &offset).await;
    let mut run = Run { rig: &rig, fault, leader: Some(leader) };
    services(&rig).await;
    run.until(async {
        rig.wait_state("alone", "Up").await;
    })
    .await;
    agreements(&rig).await;
    run.all_current().await;
    match workload {
        Workload::ReadinessStorm => run.storm().await,
        Workload::PeriodClose => run.close().await,
        Workload::Amendment => run.amend().await,
    }
    let reached = run.leader.is_none();
    drop(run.leader);
    drop(standby);
    bookmarks.abort();
    Ran { end: end_of(&rig), counts: counts_of(&rig), ledgers: ledgers_of(&rig), reached }
}

/// What every ledger says, to be read when a run differs.
fn ledgers_of(rig: &Rig) -> Vec<String> {
    let dump = rig.fake_server().dump().into_iter().filter(|((kind, ..), _)| kind == "servicereports.assize.dev");
    dump.map(|((_, _, name), report)| format!("{name}: {}", report["status"]["ledger"])).collect()
}

fn end_of(rig: &Rig) -> End {
    let mut end = End::new();
    for ((kind, _, name), object) in rig.fake_server().dump() {
        let status = &object["status"];
        let said = match kind.as_str() {
            "servicereports.assize.dev" => {
                assert_conserved(&object);
                // The first moments are seen a little later by the standby; what is known has one order.
                let mut states: Vec<String> =
                    ledger(&object).into_iter().map(|entry| entry.state).filter(|state| state != "Unknown").collect();
                states.dedup();
                json!({"states": states, "phase": status["phase"], "period": object["spec"]["period"],
                    "labels": object["metadata"]["labels"], "parts": status["parts"].as_array().map(Vec::len)})
            }
            "services.assize.dev" => json!({
                "state": status["availability"]["state"], "components": of_all(&status["components"], &["name", "state", "reason", "ready"]),
                "agreements": status["agreements"]["count"], "conditions": conditions(status),
            }),
            "servicelevelagreements.assize.dev" => json!({
                "current": of(&status["current"], &["state", "component", "reason"]), "objective": status["headline"]["objective"],
                "openReport": status["openReport"], "lastReport": status["lastReport"]["name"], "conditions": conditions(status),
            }),
            _ => continue,
        };
        end.insert(format!("{kind} {name}"), said);
    }
    end
}

fn counts_of(rig: &Rig) -> Counts {
    let mut counts = Counts::new();
    for ((group, resource, _, name, subresource, verb), count) in rig.fake_server().write_counts() {
        if group == "assize.dev" && !(verb.as_str() == "patch" && subresource.is_empty()) {
            counts.insert((resource, name, format!("{} {subresource}", verb.as_str())), count);
        }
    }
    counts
}

fn of(object: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| ((*field).to_owned(), object[*field].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn of_all(list: &Value, fields: &[&str]) -> Value {
    list.as_array().into_iter().flatten().map(|object| of(object, fields)).collect()
}

/// Types and statuses; the verdict depends on how much was lost in some seconds of an agreement's life.
fn conditions(status: &Value) -> Value {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.filter(|condition| !["TargetsMet", "BudgetAvailable"].contains(&condition["type"].as_str().unwrap()))
        .map(|condition| of(condition, &["type", "status", "reason", "observedGeneration"]))
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "only how much is tested")]
/// The points of a workload with so many writes: all, or a sample that is the same in every run.
fn points(count: u64) -> Vec<(u64, bool)> {
    let all: Vec<(u64, bool)> = (1..=count).flat_map(|index| [(index, false), (index, true)]).collect();
    if std::env::var("SWEEP").is_ok_and(|sweep| sweep == "all") {
        return all;
    }
    // A linear congruential generator of a fixed seed.
    let mut state: u64 = 42;
    (0..SAMPLE)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            all[usize::try_from(state >> 33).unwrap() % all.len()]
        })
        .collect()
}

async fn sweep(workload: Workload) {
    let undisturbed = run(workload, None).await;
    let count = undisturbed.counts.values().sum::<usize>() as u64;
    assert!(count >= 10, "{count} writes");
    let points = points(count);
    let planned = points.len();
    let mut runs = futures::stream::iter(points.into_iter().map(|point| async move {
        let limit = LIMIT * 4;
        let ran = tokio::spawn(tokio::time::timeout(limit, run(workload, Some(point)))).await;
        (point, ran.expect("the run failed").expect("the run does not end"))
    }))
    .buffer_unordered(AT_ONCE);
    let (mut failures, mut reached) = (Vec::new(), 0);
    while let Some((point, ran)) = runs.next().await {
        reached += usize::from(ran.reached);
        let differences = differences(&undisturbed, &ran);
        if !differences.is_empty() {
            failures.push(format!("{point:?}: {}\n{}", differences.join("\n"), ran.ledgers.join("\n")));
        }
    }
    println!("{workload:?}: {count} writes, {reached} of {planned} points reached, {} failed", failures.len());
    assert!(failures.is_empty(), "{workload:?}: {}", failures.join("\n\n"));
    assert!(reached * 10 >= planned * 8, "{workload:?}: only {reached} of {planned} points were reached");
}

fn differences(undisturbed: &Ran, ran: &Ran) -> Vec<String> {
    let mut found = Vec::new();
    for (object, said) in &undisturbed.end {
        if ran.end.get(object) != Some(said) {
            found.push(format!("{object}\n  wanted {said}\n  got    {:?}", ran.end.get(object)));
        }
    }
    for (object, wanted) in &undisturbed.counts {
        let got = ran.counts.get(object).copied().unwrap_or(0);
        // Fewer: two transitions within a second are one write.
        if got == 0 || got > wanted + 1 {
            found.push(format!("{object:?}: {got} writes, undisturbed {wanted}"));
        }
    }
    found.extend(ran.end.keys().filter(|key| !undisturbed.end.contains_key(*key)).map(|key| format!("{key} is new")));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_a_readiness_storm_leads_to_the_same_end() {
    sweep(Workload::ReadinessStorm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_periods_close_leads_to_the_same_end() {
    sweep(Workload::PeriodClose).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_an_amendment_leads_to_the_same_end() {
    sweep(Workload::Amendment).await;
}
