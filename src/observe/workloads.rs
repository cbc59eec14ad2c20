//! Wanted and available replicas of workloads.

use std::collections::HashMap;

use crate::api::service::WorkloadKind;
use crate::domain::time::Instant;

use super::facts::{ObjectKey, Workload};

/// What is known of one workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// Available replicas.
    pub available: u32,
    /// Wanted replicas.
    pub desired: u32,
    available_since: Option<Instant>,
    changed_at: Instant,
}

/// Replicas of all workloads.
#[derive(Debug, Default)]
pub struct WorkloadIndex {
    entries: HashMap<(WorkloadKind, ObjectKey), Replicas>,
    /// Workloads that were there once.
    gone: std::collections::HashSet<(WorkloadKind, ObjectKey)>,
}

/// One change of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkloadChange {
    /// The instant that its Available condition gives, if it moved with this update and replicas became fewer.
    pub trigger: Option<Instant>,
}

impl WorkloadIndex {
    /// Takes in a workload. None if it changes nothing that counts.
    pub fn apply(&mut self, kind: WorkloadKind, workload: &Workload, now: Instant) -> Option<WorkloadChange> {
        let (available, desired) = workload.counts(kind);
        let available_since = workload.available_since();
        let key = (kind, workload.metadata.key());
        self.gone.remove(&key);
        let before = self.entries.get(&key).copied();
        let same = before.is_some_and(|before| before.available == available && before.desired == desired);
        let changed_at = before.filter(|_| same).map_or(now, |before| before.changed_at);
        self.entries.insert(key, Replicas { available, desired, available_since, changed_at });
        if same {
            return None;
        }
        let trigger = before
            .filter(|before| before.available > available && before.available_since != available_since)
            .and(available_since);
        Some(WorkloadChange { trigger })
    }

    /// Notes that a workload is gone.
    pub fn delete(&mut self, kind: WorkloadKind, key: &ObjectKey) {
        if self.entries.remove(&(kind, key.clone())).is_some() {
            self.gone.insert((kind, key.clone()));
        }
    }

    /// Marks all workloads of a kind as gone, before a complete list.
    pub fn reset(&mut self, kind: WorkloadKind) {
        let gone: Vec<_> = self.entries.keys().filter(|(other, _)| *other == kind).cloned().collect();
        for key in gone {
            self.entries.remove(&key);
            self.gone.insert(key);
        }
    }

    /// Notes that a workload was there before this process, as its ledger shows.
    pub fn remember(&mut self, kind: WorkloadKind, key: &ObjectKey) {
        if !self.entries.contains_key(&(kind, key.clone())) {
            self.gone.insert((kind, key.clone()));
        }
    }

    /// What is known of a workload.
    pub fn get(&self, kind: WorkloadKind, key: &ObjectKey) -> Option<Replicas> {
        self.entries.get(&(kind, key.clone())).copied()
    }

    /// When the last change of a workload arrived.
    pub fn changed_at(&self, kind: WorkloadKind, key: &ObjectKey) -> Option<Instant> {
        self.get(kind, key).map(|replicas| replicas.changed_at)
    }

    /// Whether a workload was there and is gone.
    pub fn is_gone(&self, kind: WorkloadKind, key: &ObjectKey) -> bool {
        self.gone.contains(&(kind, key.clone()))
    }
}
