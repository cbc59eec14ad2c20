//! Replay: the accounting of an event log, by the same rules as the operator's.

mod approvals;
mod event;
mod gaps;
mod marks;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};

pub use event::{Event, EventError, EventKind, parse_line};

use super::agreement::Terms;
use super::inference::{Gap, Piece};
use super::maintenance::Announced;
use super::period::{Period, PeriodKey};
use super::readiness::Observation;
use super::reason::Reason;
use super::report::{Calendars, Facts, Judged, Moment, judge, phase_at};
use super::service::{Member, ServiceRules};
use super::time::Instant;
use super::timeline::Timeline;
use super::tracker::{Proof, ServiceTracker};
use super::version::Versions;
use super::violation::Violation;
use marks::{Mark, default_reason, given_state};
use versions::{calendar_version, missing_calendar, read_calendar, service_version, terms_version};

use gaps::MemberGap;

/// What a log is accounted under.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Namespace of the agreement.
    pub namespace: String,
    /// Name of the agreement.
    pub name: String,
    /// The agreement.
    pub agreement: ServiceLevelAgreementSpec,
    /// When it was created; its term begins then unless it says otherwise.
    pub created: Option<Instant>,
    /// Name of the Service.
    pub service_name: String,
    /// The Service.
    pub service: ServiceSpec,
    /// Calendars by name.
    pub calendars: Vec<(String, ServiceCalendarSpec)>,
}

/// Why a log could not be accounted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A file is not valid.
    #[error("{object}: {violation}")]
    Object {
        /// Which object.
        object: String,
        /// What is wrong.
        violation: Violation,
    },
    /// A line of the log is not valid.
    #[error("line {line}: {message}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The log holds nothing, and no instant was given.
    #[error("the log is empty and --as-of is absent: say for which instant the figures are")]
    Empty,
    /// The period is of another kind than the agreement's.
    #[error("--period {0}: the agreement has periods like {1}")]
    Period(String, String),
}

/// A log, accounted: everything that figures of any period and instant follow from.
#[derive(Debug)]
pub struct Replay {
    /// Namespace and name of the agreement.
    pub agreement: (String, String),
    /// Name of the Service.
    pub service_name: String,
    /// Versions of the agreement.
    pub terms: Versions<Terms>,
    /// Versions of the calendars.
    pub calendars: Calendars,
    /// Versions of the Service.
    pub service: Versions<ServiceRules>,
    /// One timeline a target.
    pub lines: HashMap<Arc<str>, Arc<Timeline>>,
    /// What the log approves.
    pub announced: Announced,
    /// Number of events.
    pub events: usize,
    /// The last instant of the log.
    pub last: Option<Instant>,
    created: Instant,
}

impl Replay {
    /// Accounts a log. Lines may come in any order.
    pub fn run(objects: &Objects, mut events: Vec<Event>) -> Result<Self, ReplayError> {
        events.sort_by_key(|event| (event.at, event.line));
        let mut replay = Self::prepare(objects, &events)?;
        let mut recorder = Recorder::new(&replay);
        let (components, dependencies) = replay.member_names();
        let gaps = gaps::plan(&events, &components, &dependencies)?;
        let mut marks: Vec<Mark<'_>> = events.iter().map(Mark::Event).chain(gaps.iter().map(Mark::Gap)).collect();
        marks.sort_by_key(Mark::order);
        for mark in marks {
            recorder.advance(mark.at());
            match mark {
                Mark::Event(event) => recorder.take(event, &replay)?,
                Mark::Gap(gap) => recorder.blind(gap),
            }
        }
        recorder.advance(Instant::MAX);
        replay.lines = recorder.lines.into_iter().map(|(name, line)| (name, Arc::new(line))).collect();
        Ok(replay)
    }

    /// The facts for judging.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            terms: &self.terms,
            calendars: &self.calendars,
            service: &self.service,
            service_name: &self.service_name,
            created: self.created,
            announced: &self.announced,
        }
    }

    /// The line of a target.
    pub fn line(&self, name: &str) -> Option<Arc<Timeline>> {
        self.lines.get(name).cloned()
    }

    /// The instant of the figures, unless another is asked for: the last of the log.
    pub fn default_instant(&self) -> Result<Instant, ReplayError> {
        self.last.ok_or(ReplayError::Empty)
    }

    /// The period of a key, or the one that contains `as_of`.
    pub fn period(&self, key: Option<&str>, as_of: Instant) -> Result<Period, ReplayError> {
        let rules = &self.terms.newest().expect("a replay has terms").value.period;
        let running = super::period::period_containing(rules.kind, &rules.zone, as_of);
        let Some(text) = key else { return Ok(running) };
        PeriodKey::parse(text)
            .ok()
            .filter(|key| key.kind() == rules.kind)
            .map(|key| key.period_in(&rules.zone))
            .ok_or_else(|| ReplayError::Period(text.to_owned(), running.key.to_string()))
    }

    /// Judges a period for an instant. Proof ends there; a closed period is judged as of its closing, by what was
    /// approved before it.
    pub fn judge(&self, period: &Period, as_of: Instant) -> (Judged, Moment) {
        let grace_ms = self.terms.newest().map_or(0, |version| version.value.grace_ms);
        let closing = period.end.plus_ms(grace_ms);
        let moment =
            Moment { as_of: as_of.min(closing), horizon: as_of.min(closing), phase: phase_at(period, grace_ms, as_of) };
        let announced = self.announced.known_by(as_of.min(closing.minus_ms(1)));
        let facts = Facts { announced: &announced, ..self.facts() };
        (judge(facts, |target| self.line(&target.name), period, moment), moment)
    }

    /// Names of components and of dependencies, of all versions of the Service.
    fn member_names(&self) -> (Vec<&str>, Vec<&str>) {
        let versions = || self.service.all().iter();
        let mut components: Vec<&str> =
            versions().flat_map(|version| version.value.components.iter().map(|component| &*component.name)).collect();
        let mut dependencies: Vec<&str> = versions()
            .flat_map(|version| version.value.dependencies.iter().map(|dependency| &*dependency.name))
            .filter(|name| !components.contains(name))
            .collect();
        for names in [&mut components, &mut dependencies] {
            names.sort_unstable();
            names.dedup();
        }
        (components, dependencies)
    }

    fn prepare(objects: &Objects, events: &[Event]) -> Result<Self, ReplayError> {
        let wrong = |object: &str, violation: &Violation| ReplayError::Object {
            object: object.to_owned(),
            violation: violation.clone(),
        };
        let terms = Terms::from_spec(&objects.agreement).map_err(|all| wrong("agreement", &all[0]))?;
        let rules = ServiceRules::from_spec(&objects.service).map_err(|all| wrong("service", &all[0]))?;
        let mut calendars = Calendars::new();
        for (name, spec) in &objects.calendars {
            let calendar =
                read_calendar(spec, &objects.calendars).map_err(|violation| wrong("calendar", &violation))?;
            let version = calendar_version(name, spec, calendar, Instant::MIN);
            calendars.insert(name.as_str().into(), Versions::starting_with(version));
        }
        if let Some(missing) = missing_calendar(&terms, &calendars) {
            return Err(wrong("agreement", &missing));
        }
        let mut replay = Self {
            agreement: (objects.namespace.clone(), objects.name.clone()),
            service_name: objects.service_name.clone(),
            terms: Versions::starting_with(terms_version(objects, &objects.agreement, terms, Instant::MIN)),
            calendars,
            service: Versions::starting_with(service_version(objects, &objects.service, rules, Instant::MIN)),
            lines: HashMap::new(),
            announced: approvals::read(events, &objects.namespace, &objects.service_name)?,
            events: events.len(),
            last: events.last().map(|event| event.at),
            created: objects.created.unwrap_or(Instant::MIN),
        };
        for event in events {
            replay.take_version(objects, event)?;
        }
        Ok(replay)
    }
}

/// Feeds the tracker and writes the lines.
struct Recorder {
    tracker: ServiceTracker,
    /// Until when members are not observed.
    blind_until: HashMap<String, Instant>,
    /// What evidence proves of the gaps that have begun, in order of time.
    pieces: Vec<(String, Piece, Reason)>,
    lines: HashMap<Arc<str>, Timeline>,
    targets: Vec<(Arc<str>, Option<Arc<[Arc<str>]>>)>,
}

impl Recorder {
    fn new(replay: &Replay) -> Self {
        let mut targets: Vec<(Arc<str>, Option<Arc<[Arc<str>]>>)> = Vec::new();
        for version in replay.terms.all() {
            for target in &version.value.targets {
                if !targets.iter().any(|(name, _)| *name == target.name) {
                    targets.push((target.name.clone(), target.components.clone()));
                }
            }
        }
        let rules = replay.service.all()[0].value.clone();
        let tracker = ServiceTracker::new(rules, Reason::NotObserved);
        Self { tracker, blind_until: HashMap::new(), pieces: Vec::new(), lines: HashMap::new(), targets }
    }

    fn member(&self, line: usize, name: &str) -> Result<usize, ReplayError> {
        self.position(name).ok_or_else(|| ReplayError::Line {
            line,
            message: format!("component: {name:?} is neither a component nor a dependency of the Service"),
        })
    }

    /// Lets time pass: what time alone changes, and what evidence proves, happens at its own instant.
    fn advance(&mut self, to: Instant) {
        loop {
            let deadline = self.tracker.deadline().filter(|deadline| *deadline <= to);
            let piece = self.pieces.first().map(|(_, piece, _)| piece.at).filter(|at| *at <= to);
            match (deadline, piece) {
                (Some(deadline), piece) if piece.is_none_or(|piece| deadline < piece) => {
                    self.tracker.tick(deadline);
                    self.note(deadline);
                }
                (_, Some(at)) => {
                    let (member, piece, reason) = self.pieces.remove(0);
                    self.conclude(&member, piece, reason);
                    self.note(at);
                }
                (_, None) => return,
            }
        }
    }

    fn note(&mut self, at: Instant) {
        for (name, components) in &self.targets {
            let line = self.lines.entry(name.clone()).or_default();
            self.tracker.note(line, components.as_deref(), at);
        }
    }

    /// A gap begins: what evidence proves of it is in force from its own instants on, the rest is Unknown.
    fn blind(&mut self, gap: &MemberGap) {
        self.blind_until.insert(gap.member.clone(), gap.span.to);
        let Some(index) = self.position(&gap.member) else { return };
        let Some(component) = self.tracker.rules().components.get(index) else {
            let unknown = Member { state: crate::api::service::State::Unknown, reason: gap.reason };
            self.tracker.set_dependency(index - self.tracker.rules().components.len(), unknown, gap.span.from);
            self.note(gap.span.from);
            return;
        };
        let tracked = &self.tracker.members()[index];
        let desired = tracked.last_desired();
        let known = Gap {
            span: gap.span,
            reason: gap.reason,
            before: tracked.member,
            after: gap.after(desired),
            desired,
            thresholds: component.thresholds,
        };
        let pieces = known.close(gap.pods.as_ref(), &gap.samples);
        self.pieces.extend(pieces.into_iter().map(|piece| (gap.member.clone(), piece, gap.reason)));
        self.pieces.sort_by_key(|(_, piece, _)| piece.at);
        self.advance(gap.span.from);
    }

    fn conclude(&mut self, member: &str, piece: Piece, gap: Reason) {
        let Some(index) = self.position(member) else { return };
        if index < self.tracker.rules().components.len() {
            let proof = Proof { source: piece.source, gap: Some(gap) };
            self.tracker.conclude(index, piece.observation, proof, piece.at);
        }
    }

    fn position(&self, member: &str) -> Option<usize> {
        (0..self.tracker.members().len())
            .find(|&index| self.tracker.rules().member_name(index).is_some_and(|name| **name == *member))
    }

    fn is_blind(&self, member: &str, at: Instant) -> bool {
        self.blind_until.get(member).is_some_and(|until| at < *until)
    }

    fn take(&mut self, event: &Event, replay: &Replay) -> Result<(), ReplayError> {
        match &event.kind {
            EventKind::Observe { component, ready, desired, reason } => {
                let index = self.member(event.line, component)?;
                if index >= self.tracker.rules().components.len() {
                    let message = format!("component: {component:?} is a dependency; give its state with type state");
                    return Err(ReplayError::Line { line: event.line, message });
                }
                if self.is_blind(component, event.at) {
                    return Ok(());
                }
                let observation = match reason {
                    Some(reason @ (Reason::ServiceDeleted | Reason::WorkloadDeleted)) => Observation::Gone(*reason),
                    _ => Observation::Counted { ready: *ready, desired: Some(self.desired(index, *desired, *ready)) },
                };
                self.tracker.observe(index, observation, event.at);
            }
            EventKind::State { component, state, reason } => {
                let index = self.member(event.line, component)?;
                if self.is_blind(component, event.at) {
                    return Ok(());
                }
                let components = self.tracker.rules().components.len();
                let reason = reason.unwrap_or(default_reason(*state));
                if index < components {
                    let observation = given_state(*state, reason);
                    self.tracker.observe(index, observation, event.at);
                } else {
                    self.tracker.set_dependency(index - components, Member { state: *state, reason }, event.at);
                }
            }
            EventKind::Service { .. } => {
                if let Some(version) = replay.service.at(event.at) {
                    self.tracker.replace_rules(version.value.clone(), event.at);
                }
            }
            EventKind::Pods { component, ready, .. } => {
                let index = self.member(event.line, component)?;
                if self.is_blind(component, event.at) {
                    return Ok(());
                }
                let desired = Some(self.desired(index, None, *ready));
                self.tracker.observe(index, Observation::Counted { ready: *ready, desired }, event.at);
            }
            EventKind::Gap { .. }
            | EventKind::Backfill { .. }
            | EventKind::Agreement { .. }
            | EventKind::Calendar { .. }
            | EventKind::Change { .. }
            | EventKind::Cancel { .. }
            | EventKind::Exclusion { .. } => return Ok(()),
        }
        self.note(event.at);
        Ok(())
    }

    /// Wanted replicas of an observation: the last known, at first as many as are ready.
    fn desired(&self, index: usize, given: Option<u32>, ready: u32) -> u32 {
        given.unwrap_or(match self.tracker.members()[index].last_desired() {
            Some(desired) => desired,
            None => ready,
        })
    }
}
