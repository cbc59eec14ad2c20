//! Services as their watch shows them.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::api::report::SubjectKind;
use crate::control::fingerprint;
use crate::control::record::Record;
use crate::control::subject::{Subject, Writing, Written};
use crate::control::versions::Seen;
use crate::domain::agreement::Terms;
use crate::domain::digest::{self, Identity};
use crate::domain::reason::Reason;
use crate::domain::service::{DependencyRules, Measure, ServiceRules};
use crate::domain::time::Instant;
use crate::domain::tracker::ServiceTracker;
use crate::domain::version::{Version, Versions};
use crate::observe::facts::ObjectKey;

use super::World;
use super::entries::{SeenService, ServiceEntry, remember};
use super::members::selection;
use super::versions::accepted_at;

impl World {
    pub(super) fn apply_service(&mut self, seen: SeenService, raw: &RawValue, now: Instant) {
        let key = seen.metadata.key();
        let uid: Box<str> = seen.metadata.uid.as_str().into();
        if self.services.get(&key).is_some_and(|entry| entry.uid != uid) {
            self.forget_service(&key, now);
        }
        let version: Box<str> = seen.metadata.resource_version.as_str().into();
        let status = seen.status.unwrap_or_default();
        let (fingerprint, shown) = fingerprint::service(&status);
        self.note_shown(&key, &status.components);
        let is_following = self.leadership.is_none();
        if let Some(entry) = self.services.get_mut(&key)
            && entry.generation == seen.metadata.generation
        {
            let ours = entry.writing.written.fingerprint == fingerprint;
            entry.writing.version = version;
            entry.seen_at = Some(now);
            if is_following {
                let written = Written { fingerprint, shown, conditions: remember(Some(&status.conditions)) };
                entry.writing.see(written, status.as_of.as_deref(), now);
            } else if !ours && !entry.writing.in_flight {
                entry.writing.written.fingerprint = fingerprint;
                self.queue.mark(Subject::Service(key));
            }
            return;
        }
        let spec_digest =
            digest::of_spec(Identity { kind: "Service", namespace: Some(&key.namespace), name: &key.name }, &seen.spec);
        let created = seen.metadata.created().unwrap_or(now);
        let entry = self.services.entry(key.clone()).or_insert_with(|| ServiceEntry {
            uid: uid.clone(),
            generation: 0,
            seen_at: None,
            created,
            stage: seen.spec.stage.unwrap_or_default(),
            criticality: seen.spec.criticality.unwrap_or_default(),
            shared_with: Vec::new(),
            problems: Vec::new(),
            versions: Versions::default(),
            tracker: None,
            record: Record::new(
                SubjectKind::Service,
                key.clone(),
                &uid,
                created,
                key.name.clone(),
                Versions::starting_with(Version {
                    since: created,
                    digest: spec_digest.as_str().into(),
                    value: Arc::new(Terms::implicit(&key.name)),
                }),
            ),
            cycle: Vec::new(),
            writing: Writing::default(),
        });
        entry.generation = seen.metadata.generation;
        entry.stage = seen.spec.stage.unwrap_or_default();
        entry.criticality = seen.spec.criticality.unwrap_or_default();
        entry.shared_with = seen.spec.shared_with.iter().map(|name| name.as_str().into()).collect();
        entry.writing.version = version;
        let written = Written { fingerprint, shown, conditions: remember(Some(&status.conditions)) };
        entry.writing.see(written, status.as_of.as_deref(), now);
        let old = entry.tracker.as_ref().map(|tracker| tracker.rules().clone());
        match ServiceRules::from_spec(&seen.spec) {
            Err(problems) => entry.problems = problems,
            Ok(rules) => {
                entry.problems.clear();
                let rules = Arc::new(rules);
                let accepted = accepted_at(raw, entry.seen_at.replace(now), now);
                let spec = serde_json::to_string(&seen.spec).unwrap_or_default();
                let digest = spec_digest.into();
                self.versions.services.see(&key, Seen { digest, value: rules.clone(), spec, accepted, created });
                match &mut entry.tracker {
                    Some(tracker) => tracker.replace_rules(rules, now),
                    None => entry.tracker = Some(ServiceTracker::new(rules, Reason::Waiting)),
                }
            }
        }
        self.settle_service_versions(&key);
        let amended = old.is_some();
        if let Some(old) = old {
            self.unindex_service(&key, &old);
        }
        self.index_service(&key);
        if self.started.is_some() {
            self.find_cycles(&key);
            self.restore_service(&key);
            if amended {
                self.look_again_at(&key, now);
            } else {
                self.first_look(&key, now);
            }
            self.dependents_look(&key, now);
        }
        self.queue.mark(Subject::Service(key));
    }

    /// Services that depend on this one look at it anew.
    pub(super) fn dependents_look(&mut self, key: &ObjectKey, now: Instant) {
        for (dependent, _) in self.uses.dependents.get(key).cloned().unwrap_or_default() {
            self.resolve_dependencies(&dependent, now);
            self.spread(&dependent, now);
        }
        for agreement in self.uses.agreements.get(key).cloned().unwrap_or_default() {
            self.mark_resting(&agreement);
            self.queue.mark(Subject::Agreement(agreement));
        }
    }

    /// Enters a service where the things that it is measured by will look for it.
    fn index_service(&mut self, key: &ObjectKey) {
        let Some(tracker) = self.services.get(key).and_then(|entry| entry.tracker.as_ref()) else { return };
        let rules = tracker.rules().clone();
        for (index, component) in rules.components.iter().enumerate() {
            let user = (key.clone(), index);
            match &component.measure {
                Measure::Endpoints(name) => {
                    let core = ObjectKey::new(key.namespace.clone(), name.clone());
                    self.uses.endpoints.entry(core).or_default().push(user.clone());
                }
                Measure::Pods(selector) => {
                    let selection = selection(&key.namespace, selector);
                    self.uses.changed_pods.insert(selection.clone());
                    self.uses.pods.entry(selection).or_default().push(user.clone());
                }
                Measure::Workload => {}
            }
            if let Some(workload) = &component.workload {
                let name = ObjectKey::new(key.namespace.clone(), workload.name.as_str());
                self.uses.workloads.entry((workload.kind, name)).or_default().push(user);
            }
        }
        for (index, dependency) in rules.dependencies.iter().enumerate() {
            if let Some(other) = dependency_key(key, dependency) {
                self.uses.dependents.entry(other).or_default().push((key.clone(), index));
            }
        }
        self.index_promises(key, &rules);
    }

    /// Takes a service out of where its former rules entered it.
    fn unindex_service(&mut self, key: &ObjectKey, rules: &ServiceRules) {
        for component in &rules.components {
            match &component.measure {
                Measure::Endpoints(name) => {
                    let core = ObjectKey::new(key.namespace.clone(), name.clone());
                    remove_user(&mut self.uses.endpoints, &core, key);
                }
                Measure::Pods(selector) => {
                    let selection = selection(&key.namespace, selector);
                    remove_user(&mut self.uses.pods, &selection, key);
                    self.uses.changed_pods.insert(selection);
                }
                Measure::Workload => {}
            }
            if let Some(workload) = &component.workload {
                let name = ObjectKey::new(key.namespace.clone(), workload.name.as_str());
                remove_user(&mut self.uses.workloads, &(workload.kind, name), key);
            }
        }
        for other in dependencies(key, rules) {
            remove_user(&mut self.uses.dependents, &other, key);
        }
        self.unindex_promises(key, rules);
    }

    pub(super) fn forget_service(&mut self, key: &ObjectKey, now: Instant) {
        let horizon = self.horizon(key, now);
        let Some(entry) = self.services.remove(key) else { return };
        self.versions.services.forget(key);
        if let Some(tracker) = entry.tracker {
            self.unindex_service(key, tracker.rules());
        }
        self.queue.forget(&Subject::Service(key.clone()));
        self.unwritten.clear(&Subject::Service(key.clone()));
        for member in entry.cycle {
            self.find_cycles(&ObjectKey::new(key.namespace.clone(), member));
        }
        self.depart(entry.record, horizon, now);
        self.blind_agreements(key, now);
        self.dependents_look(key, now);
    }

    /// Nobody follows a Service that is gone: until there is one again its agreements see nothing.
    fn blind_agreements(&mut self, key: &ObjectKey, now: Instant) {
        if self.started.is_none() {
            return;
        }
        for agreement in self.uses.agreements.get(key).cloned().unwrap_or_default() {
            let record = self.agreements.get_mut(&agreement).and_then(|entry| entry.record.as_mut());
            if record.is_some_and(|record| record.blind(now, Reason::NotObserved)) {
                self.unwritten.note(&Subject::Agreement(agreement), now);
            }
        }
    }

    /// Finds the dependency cycle that a service is part of: the Services that it reaches and that reach it.
    pub(super) fn find_cycles(&mut self, key: &ObjectKey) {
        let before: Vec<Arc<str>> = self.services.get(key).map(|entry| entry.cycle.clone()).unwrap_or_default();
        let reached = self.reachable(key, super::World::dependencies_of);
        let cycle: BTreeSet<ObjectKey> = if reached.contains(key) {
            let reaching = self.reachable(key, |world, at| {
                world.uses.dependents.get(at).into_iter().flatten().map(|(user, _)| user.clone()).collect()
            });
            reached.intersection(&reaching).cloned().collect()
        } else {
            BTreeSet::new()
        };
        let names: Vec<Arc<str>> = cycle.iter().map(|member| member.name.clone()).collect();
        for member in &cycle {
            self.set_cycle(member, names.clone());
        }
        if cycle.is_empty() && !before.is_empty() {
            self.set_cycle(key, Vec::new());
            for name in before {
                let other = ObjectKey::new(key.namespace.clone(), name);
                if other != *key {
                    self.find_cycles(&other);
                }
            }
        }
    }

    fn set_cycle(&mut self, key: &ObjectKey, names: Vec<Arc<str>>) {
        if let Some(entry) = self.services.get_mut(key)
            && entry.cycle != names
        {
            entry.cycle = names;
            self.queue.mark(Subject::Service(key.clone()));
        }
    }

    pub(super) fn dependencies_of(&self, key: &ObjectKey) -> Vec<ObjectKey> {
        let tracker = self.services.get(key).and_then(|entry| entry.tracker.as_ref());
        tracker.map(|tracker| dependencies(key, tracker.rules()).collect()).unwrap_or_default()
    }

    /// What is reached from a service by following `next`, itself only if a way leads back.
    fn reachable(&self, from: &ObjectKey, next: impl Fn(&Self, &ObjectKey) -> Vec<ObjectKey>) -> BTreeSet<ObjectKey> {
        let mut found = BTreeSet::new();
        let mut waiting = next(self, from);
        while let Some(key) = waiting.pop() {
            if found.insert(key.clone()) {
                waiting.extend(next(self, &key));
            }
        }
        found
    }
}

pub(super) fn dependency_key(key: &ObjectKey, dependency: &DependencyRules) -> Option<ObjectKey> {
    let reference = dependency.service.as_ref()?;
    let namespace = reference.namespace.as_ref().map_or(key.namespace.clone(), |name| name.as_str().into());
    Some(ObjectKey::new(namespace, reference.name.as_str()))
}

fn dependencies<'a>(key: &'a ObjectKey, rules: &'a ServiceRules) -> impl Iterator<Item = ObjectKey> + 'a {
    rules.dependencies.iter().filter_map(move |dependency| dependency_key(key, dependency))
}

fn remove_user<K: Eq + Hash>(users: &mut HashMap<K, Vec<(ObjectKey, usize)>>, of: &K, user: &ObjectKey) {
    if let Some(list) = users.get_mut(of) {
        list.retain(|(other, _)| other != user);
        if list.is_empty() {
            users.remove(of);
        }
    }
}
