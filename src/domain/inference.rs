//! What a component was while nobody watched: conclusions from what objects say of their own past, and stored samples.
//!
//! Nothing is guessed. Where neither proves a state, the gap stays Unknown.

use crate::api::service::State;

use super::limits::BACKFILL_STEP_MS;
use super::readiness::{Observation, Thresholds, component_state};
use super::reason::Reason;
use super::service::Member;
use super::time::{Instant, Interval, SECOND_MS};
use super::timeline::Source;

/// What a Pod says of its own past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// When it was created.
    pub created: Instant,
    /// Whether it is ready now.
    pub ready: bool,
    /// When its Ready condition moved last.
    pub since: Option<Instant>,
    /// Start of its youngest running container.
    pub started: Option<Instant>,
}

impl PodFacts {
    /// From when on it was ready without a break; none if it is not ready or does not say. Its times are cut to
    /// seconds, so a second is added.
    fn ready_from(&self) -> Option<Instant> {
        let latest = self.created.max(self.since?).max(self.started?);
        self.ready.then(|| latest.plus_ms(SECOND_MS))
    }

    /// Whether it was created, or became ready or unready, within a span.
    fn moved_within(&self, span: Interval) -> bool {
        // A time that is cut to seconds stands for the whole second after it.
        let within = |at: Instant| at < span.to && at.plus_ms(SECOND_MS) > span.from;
        within(self.created) || self.since.is_some_and(within)
    }
}

/// The Pods of a component after a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodEvidence {
    /// Those that are endpoints now, and those that would be if they were ready.
    pub pods: Vec<PodFacts>,
    /// Whether the spec of the core Service was written within the gap: then the Pods do not say what it selected.
    pub service_changed: bool,
}

/// A stored sample of the ready count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was taken.
    pub at: Instant,
    /// How many were ready.
    pub ready: u32,
    /// How many were wanted.
    pub desired: Option<u32>,
}

/// A gap in the observation of one component.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// When nobody watched.
    pub span: Interval,
    /// Why.
    pub reason: Reason,
    /// The state when it began.
    pub before: Member,
    /// What was seen at its end; none while it lasts.
    pub after: Option<Observation>,
    /// The most replicas that were wanted at one of its ends.
    pub desired: Option<u32>,
    /// The thresholds in force.
    pub thresholds: Thresholds,
}

/// A stretch of a gap: in force from `at` to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// From when.
    pub at: Instant,
    /// What is proved of it.
    pub observation: Observation,
    /// By what.
    pub source: Source,
}

impl Gap {
    /// What is proved of the gap: by Pods, elsewhere by samples, else nothing. The first piece begins with the gap.
    pub fn close(&self, pods: Option<&PodEvidence>, samples: &[Sample]) -> Vec<Piece> {
        let inferred = pods.filter(|pods| !pods.service_changed).and_then(|pods| self.infer(pods));
        let inferred = inferred.unwrap_or_else(|| vec![self.unknown(self.span.from)]);
        let mut pieces: Vec<Piece> = Vec::new();
        for (index, piece) in inferred.iter().enumerate() {
            let to = inferred.get(index + 1).map_or(self.span.to, |next| next.at);
            match Interval::new(piece.at, to) {
                Some(stretch) if self.state(piece.observation) == State::Unknown => {
                    pieces.extend(self.backfill(stretch, samples));
                }
                Some(_) => pieces.push(*piece),
                None => {}
            }
        }
        pieces.dedup_by(|next, kept| next.observation == kept.observation && next.source == kept.source);
        pieces
    }

    /// What Pods prove; none if nothing.
    fn infer(&self, evidence: &PodEvidence) -> Option<Vec<Piece>> {
        if self.before.state == State::Down {
            let down_after = self.after.is_some_and(|after| self.state(after) == State::Down);
            if down_after && !evidence.pods.iter().any(|pod| pod.moved_within(self.span)) {
                let observation = Observation::Given(State::Down, self.before.reason);
                return Some(vec![Piece { at: self.span.from, observation, source: Source::Inferred }]);
            }
        }
        let pieces = self.counted(&evidence.pods);
        // Pods that were ready while the component was down do not say when it came back.
        let contradicted = self.before.state == State::Down
            && pieces.first().is_some_and(|first| self.state(first.observation) != State::Unknown);
        (!contradicted).then_some(pieces)
    }

    /// At least so many were ready, by the Pods that are still there.
    fn counted(&self, pods: &[PodFacts]) -> Vec<Piece> {
        let mut from: Vec<Instant> = pods.iter().filter_map(PodFacts::ready_from).collect();
        from.sort_unstable();
        let steps = from.iter().copied().filter(|at| *at > self.span.from && *at < self.span.to);
        let mut instants: Vec<Instant> = std::iter::once(self.span.from).chain(steps).collect();
        instants.dedup();
        let piece = |at: Instant| {
            let low = from.partition_point(|ready_from| *ready_from <= at) as u32;
            let observation = Observation::AtLeast { ready: low, desired: self.desired, otherwise: self.reason };
            Piece { at, observation, source: Source::Inferred }
        };
        instants.into_iter().map(piece).collect()
    }

    /// What samples prove of a stretch: between two that are near each other the lower count, elsewhere nothing.
    fn backfill(&self, stretch: Interval, samples: &[Sample]) -> Vec<Piece> {
        let mut pieces = vec![self.unknown(stretch.from)];
        for pair in samples.windows(2) {
            let near = pair[1].at.ms_since(pair[0].at) <= BACKFILL_STEP_MS;
            let span = Interval::new(pair[0].at, pair[1].at).filter(|_| near);
            let Some(span) = span.and_then(|span| span.intersect(&stretch)) else { continue };
            let desired = pair[0].desired.max(pair[1].desired).or(self.desired);
            let observation = Observation::Counted { ready: pair[0].ready.min(pair[1].ready), desired };
            if pieces.last().is_some_and(|last| last.at == span.from) {
                pieces.pop();
            }
            pieces.push(Piece { at: span.from, observation, source: Source::Backfilled });
            if span.to < stretch.to {
                pieces.push(self.unknown(span.to));
            }
        }
        pieces
    }

    fn unknown(&self, at: Instant) -> Piece {
        Piece { at, observation: Observation::Unknown(self.reason), source: Source::Live }
    }

    fn state(&self, observation: Observation) -> State {
        component_state(self.thresholds, observation, self.desired.unwrap_or(0)).0
    }
}

#[cfg(test)]
mod tests;
