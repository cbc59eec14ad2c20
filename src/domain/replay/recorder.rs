//! Feeds the tracker with the lines of a log, in order of time, and writes the lines of the targets.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::inference::{Gap, Piece};
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::service::Member;
use crate::domain::time::Instant;
use crate::domain::timeline::Timeline;
use crate::domain::tracker::{Proof, ServiceTracker};

use super::gaps::MemberGap;
use super::{Event, EventKind, Replay, ReplayError};

/// What happens at one instant of a log.
pub(super) enum Mark<'a> {
    Event(&'a Event),
    Gap(&'a MemberGap),
}

impl Mark<'_> {
    pub(super) fn at(&self) -> Instant {
        match self {
            Self::Event(event) => event.at,
            Self::Gap(gap) => gap.span.from,
        }
    }

    /// By instant, a gap before what is seen at its beginning, then by line.
    pub(super) fn order(&self) -> (Instant, u8, usize) {
        match self {
            Self::Gap(gap) => (gap.span.from, 0, 0),
            Self::Event(event) => (event.at, 1, event.line),
        }
    }
}

/// Feeds the tracker and writes the lines.
pub(super) struct Recorder {
    tracker: ServiceTracker,
    /// Until when members are not observed.
    blind_until: HashMap<String, Instant>,
    /// What evidence proves of the gaps that have begun, in order of time.
    pieces: Vec<(String, Piece, Reason)>,
    pub(super) lines: HashMap<Arc<str>, Timeline>,
    targets: Vec<(Arc<str>, Option<Arc<[Arc<str>]>>)>,
}

impl Recorder {
    pub(super) fn new(replay: &Replay) -> Self {
        let mut targets: Vec<(Arc<str>, Option<Arc<[Arc<str>]>>)> = Vec::new();
        for version in replay.terms.all() {
            for target in &version.value.targets {
                // Tries have lines of their own.
                if target.probe.is_none() && !targets.iter().any(|(name, _)| *name == target.name) {
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
    pub(super) fn advance(&mut self, to: Instant) {
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
    pub(super) fn blind(&mut self, gap: &MemberGap) {
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

    pub(super) fn take(&mut self, event: &Event, replay: &Replay) -> Result<(), ReplayError> {
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
            | EventKind::Probe { .. }
            | EventKind::Backfill { .. }
            | EventKind::Agreement { .. }
            | EventKind::Calendar { .. }
            | EventKind::Change { .. }
            | EventKind::Cancel { .. }
            | EventKind::Capacity { .. }
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

fn default_reason(state: crate::api::service::State) -> Reason {
    use crate::api::service::State;
    match state {
        State::Up => Reason::AllCriticalReady,
        State::Degraded => Reason::Degraded,
        State::Down => Reason::NoneReady,
        State::Unknown => Reason::NotObserved,
    }
}

/// An observation that gives a component a state directly.
fn given_state(state: crate::api::service::State, reason: Reason) -> Observation {
    use crate::api::service::State;
    match state {
        State::Unknown => Observation::Unknown(reason),
        State::Down => Observation::Gone(reason),
        State::Up | State::Degraded => Observation::Given(state, reason),
    }
}
