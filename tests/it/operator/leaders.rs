//! Leadership: one writes, another takes over, and no second is lost, doubled or invented.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::objects::{LedgerEntry, assert_conserved, ledger, states};
use super::rig::{Rig, WriteSeen};

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

impl Process {
    /// Starts the operator that is shipped; its files are in `folder`.
    fn start(rig: &Rig, folder: &Path, name: &str, lease_duration: &str) -> Self {
        Self::start_skewed(rig, folder, name, lease_duration, 0)
    }

    /// Its wall clock is off by so much.
    fn start_skewed(rig: &Rig, folder: &Path, name: &str, lease_duration: &str, offset_ms: i64) -> Self {
        let kubeconfig = folder.join(name);
        std::fs::write(&kubeconfig, rig.kubeconfig(name)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_assize"))
            .args(["run", "--metrics-address=127.0.0.1:0", "--lease-duration", lease_duration])
            .args(["--lease-name", &rig.lease_name(), "--namespace", &rig.namespace, "--identity", name])
            .arg(format!("--test-clock-offset-ms={offset_ms}"))
            .env("KUBECONFIG", kubeconfig)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success(), "{signal}");
    }
}

/// `kill -9` of the process that is shipped, on the real server.
#[tokio::test]
async fn a_killed_process_is_followed_by_another() {
    let rig = Rig::real().await;
    scene(&rig).await;
    let folder = tempfile::tempdir().unwrap();
    let first = Process::start(&rig, folder.path(), "first", "3s");
    wait_leader(&rig, "first").await;
    let second = Process::start(&rig, folder.path(), "second", "3s");
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

/// Fault row 3: a leader that stands still for longer than its Lease, and goes on while another leads, changes no
/// figure.
#[tokio::test]
async fn what_a_zombie_writes_late_changes_no_figure() {
    let rig = Rig::real().await;
    scene(&rig).await;
    let folder = tempfile::tempdir().unwrap();
    let zombie = Process::start(&rig, folder.path(), "zombie", "3s");
    wait_leader(&rig, "zombie").await;
    let second = Process::start(&rig, folder.path(), "second", "3s");
    rig.wait_current("gold", "Up").await;
    rig.settle("zombie").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("zombie").await;
    zombie.signal("-STOP");
    // The zombie sees this only after it goes on.
    rig.endpoints("api", 3, 3).await;
    wait_leader(&rig, "second").await;
    rig.wait_current("gold", "Up").await;
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    rig.settle("second").await;
    let before = entries_since_first_up(&rig).await;
    let taken = |writes: Vec<WriteSeen>| writes.into_iter().filter(|write| write.code < 300).count();
    let written = taken(rig.writes_of("zombie"));
    zombie.signal("-CONT");
    rig.settle("zombie").await;
    assert_eq!(taken(rig.writes_of("zombie")), written, "{:#?}", rig.writes_of("zombie"));
    assert_eq!(entries_since_first_up(&rig).await, before);
    rig.endpoints("api", 3, 3).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("second").await;
    let entries = entries_since_first_up(&rig).await;
    assert_eq!(states(&entries), ["Up", "Down", "Up", "Down", "Up"], "{entries:#?}");
    assert_eq!(entries[..4], before[..], "what was written stays");
    drop((zombie, second));
}

/// A Lease of 15 s that nobody renews, and then some.
const TAKEOVER: Duration = Duration::from_secs(40);

/// Wall clocks of the replicas, which lead one after the other: right, ten minutes ahead, ten minutes behind.
const OFFSETS_MS: [i64; 3] = [0, 600_000, -600_000];

/// Over many rounds, with two replicas and the Lease of an installation: the leader is killed, or stands still for
/// 40 s, while the service changes, and no two clocks agree; nothing is unknown, and nothing is counted twice. `ROUNDS`
/// says how many.
#[tokio::test]
#[ignore = "takes about half a minute a round; tests/verify runs it"]
#[allow(clippy::disallowed_methods, reason = "only how much is tested")]
async fn two_replicas_lose_no_second_over_many_rounds() {
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let rig = Rig::real().await;
    scene(&rig).await;
    let folder = tempfile::tempdir().unwrap();
    let mut leader = Process::start(&rig, folder.path(), "r0", "15s");
    wait_leader(&rig, "r0").await;
    rig.wait_current("gold", "Up").await;
    let mut expected = vec!["Up"];
    for round in 1..=rounds {
        let name = format!("r{round}");
        let offset_ms = OFFSETS_MS[round % OFFSETS_MS.len()];
        let standby = Process::start_skewed(&rig, folder.path(), &name, "15s", offset_ms);
        rig.settle(&name).await;
        // Long enough to have listed everything, and seen one renewal.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let stands_still = round % 5 == 0;
        if stands_still {
            leader.signal("-STOP");
        } else {
            leader.0.kill().unwrap();
        }
        let (ready, state) = if round % 2 == 1 { (0, "Down") } else { (3, "Up") };
        let (from, to) = rig.endpoints("api", ready, 3).await;
        let leads = |lease: &Value| lease["spec"]["holderIdentity"] == name.as_str();
        rig.wait_within(TAKEOVER, "Lease", &rig.lease_name(), "the standby leads", leads).await;
        let shows = |object: &Value| object["status"]["current"]["state"] == state;
        rig.wait_within(TAKEOVER, "Agreement", "gold", state, shows).await;
        expected.push(state);
        if stands_still {
            tokio::time::sleep(TAKEOVER.saturating_sub(Duration::from_secs(15))).await;
            leader.signal("-CONT");
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        leader = standby;
        // What the dead leader had not proved yet is read from the streams, which takes a few seconds.
        let report = rig.open_report("gold").await["metadata"]["name"].as_str().unwrap().to_owned();
        let whole = |report: &Value| {
            let entries = ledger(report).into_iter().skip_while(|entry| entry.state != "Up");
            entries.map(|entry| entry.state).eq(expected.iter().copied())
        };
        rig.wait_within(TAKEOVER, "Report", &report, &format!("round {round}: {expected:?}"), whole).await;
        let report = rig.open_report("gold").await;
        assert_conserved(&report);
        // Dates of answers have whole seconds: a replica with a wrong clock knows the time to one second.
        let at = ledger(&report).last().unwrap().at;
        let from = from - SignedDuration::from_secs(1);
        assert!(between(at, from, to), "round {round}: {at} is not between {from} and {to}");
    }
}
