//! The tries of a log, and the lines of the targets that they measure.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::service::State;
use crate::domain::agreement::Terms;
use crate::domain::probe::{self, ProbeTerms, Try};
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{Entry, Timeline};
use crate::domain::version::Versions;

use super::{Event, EventKind, ReplayError};

/// A target that some version of the agreement measures by tries.
#[derive(Debug)]
pub(super) struct Probed {
    pub(super) target: Arc<str>,
    tries: Vec<Try>,
    /// What was observed, for versions that measure the target by it.
    observed: Timeline,
}

/// Reads the tries of a log, which is in order of time; of two at one instant the later line wins.
pub(super) fn read(
    events: &[Event],
    terms: &Versions<Terms>,
    lines: &HashMap<Arc<str>, Timeline>,
) -> Result<Vec<Probed>, ReplayError> {
    let mut probed: Vec<Probed> = Vec::new();
    for target in terms.all().iter().flat_map(|version| &version.value.targets) {
        if target.probe.is_some() && !probed.iter().any(|other| other.target == target.name) {
            let observed = lines.get(&target.name).cloned().unwrap_or_default();
            probed.push(Probed { target: target.name.clone(), tries: Vec::new(), observed });
        }
    }
    for event in events {
        let EventKind::Probe { target, ok } = &event.kind else { continue };
        let Some(found) = probed.iter_mut().find(|other| *other.target == **target) else {
            let message = format!("target: the agreement has no target {target:?} of method Probe");
            return Err(ReplayError::Line { line: event.line, message });
        };
        if found.tries.last().is_some_and(|last| last.at == event.at) {
            found.tries.pop();
        }
        found.tries.push(Try { at: event.at, ok: *ok });
    }
    Ok(probed)
}

impl Probed {
    /// The line by the tries before an instant: what they leave open is not decided by later ones.
    pub(super) fn line(&self, terms: &Versions<Terms>, before: Instant) -> Timeline {
        let mut entries: Vec<Entry> = Vec::new();
        for (span, probe) in self.parts(terms) {
            if span.from > Instant::MIN {
                // Another address, or another way to measure, begins anew.
                entries.push(Entry::live(span.from, State::Unknown, None, Reason::NotObserved));
            }
            if let Some(probe) = probe {
                let from = self.tries.partition_point(|attempt| attempt.at < span.from);
                let to = self.tries.partition_point(|attempt| attempt.at < span.to.min(before));
                let line = probe::timeline(probe.rules, &self.tries[from..to.max(from)]);
                entries.extend_from_slice(line.entries_in(span));
            } else {
                let held = self.observed.entries_for(span.from, span.to).cloned();
                entries.extend(held.map(|entry| Entry { at: entry.at.max(span.from), ..entry }));
            }
        }
        Timeline::from_entries(entries)
    }

    /// The spans that are measured in one way each, in order.
    fn parts(&self, terms: &Versions<Terms>) -> Vec<(Interval, Option<Arc<ProbeTerms>>)> {
        let mut parts: Vec<(Interval, Option<Arc<ProbeTerms>>)> = Vec::new();
        for (span, version) in terms.within(Interval { from: Instant::MIN, to: Instant::MAX }) {
            let target = version.value.targets.iter().find(|target| target.name == self.target);
            let probe = target.and_then(|target| target.probe.clone());
            match parts.last_mut() {
                Some((last, same)) if *same == probe => last.to = span.to,
                _ => parts.push((span, probe)),
            }
        }
        parts
    }
}
