//! Time that was not observed and that no evidence can close any more, by the source that should have shown it.

use std::collections::BTreeMap;

use crate::control::gaps::OpenGap;
use crate::control::streams::Stream;
use crate::domain::reason::Reason;
use crate::domain::service::{ComponentRules, Measure};
use crate::domain::time::{Instant, Interval, normalise, total_ms};
use crate::telemetry::labels::{GapReason, Source};

use super::World;

/// Milliseconds by source and reason, since this process began.
pub type Unclosed = BTreeMap<(Source, GapReason), i64>;

impl World {
    /// Time without observation that stays unknown.
    pub fn unclosed(&self) -> &Unclosed {
        &self.unclosed
    }

    /// Nothing more can be found out about a gap. Of several components of one source the same time counts once.
    pub(super) fn give_up(&mut self, gap: &OpenGap) {
        let mut unknown: BTreeMap<Source, Vec<Interval>> = BTreeMap::new();
        for component in gap.after.keys() {
            let tracker = self.services.get(&component.0).and_then(|entry| entry.tracker.as_ref());
            let rules = tracker.and_then(|tracker| tracker.rules().components.get(component.1));
            if let Some(source) = rules.and_then(source_of) {
                unknown.entry(source).or_default().extend(gap.unknown_of(component));
            }
        }
        for (source, spans) in unknown {
            self.add_unclosed(source, gap.reason, total_ms(&normalise(spans)));
        }
    }

    /// A change after a silence of a stream says nothing about when it happened: what lies before it stays unknown.
    pub(super) fn give_up_silence(&mut self, stream: &Stream, since: Instant, now: Instant) {
        if let (Some(source), true) = (crate::control::view::source(stream), self.leadership.is_some()) {
            self.add_unclosed(source, Reason::SourceLost, now.ms_since(since).max(0));
        }
    }

    fn add_unclosed(&mut self, source: Source, reason: Reason, ms: i64) {
        let reason = match reason {
            Reason::NoLeader => GapReason::NoLeader,
            Reason::SourceLost => GapReason::SourceLost,
            Reason::PermissionMissing => GapReason::PermissionMissing,
            Reason::Waiting => GapReason::Waiting,
            _ => GapReason::NotObserved,
        };
        *self.unclosed.entry((source, reason)).or_default() += ms;
    }
}

/// What shows a component.
fn source_of(rules: &ComponentRules) -> Option<Source> {
    match (&rules.measure, &rules.workload) {
        (Measure::Endpoints(_), _) => Some(Source::EndpointSlices),
        (Measure::Pods(_), _) => Some(Source::Pods),
        (Measure::Workload, Some(workload)) => crate::control::view::source(&Stream::Workloads(workload.kind)),
        (Measure::Workload, None) => None,
    }
}
