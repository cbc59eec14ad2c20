//! Follows the members of one service, and says what each ledger line has to note.
//!
//! The operator and `assize replay` feed the same tracker; what differs is only where the observations come from.

use std::sync::Arc;

use crate::api::service::State;

use super::readiness::{Basis, Observation, component_state};
use super::reason::Reason;
use super::service::{Composite, Member, ServiceRules, compose, compose_named};
use super::time::Instant;
use super::timeline::{Entry, Source, Timeline};

/// Where the proof of a member's state comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// Seen as it happened, or concluded after a gap.
    pub source: Source,
    /// Why there was a gap, where the proof came after one.
    pub gap: Option<Reason>,
}

/// One member: what was seen last, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedMember {
    /// What was seen last; of a dependency always `Unknown`.
    pub observation: Observation,
    /// State and reason now.
    pub member: Member,
    /// Since when.
    pub since: Option<Instant>,
    /// Where the proof of it comes from.
    pub proof: Proof,
    basis: Basis,
}

impl TrackedMember {
    fn new(reason: Reason) -> Self {
        Self {
            observation: Observation::Unknown(reason),
            member: Member { state: State::Unknown, reason },
            since: None,
            proof: Proof::default(),
            basis: Basis::default(),
        }
    }

    /// The wanted replicas seen last, also across a gap.
    pub fn last_desired(&self) -> Option<u32> {
        self.basis.desired()
    }

    fn set(&mut self, member: Member, proof: Proof, at: Instant) -> bool {
        // What is not known was proved by nothing.
        let proof = if member.state == State::Unknown { Proof::default() } else { proof };
        if self.member == member && self.proof == proof {
            return false;
        }
        self.proof = proof;
        if self.member.state != member.state || self.since.is_none() {
            self.since = Some(at);
        }
        self.member = member;
        true
    }
}

/// The members of one service, components first, then dependencies.
#[derive(Clone, Debug)]
pub struct ServiceTracker {
    rules: Arc<ServiceRules>,
    members: Vec<TrackedMember>,
}

impl ServiceTracker {
    /// A tracker that has seen nothing yet.
    pub fn new(rules: Arc<ServiceRules>, reason: Reason) -> Self {
        let count = rules.components.len() + rules.dependencies.len();
        Self { rules, members: vec![TrackedMember::new(reason); count] }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<ServiceRules> {
        &self.rules
    }

    /// A member turns out to have been what it is since earlier.
    pub fn holds_since(&mut self, index: usize, since: Instant) {
        if let Some(tracked) = self.members.get_mut(index) {
            tracked.since = tracked.since.map(|own| own.min(since));
        }
    }

    /// The members, components first, then dependencies.
    pub fn members(&self) -> &[TrackedMember] {
        &self.members
    }

    /// Takes other rules from `at` on. What is known of members that stay is kept.
    pub fn replace_rules(&mut self, rules: Arc<ServiceRules>, at: Instant) {
        let before = std::mem::replace(self, Self::new(rules, Reason::Waiting));
        for index in 0..self.members.len() {
            let name = self.rules.member_name(index).cloned();
            let old = (0..before.members.len()).find(|&old| before.rules.member_name(old) == name.as_ref());
            let Some(old) = old else { continue };
            self.members[index] = before.members[old].clone();
            if index < self.rules.components.len() {
                let TrackedMember { observation, proof, .. } = self.members[index];
                self.conclude(index, observation, proof, at);
            }
        }
    }

    /// Takes in what was seen of a component; returns whether its state, reason or proof changed.
    pub fn observe(&mut self, component: usize, observation: Observation, at: Instant) -> bool {
        self.conclude(component, observation, Proof::default(), at)
    }

    /// Takes in what is proved of a component, and how; returns whether its state, reason or proof changed.
    pub fn conclude(&mut self, component: usize, observation: Observation, proof: Proof, at: Instant) -> bool {
        let thresholds = self.rules.components[component].thresholds;
        let tracked = &mut self.members[component];
        tracked.observation = observation;
        let basis = match observation {
            Observation::Counted { ready, desired: Some(desired) }
            | Observation::AtLeast { ready, desired: Some(desired), .. } => tracked.basis.observe(desired, ready, at),
            _ => 0,
        };
        let (state, reason) = component_state(thresholds, observation, basis);
        tracked.set(Member { state, reason }, proof, at)
    }

    /// Takes in the state of a dependency; returns whether it changed.
    pub fn set_dependency(&mut self, dependency: usize, member: Member, at: Instant) -> bool {
        self.conclude_dependency(dependency, member, Proof::default(), at)
    }

    /// Takes in what is proved of a dependency, and how; returns whether anything changed.
    pub fn conclude_dependency(&mut self, dependency: usize, member: Member, proof: Proof, at: Instant) -> bool {
        let index = self.rules.components.len() + dependency;
        self.members[index].set(member, proof, at)
    }

    /// The next instant at which time alone changes a state.
    pub fn deadline(&self) -> Option<Instant> {
        self.members.iter().filter_map(|member| member.basis.deadline()).min()
    }

    /// Lets time pass to `now`; returns whether a state changed. Changes take effect at their deadlines.
    pub fn tick(&mut self, now: Instant) -> bool {
        let mut changed = false;
        for index in 0..self.rules.components.len() {
            if let Some(deadline) = self.members[index].basis.deadline().filter(|deadline| *deadline <= now) {
                let TrackedMember { observation, proof, .. } = self.members[index];
                changed |= self.conclude(index, observation, proof, deadline);
            }
        }
        changed
    }

    /// The state of the service now.
    pub fn composite(&self) -> Composite {
        if !self.rules.measured {
            return Composite { state: State::Unknown, reason: Reason::StageNotMeasured, member: None };
        }
        compose(&self.rules, &self.states())
    }

    /// What a ledger line notes now: of the service, or of the components that a target names.
    pub fn entry(&self, names: Option<&[Arc<str>]>, at: Instant) -> Entry {
        let composite = match names {
            Some(names) if self.rules.measured => compose_named(&self.rules, &self.states(), names),
            _ => self.composite(),
        };
        let component = composite.member.and_then(|index| self.rules.member_name(index)).cloned();
        let proof = self.proof_of(composite, names);
        // What was concluded names the gap, but for the reason of an outage that it shows first.
        let reason = match (proof.gap, composite.state, proof.source) {
            (Some(_), State::Down, Source::Backfilled) | (None, ..) => composite.reason,
            (Some(gap), ..) => gap,
        };
        Entry { at, state: composite.state, source: proof.source, component, reason: Some(reason), detection_lag_ms: 0 }
    }

    /// The weakest proof among the members that a state rests on: of Down those that are down, else all that it follows.
    pub fn proof_of(&self, composite: Composite, names: Option<&[Arc<str>]>) -> Proof {
        let named = |index: usize| match names {
            Some(names) => self.rules.member_name(index).is_some_and(|name| names.contains(name)),
            None => self.rules.is_followed(index),
        };
        let decides = |index: usize| match composite.state {
            State::Unknown => false,
            State::Down => {
                composite.member == Some(index)
                    || composite.member.is_some_and(|member| self.rules.share_a_group(member, index))
                        && self.members[index].member.state == State::Down
            }
            State::Up | State::Degraded => composite.member == Some(index) || named(index),
        };
        let deciding = (0..self.members.len()).filter(|&index| decides(index));
        deciding.map(|index| self.members[index].proof).max().unwrap_or_default()
    }

    /// Notes the present state in a line; returns whether the line grew.
    pub fn note(&self, line: &mut Timeline, names: Option<&[Arc<str>]>, at: Instant) -> bool {
        line.push(self.entry(names, at))
    }

    fn states(&self) -> Vec<Member> {
        self.members.iter().map(|tracked| tracked.member).collect()
    }
}
