//! What was rolled up in the lines that a period is judged from.

use std::collections::HashSet;
use std::sync::Arc;

use crate::api::report::{Omitted, RolledUp};
use crate::domain::agreement::TargetTerms;
use crate::domain::time::Interval;
use crate::domain::timeline::{Level, Rolled, Timeline};

use super::{Facts, Judged};

/// What was rolled up in all lines of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolledSums {
    /// Sums of hours.
    pub hours: u32,
    /// Days that became sums, those of weeks included.
    pub days: u32,
    /// Entries that were put together.
    pub entries: u32,
    /// Whether the window would have begun within a sum, and begins with it.
    pub edge: bool,
    /// Outages within sums, those of targets that see the same counted once.
    pub outages: Omitted,
    /// Gaps within sums of the headline's line.
    pub gaps: Omitted,
}

impl RolledSums {
    /// As reports show it.
    pub fn rolled_up(&self) -> RolledUp {
        RolledUp { hours: self.hours, days: self.days, entries: self.entries, edge_rolled_up: self.edge }
    }
}

/// A span whose beginning lies in a sum, with all of that sum inside: its instants are lost, so none of it can be left
/// out. Only the trailing edge of a rolling window lies so; sums never reach over the edges of calendar periods and
/// parts.
pub fn with_rolled_edge(span: Interval, line: &Timeline) -> Interval {
    let from = line.rolled_at(span.from).map_or(span.from, |rolled| rolled.span.from);
    Interval { from, ..span }
}

/// A rolling window whose beginning lies in a sum of any line, with all of that sum inside, for all targets alike.
pub(super) fn with_rolled_edges(
    facts: Facts<'_>,
    window: Interval,
    line: &impl Fn(&TargetTerms) -> Option<Arc<Timeline>>,
) -> Interval {
    let targets = facts.terms.within(window).flat_map(|(_, version)| &version.value.targets);
    let edges = targets.filter_map(line).map(|line| with_rolled_edge(window, &line).from);
    Interval { from: edges.min().unwrap_or(window.from), ..window }
}

/// The sums of all lines. Outages of a span that is excluded altogether have no counted time.
pub(super) fn sums(
    judged: &Judged,
    line: &impl Fn(&TargetTerms) -> Option<Arc<Timeline>>,
    is_excluded: impl Fn(Interval) -> bool,
) -> RolledSums {
    let mut sums = RolledSums::default();
    let mut targets = HashSet::new();
    let mut measured = HashSet::new();
    let headline = judged.headline().map(|target| target.terms.name.clone());
    for target in judged.parts.iter().flat_map(|part| &part.targets) {
        let terms = &target.terms;
        if !targets.insert(&terms.name) {
            continue;
        }
        let Some(line) = line(terms).filter(|line| !line.rolled().is_empty()) else { continue };
        let lists_outages = measured.insert((&terms.components, terms.min_outage_ms));
        for rolled in line.rolled().iter().filter(|rolled| rolled.span.intersect(&judged.window).is_some()) {
            // Outside the term nothing counts and nothing is missing.
            let counts = judged.parts.iter().any(|part| part.span.contains(rolled.span.from));
            let lists_outages = counts && lists_outages && !is_excluded(rolled.span);
            sums.add(rolled, lists_outages, counts && headline.as_ref() == Some(&terms.name));
        }
    }
    sums
}

impl RolledSums {
    fn add(&mut self, rolled: &Rolled, lists_outages: bool, lists_gaps: bool) {
        match rolled.level {
            Level::Hour => self.hours += 1,
            Level::Day => self.days += 1,
            Level::Weeks => self.days += rolled.days(),
        }
        self.entries += rolled.entries;
        if lists_outages {
            self.outages.count += rolled.outages;
            self.outages.ms += rolled.outages_ms;
            self.outages.longest_ms = self.outages.longest_ms.max(rolled.longest_ms);
        }
        if lists_gaps {
            self.gaps.count += rolled.gaps;
            self.gaps.ms += rolled.gaps_ms;
            self.gaps.longest_ms = self.gaps.longest_ms.max(rolled.longest_gap_ms);
        }
    }
}
