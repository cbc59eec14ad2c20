//! Outages that began as a node was lost: how long the node had been silent before.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crate::api::service::State;
use crate::control::nodes::{Heard, Lost};
use crate::domain::detection::detection_lag_ms;
use crate::domain::limits::{ASKED_NODES, ASKED_OUTAGES};
use crate::domain::time::Instant;
use crate::observe::facts::ObjectKey;

use super::World;

impl World {
    /// Outages whose nodes are to be asked about.
    pub fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    pub(super) fn is_down(&self, service: &ObjectKey, component: usize) -> bool {
        let tracker = self.services.get(service).and_then(|entry| entry.tracker.as_ref());
        tracker
            .and_then(|tracker| tracker.members().get(component))
            .is_some_and(|tracked| tracked.member.state == State::Down)
    }

    /// A component of a service became Down as it lost what ran on these nodes.
    pub(super) fn note_lost(&mut self, service: &ObjectKey, at: Instant, nodes: &[Box<str>]) {
        if self.leadership.is_some() && !nodes.is_empty() && self.lost.len() < ASKED_OUTAGES {
            let nodes = nodes.iter().take(ASKED_NODES).cloned().collect();
            self.lost.push(Lost { service: service.clone(), at, nodes });
        }
    }

    /// Takes in when the nodes of outages were heard last, and notes it with the outages that began then: of the
    /// service, and of those that went down with it.
    pub fn heard_of_nodes(&mut self, heard: Vec<Heard>) {
        if self.leadership.is_none() {
            return;
        }
        for Heard { service, at, renewals } in heard {
            let lag_ms = detection_lag_ms(at, renewals);
            if lag_ms == 0 {
                continue;
            }
            let mut visited: HashSet<ObjectKey> = HashSet::from([service.clone()]);
            let mut waiting = VecDeque::from([service]);
            while let Some(key) = waiting.pop_front() {
                let mut began = false;
                self.for_each_line(&key, at, &mut |line| {
                    let noted = Arc::make_mut(&mut line.timeline).note_detection_lag(at, lag_ms);
                    began |= noted;
                    noted
                });
                let dependents = self.uses.dependents.get(&key).into_iter().flatten().filter(|_| began);
                let others: Vec<ObjectKey> = dependents.map(|(other, _)| other.clone()).collect();
                waiting.extend(others.into_iter().filter(|other| visited.insert(other.clone())));
            }
        }
    }
}
