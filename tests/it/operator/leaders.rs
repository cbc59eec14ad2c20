//! Leadership: one writes, another takes over, and no second is lost, doubled or invented.

use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{LedgerEntry, assert_conserved, ledger};
use super::rig::Rig;

#[tokio::test]
async fn a_leader_that_stops_hands_over_on_the_real_server() {
    a_leader_that_stops_hands_over(Rig::real().await).await;
}

#[tokio::test]
async fn a_leader_that_stops_hands_over_on_the_fake_server() {
    a_leader_that_stops_hands_over(Rig::fake().await).await;
}

on_both_servers! {
    a_leader_that_dies_is_followed_without_a_gap,
}

async fn wait_leader(rig: &Rig, name: &str) {
    let holds = |lease: &Value| lease["spec"]["holderIdentity"] == name;
    rig.wait("Lease", &rig.lease_name(), &format!("{name} leads"), holds).await;
}

async fn scene(rig: &Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.service("alone").await;
    rig.agreement("gold", "checkout", json!({})).await;
}

/// The ledger from the first proved state on.
async fn entries_since_first_up(rig: &Rig) -> Vec<LedgerEntry> {
    let report = rig.open_report("gold").await;
    assert_conserved(&report);
    let entries = ledger(&report);
    entries.into_iter().skip_while(|entry| entry.state != "Up").collect()
}

fn states(entries: &[LedgerEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.state.as_str()).collect()
}

async fn a_leader_that_stops_hands_over(rig: Rig) {
    scene(&rig).await;
    let first = rig.start("first");
    wait_leader(&rig, "first").await;
    let second = rig.start("second");
    rig.wait_current("gold", "Up").await;
    rig.settle("first").await;
    // The second has to have seen the world before it can prove anything.
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("first").await;
    assert_eq!(rig.writes_of("second"), [], "only the leader writes");
    first.stop().await;
    wait_leader(&rig, "second").await;
    let before = rig.writes_of("first").len();
    let (from, to) = rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("second").await;
    let entries = entries_since_first_up(&rig).await;
    assert_eq!(states(&entries), ["Up", "Down", "Up"], "{entries:#?}");
    assert!(between(entries[2].at, from, to), "{entries:#?} {from} {to}");
    assert_eq!(rig.writes_of("first").len(), before, "who is gone writes nothing");
    second.stop().await;
}

/// M-65: a standby that has been watching proves the dead leader's last seconds.
async fn a_leader_that_dies_is_followed_without_a_gap(rig: Rig) {
    scene(&rig).await;
    let first = rig.start("first");
    wait_leader(&rig, "first").await;
    let second = rig.start("second");
    rig.wait_current("gold", "Up").await;
    rig.settle("first").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("first").await;
    first.kill().await;
    let (from, to) = rig.endpoints("api", 0, 3).await;
    wait_leader(&rig, "second").await;
    rig.wait_current("gold", "Down").await;
    rig.settle("second").await;
    let entries = entries_since_first_up(&rig).await;
    assert_eq!(states(&entries), ["Up", "Down", "Up", "Down"], "{entries:#?}");
    assert!(between(entries[3].at, from, to), "{entries:#?} {from} {to}");
    second.stop().await;
}

fn between(at: Timestamp, from: Timestamp, to: Timestamp) -> bool {
    at.as_millisecond() >= from.as_millisecond() - 1 && at.as_millisecond() <= to.as_millisecond() + 1000
}

/// A process of the operator; dropping it kills it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `kill -9` of the process that is shipped, on the real server.
#[tokio::test]
async fn a_killed_process_is_followed_by_another() {
    let rig = Rig::real().await;
    scene(&rig).await;
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let kubeconfig = folder.path().join(name);
        std::fs::write(&kubeconfig, rig.kubeconfig(name)).unwrap();
        let lease = rig.lease_name();
        let child = Command::new(env!("CARGO_BIN_EXE_assize"))
            .args(["run", "--metrics-address=127.0.0.1:0", "--lease-duration=3s", "--lease-name", &lease])
            .args(["--namespace", &rig.namespace, "--identity", name])
            .env("KUBECONFIG", kubeconfig)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Process(child.unwrap())
    };
    let first = start("first");
    wait_leader(&rig, "first").await;
    let second = start("second");
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("first").await;
    assert_eq!(rig.writes_of("second"), []);
    // Dropping it is a SIGKILL.
    drop(first);
    let (from, to) = rig.endpoints("api", 3, 3).await;
    wait_leader(&rig, "second").await;
    rig.wait_current("gold", "Up").await;
    rig.settle("second").await;
    let entries = entries_since_first_up(&rig).await;
    assert_eq!(states(&entries)[entries.len() - 2..], ["Down", "Up"], "{entries:#?}");
    assert!(between(entries.last().unwrap().at, from, to), "{entries:#?} {from} {to}");
    drop(second);
}
