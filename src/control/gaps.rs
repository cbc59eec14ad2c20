//! A gap in the observation of components, and the proofs that come in afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::api::service::WorkloadKind;
use crate::domain::inference::{Gap, Piece, PodEvidence};
use crate::domain::readiness::{Observation, Thresholds};
use crate::domain::reason::Reason;
use crate::domain::service::Member;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::Source;
use crate::observe::facts::{CoreService, ObjectKey, Slice, Workload};
use crate::observe::pods::PodSelection;

use super::streams::Stream;

/// One component of one Service.
pub type ComponentKey = (ObjectKey, usize);

/// A gap, with what is known of each component in it.
#[derive(Clone, Debug)]
pub struct OpenGap {
    /// When nobody watched.
    pub span: Interval,
    /// Why.
    pub reason: Reason,
    /// What was seen of each component at its end.
    pub after: HashMap<ComponentKey, Observation>,
    /// What is proved of each component; absent: nothing.
    pub pieces: HashMap<ComponentKey, Vec<Piece>>,
    /// What is looked for next.
    pub next: Next,
}

/// What is looked for next to close a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// What the streams would have shown, from the versions that were shown last.
    Replay,
    /// Pods, in the next listing of them.
    Pods,
    /// The answer about streams.
    Answer,
    /// The listing of Pods of this number.
    Listing(u64),
}

/// What is to be read to close a gap.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// What streams would have shown.
    Replay(ReplayRequest),
    /// Pods of these places.
    Pods(HashSet<PodsOf>),
}

/// The changes between two versions of streams that touch what is measured.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    /// Each stream with the version to go on from, and the version that it showed at the end of the gap.
    pub streams: Vec<(Stream, String, u64)>,
    /// Core Services that are measured.
    pub endpoints: HashSet<ObjectKey>,
    /// Workloads that are measured.
    pub workloads: HashSet<(WorkloadKind, ObjectKey)>,
}

/// Where the Pods of a component are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PodsOf {
    /// Those that a core Service selects.
    Service(ObjectKey),
    /// Those of a selection.
    Selection(PodSelection),
}

/// One change, as a stream shows it.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A slice, and whether it is gone.
    Slice(Slice, bool),
    /// A core Service, and whether it is gone.
    Service(CoreService, bool),
    /// A workload, and whether it is gone.
    Workload(Workload, bool),
}

/// What happened to one thing within a gap: how it was at its beginning, and each change, by resourceVersion.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// How it was.
    pub before: Vec<Seen>,
    /// What changed.
    pub changes: Vec<(u64, Seen)>,
}

/// What streams would have shown within a gap. What is in neither map did not change.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// Core Services with changes; none: how it was cannot be read any more.
    pub endpoints: HashMap<ObjectKey, Option<History>>,
    /// Workloads with changes.
    pub workloads: HashMap<(WorkloadKind, ObjectKey), Option<History>>,
}

/// What was found out about a gap.
#[derive(Debug)]
pub enum Found {
    /// What streams would have shown; none if they do not go back so far.
    Replayed(Option<Replayed>),
    /// Pods by place. One whose Pods could not be read is absent.
    Pods(HashMap<PodsOf, PodsSeen>),
}

/// The Pods of a place as they are now.
#[derive(Clone, Debug, Default)]
pub struct PodsSeen {
    /// Each with the hash of its uid.
    pub pods: Vec<(u128, crate::domain::inference::PodFacts)>,
    /// When the spec of the core Service was written, cut to seconds.
    pub spec_writes: Vec<Instant>,
}

impl OpenGap {
    /// Whether nothing is known of a part of the gap of this component.
    pub fn is_open(&self, component: &ComponentKey) -> bool {
        self.pieces.get(component).is_none_or(|pieces| pieces.iter().any(is_unknown))
    }

    /// The parts of the gap of this component of which nothing is known.
    pub fn unknown_of(&self, component: &ComponentKey) -> Vec<Interval> {
        let Some(pieces) = self.pieces.get(component) else { return vec![self.span] };
        let ends = pieces.iter().skip(1).map(|next| next.at).chain([self.span.to]);
        let unknown = pieces.iter().zip(ends).filter(|(piece, _)| is_unknown(piece));
        unknown.filter_map(|(piece, to)| Interval::new(piece.at, to)).collect()
    }

    /// Puts what Pods prove into the parts of the gap of which nothing is known. `before` is the component's state when
    /// the gap began.
    pub fn conclude(
        &mut self,
        component: &ComponentKey,
        evidence: &PodEvidence,
        before: Member,
        desired: Option<u32>,
        thresholds: Thresholds,
    ) {
        let nothing =
            || vec![Piece { at: self.span.from, observation: Observation::Unknown(self.reason), source: Source::Live }];
        let known = self.pieces.get(component).cloned().unwrap_or_else(nothing);
        let mut pieces: Vec<Piece> = Vec::new();
        for (index, piece) in known.iter().enumerate() {
            let to = known.get(index + 1).map_or(self.span.to, |next| next.at);
            let stretch = Interval::new(piece.at, to).filter(|_| is_unknown(piece));
            let Some(span) = stretch else {
                pieces.push(*piece);
                continue;
            };
            let before = match index.checked_sub(1) {
                None => before,
                Some(index) => {
                    let basis = desired.unwrap_or(0);
                    let (state, reason) =
                        crate::domain::readiness::component_state(thresholds, known[index].observation, basis);
                    Member { state, reason }
                }
            };
            let after = known.get(index + 1).map(|next| next.observation).or(self.after.get(component).copied());
            let gap = Gap { span, reason: self.reason, before, after, desired, thresholds };
            pieces.extend(gap.close(Some(evidence), &[]));
        }
        self.pieces.insert(component.clone(), pieces);
    }
}

fn is_unknown(piece: &Piece) -> bool {
    matches!(piece.observation, Observation::Unknown(_))
}

/// Whether times of writes, which are cut to seconds, may lie within a span.
pub fn written_within(writes: &[Instant], span: Interval) -> bool {
    writes.iter().any(|at| *at < span.to && at.plus_ms(crate::domain::time::SECOND_MS) > span.from)
}

/// The versions that streams showed last, in the form of the Lease's annotation.
pub fn format_versions(versions: &[(Arc<str>, u64)]) -> String {
    let words: Vec<String> = versions.iter().map(|(name, version)| format!("{name}={version}")).collect();
    words.join(",")
}

/// Reads that form; what is not understood is left out.
pub fn parse_versions(text: &str) -> HashMap<String, String> {
    text.split(',')
        .filter_map(|word| word.split_once('='))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_back() {
        let text = format_versions(&[("endpointslices".into(), 120), ("services".into(), 99)]);
        assert_eq!(text, "endpointslices=120,services=99");
        let read = parse_versions(&text);
        assert_eq!(read.get("endpointslices").map(String::as_str), Some("120"));
        assert!(parse_versions("nonsense").is_empty());
    }

    #[test]
    fn a_write_is_within_a_gap_if_its_second_is() {
        let at = |ms: i64| Instant::from_ms(ms);
        let span = Interval { from: at(10_500), to: at(20_500) };
        assert!(written_within(&[at(10_000)], span) && written_within(&[at(20_000)], span));
        assert!(!written_within(&[at(9_000), at(21_000)], span));
    }
}
