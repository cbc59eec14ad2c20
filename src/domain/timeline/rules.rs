//! What rolling up must know of a line: its parts, their hours and windows.

use std::collections::HashMap;

use crate::domain::time::{Instant, Interval, clip_list};

/// What rolling up must know of one part of a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRules {
    /// When; a sum never reaches over its edges.
    pub span: Interval,
    /// The service hours within it, sorted and disjoint.
    pub hours: Vec<Interval>,
    /// Windows within it in which loss may be excluded, sorted and disjoint; each keeps its own time.
    pub windows: Vec<Interval>,
    /// Down runs shorter than this do not count.
    pub min_outage_ms: i64,
}

impl PartRules {
    /// The part, cut at these instants.
    pub fn cut(self, cuts: &[Instant]) -> Vec<Self> {
        let mut edges: Vec<Instant> = cuts.iter().copied().filter(|cut| self.span.contains(*cut)).collect();
        edges.extend([self.span.from, self.span.to]);
        edges.sort_unstable();
        edges.dedup();
        let spans = edges.windows(2).filter_map(|pair| Interval::new(pair[0], pair[1]));
        let piece = |span| Self {
            span,
            hours: clip_list(&self.hours, span),
            windows: clip_list(&self.windows, span),
            min_outage_ms: self.min_outage_ms,
        };
        spans.map(piece).collect()
    }
}

/// What rolling up must know of one line within a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineRules {
    /// Its parts, in order, without holes.
    pub parts: Vec<PartRules>,
    /// Counted time of Down runs by their beginning, where some of it is excluded; else it is their time in hours.
    pub counted: Option<HashMap<Instant, i64>>,
}

impl LineRules {
    pub(super) fn counted_ms(&self, run: Interval, in_hours: i64) -> i64 {
        self.counted.as_ref().map_or(in_hours, |counted| counted.get(&run.from).copied().unwrap_or(0))
    }
}
