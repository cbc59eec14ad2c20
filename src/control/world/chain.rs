//! The agreements that others rest on: who has to be planned anew when one changes, and what the chain of one gives.

use std::collections::HashSet;
use std::sync::Arc;

use crate::control::subject::Subject;
use crate::domain::agreement::Terms;
use crate::domain::chain::{AgreementKey, Chain, Landscape, chain_of};
use crate::domain::report::Calendars;
use crate::domain::service::{DependencyRules, ServiceRules};
use crate::domain::time::Instant;
use crate::observe::facts::ObjectKey;

use super::World;

impl World {
    /// What an agreement rests on; hours are compared from `from` on.
    pub(super) fn chain(&self, key: &ObjectKey, terms: &Terms, from: Instant) -> Chain {
        let key = AgreementKey { namespace: key.namespace.clone(), name: key.name.clone() };
        chain_of(&key, terms, self, from)
    }

    /// The dependencies of a service whose agreement is not found, with what each asks for.
    pub(super) fn unresolved_agreements(&self, service: &ObjectKey, rules: &ServiceRules) -> Vec<(String, String)> {
        let asked = rules.dependencies.iter().filter_map(|dependency| {
            let other = promised_by(service, dependency)?;
            let key = AgreementKey { namespace: other.namespace.clone(), name: other.name.clone() };
            self.terms(&key, &service.namespace).is_none().then(|| (dependency.name.to_string(), other.to_string()))
        });
        asked.collect()
    }

    /// Enters an agreement where those that it rests on will look for it.
    pub(super) fn index_underpinning(&mut self, key: &ObjectKey, terms: &Terms) {
        for other in underpinning(key, terms) {
            self.uses.underpins.entry(other).or_default().insert(Subject::Agreement(key.clone()));
        }
    }

    /// Takes an agreement out of where its former terms entered it.
    pub(super) fn unindex_underpinning(&mut self, key: &ObjectKey, terms: &Terms) {
        self.forget_users(underpinning(key, terms), &Subject::Agreement(key.clone()));
    }

    /// Enters a service where the agreements on its dependencies will look for it.
    pub(super) fn index_promises(&mut self, key: &ObjectKey, rules: &ServiceRules) {
        for other in rules.dependencies.iter().filter_map(|dependency| promised_by(key, dependency)) {
            self.uses.underpins.entry(other).or_default().insert(Subject::Service(key.clone()));
        }
    }

    /// Takes a service out of where its former rules entered it.
    pub(super) fn unindex_promises(&mut self, key: &ObjectKey, rules: &ServiceRules) {
        let others = rules.dependencies.iter().filter_map(|dependency| promised_by(key, dependency)).collect();
        self.forget_users(others, &Subject::Service(key.clone()));
    }

    fn forget_users(&mut self, others: Vec<ObjectKey>, user: &Subject) {
        for other in others {
            if let Some(users) = self.uses.underpins.get_mut(&other) {
                users.remove(user);
                if users.is_empty() {
                    self.uses.underpins.remove(&other);
                }
            }
        }
    }

    /// Plans anew what rests on an agreement: directly, since it reads what that one promises, and further on, since a
    /// cycle may have begun or ended.
    pub(super) fn mark_resting(&mut self, agreement: &ObjectKey) {
        let mut waiting = vec![agreement.clone()];
        let mut visited: HashSet<ObjectKey> = HashSet::new();
        while let Some(key) = waiting.pop() {
            if !visited.insert(key.clone()) {
                continue;
            }
            for user in self.uses.underpins.get(&key).into_iter().flatten() {
                self.queue.mark(user.clone());
                match user {
                    Subject::Agreement(other) => waiting.push(other.clone()),
                    Subject::Service(service) => {
                        for other in self.uses.agreements.get(service).into_iter().flatten() {
                            self.queue.mark(Subject::Agreement(other.clone()));
                            waiting.push(other.clone());
                        }
                    }
                    Subject::Calendar(_) | Subject::Departed(_) => {}
                }
            }
        }
    }
}

impl Landscape for World {
    fn terms(&self, agreement: &AgreementKey, from: &str) -> Option<Arc<Terms>> {
        let key = ObjectKey::new(agreement.namespace.clone(), agreement.name.clone());
        let record = self.agreements.get(&key)?.record.as_ref()?;
        let service = ObjectKey::new(agreement.namespace.clone(), record.service.clone());
        let is_shared = *agreement.namespace == *from
            || self.services.get(&service).is_some_and(|service| service.is_shared_with(from));
        is_shared.then(|| record.terms.newest().map(|version| version.value.clone()))?
    }

    fn rules(&self, namespace: &str, service: &str) -> Option<Arc<ServiceRules>> {
        let entry = self.services.get(&ObjectKey::new(namespace, service))?;
        entry.tracker.as_ref().map(|tracker| tracker.rules().clone())
    }

    fn calendars(&self) -> &Calendars {
        &self.calendar_versions
    }
}

fn underpinning(key: &ObjectKey, terms: &Terms) -> Vec<ObjectKey> {
    let others = terms.underpinned_by.iter().map(|reference| AgreementKey::of(reference, &key.namespace));
    others.map(|other| ObjectKey::new(other.namespace, other.name)).collect()
}

fn promised_by(service: &ObjectKey, dependency: &DependencyRules) -> Option<ObjectKey> {
    let other = AgreementKey::of(dependency.agreement.as_ref()?, &service.namespace);
    Some(ObjectKey::new(other.namespace, other.name))
}
