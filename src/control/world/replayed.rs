//! What a component was within a gap, from what its streams would have shown.

use crate::control::gaps::{ComponentKey, History, OpenGap, Replayed, Seen};
use crate::domain::inference::Piece;
use crate::domain::readiness::{Observation, component_state};
use crate::domain::reason::Reason;
use crate::domain::service::{ComponentRules, Measure, Member, ServiceRules};
use crate::domain::time::Instant;
use crate::domain::timeline::Source;
use crate::observe::endpoints::{EndpointIndex, Ready, transition_instant};
use crate::observe::facts::ObjectKey;
use crate::observe::workloads::WorkloadIndex;

/// The rules of a resumed watch: without an event the state held; a dated event proves the new state from its date on;
/// any other leaves the gap unknown from the last proved instant on. None if nothing is proved.
pub(super) fn replay_component(
    gap: &OpenGap,
    component: &ComponentKey,
    rules: &ServiceRules,
    before: Option<Member>,
    replayed: &Replayed,
) -> Option<Vec<Piece>> {
    let after = *gap.after.get(component).filter(|after| !matches!(after, Observation::Unknown(_)))?;
    let critical = rules.groups.is_empty();
    let rules = rules.components.get(component.1)?;
    let core = match &rules.measure {
        Measure::Endpoints(name) => Some(ObjectKey::new(component.0.namespace.clone(), name.clone())),
        Measure::Workload => None,
        // Selections of Pods have no place in the Lease.
        Measure::Pods(_) => return None,
    };
    let workload = rules
        .workload
        .as_ref()
        .map(|workload| (workload.kind, ObjectKey::new(component.0.namespace.clone(), workload.name.as_str())));
    let of_core = core.as_ref().and_then(|core| replayed.endpoints.get(core));
    let of_workload = workload.as_ref().and_then(|workload| replayed.workloads.get(workload));
    let mut shadow = Shadow { rules, component, after, endpoints: None, workloads: None };
    let mut changes: Vec<(u64, &Seen)> = Vec::new();
    for history in [of_core, of_workload].into_iter().flatten() {
        let history: &History = history.as_ref()?;
        shadow.begin(history, gap.span.from);
        changes.extend(history.changes.iter().map(|(version, change)| (*version, change)));
    }
    changes.sort_by_key(|(version, _)| *version);
    let mut current = shadow.observe();
    if let (Some(before), true) = (before, critical) {
        // What the ledger says last was the state then; else something was seen that nobody wrote down.
        let desired = match current {
            Observation::Counted { desired, .. } => desired,
            _ => None,
        };
        if component_state(rules.thresholds, current, desired.unwrap_or(0)).0 != before.state {
            return None;
        }
    }
    let piece = |at: Instant, observation: Observation| Piece { at, observation, source: Source::Live };
    let mut pieces = vec![piece(gap.span.from, current)];
    for (_, change) in changes {
        let trigger = shadow.take(change, gap.span.to);
        let next = shadow.observe();
        if next == current {
            continue;
        }
        current = next;
        let last = pieces.last().map_or(gap.span.from, |last| last.at);
        let (at, refused) = transition_instant(trigger, Some(last), gap.span.to);
        if trigger.is_some() && !refused {
            pieces.push(piece(at, next));
        } else if !matches!(pieces.last().map(|last| last.observation), Some(Observation::Unknown(_))) {
            // What was proved was so, if only for a moment.
            let at = if pieces.len() == 1 { last } else { last.plus_ms(1) };
            pieces.retain(|piece| piece.at < at);
            pieces.push(piece(at, Observation::Unknown(gap.reason)));
        }
    }
    (current == after).then_some(pieces)
}

/// The few things that one component is measured by, as they were in the past.
struct Shadow<'a> {
    rules: &'a ComponentRules,
    component: &'a ComponentKey,
    after: Observation,
    endpoints: Option<EndpointIndex>,
    workloads: Option<WorkloadIndex>,
}

impl Shadow<'_> {
    fn begin(&mut self, history: &History, at: Instant) {
        let of_core = history.changes.iter().any(|(_, change)| !matches!(change, Seen::Workload(..)));
        if of_core {
            self.endpoints = Some(EndpointIndex::default());
        } else {
            self.workloads = Some(WorkloadIndex::default());
        }
        for object in &history.before {
            self.take(object, at);
        }
    }

    /// Takes in a change; returns its date, if it has one.
    fn take(&mut self, change: &Seen, now: Instant) -> Option<Instant> {
        match (change, &mut self.endpoints, &mut self.workloads) {
            (Seen::Slice(slice, false), Some(index), _) => index.apply_slice(slice, now)?.trigger,
            (Seen::Slice(slice, true), Some(index), _) => index.delete_slice(slice)?.trigger,
            (Seen::Service(service, false), Some(index), _) => {
                index.apply_service(service, now);
                None
            }
            (Seen::Service(service, true), Some(index), _) => {
                index.delete_service(&service.metadata.key());
                None
            }
            (Seen::Workload(workload, gone), _, Some(index)) => {
                let kind = self.rules.workload.as_ref()?.kind;
                if *gone {
                    index.delete(kind, &workload.metadata.key());
                    return None;
                }
                index.apply(kind, workload, now)?.trigger
            }
            _ => None,
        }
    }

    fn observe(&self) -> Observation {
        let namespace = &self.component.0.namespace;
        let workload = self
            .rules
            .workload
            .as_ref()
            .map(|workload| (workload.kind, ObjectKey::new(namespace.clone(), workload.name.as_str())));
        let replicas = match (&self.workloads, &workload) {
            (Some(index), Some((kind, key))) => index.get(*kind, key),
            _ => None,
        };
        let (ready_after, desired_after) = match self.after {
            Observation::Counted { ready, desired } => (Some(ready), desired),
            _ => (None, None),
        };
        let desired = if self.workloads.is_some() { replicas.map(|replicas| replicas.desired) } else { desired_after };
        match (&self.rules.measure, &self.endpoints, &self.workloads) {
            (Measure::Endpoints(name), Some(index), _) => {
                let core = ObjectKey::new(namespace.clone(), name.clone());
                match index.ready(&core, self.rules.terminating) {
                    Ready::Count(ready) => Observation::Counted { ready, desired },
                    Ready::Unknown(reason) => Observation::Unknown(reason),
                    Ready::Gone(reason) => Observation::Gone(reason),
                }
            }
            (Measure::Workload, _, Some(index)) => match (replicas, workload) {
                (Some(replicas), _) => Observation::Counted { ready: replicas.available, desired },
                (None, Some((kind, key))) if index.is_gone(kind, &key) => Observation::Gone(Reason::WorkloadDeleted),
                _ => Observation::Unknown(Reason::NeverSeen),
            },
            (Measure::Endpoints(_), None, Some(_)) => {
                ready_after.map_or(self.after, |ready| Observation::Counted { ready, desired })
            }
            _ => self.after,
        }
    }
}
