//! Filling gaps: what was found out afterwards takes the place of Unknown, and of nothing else.

use crate::api::service::State;
use crate::domain::reason::Reason;
use crate::domain::time::Interval;

use super::{Entry, Timeline};

impl Timeline {
    /// Puts what was found out into the stretches of `span` that are Unknown for this reason and have ended; returns
    /// whether anything changed.
    pub fn fill(&mut self, found: &Self, span: Interval, reason: Reason) -> bool {
        let mut filled: Vec<Entry> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let ends = self.entries.get(index + 1).and_then(|next| Interval::new(entry.at, next.at));
            // What was rolled up has no instants any more.
            let is_gap =
                entry.state == State::Unknown && entry.reason == Some(reason) && self.rolled_at(entry.at).is_none();
            let Some((stretch, gap)) =
                ends.filter(|_| is_gap).and_then(|stretch| Some((stretch, stretch.intersect(&span)?)))
            else {
                filled.push(entry.clone());
                continue;
            };
            if stretch.from < gap.from {
                filled.push(entry.clone());
            }
            filled.push(Entry { at: gap.from, ..entry.clone() });
            let begins = found.entries.partition_point(|part| part.at <= gap.from).saturating_sub(1);
            let parts = found.entries[begins.min(found.entries.len())..].iter().take_while(|part| part.at < gap.to);
            filled.extend(parts.map(|part| Entry { at: part.at.max(gap.from), ..part.clone() }));
            if gap.to < stretch.to {
                filled.push(Entry { at: gap.to, ..entry.clone() });
            }
        }
        let mut filled = Self::from_entries(filled);
        filled.rolled.clone_from(&self.rolled);
        let changed = filled != *self;
        *self = filled;
        changed
    }
}

impl Timeline {
    /// What was in force before the first stretch of `span` that is Unknown for this reason.
    pub fn before_gap(&self, span: Interval, reason: Reason) -> Option<&Entry> {
        let is_gap = |entry: &Entry| entry.state == State::Unknown && entry.reason == Some(reason);
        let index = self.entries.iter().position(|entry| is_gap(entry) && span.contains(entry.at))?;
        index.checked_sub(1).map(|index| &self.entries[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Instant;

    fn entry(ms: i64, state: State, reason: Reason) -> Entry {
        Entry::live(Instant::from_ms(ms), state, None, reason)
    }

    #[test]
    fn only_the_gap_is_filled() {
        let up = |ms| entry(ms, State::Up, Reason::AllCriticalReady);
        let down = |ms| entry(ms, State::Down, Reason::NoneReady);
        let unknown = |ms, reason| entry(ms, State::Unknown, reason);
        let line = |entries: Vec<Entry>| Timeline::from_entries(entries);
        let span = Interval { from: Instant::from_ms(15), to: Instant::from_ms(30) };
        let found = line(vec![up(0), down(20)]);
        let mut gap = line(vec![up(0), unknown(10, Reason::NoLeader), up(40)]);
        assert!(gap.fill(&found, span, Reason::NoLeader));
        let expected =
            vec![up(0), unknown(10, Reason::NoLeader), up(15), down(20), unknown(30, Reason::NoLeader), up(40)];
        assert_eq!(gap.entries(), expected);
        assert!(!gap.fill(&found, span, Reason::NoLeader), "once");
        let mut other = line(vec![up(0), unknown(10, Reason::NotMeasurable), up(40)]);
        assert!(!other.fill(&found, span, Reason::NoLeader), "another reason");
        let mut open = line(vec![up(0), unknown(10, Reason::NoLeader)]);
        assert!(!open.fill(&found, span, Reason::NoLeader), "it has not ended");
    }
}
