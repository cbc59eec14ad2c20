//! Health by handles: components say that they are ready and that they still run; nobody asks them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::limits::shorten;

/// Time since any fixed moment, never running backwards.
pub type MonotonicClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The health of the process; clones share it.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    clock: MonotonicClock,
    checks: Mutex<Vec<Check>>,
    heartbeats: Mutex<Vec<Beat>>,
}

struct Check {
    name: String,
    /// Why it fails; none if it does not.
    failure: Option<String>,
}

struct Beat {
    name: String,
    deadline: Duration,
    last_ms: Arc<AtomicU64>,
}

impl fmt::Debug for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Health")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn elapsed_ms(clock: &MonotonicClock) -> u64 {
    u64::try_from(clock().as_millis()).unwrap_or(u64::MAX)
}

impl Health {
    /// Health without checks: ready and alive.
    pub fn new(clock: MonotonicClock) -> Self {
        Self(Arc::new(Inner { clock, checks: Mutex::default(), heartbeats: Mutex::default() }))
    }

    /// Adds a check of readiness, which fails until it is set. A name that exists begins anew.
    pub fn check(&self, name: &str) -> CheckHandle {
        let handle = CheckHandle { health: self.clone(), name: name.to_owned() };
        let mut checks = lock(&self.0.checks);
        if !checks.iter().any(|check| check.name == name) {
            checks.push(Check { name: name.to_owned(), failure: None });
        }
        drop(checks);
        handle.set(false, "not started");
        handle
    }

    /// Adds a heartbeat, which beats now. Without a beat for longer than the deadline the process is not alive and
    /// the kubelet restarts it, so beat from what must go on, not from a timer beside it. A name that exists begins
    /// anew.
    pub fn heartbeat(&self, name: &str, deadline: Duration) -> Heartbeat {
        let last_ms = Arc::new(AtomicU64::new(elapsed_ms(&self.0.clock)));
        let mut beats = lock(&self.0.heartbeats);
        beats.retain(|beat| beat.name != name);
        beats.push(Beat { name: name.to_owned(), deadline, last_ms: last_ms.clone() });
        Heartbeat { health: self.clone(), last_ms }
    }

    /// Whether the process can do its work.
    pub fn readiness(&self) -> Report {
        let lines = lock(&self.0.checks)
            .iter()
            .map(|check| Line { name: check.name.clone(), failure: check.failure.clone() })
            .collect();
        Report { name: "readyz", lines }
    }

    /// Whether every heartbeat keeps its deadline.
    pub fn liveness(&self) -> Report {
        let now_ms = elapsed_ms(&self.0.clock);
        let lines = lock(&self.0.heartbeats)
            .iter()
            .map(|beat| {
                let silent = Duration::from_millis(now_ms.saturating_sub(beat.last_ms.load(Ordering::Relaxed)));
                let failure = (silent > beat.deadline).then(|| {
                    format!("silent for {} s, at most {} s allowed", silent.as_secs(), beat.deadline.as_secs())
                });
                Line { name: beat.name.clone(), failure }
            })
            .collect();
        Report { name: "livez", lines }
    }
}

/// Sets a check of readiness. Dropping it leaves the check as it is.
#[derive(Clone, Debug)]
pub struct CheckHandle {
    health: Health,
    name: String,
}

impl CheckHandle {
    /// Whether the check holds, and if not, why.
    pub fn set(&self, holds: bool, reason: &str) {
        let mut checks = lock(&self.health.0.checks);
        if let Some(check) = checks.iter_mut().find(|check| check.name == self.name) {
            // One line a check, whatever an error says.
            check.failure = (!holds).then(|| shorten(reason).replace(char::is_control, " "));
        }
    }
}

/// Proves that a loop goes on. Dropping it does not end the deadline: a task that died must be seen.
#[derive(Debug)]
pub struct Heartbeat {
    health: Health,
    last_ms: Arc<AtomicU64>,
}

impl Heartbeat {
    /// The loop went round.
    pub fn beat(&self) {
        self.last_ms.store(elapsed_ms(&self.health.0.clock), Ordering::Relaxed);
    }

    /// The loop ended as it should: its deadline goes away.
    pub fn finish(self) {
        lock(&self.health.0.heartbeats).retain(|beat| !Arc::ptr_eq(&beat.last_ms, &self.last_ms));
    }
}

struct Line {
    name: String,
    failure: Option<String>,
}

/// Answer to a question after health.
pub struct Report {
    name: &'static str,
    lines: Vec<Line>,
}

impl Report {
    /// Whether all is well.
    pub fn holds(&self) -> bool {
        self.lines.iter().all(|line| line.failure.is_none())
    }

    /// The text of the answer, as the Kubernetes components give it: `ok`, or a line for each check.
    pub fn text(&self, verbose: bool) -> String {
        if self.holds() && !verbose {
            return "ok".to_owned();
        }
        let mut text = String::new();
        for Line { name, failure } in &self.lines {
            match failure {
                None => text.extend(["[+]", name, " ok\n"]),
                Some(reason) => text.extend(["[-]", name, " failed: ", reason, "\n"]),
            }
        }
        let outcome = if self.holds() { "passed" } else { "failed" };
        text.extend([self.name, " check ", outcome, "\n"]);
        text
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now_ms: &Arc<AtomicU64>) -> Health {
        let now_ms = now_ms.clone();
        Health::new(Arc::new(move || Duration::from_millis(now_ms.load(Ordering::Relaxed))))
    }

    #[test]
    fn ready_once_every_check_holds() {
        let health = at(&Arc::default());
        assert!(health.readiness().holds());
        let caches = health.check("caches");
        let lease = health.check("lease");
        lease.set(true, "");
        assert_eq!(health.readiness().text(false), "[-]caches failed: not started\n[+]lease ok\nreadyz check failed\n");
        caches.set(true, "");
        assert_eq!(health.readiness().text(false), "ok");
        assert_eq!(health.readiness().text(true), "[+]caches ok\n[+]lease ok\nreadyz check passed\n");
        caches.set(false, "lost\n[+]forged ok");
        assert!(health.readiness().text(true).contains("[-]caches failed: lost [+]forged ok\n"));
    }

    #[test]
    fn a_check_of_the_same_name_begins_anew() {
        let health = at(&Arc::default());
        health.check("caches").set(true, "");
        let again = health.check("caches");
        assert!(!health.readiness().holds());
        again.set(true, "");
        assert_eq!(health.readiness().text(true), "[+]caches ok\nreadyz check passed\n");
    }

    #[test]
    fn alive_while_hearts_beat() {
        let now_ms = Arc::default();
        let health = at(&now_ms);
        let heart = health.heartbeat("reconcile", Duration::from_secs(30));
        now_ms.store(30_000, Ordering::Relaxed);
        assert!(health.liveness().holds());
        now_ms.store(31_000, Ordering::Relaxed);
        let silent = "[-]reconcile failed: silent for 31 s, at most 30 s allowed\nlivez check failed\n";
        assert_eq!(health.liveness().text(false), silent);
        heart.beat();
        assert!(health.liveness().holds());
    }

    #[test]
    fn a_dead_task_is_seen_and_a_finished_one_forgotten() {
        let now_ms = Arc::default();
        let health = at(&now_ms);
        drop(health.heartbeat("dead", Duration::from_secs(1)));
        let finished = health.heartbeat("finished", Duration::from_secs(1));
        finished.finish();
        now_ms.store(5_000, Ordering::Relaxed);
        let text = health.liveness().text(true);
        assert!(text.contains("[-]dead") && !text.contains("finished"), "{text}");
    }
}
