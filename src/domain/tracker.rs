//! Follows the members of one service, and says what each ledger line has to note.
//!
//! The operator and `assize replay` feed the same tracker; what differs is only where the observations come from.

use std::sync::Arc;

use crate::api::service::State;

use super::readiness::{Basis, Observation, component_state};
use super::reason::Reason;
use super::service::{Composite, Member, ServiceRules, compose, compose_named};
use super::time::Instant;
use super::timeline::{Entry, Timeline};

/// One member: what was seen last, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedMember {
    /// What was seen last; of a dependency always `Unknown`.
    pub observation: Observation,
    /// State and reason now.
    pub member: Member,
    /// Since when.
    pub since: Option<Instant>,
    basis: Basis,
}

impl TrackedMember {
    fn new(reason: Reason) -> Self {
        Self {
            observation: Observation::Unknown(reason),
            member: Member {
                state: State::Unknown,
                reason,
            },
            since: None,
            basis: Basis::default(),
        }
    }

    /// The wanted replicas seen last, also across a gap.
    pub fn last_desired(&self) -> Option<u32> {
        self.basis.desired()
    }

    fn set(&mut self, member: Member, at: Instant) -> bool {
        if self.member == member {
            return false;
        }
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
        Self {
            rules,
            members: vec![TrackedMember::new(reason); count],
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<ServiceRules> {
        &self.rules
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
                let observation = self.members[index].observation;
                self.observe(index, observation, at);
            }
        }
    }

    /// Takes in what was seen of a component; returns whether its state or reason changed.
    pub fn observe(&mut self, component: usize, observation: Observation, at: Instant) -> bool {
        let thresholds = self.rules.components[component].thresholds;
        let tracked = &mut self.members[component];
        tracked.observation = observation;
        let basis = match observation {
            Observation::Counted {
                ready,
                desired: Some(desired),
            } => tracked.basis.observe(desired, ready, at),
            _ => 0,
        };
        let (state, reason) = component_state(thresholds, observation, basis);
        tracked.set(Member { state, reason }, at)
    }

    /// Takes in the state of a dependency; returns whether it changed.
    pub fn set_dependency(&mut self, dependency: usize, member: Member, at: Instant) -> bool {
        let index = self.rules.components.len() + dependency;
        self.members[index].set(member, at)
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
                let observation = self.members[index].observation;
                changed |= self.observe(index, observation, deadline);
            }
        }
        changed
    }

    /// The state of the service now.
    pub fn composite(&self) -> Composite {
        if !self.rules.measured {
            return Composite {
                state: State::Unknown,
                reason: Reason::StageNotMeasured,
                member: None,
            };
        }
        compose(&self.rules, &self.states())
    }

    /// What a ledger line notes now: of the service, or of the components that a target names.
    pub fn entry(&self, names: Option<&[Arc<str>]>, at: Instant) -> Entry {
        let composite = match names {
            Some(names) if self.rules.measured => compose_named(&self.rules, &self.states(), names),
            _ => self.composite(),
        };
        let component = composite
            .member
            .and_then(|index| self.rules.member_name(index))
            .cloned();
        Entry::live(at, composite.state, component, composite.reason)
    }

    /// Notes the present state in a line; returns whether the line grew.
    pub fn note(&self, line: &mut Timeline, names: Option<&[Arc<str>]>, at: Instant) -> bool {
        line.push(self.entry(names, at))
    }

    fn states(&self) -> Vec<Member> {
        self.members.iter().map(|tracked| tracked.member).collect()
    }
}
