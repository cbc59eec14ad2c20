//! A small crash sweep: the operator is stopped before and after its k-th write, a new one goes on, and the end is the
//! same but for times and for the time that nobody was watching.

use std::collections::BTreeMap;

use assize_testkit::fake::{Action, FaultHandle, Match};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::objects::{assert_conserved, ledger};
use super::rig::{LIMIT, Operator, Rig};

const SERVICES: [&str; 3] = ["cart", "checkout", "search"];
/// Readiness of one service after another: a storm and its end.
const FLIPS: [(usize, usize); 6] = [(0, 0), (1, 0), (2, 1), (0, 1), (1, 1), (2, 0)];
/// Plans of the sweep: every write of the undisturbed run is a point, before and after it; these are taken of them.
const SAMPLE: usize = 12;

/// What an object says at the end, without times, versions and what a gap changes.
type End = BTreeMap<String, Value>;

async fn scene(rig: &Rig) {
    for service in SERVICES {
        rig.core_service(service, 1, 1).await;
        rig.service_with(service, json!({"components": [{"name": "main", "endpointsOf": service}]})).await;
        rig.agreement(&format!("{service}-gold"), service, json!({"unmeasured": {"minCoverage": "0"}})).await;
    }
    rig.service_with("alone", json!({"components": [{"name": "main", "endpointsOf": "cart"}]})).await;
}

/// Runs the storm with an operator that dies at the fault, if there is one; returns who was running at the end.
async fn storm(rig: &Rig, fault: Option<&FaultHandle>) -> String {
    let mut operator = Some(rig.start("first"));
    let crash = async |operator: &mut Option<Operator>| {
        if let Some(fault) = fault.filter(|fault| fault.fired() > 0)
            && operator.as_ref().is_some_and(|operator| operator.name == "first")
        {
            operator.take().unwrap().kill().await;
            fault.remove();
            *operator = Some(rig.start("second"));
        }
    };
    settled_or_fired(rig, fault).await;
    crash(&mut operator).await;
    for (index, ready) in FLIPS {
        rig.endpoints(SERVICES[index], ready, 1).await;
        settled_or_fired(rig, fault).await;
        crash(&mut operator).await;
        let service = SERVICES[index];
        let state = if ready == 0 { "Down" } else { "Up" };
        if operator.as_ref().unwrap().name == "second" || fault.is_none_or(|fault| fault.fired() == 0) {
            rig.wait_current(&format!("{service}-gold"), state).await;
        }
    }
    let operator = operator.unwrap();
    let name = operator.name.clone();
    rig.settle(&name).await;
    operator.stop().await;
    name
}

/// Waits until the running operator has nothing to write for a while, or hangs at the fault.
async fn settled_or_fired(rig: &Rig, fault: Option<&FaultHandle>) {
    let settled = async {
        for service in SERVICES {
            let agreement = format!("{service}-gold");
            rig.wait("Agreement", &agreement, "a status", |object| object["status"]["current"].is_object()).await;
        }
    };
    match fault.filter(|fault| fault.fired() == 0) {
        Some(fault) => {
            tokio::select! {
                () = settled => {}
                () = fault.reached() => {}
            }
        }
        None if fault.is_some() => {}
        None => settled.await,
    }
}

fn end_of(rig: &Rig) -> End {
    let mut end = End::new();
    for ((kind, _, name), object) in rig.fake_server().dump() {
        let status = &object["status"];
        let said = match kind.as_str() {
            "servicereports.assize.dev" => {
                assert_conserved(&object);
                // Seconds that nobody watched are unknown; what is known has one order.
                let mut states: Vec<String> =
                    ledger(&object).into_iter().map(|entry| entry.state).filter(|state| state != "Unknown").collect();
                states.dedup();
                let spec = &object["spec"]["period"];
                json!({"states": states, "phase": status["phase"], "period": spec, "labels": object["metadata"]["labels"]})
            }
            "services.assize.dev" => json!({
                "state": status["availability"]["state"], "components": of_all(&status["components"], &["name", "state", "reason", "ready"]),
                "agreements": status["agreements"]["count"], "conditions": conditions(status),
            }),
            "servicelevelagreements.assize.dev" => json!({
                "current": of(&status["current"], &["state", "component", "reason"]),
                "openReport": status["openReport"], "conditions": conditions(status),
            }),
            _ => continue,
        };
        end.insert(format!("{kind} {name}"), said);
    }
    end
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "known to fail: some crash points end in another state than the undisturbed run"]
async fn a_crash_at_any_write_leads_to_the_same_end() {
    let rig = Rig::fake().await;
    scene(&rig).await;
    storm(&rig, None).await;
    let wanted = end_of(&rig);
    let count = rig.writes_of("first").iter().filter(|write| write.resource != "events").count() as u64;
    assert!(count >= 10, "{count} writes");
    // A linear congruential generator of a fixed seed: the same plans in every run.
    let mut state: u64 = 42;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let plans: Vec<(u64, bool)> = (0..SAMPLE).map(|_| (next() % count + 1, next() % 2 == 0)).collect();
    let runs = plans.into_iter().map(|(index, committed)| {
        let wanted = wanted.clone();
        tokio::spawn(async move {
            let rig = Rig::fake().await;
            scene(&rig).await;
            let action = if committed { Action::HangReply } else { Action::Hang };
            let writes = Match::writes().group("assize.dev").user_agent("first").nth(index);
            let fault = rig.faults().on_request(writes, action);
            timeout(LIMIT * 2, storm(&rig, Some(&fault))).await.expect("the storm does not end");
            assert_eq!(end_of(&rig), wanted, "write {index}, committed {committed}");
        })
    });
    let runs: Vec<_> = runs.collect();
    for run in runs {
        run.await.unwrap();
    }
}
