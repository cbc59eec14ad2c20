//! From the indexes to the members of services, and from a change to what it touches.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::api::service::State;
use crate::control::streams::Stream;
use crate::control::subject::Subject;
use crate::control::watch::WatchFailure;
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::service::{ComponentRules, Measure, Member};
use crate::domain::time::Instant;
use crate::observe::endpoints::Ready;
use crate::observe::facts::ObjectKey;
use crate::observe::pods::PodSelection;

use super::World;

impl World {
    /// What the indexes say of a component now, and since when at least they have been saying it.
    pub(super) fn observation(&self, namespace: &Arc<str>, rules: &ComponentRules) -> (Observation, Option<Instant>) {
        let workload = rules.workload.as_ref().map(|workload| {
            let key = ObjectKey::new(namespace.clone(), workload.name.as_str());
            let replicas = self.workloads.get(workload.kind, &key);
            (workload.kind, key, replicas)
        });
        let desired = workload.as_ref().and_then(|(_, _, replicas)| replicas.map(|replicas| replicas.desired));
        match &rules.measure {
            Measure::Endpoints(name) => {
                if let Some(reason) = self.blocked(&[Stream::CoreServices, Stream::Slices]) {
                    return (Observation::Unknown(reason), None);
                }
                let key = ObjectKey::new(namespace.clone(), name.clone());
                let since = self.endpoints.changed_at(&key);
                let observation = match self.endpoints.ready(&key, rules.terminating) {
                    Ready::Count(ready) => Observation::Counted { ready, desired },
                    Ready::Unknown(reason) => Observation::Unknown(reason),
                    Ready::Gone(reason) => Observation::Gone(reason),
                };
                (observation, since)
            }
            Measure::Workload => {
                let Some((kind, key, replicas)) = workload else {
                    return (Observation::Unknown(Reason::NeverSeen), None);
                };
                if let Some(reason) = self.blocked(&[Stream::Workloads(kind)]) {
                    return (Observation::Unknown(reason), None);
                }
                match replicas {
                    Some(replicas) => (
                        Observation::Counted { ready: replicas.available, desired },
                        self.workloads.changed_at(kind, &key),
                    ),
                    None if self.workloads.is_gone(kind, &key) => (Observation::Gone(Reason::WorkloadDeleted), None),
                    None => (Observation::Unknown(Reason::NeverSeen), None),
                }
            }
            Measure::Pods(selector) => {
                let selection = selection(namespace, selector);
                if let Some(reason) = self.blocked(&[Stream::Pods(selection.clone())]) {
                    return (Observation::Unknown(reason), None);
                }
                let observation = match self.pods.ready(&selection) {
                    Some(ready) => Observation::Counted { ready, desired },
                    None => Observation::Unknown(Reason::Waiting),
                };
                (observation, None)
            }
        }
    }

    /// Why none of these streams can be asked, if one cannot.
    fn blocked(&self, streams: &[Stream]) -> Option<Reason> {
        streams.iter().find_map(|stream| match self.streams.get(stream) {
            Some(state) if state.synced => None,
            Some(state) if matches!(state.failure, Some(WatchFailure::Forbidden(_))) => Some(Reason::PermissionMissing),
            _ => Some(Reason::Waiting),
        })
    }

    /// Looks at a component anew; its state, if it changed, is in force from `at` on.
    pub(super) fn refresh(&mut self, service: &ObjectKey, component: usize, at: Instant) {
        let Some(entry) = self.services.get(service) else { return };
        let Some(tracker) = &entry.tracker else { return };
        let Some(rules) = tracker.rules().components.get(component) else { return };
        if self.is_partial(&service.namespace, rules) {
            // Once the list is complete it is looked at again; a part of it says nothing.
            return;
        }
        let (observation, _) = self.observation(&service.namespace, rules);
        let Some(tracker) = self.services.get_mut(service).and_then(|entry| entry.tracker.as_mut()) else { return };
        let before = tracker.members()[component].observation;
        if tracker.observe(component, observation, at) {
            self.spread(service, at);
        } else if before != observation {
            // Counts are shown, too.
            self.queue.mark(Subject::Service(service.clone()));
        }
        self.watch_basis(service);
    }

    /// Notes the present state of a service in its lines and those of its agreements, and tells its dependents.
    pub(super) fn spread(&mut self, service: &ObjectKey, at: Instant) {
        let mut waiting = VecDeque::from([service.clone()]);
        let mut visited: HashSet<ObjectKey> = HashSet::new();
        while let Some(key) = waiting.pop_front() {
            if !visited.insert(key.clone()) {
                continue;
            }
            if !self.note(&key, at) {
                continue;
            }
            for (dependent, index) in self.uses.dependents.get(&key).cloned().unwrap_or_default() {
                // What is not shared is not told, and an edge inside a cycle decides nothing.
                let member = self.dependency_state(&dependent, &key);
                let Some(entry) = self.services.get_mut(&dependent) else { continue };
                let Some(tracker) = entry.tracker.as_mut() else { continue };
                if tracker.set_dependency(index, member, at) {
                    waiting.push_back(dependent);
                } else {
                    self.queue.mark(Subject::Service(dependent));
                }
            }
        }
    }

    /// Notes the present state of one service and marks what shows it; false if nothing is known of it.
    fn note(&mut self, service: &ObjectKey, at: Instant) -> bool {
        let started = self.started.is_some();
        let leading = self.leadership.is_some();
        let Some(entry) = self.services.get_mut(service) else { return false };
        let Some(tracker) = &entry.tracker else { return false };
        self.queue.mark(Subject::Service(service.clone()));
        if started {
            if entry.record.note(tracker, at) {
                self.unwritten.note(&Subject::Service(service.clone()), at);
            }
            if !leading && !entry.record.is_kept {
                entry.record.forget_states_before(at.minus_ms(STANDBY_MS));
            }
            for key in self.uses.agreements.get(service).into_iter().flatten() {
                let Some(agreement) = self.agreements.get_mut(key) else { continue };
                let Some(record) = agreement.record.as_mut() else { continue };
                let subject = Subject::Agreement(key.clone());
                if record.note(tracker, at) {
                    self.unwritten.note(&subject, at);
                }
                if !leading && !record.is_kept {
                    record.forget_states_before(at.minus_ms(STANDBY_MS));
                }
                self.queue.mark(subject);
            }
        }
        true
    }

    /// Sees to it that the service is looked at when time alone changes a basis.
    pub(super) fn watch_basis(&mut self, service: &ObjectKey) {
        let deadline = self
            .services
            .get(service)
            .and_then(|entry| entry.tracker.as_ref())
            .and_then(crate::domain::tracker::ServiceTracker::deadline);
        if deadline.is_some() {
            self.queue.mark_at(Subject::Service(service.clone()), deadline);
        }
    }

    /// Lets time pass for the members of a service.
    pub(super) fn tick(&mut self, service: &ObjectKey, now: Instant) {
        let Some(tracker) = self.services.get_mut(service).and_then(|entry| entry.tracker.as_mut()) else { return };
        if let Some(deadline) = tracker.deadline().filter(|deadline| *deadline <= now)
            && tracker.tick(now)
        {
            self.spread(service, deadline);
        }
    }

    /// Members of a service that are not known yet get what the indexes say, in force since the indexes say it, at
    /// the earliest since the service was created.
    pub(super) fn first_look(&mut self, service: &ObjectKey, now: Instant) {
        let Some(entry) = self.services.get(service) else { return };
        let Some(tracker) = &entry.tracker else { return };
        let rules = tracker.rules().clone();
        let created = entry.created.min(now);
        let earliest = self.started.map_or(now, |started| started.max(created));
        let mut at = earliest;
        for (index, component) in rules.components.iter().enumerate() {
            let (observation, since) = self.observation(&service.namespace, component);
            let since = since.map_or(earliest, |since| since.max(earliest)).min(now);
            at = at.max(since);
            if let Some(tracker) = self.services.get_mut(service).and_then(|entry| entry.tracker.as_mut()) {
                tracker.observe(index, observation, since);
            }
        }
        self.resolve_dependencies(service, at);
        self.spread(service, at);
        self.watch_basis(service);
    }

    /// Looks at all members of a service anew, after its rules changed: what follows is in force from `now` on.
    pub(super) fn look_again_at(&mut self, service: &ObjectKey, now: Instant) {
        let count = self
            .services
            .get(service)
            .and_then(|entry| entry.tracker.as_ref())
            .map_or(0, |tracker| tracker.rules().components.len());
        for component in 0..count {
            self.refresh(service, component, now);
        }
        self.resolve_dependencies(service, now);
        self.spread(service, now);
    }

    /// Gives a service the present states of what it depends on.
    pub(super) fn resolve_dependencies(&mut self, service: &ObjectKey, at: Instant) {
        let Some(entry) = self.services.get(service) else { return };
        let Some(tracker) = &entry.tracker else { return };
        let rules = tracker.rules().clone();
        for (index, dependency) in rules.dependencies.iter().enumerate() {
            let member = match &dependency.service {
                None => Member { state: State::Up, reason: Reason::AllCriticalReady },
                Some(reference) => {
                    let namespace =
                        reference.namespace.as_ref().map_or(service.namespace.clone(), |name| name.as_str().into());
                    self.dependency_state(service, &ObjectKey::new(namespace, reference.name.as_str()))
                }
            };
            if let Some(tracker) = self.services.get_mut(service).and_then(|entry| entry.tracker.as_mut()) {
                tracker.set_dependency(index, member, at);
            }
        }
    }

    pub(super) fn dependency_state(&self, service: &ObjectKey, other: &ObjectKey) -> Member {
        let in_cycle = self.services.get(service).is_some_and(|entry| entry.cycle.contains(&other.name));
        if in_cycle && service.namespace == other.namespace {
            return Member { state: State::Up, reason: Reason::AllCriticalReady };
        }
        self.visible_state(service, other).unwrap_or(Member { state: State::Unknown, reason: Reason::NeverSeen })
    }

    /// The state of another Service, if it exists and is shared with this one's namespace.
    pub(super) fn visible_state(&self, service: &ObjectKey, other: &ObjectKey) -> Option<Member> {
        let entry = self.services.get(other)?;
        let shared = other.namespace == service.namespace || entry.is_shared_with(&service.namespace);
        if !shared {
            return None;
        }
        let composite = entry.tracker.as_ref()?.composite();
        Some(Member { state: composite.state, reason: composite.reason })
    }
}

/// What a standby keeps of its own observation: enough to prove a dead leader's last minutes.
const STANDBY_MS: i64 = 15 * 60_000;

/// The selection of Pods of a component.
pub(super) fn selection(
    namespace: &Arc<str>,
    selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector,
) -> PodSelection {
    let mut terms: Vec<String> =
        selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    for requirement in selector.match_expressions.iter().flatten() {
        let values = requirement.values.iter().flatten().cloned().collect::<Vec<_>>().join(",");
        terms.push(match requirement.operator.as_str() {
            "In" => format!("{} in ({values})", requirement.key),
            "NotIn" => format!("{} notin ({values})", requirement.key),
            "Exists" => requirement.key.clone(),
            _ => format!("!{}", requirement.key),
        });
    }
    PodSelection { namespace: namespace.clone(), selector: terms.join(",").into() }
}
