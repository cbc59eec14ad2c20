//! What is to be read to close gaps: what streams would have shown, or Pods.

use std::collections::HashSet;

use crate::control::gaps::{ComponentKey, Next, OpenGap, PodsOf, ReplayRequest, Wanted};
use crate::control::streams::ALWAYS;
use crate::domain::reason::Reason;
use crate::domain::service::Measure;
use crate::domain::time::Instant;
use crate::observe::facts::ObjectKey;

use super::World;
use super::members::selection;

/// How long a gap waits for others before its Pods are listed: an API server that was away ends all streams at once, and
/// they come back one after the other.
const GATHER_MS: i64 = 5_000;

impl World {
    /// What is to be read to close gaps, with the number that its answer has to bear.
    pub fn wanted(&mut self, now: Instant) -> Option<(u64, Wanted)> {
        while let Some(number) = self.gaps.iter().find(|(_, gap)| gap.next == Next::Replay).map(|(number, _)| *number) {
            let request = self.replay_request();
            let gap = self.gaps.get_mut(&number)?;
            if let Some(request) = request {
                gap.next = Next::Answer;
                return Some((number, Wanted::Replay(request)));
            }
            gap.next = Next::Pods;
        }
        self.listing_due().filter(|due| *due <= now)?;
        self.pods_wanted()
    }

    /// When Pods are to be listed for the gaps that wait for them. One listing at a time: a gap that opens meanwhile
    /// waits for the next, because what is listed has to be newer than its end.
    pub(super) fn listing_due(&self) -> Option<Instant> {
        if self.gaps.values().any(|gap| matches!(gap.next, Next::Listing(_))) {
            return None;
        }
        let waiting = self.gaps.values().filter(|gap| gap.next == Next::Pods);
        // What a new leader missed is one gap of all streams, and writes wait for it.
        let gather_ms = |gap: &OpenGap| if gap.reason == Reason::NoLeader { 0 } else { GATHER_MS };
        waiting.map(|gap| gap.span.to.plus_ms(gather_ms(gap))).min()
    }

    /// The places of the Pods of all gaps that wait for them: each once, however many streams and components ask for it.
    fn pods_wanted(&mut self) -> Option<(u64, Wanted)> {
        self.gap_count += 1;
        let number = self.gap_count;
        let mut places = HashSet::new();
        let waiting = self.gaps.iter().filter(|(_, gap)| gap.next == Next::Pods);
        for key in waiting.map(|(key, _)| *key).collect::<Vec<u64>>() {
            let Some(mut gap) = self.gaps.remove(&key) else { continue };
            let open = gap.after.keys().filter(|component| gap.is_open(component));
            let found: Vec<PodsOf> = open.filter_map(|component| self.place_of(component)).collect();
            if found.is_empty() {
                self.give_up(&gap);
                continue;
            }
            places.extend(found);
            gap.next = Next::Listing(number);
            self.gaps.insert(key, gap);
        }
        (!places.is_empty()).then_some((number, Wanted::Pods(places)))
    }

    /// Where the Pods of a component are found.
    pub(super) fn place_of(&self, (service, index): &ComponentKey) -> Option<PodsOf> {
        match &self.rules_of(service)?.components.get(*index)?.measure {
            Measure::Endpoints(name) => Some(PodsOf::Service(ObjectKey::new(service.namespace.clone(), name.clone()))),
            Measure::Pods(selector) => Some(PodsOf::Selection(selection(&service.namespace, selector))),
            Measure::Workload => None,
        }
    }

    fn replay_request(&self) -> Option<ReplayRequest> {
        let mut request = ReplayRequest::default();
        for stream in ALWAYS.iter().filter(|stream| stream.is_measured()) {
            let from = self.takeover.versions.get(stream.name())?;
            let to = self.takeover.start_versions.get(stream)?;
            request.streams.push((stream.clone(), from.clone(), *to));
        }
        request.endpoints = self.uses.endpoints.keys().cloned().collect();
        request.workloads = self.uses.workloads.keys().cloned().collect();
        Some(request)
    }
}
