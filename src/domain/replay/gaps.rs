//! The gaps of a log, by member, with what closes them afterwards.

use std::collections::HashSet;

use crate::domain::inference::{PodEvidence, Sample};
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval};

use super::{Event, EventKind, ReplayError};

/// A span without observation of one member.
#[derive(Clone, Debug)]
pub(super) struct MemberGap {
    /// The component or dependency.
    pub(super) member: String,
    /// From its beginning to the first line that shows the member again.
    pub(super) span: Interval,
    /// Why.
    pub(super) reason: Reason,
    /// What Pods say of it.
    pub(super) pods: Option<PodEvidence>,
    /// How many were ready at its end.
    pub(super) ready_after: Option<u32>,
    /// Samples of the ready count.
    pub(super) samples: Vec<Sample>,
}

impl MemberGap {
    /// What was seen at its end.
    pub(super) fn after(&self, desired: Option<u32>) -> Option<Observation> {
        self.ready_after.map(|ready| Observation::Counted { ready, desired })
    }
}

/// The gaps of all members that a log tells of, in order of time. `components` and `dependencies` are the names of all
/// versions.
pub(super) fn plan(
    events: &[Event],
    components: &[&str],
    dependencies: &[&str],
) -> Result<Vec<MemberGap>, ReplayError> {
    for event in events {
        check(event, components, dependencies)?;
    }
    let mut gaps = Vec::new();
    for &member in components.iter().chain(dependencies) {
        gaps.extend(gaps_of(member, events));
    }
    let closed: HashSet<(&str, Instant)> =
        gaps.iter().map(|gap: &MemberGap| (gap.member.as_str(), gap.span.to)).collect();
    for event in events {
        if let EventKind::Pods { component, .. } = &event.kind
            && !closed.contains(&(component.as_str(), event.at))
        {
            let message = format!("at: no gap of component {component:?} ends here; give the instant of its until");
            return Err(ReplayError::Line { line: event.line, message });
        }
    }
    gaps.sort_by_key(|gap| gap.span.from);
    Ok(gaps)
}

fn check(event: &Event, components: &[&str], dependencies: &[&str]) -> Result<(), ReplayError> {
    let wrong = |message: String| Err(ReplayError::Line { line: event.line, message });
    match &event.kind {
        EventKind::Gap { component: Some(name), .. }
            if !components.contains(&name.as_str()) && !dependencies.contains(&name.as_str()) =>
        {
            wrong(format!("component: {name:?} is neither a component nor a dependency of the Service"))
        }
        EventKind::Pods { component, .. } | EventKind::Backfill { component, .. }
            if !components.contains(&component.as_str()) =>
        {
            wrong(format!("component: {component:?} is not a component of the Service"))
        }
        EventKind::Pods { ready, evidence, .. } => {
            let listed = evidence.pods.iter().filter(|pod| pod.ready).count();
            if listed > *ready as usize {
                let remedy = "list only Pods that are endpoints, and count all of them";
                return wrong(format!("pods: {listed} are ready, but ready is {ready}; {remedy}"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn gaps_of(member: &str, events: &[Event]) -> Vec<MemberGap> {
    let samples = samples_of(member, events);
    let shown: Vec<&Event> = events.iter().filter(|event| shows(event, member)).collect();
    let known_again = |from: Instant| {
        shown.get(shown.partition_point(|event| event.at < from)).map_or(Instant::MAX, |event| event.at)
    };
    let mut spans: Vec<(Interval, Reason)> = Vec::new();
    // Before its first line nothing is known of it, but for samples.
    let before = samples.first().and_then(|sample| Interval::new(sample.at, known_again(Instant::MIN)));
    spans.extend(before.map(|span| (span, Reason::NotObserved)));
    for event in events {
        if let EventKind::Gap { until, component, reason } = &event.kind
            && component.as_ref().is_none_or(|name| name == member)
            && let Some(span) = Interval::new(event.at, *until)
        {
            spans.push((span, reason.unwrap_or(Reason::NotObserved)));
        }
    }
    spans.sort_by_key(|(span, _)| span.from);
    let mut gaps: Vec<MemberGap> = Vec::new();
    for (span, reason) in spans {
        match gaps.last_mut() {
            Some(last) if span.from < last.span.to => last.span.to = last.span.to.max(known_again(span.to)),
            _ => gaps.push(MemberGap {
                member: member.to_owned(),
                span: Interval { from: span.from, to: known_again(span.to) },
                reason,
                pods: None,
                ready_after: None,
                samples: Vec::new(),
            }),
        }
    }
    for gap in &mut gaps {
        // The last of several lines at one instant holds.
        let first = shown.partition_point(|event| event.at < gap.span.to);
        for event in shown[first..].iter().take_while(|event| event.at == gap.span.to) {
            match &event.kind {
                EventKind::Pods { ready, evidence, .. } => {
                    gap.pods = Some(evidence.clone());
                    gap.ready_after = Some(*ready);
                }
                EventKind::Observe { ready, .. } => gap.ready_after = Some(*ready),
                _ => gap.ready_after = None,
            }
        }
        let first = samples.partition_point(|sample| sample.at <= gap.span.from).saturating_sub(1);
        let end = samples.partition_point(|sample| sample.at < gap.span.to);
        gap.samples = samples[first..samples.len().min(end + 1)].to_vec();
    }
    gaps
}

/// Whether a line shows the state of a member.
fn shows(event: &Event, member: &str) -> bool {
    match &event.kind {
        EventKind::Observe { component, .. }
        | EventKind::State { component, .. }
        | EventKind::Pods { component, .. } => component == member,
        _ => false,
    }
}

/// The samples of a component, in order; of two at one instant the later line wins.
fn samples_of(member: &str, events: &[Event]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for event in events {
        let EventKind::Backfill { component, ready, desired } = &event.kind else { continue };
        if component != member {
            continue;
        }
        if samples.last().is_some_and(|last| last.at == event.at) {
            samples.pop();
        }
        samples.push(Sample { at: event.at, ready: *ready, desired: *desired });
    }
    samples
}
