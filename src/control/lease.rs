//! Leadership: compare-and-swap on one Lease, expiry by local monotonic time, and in the same request the proof of
//! observation.
//!
//! The order of the Lease's renewals and of what the streams show is what proves that nothing was missed, so a renewal
//! is the operator's only write while nothing changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{mpsc, watch};

use crate::domain::time::Instant;

use super::clock::Clock;
use super::gaps::parse_versions;

/// Annotation of the Lease: the least instant up to which all streams are proved.
pub const OBSERVED_UNTIL: &str = "assize.dev/observed-until";
/// Annotation of the Lease: the resourceVersion that each stream showed last.
pub const OBSERVED_VERSIONS: &str = "assize.dev/observed-versions";

/// The proof of observation that a renewal carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The least instant up to which all streams are proved and written; none: nothing is proved yet.
    pub until: Option<Instant>,
    /// What each stream showed last.
    pub versions: String,
}

/// Name and timing of the Lease.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// This replica.
    pub identity: String,
    /// For how long a renewal holds.
    pub duration: Duration,
}

/// Whether this replica may write, checked at each write. It closes by itself when the Lease runs out.
#[derive(Debug)]
pub struct Gate {
    clock: Clock,
    open_until_ms: AtomicI64,
}

impl Gate {
    /// A closed gate.
    pub fn new(clock: Clock) -> Self {
        Self { clock, open_until_ms: AtomicI64::new(i64::MIN) }
    }

    /// Whether this replica leads at this moment.
    pub fn is_open(&self) -> bool {
        self.clock.monotonic_ms() < self.open_until_ms.load(Ordering::Acquire)
    }

    fn open_until(&self, monotonic_ms: i64) {
        self.open_until_ms.store(monotonic_ms, Ordering::Release);
    }

    fn close(&self) {
        self.open_until(i64::MIN);
    }
}

/// What happened to the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    /// This replica leads from now on.
    Leading {
        /// Number of the leadership.
        epoch: i64,
        /// What the leader before proved.
        observed_until: Option<Instant>,
        /// What it had seen of each stream.
        versions: HashMap<String, String>,
    },
    /// This replica leads no more; who does, if known.
    Following(Option<String>),
    /// The Lease was renewed: its resourceVersion, and when that was sent.
    Renewed {
        /// Its resourceVersion.
        version: u64,
        /// When the renewal was sent.
        sent: Instant,
    },
    /// The Lease cannot be read or written.
    Failed(String),
}

/// What this replica saw of the Lease last, and when it changed by its own monotonic clock.
struct Seen {
    version: String,
    changed_ms: i64,
}

/// Holds and renews the Lease, or waits for it to run out.
pub struct Elector {
    api: Api<Lease>,
    settings: LeaseSettings,
    clock: Clock,
    gate: Arc<Gate>,
    proved: watch::Receiver<Proof>,
    events: mpsc::Sender<LeaseEvent>,
    seen: Option<Seen>,
    leading: bool,
}

impl Elector {
    /// An elector for a Lease. `proved` carries what a renewal proves.
    pub fn new(
        client: Client,
        settings: LeaseSettings,
        clock: Clock,
        gate: Arc<Gate>,
        proved: watch::Receiver<Proof>,
        events: mpsc::Sender<LeaseEvent>,
    ) -> Self {
        let api = Api::namespaced(client, &settings.namespace);
        Self { api, settings, clock, gate, proved, events, seen: None, leading: false }
    }

    /// Runs until `shutdown`, then lets go of the Lease.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        // Renewals are dated by the API server's clock.
        tokio::select! {
            () = self.clock.until_set() => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        loop {
            let turn = tokio::time::timeout(self.settings.duration / 3, self.turn()).await;
            if let Err(message) = turn.unwrap_or_else(|_| Err("the API server does not answer".to_owned())) {
                self.tell(LeaseEvent::Failed(message)).await;
            }
            if self.leading && !self.gate.is_open() {
                self.follow(None).await;
            }
            tokio::select! {
                () = tokio::time::sleep(self.pause()) => {}
                _ = shutdown.wait_for(|stop| *stop) => break,
            }
        }
        if self.leading {
            let _ = tokio::time::timeout(self.settings.duration / 3, self.release()).await;
        }
    }

    /// A third of the duration, give or take a tenth, so that renewals fall into different fractions of a second.
    fn pause(&self) -> Duration {
        let third = self.settings.duration.as_millis() as u64 / 3;
        Duration::from_millis(third * 9 / 10 + super::jitter(third / 5))
    }

    /// One look at the Lease: renew it, take it, or note who holds it.
    async fn turn(&mut self) -> Result<(), String> {
        let sent_ms = self.clock.monotonic_ms();
        let sent = self.clock.now();
        let Some(lease) = self.api.get_opt(&self.settings.name).await.map_err(|error| describe(&error))? else {
            return self.create(sent, sent_ms).await;
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        if self.seen.as_ref().is_none_or(|seen| seen.version != version) {
            self.seen = Some(Seen { version, changed_ms: sent_ms });
        }
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        let duration_ms = i64::from(spec.lease_duration_seconds.unwrap_or(0)) * 1000;
        let expired = self.seen.as_ref().is_some_and(|seen| sent_ms - seen.changed_ms >= duration_ms);
        if holder == self.settings.identity || holder.is_empty() || expired {
            return self.take(lease, sent, sent_ms).await;
        }
        if let (Some(renewed), Some(version)) = (&spec.renew_time, version_of(&lease)) {
            let sent = Instant::from_ms(renewed.0.as_millisecond());
            self.tell(LeaseEvent::Renewed { version, sent }).await;
        }
        if self.leading {
            self.follow(Some(holder)).await;
        }
        Ok(())
    }

    async fn create(&mut self, sent: Instant, sent_ms: i64) -> Result<(), String> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                annotations: self.proof(None, true),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(sent, sent, 1)),
        };
        let made = self.api.create(&PostParams::default(), &lease).await.map_err(|error| describe(&error))?;
        self.hold(&made, sent, sent_ms, None, HashMap::new()).await;
        Ok(())
    }

    async fn take(&mut self, mut lease: Lease, sent: Instant, sent_ms: i64) -> Result<(), String> {
        let before = lease.spec.clone().unwrap_or_default();
        let annotation = |name: &str| lease.metadata.annotations.as_ref().and_then(|all| all.get(name));
        let observed_until = annotation(OBSERVED_UNTIL).and_then(|text| Instant::parse(text).ok());
        let versions = annotation(OBSERVED_VERSIONS).map(|text| parse_versions(text)).unwrap_or_default();
        let renewing = self.leading && before.holder_identity.as_deref() == Some(&*self.settings.identity);
        let transitions = before.lease_transitions.unwrap_or(0) + i32::from(!renewing);
        let acquired = before.acquire_time.filter(|_| renewing).map(|time| Instant::from_ms(time.0.as_millisecond()));
        // A new leader has proved nothing itself yet: what the one before proved stays.
        lease.metadata.annotations = self.proof(lease.metadata.annotations.take(), renewing);
        lease.metadata.managed_fields = None;
        lease.spec = Some(self.spec(sent, acquired.unwrap_or(sent), transitions));
        let written = self.api.replace(&self.settings.name, &PostParams::default(), &lease).await;
        match written {
            Ok(made) => self.hold(&made, sent, sent_ms, observed_until, versions).await,
            // Another replica was faster.
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => return Err(describe(&error)),
        }
        Ok(())
    }

    fn spec(&self, sent: Instant, acquired: Instant, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
            acquire_time: Some(MicroTime(timestamp(acquired))),
            renew_time: Some(MicroTime(timestamp(sent))),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    /// The annotations with this replica's own proof, once it has one; else what the leader before proved stays.
    fn proof(&self, before: Option<BTreeMap<String, String>>, own: bool) -> Option<BTreeMap<String, String>> {
        let proof = self.proved.borrow().clone();
        let Some(until) = proof.until.filter(|_| own) else { return before };
        let mut annotations = before.unwrap_or_default();
        annotations.insert(OBSERVED_UNTIL.to_owned(), until.format_utc());
        annotations.insert(OBSERVED_VERSIONS.to_owned(), proof.versions);
        Some(annotations)
    }

    async fn hold(
        &mut self,
        lease: &Lease,
        sent: Instant,
        sent_ms: i64,
        observed_until: Option<Instant>,
        versions: HashMap<String, String>,
    ) {
        // From the sending, not from the answer: others count from when they see it.
        self.gate.open_until(sent_ms + self.settings.duration.as_millis() as i64);
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        self.seen = Some(Seen { version, changed_ms: sent_ms });
        if !self.leading {
            self.leading = true;
            let epoch = i64::from(lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(1));
            self.tell(LeaseEvent::Leading { epoch, observed_until, versions }).await;
        }
        if let Some(version) = version_of(lease) {
            self.tell(LeaseEvent::Renewed { version, sent }).await;
        }
    }

    async fn follow(&mut self, leader: Option<String>) {
        self.gate.close();
        self.leading = false;
        self.tell(LeaseEvent::Following(leader)).await;
    }

    /// Lets go of the Lease, with what is proved until now, so that another replica takes over at once.
    async fn release(&mut self) -> Result<(), String> {
        self.gate.close();
        let mut lease = self.api.get(&self.settings.name).await.map_err(|error| describe(&error))?;
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&*self.settings.identity) {
            return Ok(());
        }
        spec.holder_identity = Some(String::new());
        lease.metadata.annotations = self.proof(lease.metadata.annotations.take(), true);
        lease.metadata.managed_fields = None;
        let replaced = self.api.replace(&self.settings.name, &PostParams::default(), &lease).await;
        replaced.map(|_| ()).map_err(|error| describe(&error))
    }

    async fn tell(&self, event: LeaseEvent) {
        let _ = self.events.send(event).await;
    }
}

fn version_of(lease: &Lease) -> Option<u64> {
    lease.metadata.resource_version.as_ref()?.parse().ok()
}

fn timestamp(at: Instant) -> k8s_openapi::jiff::Timestamp {
    k8s_openapi::jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or_default()
}

fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
