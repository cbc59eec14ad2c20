//! The rules of a Service: its members, and how their states make the state of the service.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::service::{Component, ServiceSpec, State, Terminating, WorkloadReference};
use crate::api::values::{ReadyThreshold, SharedReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::label_selector;
use super::readiness::{Threshold, Thresholds};
use super::reason::Reason;
use super::violation::Violation;

/// What a component is measured by.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// `EndpointSlices` of the core Service of this name.
    Endpoints(Arc<str>),
    /// Available replicas of the workload.
    Workload,
    /// Ready Pods.
    Pods(Box<LabelSelector>),
}

/// The validated rules of one component.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentRules {
    /// Name inside the Service.
    pub name: Arc<str>,
    /// Whether the service follows it.
    pub critical: bool,
    /// What is counted.
    pub measure: Measure,
    /// Where the wanted replicas come from.
    pub workload: Option<WorkloadReference>,
    /// When it is Down or Degraded.
    pub thresholds: Thresholds,
    /// What terminating endpoints count for.
    pub terminating: Terminating,
}

/// The validated rules of one dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyRules {
    /// Name inside the Service.
    pub name: Arc<str>,
    /// The Service, or none for an external party.
    pub service: Option<SharedReference>,
    /// Whether the service follows it.
    pub critical: bool,
    /// Whether the service cannot do without it, also where nothing measures it.
    pub needed: bool,
    /// The agreement on it.
    pub agreement: Option<SharedReference>,
}

/// A group of members of which only some are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRules {
    /// Name of the group.
    pub name: Arc<str>,
    /// Indexes of its members: components first, then dependencies.
    pub members: Vec<usize>,
    /// How many are needed.
    pub need: usize,
}

/// The validated rules of a Service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRules {
    /// Whether its stage is measured.
    pub measured: bool,
    /// Its components.
    pub components: Vec<ComponentRules>,
    /// What it depends on.
    pub dependencies: Vec<DependencyRules>,
    /// Its redundant groups.
    pub groups: Vec<GroupRules>,
}

impl ServiceRules {
    /// Whether the state of the service follows this dependency: it is critical, or a member of a group.
    pub fn rests_on(&self, dependency: usize) -> bool {
        let member = self.components.len() + dependency;
        self.dependencies[dependency].critical || self.groups.iter().any(|group| group.members.contains(&member))
    }

    /// Validates a spec once; all errors are named, not just the first.
    pub fn from_spec(spec: &ServiceSpec) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        if spec.components.is_empty() {
            violations.push(Violation::new("spec.components", "name at least one component"));
        }
        let mut names = BTreeSet::new();
        for (index, component) in spec.components.iter().enumerate() {
            check_component(component, &format!("spec.components[{index}]"), &mut violations);
            if !names.insert(component.name.as_str()) {
                let field = format!("spec.components[{index}].name");
                violations.push(Violation::new(field, format!("{:?} occurs twice; rename one", component.name.0)));
            }
        }
        for (index, dependency) in spec.dependencies.iter().enumerate() {
            if !names.insert(dependency.name.as_str()) {
                let field = format!("spec.dependencies[{index}].name");
                violations.push(Violation::new(
                    field,
                    format!("{:?} already names a component or dependency; rename one", dependency.name.0),
                ));
            }
            if dependency.service.is_some() == dependency.external.is_some() {
                let field = format!("spec.dependencies[{index}]");
                violations.push(Violation::new(field, "set exactly one of service and external"));
            }
        }
        let groups = read_groups(spec, &mut violations);
        if !violations.is_empty() {
            return Err(violations);
        }
        Ok(Self {
            measured: spec.stage.unwrap_or_default().is_measured(),
            components: spec.components.iter().map(component_rules).collect(),
            dependencies: spec
                .dependencies
                .iter()
                .map(|dependency| DependencyRules {
                    name: dependency.name.as_str().into(),
                    service: dependency.service.clone(),
                    // Nothing measures an external party, so it cannot decide the state.
                    critical: dependency.service.is_some() && dependency.critical.unwrap_or(false),
                    needed: dependency.critical.unwrap_or(false),
                    agreement: dependency.agreement.clone(),
                })
                .collect(),
            groups,
        })
    }

    /// Whether the state of the service follows a member: by itself or in a group.
    pub fn is_followed(&self, index: usize) -> bool {
        let components = self.components.len();
        let critical = match self.components.get(index) {
            Some(component) => component.critical,
            None => self.dependencies.get(index - components).is_some_and(|dependency| dependency.critical),
        };
        critical || self.groups.iter().any(|group| group.members.contains(&index))
    }

    /// Whether two members are in one redundant group.
    pub fn share_a_group(&self, one: usize, other: usize) -> bool {
        self.groups.iter().any(|group| group.members.contains(&one) && group.members.contains(&other))
    }

    /// Name of a member, as the index in a [`Composite`] counts them.
    pub fn member_name(&self, index: usize) -> Option<&Arc<str>> {
        let components = self.components.len();
        match self.components.get(index) {
            Some(component) => Some(&component.name),
            None => self.dependencies.get(index - components).map(|dependency| &dependency.name),
        }
    }
}

fn read_groups(spec: &ServiceSpec, violations: &mut Vec<Violation>) -> Vec<GroupRules> {
    let position = |name: &str| {
        let components = spec.components.iter().map(|component| component.name.as_str());
        let dependencies = spec.dependencies.iter().map(|dependency| dependency.name.as_str());
        components.chain(dependencies).position(|member| member == name)
    };
    let mut groups = Vec::with_capacity(spec.redundancy.len());
    for (index, group) in spec.redundancy.iter().enumerate() {
        let field = format!("spec.redundancy[{index}]");
        let mut members = Vec::with_capacity(group.members.len());
        for (place, member) in group.members.iter().enumerate() {
            match position(member.as_str()) {
                Some(found) if members.contains(&found) => violations.push(Violation::new(
                    format!("{field}.members[{place}]"),
                    format!("{:?} occurs twice; remove one", member.0),
                )),
                Some(found) => members.push(found),
                None => violations.push(Violation::new(
                    format!("{field}.members[{place}]"),
                    format!("{:?} is neither a component nor a dependency; correct the name", member.0),
                )),
            }
        }
        let need = group.need as usize;
        if need == 0 || need > group.members.len() {
            violations.push(Violation::new(
                format!("{field}.need"),
                format!("{need} of {} members cannot be needed; use 1 to {}", group.members.len(), group.members.len()),
            ));
        }
        groups.push(GroupRules { name: group.name.as_str().into(), members, need });
    }
    groups
}

fn check_component(component: &Component, field: &str, violations: &mut Vec<Violation>) {
    if component.workload_ref.is_none() && component.endpoints_of.is_none() && component.selector.is_none() {
        violations.push(Violation::new(field, "say what to measure: set endpointsOf, workloadRef or selector"));
    }
    if let Some(selector) = &component.selector {
        label_selector::check(selector, &format!("{field}.selector"), violations);
    }
    for (name, threshold) in [("minReady", &component.min_ready), ("degradedBelow", &component.degraded_below)] {
        let Some(threshold) = threshold else { continue };
        if threshold.is_percentage() && component.workload_ref.is_none() {
            violations.push(Violation::new(
                format!("{field}.{name}"),
                "a percentage is of the wanted replicas, so it needs workloadRef; write a number or add workloadRef",
            ));
        }
        if read_threshold(threshold).is_none() {
            violations.push(Violation::new(
                format!("{field}.{name}"),
                "write a number of replicas from 1 on, or a percentage from \"1%\" to \"100%\"",
            ));
        }
    }
}

fn read_threshold(threshold: &ReadyThreshold) -> Option<Threshold> {
    match &threshold.0 {
        IntOrString::Int(count) => u32::try_from(*count).ok().filter(|count| *count >= 1).map(Threshold::Count),
        IntOrString::String(text) => text
            .strip_suffix('%')
            .and_then(|digits| digits.parse().ok())
            .filter(|percent| (1..=100).contains(percent))
            .map(Threshold::Percent),
    }
}

fn component_rules(component: &Component) -> ComponentRules {
    let measure = match (&component.endpoints_of, &component.workload_ref, &component.selector) {
        (Some(name), ..) => Measure::Endpoints(name.as_str().into()),
        (None, None, Some(selector)) => Measure::Pods(Box::new(selector.clone())),
        (None, ..) => Measure::Workload,
    };
    ComponentRules {
        name: component.name.as_str().into(),
        critical: component.critical.unwrap_or(true),
        measure,
        workload: component.workload_ref.clone(),
        thresholds: Thresholds {
            min_ready: component.min_ready.as_ref().and_then(read_threshold).unwrap_or(Threshold::Count(1)),
            degraded_below: component.degraded_below.as_ref().and_then(read_threshold),
            idle_at_zero: component.idle_at_zero.unwrap_or(false),
        },
        terminating: component.terminating.unwrap_or_default(),
    }
}

/// The state of one member at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// State of the member.
    pub state: State,
    /// Why.
    pub reason: Reason,
}

/// The state of a service, why, and which member decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composite {
    /// State of the service.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// The member that decides; none while Up.
    pub member: Option<usize>,
}

/// The state of a service from the states of its members: components first, then dependencies, in the order of the
/// rules.
///
/// Any critical member or group Down: Down. Any critical Unknown: Unknown, so that a proved Down is not hidden by a
/// blind neighbour. Any critical Degraded, or a non-critical component Down: Degraded. Else Up.
pub fn compose(rules: &ServiceRules, members: &[Member]) -> Composite {
    let components = rules.components.len();
    let grouped = |index: usize| rules.groups.iter().any(|group| group.members.contains(&index));
    let is_critical = |index: usize| {
        if index < components {
            rules.components[index].critical
        } else {
            rules.dependencies[index - components].critical
        }
    };
    let mut critical: Vec<Composite> = Vec::with_capacity(members.len());
    let mut optional_down = None;
    for (index, member) in members.iter().enumerate() {
        if grouped(index) {
            continue;
        }
        if is_critical(index) {
            let reason = match (member.state, index < components) {
                (State::Down, false) => Reason::DependencyDown,
                _ => member.reason,
            };
            critical.push(Composite { state: member.state, reason, member: Some(index) });
        } else if index < components && member.state == State::Down && optional_down.is_none() {
            optional_down = Some(Composite { state: State::Degraded, reason: Reason::Degraded, member: Some(index) });
        }
    }
    critical.extend(rules.groups.iter().map(|group| group_state(group, members)));
    let first = |state: State| critical.iter().find(|member| member.state == state).copied();
    first(State::Down)
        .or_else(|| first(State::Unknown))
        .or_else(|| first(State::Degraded))
        .or(optional_down)
        .unwrap_or_else(|| up_reason(&critical))
}

/// The state of some components of a service, each taken as critical: what a target over named components measures.
/// A name that the Service does not have is Unknown.
pub fn compose_named(rules: &ServiceRules, members: &[Member], names: &[Arc<str>]) -> Composite {
    let critical: Vec<Composite> = names
        .iter()
        .map(|name| match rules.components.iter().position(|component| component.name == *name) {
            Some(index) => {
                Composite { state: members[index].state, reason: members[index].reason, member: Some(index) }
            }
            None => Composite { state: State::Unknown, reason: Reason::NeverSeen, member: None },
        })
        .collect();
    [State::Down, State::Unknown, State::Degraded]
        .into_iter()
        .find_map(|state| critical.iter().find(|member| member.state == state).copied())
        .unwrap_or_else(|| up_reason(&critical))
}

fn up_reason(critical: &[Composite]) -> Composite {
    let find = |reason: Reason| critical.iter().any(|member| member.reason == reason);
    let reason = if find(Reason::RedundancyLost) {
        Reason::RedundancyLost
    } else if !critical.is_empty() && critical.iter().all(|member| member.reason == Reason::Idle) {
        Reason::Idle
    } else {
        Reason::AllCriticalReady
    };
    Composite { state: State::Up, reason, member: None }
}

/// The state of a redundant group: enough members Up, else with the Degraded ones, else with the Unknown ones.
fn group_state(group: &GroupRules, members: &[Member]) -> Composite {
    let count = |state: State| group.members.iter().filter(|&&index| members[index].state == state).count();
    let (up, degraded, unknown) = (count(State::Up), count(State::Degraded), count(State::Unknown));
    let first = |state: State| group.members.iter().copied().find(|&index| members[index].state == state);
    if up >= group.need {
        let reason = if first(State::Down).is_some() { Reason::RedundancyLost } else { Reason::AllCriticalReady };
        Composite { state: State::Up, reason, member: None }
    } else if up + degraded >= group.need {
        Composite { state: State::Degraded, reason: Reason::Degraded, member: first(State::Degraded) }
    } else if up + degraded + unknown >= group.need {
        Composite { state: State::Unknown, reason: Reason::NotObserved, member: first(State::Unknown) }
    } else {
        let member = first(State::Down);
        Composite {
            state: State::Down,
            reason: member.map_or(Reason::NoneReady, |index| members[index].reason),
            member,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(critical: &[bool], groups: Vec<GroupRules>) -> ServiceRules {
        let components = critical
            .iter()
            .enumerate()
            .map(|(index, &critical)| ComponentRules {
                name: format!("c{index}").into(),
                critical,
                measure: Measure::Workload,
                workload: None,
                thresholds: Thresholds { min_ready: Threshold::Count(1), degraded_below: None, idle_at_zero: false },
                terminating: Terminating::Serving,
            })
            .collect();
        ServiceRules { measured: true, components, dependencies: Vec::new(), groups }
    }

    fn members(states: &[State]) -> Vec<Member> {
        states.iter().map(|&state| Member { state, reason: Reason::NoneReady }).collect()
    }

    #[test]
    fn m_76_redundant_groups() {
        use State::{Degraded, Down, Unknown, Up};
        let group = GroupRules { name: "g".into(), members: vec![0, 1, 2], need: 2 };
        let rules = rules(&[true, true, true], vec![group]);
        for (states, expected) in [
            ([Up, Up, Down], Up),
            ([Up, Degraded, Down], Degraded),
            ([Up, Unknown, Down], Unknown),
            ([Up, Down, Down], Down),
            ([Up, Up, Unknown], Up),
            ([Degraded, Unknown, Unknown], Unknown),
        ] {
            assert_eq!(compose(&rules, &members(&states)).state, expected, "{states:?}");
        }
        assert_eq!(compose(&rules, &members(&[Up, Up, Down])).reason, Reason::RedundancyLost);
    }

    #[test]
    fn m_77_critical_and_other_members() {
        use State::{Degraded, Down, Unknown, Up};
        let mixed = rules(&[true, false], Vec::new());
        assert_eq!(compose(&mixed, &members(&[Up, Down])).state, Degraded);
        assert_eq!(compose(&mixed, &members(&[Up, Unknown])).state, Up);
        let critical = rules(&[true, true], Vec::new());
        assert_eq!(compose(&critical, &members(&[Unknown, Degraded])).state, Unknown);
        assert_eq!(compose(&critical, &members(&[Down, Unknown])).state, Down);
    }
}
