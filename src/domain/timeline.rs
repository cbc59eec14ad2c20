//! A timeline: the states that one target saw, in order, each in force until the next.
//!
//! It is what a ledger line holds. States, not classes: hours, windows and late evidence are applied on reading, in
//! the versions in force at each instant.

mod bound;
mod entry;
mod fill;
mod roll_up;
mod rolled;
mod rules;

use std::sync::Arc;

pub use bound::{Bounds, Line, bound};
pub use entry::{Entry, EntryError, Source};
pub use roll_up::RollUp;
pub use rolled::{Level, Rolled, RolledError};
pub use rules::{LineRules, PartRules};

use crate::api::service::State;

use super::reason::Reason;
use super::time::{Instant, Interval};

/// A span with one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When.
    pub span: Interval,
    /// The state.
    pub state: State,
    /// Where its proof comes from.
    pub source: Source,
}

/// A maximal Down run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownRun {
    /// When; while it lasts, up to the horizon.
    pub span: Interval,
    /// Whether it still lasts at the horizon.
    pub open: bool,
    /// The component that caused it.
    pub component: Option<Arc<str>>,
    /// Why it began.
    pub reason: Option<Reason>,
    /// How long before its beginning a node that was lost had fallen silent.
    pub detection_lag_ms: i64,
}

/// The states of one target, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    entries: Vec<Entry>,
    /// Spans whose instants were given up for the bounds of the ledger.
    rolled: Vec<Rolled>,
}

impl Timeline {
    /// The timeline of these entries, which may come in any order; of two at one instant the later in the list wins.
    pub fn from_entries(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.at);
        let mut timeline = Self::default();
        for entry in entries {
            timeline.push(entry);
        }
        timeline
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry in force last.
    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Appends a state; returns whether anything changed. An entry that says what is already in force changes nothing;
    /// one at the instant of the last replaces it. Time never runs backwards: an earlier instant is taken as the last.
    pub fn push(&mut self, mut entry: Entry) -> bool {
        if let Some(last) = self.entries.last() {
            if last.says_the_same(&entry) {
                return false;
            }
            entry.at = entry.at.max(last.at);
            if last.at == entry.at {
                self.entries.pop();
                if self.entries.last().is_some_and(|before| before.says_the_same(&entry)) {
                    return true;
                }
            }
        }
        self.entries.push(entry);
        true
    }

    /// Notes with the outage that began at `at` how long before a node had fallen silent, of several the longest;
    /// returns whether anything changed.
    pub fn note_detection_lag(&mut self, at: Instant, lag_ms: i64) -> bool {
        let Ok(index) = self.entries.binary_search_by_key(&at, |entry| entry.at) else { return false };
        let goes_on = index.checked_sub(1).is_some_and(|before| self.entries[before].state == State::Down);
        let entry = &mut self.entries[index];
        let is_longer = entry.state == State::Down && !goes_on && lag_ms > entry.detection_lag_ms;
        if is_longer {
            entry.detection_lag_ms = lag_ms;
        }
        is_longer
    }

    /// Drops what no report needs any more: entries before `instant`, but for the run in force then.
    pub fn forget_before(&mut self, instant: Instant) {
        let keep = self.first_needed(instant);
        self.entries.drain(..keep);
        self.rolled.retain(|rolled| rolled.span.to > instant);
    }

    /// The entries that a ledger for `[from, to)` holds: those inside, and before them the one in force at `from`; of an
    /// outage that was in force then also its true beginning, so that across a period's edge it stays one outage.
    pub fn entries_for(&self, from: Instant, to: Instant) -> impl Iterator<Item = &Entry> {
        let in_force = self.entries.partition_point(|entry| entry.at <= from).saturating_sub(1);
        let end = self.entries.partition_point(|entry| entry.at < to);
        let first = Some(self.first_needed(from)).filter(|first| *first < in_force.min(end));
        first.map(|first| &self.entries[first]).into_iter().chain(&self.entries[in_force.min(end)..end])
    }

    /// The spans that were rolled up, in order.
    pub fn rolled(&self) -> &[Rolled] {
        &self.rolled
    }

    /// Notes spans that were rolled up before, as a ledger holds them.
    pub fn set_rolled(&mut self, mut rolled: Vec<Rolled>) {
        rolled.sort_by_key(|rolled| (rolled.span.from, std::cmp::Reverse(rolled.span.to)));
        rolled.dedup_by(|next, kept| next.span.from < kept.span.to);
        self.rolled = rolled;
    }

    /// The rolled-up span that an instant lies in.
    pub fn rolled_at(&self, at: Instant) -> Option<&Rolled> {
        let next = self.rolled.partition_point(|rolled| rolled.span.to <= at);
        self.rolled.get(next).filter(|rolled| rolled.span.contains(at))
    }

    /// The rolled-up span of which an interval covers a part but not all. Its instants are lost, so nothing can be said
    /// of a part of it: an exclusion of such an interval is refused.
    pub fn rolled_in_part(&self, interval: Interval) -> Option<&Rolled> {
        let inside = |rolled: &Rolled| interval.from <= rolled.span.from && rolled.span.to <= interval.to;
        self.rolled.iter().find(|rolled| rolled.span.intersect(&interval).is_some() && !inside(rolled))
    }

    /// How many entries the ledger of a period holds.
    pub fn count_in(&self, period: Interval) -> usize {
        self.entries_for(period.from, period.to).count()
    }

    /// The entries within a span.
    pub fn entries_in(&self, span: Interval) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.at < span.from);
        let end = self.entries.partition_point(|entry| entry.at < span.to);
        &self.entries[first..end.max(first)]
    }

    /// What was known at an instant: without what came later.
    #[must_use]
    pub fn until(&self, instant: Instant) -> Self {
        let end = self.entries.partition_point(|entry| entry.at < instant);
        Self { entries: self.entries[..end].to_vec(), rolled: self.rolled.clone() }
    }

    fn first_needed(&self, instant: Instant) -> usize {
        let after = self.entries.partition_point(|entry| entry.at <= instant);
        let Some(mut first) = after.checked_sub(1) else { return 0 };
        while first > 0 && self.entries[first].state == State::Down && self.entries[first - 1].state == State::Down {
            first -= 1;
        }
        first
    }

    /// The states within `span`, in order and without holes. Before the first entry, and from `horizon` on, Unknown.
    pub fn segments(&self, span: Interval, horizon: Instant) -> impl Iterator<Item = Segment> + '_ {
        let known_to = span.to.min(horizon).max(span.from);
        let first = self.entries.partition_point(|entry| entry.at <= span.from).saturating_sub(1);
        let unknown = |from: Instant, to: Instant| {
            Interval::new(from, to).map(|span| Segment { span, state: State::Unknown, source: Source::Live })
        };
        let begin = self.entries.get(first).map_or(known_to, |entry| entry.at.max(span.from).min(known_to));
        let head = unknown(span.from, begin);
        let tail = unknown(known_to, span.to);
        let body = self.entries[first..].iter().enumerate().map_while(move |(offset, entry)| {
            let next = self.entries.get(first + offset + 1).map_or(known_to, |next| next.at.min(known_to));
            (entry.at < known_to).then_some((entry, next))
        });
        let body = body.filter_map(move |(entry, next)| {
            Interval::new(entry.at.max(span.from), next).map(|span| Segment {
                span,
                state: entry.state,
                source: entry.source,
            })
        });
        head.into_iter().chain(body).chain(tail)
    }

    /// The maximal Down runs that begin before `horizon`, in order.
    pub fn down_runs(&self, horizon: Instant) -> Vec<DownRun> {
        let mut runs: Vec<DownRun> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.state != State::Down || entry.at >= horizon {
                continue;
            }
            let next = self.entries.get(index + 1).map(|next| next.at).filter(|at| *at < horizon);
            let to = next.unwrap_or(horizon);
            match runs.last_mut() {
                Some(run) if run.span.to == entry.at => {
                    run.span.to = to;
                    run.open = next.is_none();
                }
                _ => runs.push(DownRun {
                    span: Interval { from: entry.at, to },
                    open: next.is_none(),
                    component: entry.component.clone(),
                    reason: entry.reason,
                    detection_lag_ms: entry.detection_lag_ms,
                }),
            }
        }
        runs
    }

    /// The timeline in which Down runs shorter than `min_outage_ms` are Up, and those runs. A run is taken whole,
    /// before any cut; one that still lasts at the horizon is not decided yet and stays Down.
    pub fn without_short_outages(&self, min_outage_ms: i64, horizon: Instant) -> (Self, Vec<Interval>) {
        if min_outage_ms <= 0 {
            return (self.clone(), Vec::new());
        }
        let short: Vec<Interval> = self
            .down_runs(horizon)
            .into_iter()
            .filter(|run| !run.open && run.span.length_ms() < min_outage_ms)
            // What was rolled up was settled then.
            .filter(|run| self.rolled_at(run.span.from).is_none())
            .map(|run| run.span)
            .collect();
        // Runs are in order and disjoint: the first that ends later is the only one that can hold an instant.
        let in_short =
            |at: Instant| short.get(short.partition_point(|run| run.to <= at)).is_some_and(|run| run.contains(at));
        let entries = self
            .entries
            .iter()
            .map(|entry| {
                if entry.state == State::Down && in_short(entry.at) {
                    let reason = Some(Reason::AllCriticalReady);
                    Entry { state: State::Up, component: None, reason, detection_lag_ms: 0, ..entry.clone() }
                } else {
                    entry.clone()
                }
            })
            .collect();
        (Self { entries, rolled: self.rolled.clone() }, short)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    fn entry(ms: i64, state: State) -> Entry {
        Entry::live(at(ms), state, None, Reason::AllCriticalReady)
    }

    #[test]
    fn what_says_the_same_leaves_no_trace_and_the_later_wins_at_one_instant() {
        let mut timeline = Timeline::default();
        assert!(timeline.push(entry(0, State::Up)));
        assert!(!timeline.push(entry(5, State::Up)));
        assert!(timeline.push(entry(7, State::Down)));
        assert!(timeline.push(entry(7, State::Up)), "replaced, and then the same as before");
        assert_eq!(timeline.entries().len(), 1);
    }

    #[test]
    fn segments_cover_the_span_without_holes() {
        let timeline = Timeline::from_entries(vec![entry(10, State::Up), entry(20, State::Down)]);
        let span = Interval::new(at(0), at(40)).unwrap();
        let segments: Vec<_> = timeline.segments(span, at(30)).map(|s| (s.span.from.as_ms(), s.state)).collect();
        assert_eq!(segments, [(0, State::Unknown), (10, State::Up), (20, State::Down), (30, State::Unknown)]);
        let inside = Interval::new(at(12), at(15)).unwrap();
        assert_eq!(timeline.segments(inside, at(30)).count(), 1);
        let empty = Timeline::default();
        assert_eq!(empty.segments(span, at(30)).map(|s| s.span.length_ms()).sum::<i64>(), 40);
        let before = Interval::new(at(0), at(5)).unwrap();
        assert_eq!(timeline.segments(before, at(30)).map(|s| s.span.length_ms()).sum::<i64>(), 5);
        let after = Interval::new(at(35), at(45)).unwrap();
        let states: Vec<_> = timeline.segments(after, at(30)).map(|s| (s.span.length_ms(), s.state)).collect();
        assert_eq!(states, [(10, State::Unknown)]);
    }

    #[test]
    fn a_ledger_keeps_the_true_beginning_of_what_was_in_force() {
        let timeline = Timeline::from_entries(vec![
            entry(0, State::Up),
            entry(10, State::Down),
            Entry::live(at(15), State::Down, None, Reason::NoneReady),
            entry(30, State::Up),
        ]);
        let kept: Vec<_> = timeline.entries_for(at(20), at(30)).map(|e| e.at.as_ms()).collect();
        assert_eq!(kept, [10, 15]);
        let mut forgotten = timeline.clone();
        forgotten.forget_before(at(20));
        assert_eq!(forgotten.down_runs(at(40)), timeline.down_runs(at(40)));
    }

    #[test]
    fn a_lag_is_noted_with_the_beginning_of_an_outage() {
        let mut timeline = Timeline::from_entries(vec![
            entry(0, State::Up),
            entry(10, State::Down),
            Entry::live(at(15), State::Down, None, Reason::NoneReady),
            entry(30, State::Up),
        ]);
        for (instant, lag_ms) in [(0, 5), (11, 5), (15, 5), (30, 5), (10, 0)] {
            assert!(!timeline.note_detection_lag(at(instant), lag_ms), "{instant} {lag_ms}");
        }
        assert!(timeline.note_detection_lag(at(10), 5));
        assert!(!timeline.note_detection_lag(at(10), 4), "the longest");
        let runs = timeline.down_runs(at(40));
        assert_eq!(runs.iter().map(|run| run.detection_lag_ms).collect::<Vec<_>>(), [5]);
        assert!(!timeline.push(entry(30, State::Up)), "it does not tell entries apart");
    }

    #[test]
    fn short_outages_are_taken_whole() {
        let timeline = Timeline::from_entries(vec![
            entry(0, State::Up),
            entry(10, State::Down),
            entry(20, State::Up),
            entry(30, State::Down),
        ]);
        let (settled, short) = timeline.without_short_outages(11, at(35));
        assert_eq!(short.len(), 1);
        assert_eq!(settled.down_runs(at(35)).len(), 1, "the one that lasts is not decided");
        assert!(timeline.without_short_outages(10, at(35)).1.is_empty());
    }
}
