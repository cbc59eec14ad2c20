//! The world as this replica sees it: what watches showed, and what follows. Sync and without I/O; time and messages
//! come in, batches of writes go out.

mod agreements;
mod calendars;
mod chain;
mod departed;
mod entries;
mod gaps;
mod ingest;
mod lead;
mod lost;
mod members;
mod plan;
mod replayed;
mod reports;
mod services;
mod surroundings;
mod takeover;
mod unclosed;
mod versions;
mod wanted;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::api::report::SubjectKind;
use crate::api::service::WorkloadKind;
use crate::domain::clock_steps::ClockSteps;
use crate::domain::report::Calendars;
use crate::domain::time::Instant;
use crate::observe::endpoints::EndpointIndex;
use crate::observe::facts::ObjectKey;
use crate::observe::pods::{PodIndex, PodSelection};
use crate::observe::workloads::WorkloadIndex;

pub use entries::{AgreementEntry, CalendarEntry, ServiceEntry};

use super::departed::Departed;
use super::gaps::OpenGap;
use super::nodes::Lost;
use super::queue::Queue;
use super::record::KnownReport;
use super::streams::{ALWAYS, Patience, Pulse, Stream, StreamState};
use super::subject::Subject;
use super::unwritten::Unwritten;
use super::versions::VersionIndex;

/// Components by what they are measured by: `(service, index)`.
#[derive(Debug, Default)]
struct Uses {
    endpoints: HashMap<ObjectKey, Vec<(ObjectKey, usize)>>,
    workloads: HashMap<(WorkloadKind, ObjectKey), Vec<(ObjectKey, usize)>>,
    pods: HashMap<PodSelection, Vec<(ObjectKey, usize)>>,
    /// Selections of Pods that a component began or ceased to be measured by, and whose watches are not looked at yet.
    changed_pods: HashSet<PodSelection>,
    /// Services by a Service that they depend on.
    dependents: HashMap<ObjectKey, Vec<(ObjectKey, usize)>>,
    /// Agreements by Service.
    agreements: HashMap<ObjectKey, Vec<ObjectKey>>,
    /// Agreements and Services by an agreement that they name as one they rest on.
    underpins: HashMap<ObjectKey, BTreeSet<Subject>>,
    /// Agreements by calendar.
    calendars: HashMap<Arc<str>, HashSet<ObjectKey>>,
}

/// Whether this replica writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Number of the leadership, in every ledger.
    pub epoch: i64,
}

/// The world as this replica sees it.
#[derive(Debug)]
pub struct World {
    streams: HashMap<Stream, StreamState>,
    /// Objects shown since a list began, by stream.
    listed: HashMap<Stream, HashSet<ObjectKey>>,
    pulse: Pulse,
    patience: Patience,
    endpoints: EndpointIndex,
    workloads: WorkloadIndex,
    pods: PodIndex,
    services: HashMap<ObjectKey, ServiceEntry>,
    agreements: HashMap<ObjectKey, AgreementEntry>,
    calendars: HashMap<Arc<str>, CalendarEntry>,
    /// Subjects that are gone, by uid, until their last report is closed.
    departed: HashMap<Arc<str>, Departed>,
    /// Whether reports are to be looked for whose subject went while no replica led.
    seeks_departed: bool,
    calendar_versions: Calendars,
    versions: VersionIndex,
    /// The operator's namespace, where the versions of calendars are kept.
    home: Arc<str>,
    reports: HashMap<(SubjectKind, ObjectKey), Vec<KnownReport>>,
    uses: Uses,
    queue: Queue,
    unwritten: Unwritten,
    /// Versions of the streams when everything that they showed was written.
    shown_versions: Vec<(Arc<str>, u64)>,
    takeover: takeover::Takeover,
    /// Gaps that are looked into, by number.
    gaps: BTreeMap<u64, OpenGap>,
    gap_count: u64,
    /// Outages that began as nodes were lost, and are not asked about yet.
    lost: Vec<Lost>,
    /// What stays unknown of gaps.
    unclosed: unclosed::Unclosed,
    /// Steps of the API server's clock, for the reports of all subjects.
    clock_steps: ClockSteps,
    leadership: Option<Leadership>,
    /// Up to when the leader before proved its observation.
    observed_until: Option<Instant>,
    /// Since when this replica judges what it sees.
    started: Option<Instant>,
    /// Objects that could not be decoded, for diagnostics.
    undecodable: HashMap<(&'static str, ObjectKey), String>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            streams: ALWAYS.into_iter().map(|stream| (stream, StreamState::default())).collect(),
            listed: HashMap::new(),
            pulse: Pulse::default(),
            patience: Patience::default(),
            endpoints: EndpointIndex::default(),
            workloads: WorkloadIndex::default(),
            pods: PodIndex::default(),
            services: HashMap::new(),
            agreements: HashMap::new(),
            calendars: HashMap::new(),
            departed: HashMap::new(),
            seeks_departed: false,
            calendar_versions: Calendars::new(),
            versions: VersionIndex::default(),
            home: "default".into(),
            reports: HashMap::new(),
            uses: Uses::default(),
            queue: Queue::default(),
            unwritten: Unwritten::default(),
            shown_versions: Vec::new(),
            takeover: takeover::Takeover::default(),
            gaps: BTreeMap::new(),
            gap_count: 0,
            lost: Vec::new(),
            unclosed: unclosed::Unclosed::new(),
            clock_steps: ClockSteps::default(),
            leadership: None,
            observed_until: None,
            started: None,
            undecodable: HashMap::new(),
        }
    }
}

impl World {
    /// A world without anything in it, of an operator in this namespace.
    pub fn in_namespace(home: &str) -> Self {
        Self { home: home.into(), ..Self::default() }
    }

    /// Whether every stream was listed or refused, so that what is missing is missing.
    pub fn is_settled(&self) -> bool {
        let pods = self.uses.pods.keys().all(|selection| {
            let state = self.streams.get(&Stream::Pods(selection.clone()));
            state.is_some_and(|state| state.synced || state.failure.is_some())
        });
        pods && ALWAYS.iter().all(|stream| self.streams.get(stream).is_some_and(|state| !state.is_pending()))
    }

    /// Since when this replica judges what it sees.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// The state of a stream.
    pub fn stream(&self, stream: &Stream) -> Option<&StreamState> {
        self.streams.get(stream)
    }

    /// The streams and their states.
    pub fn streams(&self) -> impl Iterator<Item = (&Stream, &StreamState)> {
        self.streams.iter()
    }

    /// Services, by key.
    pub fn services(&self) -> &HashMap<ObjectKey, ServiceEntry> {
        &self.services
    }

    /// Agreements, by key.
    pub fn agreements(&self) -> &HashMap<ObjectKey, AgreementEntry> {
        &self.agreements
    }

    /// The reports of an agreement, in order of their periods.
    pub fn agreement_reports(&self, key: &ObjectKey) -> &[KnownReport] {
        self.reports.get(&(SubjectKind::ServiceLevelAgreement, key.clone())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Calendars, with their versions.
    pub fn calendar_versions(&self) -> &Calendars {
        &self.calendar_versions
    }

    /// Steps of the API server's clock.
    pub fn clock_steps(&self) -> &ClockSteps {
        &self.clock_steps
    }

    /// Objects that could not be decoded.
    pub fn undecodable(&self) -> usize {
        self.undecodable.len()
    }

    /// Endpoints of address types that cannot be counted, and change-trigger times that were refused.
    pub fn endpoint_anomalies(&self) -> (u32, u64) {
        (self.endpoints.ignored_endpoints(), self.endpoints.clamped_times)
    }

    /// How many subjects wait for a plan.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// The next instant at which time alone asks for something.
    pub fn next_deadline(&self) -> Option<Instant> {
        let listing = self.listing_due();
        let planning = self.held_until().or_else(|| self.queue.next_deadline());
        [planning, listing].into_iter().flatten().min()
    }

    /// The selections of Pods that began or ceased to be used since the last call, and whether they are to be watched.
    /// What was seen of those that are not is forgotten.
    pub fn changed_selections(&mut self) -> Vec<(PodSelection, bool)> {
        let changed = std::mem::take(&mut self.uses.changed_pods).into_iter();
        let changed: Vec<_> = changed.map(|one| (self.uses.pods.contains_key(&one), one)).collect();
        for (_, unused) in changed.iter().filter(|(is_used, _)| !is_used) {
            self.streams.remove(&Stream::Pods(unused.clone()));
            self.pods.forget(unused);
        }
        changed.into_iter().map(|(is_used, one)| (one, is_used)).collect()
    }

    /// Up to when every stream that figures rest on is proved and every ledger says what was seen: what the Lease
    /// carries.
    pub fn proved_until(&self) -> Option<Instant> {
        let measured = self.streams.iter().filter(|(stream, _)| stream.is_measured());
        // What was never listed, such as Pods by a selector that the API server refuses, is Unknown in the ledgers.
        let proved = measured.filter(|(_, state)| state.synced).map(|(_, state)| state.proved_until).min().flatten()?;
        Some(self.unwritten.first().map_or(proved, |first| first.min(proved)))
    }
}
