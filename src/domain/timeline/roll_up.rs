//! Rolling up: what keeps a ledger small without changing a figure.
//!
//! Within a span, the time of each state is put together: the sums stay exact, the instants inside are lost. What is in
//! service hours stays in service hours, and each window keeps its own time, so that no time moves from one class to
//! another. A run of one state that reaches over an edge of the span keeps its instants: no outage and no gap is made
//! longer or shorter, or one with another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::service::State;
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval, clip_list};

use super::rolled::{Level, Rolled};
use super::rules::{LineRules, PartRules};
use super::{Entry, Source, Timeline};

/// One way of rolling up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollUp {
    /// What the sums are noted as.
    pub level: Level,
    /// Whether time out of hours may take any state, which no figure of the period depends on. Only where keeping
    /// its states apart would break the bounds.
    pub loose: bool,
}

/// Time of one state within a span.
#[derive(Clone, Debug)]
struct Block {
    state: State,
    source: Source,
    ms: i64,
    component: Option<Arc<str>>,
    reason: Option<Reason>,
}

impl Block {
    fn at(&self, at: Instant) -> Entry {
        let Self { state, source, component, reason, .. } = self.clone();
        Entry { at, state, source, component, reason, detection_lag_ms: 0 }
    }
}

/// Which entries are taken over.
#[derive(Clone, Copy)]
enum Copy {
    All,
    /// Of a run only where its state or the source of its proof changes, and the one at an instant.
    Runs {
        but: Option<Instant>,
    },
}

/// Time that is classed alike: out of hours, in hours, or in one window of them.
type Kind = usize;
const OUT_OF_HOURS: Kind = 0;

/// A state over a stretch of a span.
#[derive(Clone, Debug)]
struct Stretch {
    span: Interval,
    block: Block,
}

impl Timeline {
    /// Puts the time of each state within each bucket together; returns whether anything changed. Buckets are sorted
    /// and disjoint, and of the rules each is wholly before or after the next.
    pub fn roll_up(&mut self, buckets: &[Interval], rules: &LineRules, how: RollUp) -> bool {
        let Some(last) = self.entries.last().map(|last| last.at) else { return false };
        // What was in force before tells the last entry from it: that since when the present state holds is shown.
        let before_last = self.entries.len().checked_sub(2).map(|index| self.entries[index].at);
        let mut shorter = Self::default();
        let mut notes: Vec<Rolled> = Vec::new();
        let mut copied = 0;
        for bucket in buckets {
            let begin = rules.parts.partition_point(|part| part.span.to <= bucket.from);
            for part in rules.parts[begin..].iter().take_while(|part| part.span.from < bucket.to) {
                let piece = bucket.intersect(&part.span);
                let Some(piece) = piece.and_then(|piece| Interval::new(piece.from, piece.to.min(last))) else {
                    continue;
                };
                let start = self.entries.partition_point(|entry| entry.at <= piece.from);
                let stop = self.entries.partition_point(|entry| entry.at < piece.to);
                shorter.copy(&self.entries[copied..start.max(copied)], Copy::All);
                copied = start.max(copied);
                if let Some((rolled, laid)) = self.put_together(piece, part, rules, how) {
                    let span = rolled.span;
                    let first = self.entries.partition_point(|entry| entry.at < span.from);
                    let end = self.entries.partition_point(|entry| entry.at < span.to);
                    shorter.copy(&self.entries[copied..first.max(copied)], Copy::Runs { but: before_last });
                    for entry in laid {
                        shorter.push(entry);
                    }
                    copied = end.max(copied);
                    notes.push(rolled);
                }
                shorter.copy(&self.entries[copied..stop.max(copied)], Copy::Runs { but: before_last });
                copied = stop.max(copied);
            }
        }
        shorter.copy(&self.entries[copied..], Copy::All);
        let changed = !notes.is_empty() || shorter.entries.len() < self.entries.len();
        if changed {
            self.entries = shorter.entries;
            for note in notes {
                self.rolled.retain(|other| other.span.intersect(&note.span).is_none());
                self.rolled.push(note);
            }
            self.rolled.sort_by_key(|rolled| rolled.span.from);
        }
        changed
    }

    /// Takes over entries.
    fn copy(&mut self, entries: &[Entry], what: Copy) {
        for entry in entries {
            let goes_on =
                self.entries.last().is_some_and(|last| last.state == entry.state && last.source == entry.source);
            match what {
                Copy::Runs { but } if goes_on && but != Some(entry.at) => {}
                _ => {
                    self.push(entry.clone());
                }
            }
        }
    }

    /// The span within a piece whose time can be put together: without the runs that reach over its edges. Spans that
    /// were rolled up before are wholly inside or outside.
    fn interior(&self, piece: Interval) -> Option<Interval> {
        let start = self.entries.partition_point(|entry| entry.at <= piece.from);
        let end = self.entries.partition_point(|entry| entry.at < piece.to);
        let inside = &self.entries[start.min(end)..end];
        let lead = start.checked_sub(1).map_or(State::Unknown, |index| self.entries[index].state);
        let from = inside.iter().find(|entry| entry.state != lead).map(|entry| entry.at);
        let to = inside.last().map(|last| {
            let before = inside.iter().rposition(|entry| entry.state != last.state);
            inside[before.map_or(0, |index| index + 1)].at
        });
        let known = || self.rolled.iter().filter(|rolled| rolled.span.intersect(&piece).is_some());
        let from = known().map(|rolled| rolled.span.from).chain(from).min()?;
        let to = known().map(|rolled| rolled.span.to).chain(to).max()?;
        Interval::new(from, to)
    }

    /// The sum of a piece and the entries that stand for it; none if nothing is gained.
    fn put_together(
        &self,
        piece: Interval,
        part: &PartRules,
        rules: &LineRules,
        how: RollUp,
    ) -> Option<(Rolled, Vec<Entry>)> {
        // A sum that an older version of the rules made may reach over an edge of today's: it stays as it is.
        let span = self.interior(piece).filter(|span| piece.from <= span.from && span.to <= piece.to)?;
        let known: Vec<&Rolled> = self.rolled.iter().filter(|rolled| rolled.span.intersect(&span).is_some()).collect();
        let mut rolled = Rolled::new(span, how.level);
        let stretches = self.settle(span, part, rules, &mut rolled);
        let edges = Edges {
            before: self.state_before(span.from),
            after: self.in_force(span.to)?.state,
            opens: stretches.first()?.block.clone(),
            closes: stretches.last()?.block.clone(),
        };
        let kinds = kinds(span, part);
        let mut laid = Timeline::default();
        for entry in lay_out(&kinds, queues(&kinds, &stretches, &edges), &edges, how.loose) {
            laid.push(entry);
        }
        laid.push(Entry { at: span.to, ..self.in_force(span.to)?.clone() });
        let first = self.entries.partition_point(|entry| entry.at < span.from);
        let end = self.entries.partition_point(|entry| entry.at <= span.to);
        let saved = (end - first).saturating_sub(laid.entries.len());
        let merges = known.len() > 1 || known.iter().any(|known| known.level < how.level);
        if saved == 0 && !merges {
            return None;
        }
        for known in known {
            rolled.level = rolled.level.max(known.level);
            rolled.absorb(known);
        }
        rolled.entries += u32::try_from(saved).unwrap_or(u32::MAX);
        Some((rolled, laid.entries))
    }

    fn in_force(&self, at: Instant) -> Option<&Entry> {
        let after = self.entries.partition_point(|entry| entry.at <= at);
        after.checked_sub(1).map(|index| &self.entries[index])
    }

    fn state_before(&self, at: Instant) -> State {
        let after = self.entries.partition_point(|entry| entry.at < at);
        after.checked_sub(1).map_or(State::Unknown, |index| self.entries[index].state)
    }

    /// The states of a span, with short outages settled, and what is lost by rolling it up noted.
    fn settle(&self, span: Interval, part: &PartRules, rules: &LineRules, rolled: &mut Rolled) -> Vec<Stretch> {
        let mut stretches = self.stretches(span);
        let mut index = 0;
        while index < stretches.len() {
            let state = stretches[index].block.state;
            let length = stretches[index..].iter().take_while(|other| other.block.state == state).count();
            let run = Interval { from: stretches[index].span.from, to: stretches[index + length - 1].span.to };
            let end = index + length;
            if self.rolled_at(run.from).is_none() {
                let in_hours: i64 = clip_list(&part.hours, run).iter().map(Interval::length_ms).sum();
                let counted = rules.counted_ms(run, in_hours);
                match state {
                    State::Down if run.length_ms() < part.min_outage_ms => {
                        rolled.short_count += u32::from(in_hours > 0);
                        rolled.short_ms += in_hours;
                        for stretch in &mut stretches[index..end] {
                            stretch.block.state = State::Up;
                            stretch.block.component = None;
                            stretch.block.reason = Some(Reason::AllCriticalReady);
                        }
                    }
                    State::Down if counted > 0 => {
                        rolled.outages += 1;
                        rolled.outages_ms += counted;
                        rolled.longest_ms = rolled.longest_ms.max(counted);
                    }
                    State::Unknown => {
                        rolled.gaps += 1;
                        rolled.gaps_ms += run.length_ms();
                        rolled.longest_gap_ms = rolled.longest_gap_ms.max(run.length_ms());
                    }
                    _ => {}
                }
            }
            index = end;
        }
        stretches
    }

    fn stretches(&self, span: Interval) -> Vec<Stretch> {
        let first = self.entries.partition_point(|entry| entry.at <= span.from).saturating_sub(1);
        let end = self.entries.partition_point(|entry| entry.at < span.to);
        let inside = &self.entries[first.min(end)..end];
        let stretch = |(index, entry): (usize, &Entry)| {
            let to = inside.get(index + 1).map_or(span.to, |next| next.at);
            Some(Stretch {
                span: Interval::new(entry.at.max(span.from), to)?,
                block: Block {
                    state: entry.state,
                    // Unproved time has no source of proof.
                    source: if entry.state == State::Unknown { Source::Live } else { entry.source },
                    ms: 0,
                    component: entry.component.clone(),
                    reason: entry.reason,
                },
            })
        };
        inside.iter().enumerate().filter_map(stretch).collect()
    }
}

/// What lies around a span: its neighbours must not grow into it.
struct Edges {
    before: State,
    after: State,
    opens: Block,
    closes: Block,
}

/// A run of these states is an outage or a gap: where it begins and ends is a figure.
fn is_kept_apart(state: State) -> bool {
    matches!(state, State::Down | State::Unknown)
}

/// A span, cut into stretches of one kind.
fn kinds(span: Interval, part: &PartRules) -> Vec<(Interval, Kind)> {
    let hours = clip_list(&part.hours, span);
    let first = part.windows.partition_point(|window| window.to <= span.from);
    let windows = clip_list(&part.windows, span);
    let edges = hours.iter().chain(&windows).flat_map(|open| [open.from, open.to]);
    let mut cuts: Vec<Instant> = edges.chain([span.from, span.to]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let kind = |at: Instant| {
        let holds = |list: &[Interval]| {
            let index = list.partition_point(|open| open.to <= at);
            list.get(index).is_some_and(|open| open.contains(at)).then_some(index)
        };
        match (holds(&hours), holds(&windows)) {
            (None, _) => OUT_OF_HOURS,
            (Some(_), None) => 1,
            (Some(_), Some(index)) => 2 + first + index,
        }
    };
    cuts.windows(2).filter_map(|pair| Interval::new(pair[0], pair[1])).map(|span| (span, kind(span.from))).collect()
}

/// The time of each state in each kind, in the order in which it is laid out.
fn queues(kinds: &[(Interval, Kind)], stretches: &[Stretch], edges: &Edges) -> BTreeMap<Kind, VecDeque<Block>> {
    let mut sums: BTreeMap<Kind, Vec<Block>> = BTreeMap::new();
    let mut next = 0;
    for (span, kind) in kinds {
        while stretches.get(next).is_some_and(|stretch| stretch.span.to <= span.from) {
            next += 1;
        }
        let blocks = sums.entry(*kind).or_default();
        for stretch in stretches[next..].iter().take_while(|stretch| stretch.span.from < span.to) {
            let ms = stretch.span.intersect(span).map_or(0, |both| both.length_ms());
            let same = |block: &&mut Block| block.state == stretch.block.state && block.source == stretch.block.source;
            match blocks.iter_mut().find(same) {
                Some(block) => block.ms += ms,
                None => blocks.push(Block { ms, ..stretch.block.clone() }),
            }
        }
    }
    let opening = kinds.first().map(|(_, kind)| *kind);
    let closing = kinds.last().map(|(_, kind)| *kind);
    let arranged = sums.into_iter().map(|(kind, blocks)| {
        let before = (Some(kind) == opening).then_some(edges.before);
        let after = (Some(kind) == closing).then_some(edges.after);
        (kind, arrange(blocks, before, after).into())
    });
    arranged.collect()
}

/// Orders blocks so that what lies before and after is neither lengthened, where that matters, nor needlessly followed
/// by another entry, where it does not.
fn arrange(mut blocks: Vec<Block>, before: Option<State>, after: Option<State>) -> Vec<Block> {
    let rank = |block: &Block| (is_kept_apart(block.state), block.state.as_str(), block.source.as_str());
    blocks.sort_by(|one, other| rank(one).cmp(&rank(other)));
    if blocks.len() < 2 {
        return blocks;
    }
    let fits = |state: State, edge: Option<State>| edge.is_none_or(|edge| !is_kept_apart(edge) || edge != state);
    let joins = |state: State, edge: Option<State>| edge.is_some_and(|edge| !is_kept_apart(edge) && edge == state);
    let pick = |edge: Option<State>, other: Option<usize>| {
        let mut open = blocks.iter().enumerate().filter(|(index, _)| Some(*index) != other);
        let joining = open.clone().find(|(_, block)| joins(block.state, edge));
        joining.or_else(|| open.find(|(_, block)| fits(block.state, edge))).map(|(index, _)| index)
    };
    let last = pick(after, None);
    let (first, last) = match (pick(before, last), last) {
        // The only one that fits behind is the only one that fits in front: another behind, or both ends of it.
        (None, Some(only)) => (Some(only), pick(after, Some(only))),
        found => found,
    };
    let mut ordered: Vec<Block> = first.map(|index| blocks[index].clone()).into_iter().collect();
    let rest = blocks.iter().enumerate().filter(|(index, _)| Some(*index) != first && Some(*index) != last);
    ordered.extend(rest.map(|(_, block)| block.clone()));
    match (first, last) {
        (_, Some(last)) => ordered.push(blocks[last].clone()),
        (Some(first), None) if blocks[first].ms > 1 => {
            let behind = Block { ms: blocks[first].ms - 1, ..blocks[first].clone() };
            ordered[0].ms = 1;
            ordered.push(behind);
        }
        _ => {}
    }
    ordered
}

/// Entries that give each kind its blocks, in order of time.
fn lay_out(
    kinds: &[(Interval, Kind)],
    mut queues: BTreeMap<Kind, VecDeque<Block>>,
    edges: &Edges,
    loose: bool,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (index, (span, kind)) in kinds.iter().enumerate() {
        if loose && *kind == OUT_OF_HOURS {
            if index == 0 {
                entries.push(edges.opens.at(span.from));
            }
            if index + 1 == kinds.len() {
                let at = if index == 0 { span.to.minus_ms(1) } else { span.from };
                entries.push(edges.closes.at(at.max(span.from)));
            }
            continue;
        }
        let Some(queue) = queues.get_mut(kind) else { continue };
        let mut at = span.from;
        while at < span.to
            && let Some(block) = queue.front_mut()
        {
            entries.push(block.at(at));
            let taken = block.ms.min(span.to.ms_since(at));
            block.ms -= taken;
            at = at.plus_ms(taken);
            if block.ms == 0 {
                queue.pop_front();
            }
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::accounting::classify;
    use crate::domain::time::HOUR_MS;

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    fn span(from: i64, to: i64) -> Interval {
        Interval { from: at(from), to: at(to) }
    }

    fn line(states: &[(i64, State)]) -> Timeline {
        let entry = |&(ms, state)| Entry::live(at(ms), state, None, Reason::NoneReady);
        Timeline::from_entries(states.iter().map(entry).collect())
    }

    fn rules(part: PartRules) -> LineRules {
        LineRules { parts: vec![part], counted: None }
    }

    fn always(to: i64) -> PartRules {
        PartRules { span: span(0, to), hours: vec![span(0, to)], windows: Vec::new(), min_outage_ms: 0 }
    }

    const HOUR: RollUp = RollUp { level: Level::Hour, loose: false };

    fn states(line: &Timeline) -> Vec<(i64, State)> {
        line.entries().iter().map(|entry| (entry.at.as_ms(), entry.state)).collect()
    }

    #[test]
    fn what_reaches_over_an_edge_keeps_its_instants() {
        use State::{Down, Up};
        let mut rolled =
            line(&[(5, Down), (20, Up), (30, Down), (31, Up), (40, Down), (45, Up), (90, Down), (110, Up)]);
        assert!(rolled.roll_up(&[span(10, 100)], &rules(always(200)), HOUR));
        assert_eq!(states(&rolled), [(5, Down), (20, Up), (21, Down), (27, Up), (90, Down), (110, Up)]);
        let note = &rolled.rolled()[0];
        assert_eq!((note.span, note.outages, note.outages_ms, note.longest_ms), (span(20, 90), 2, 6, 5));
        assert_eq!(note.entries, 2);
    }

    #[test]
    fn each_kind_of_time_keeps_its_states() {
        use State::{Down, Up};
        let flaps = [(2, Down), (3, Up), (5, Down), (6, Up), (7, Down), (8, Up)];
        let original = line(
            &[&[(0, Up)][..], &flaps, &[(10, Down), (12, Up), (25, Down), (35, Up), (50, Down), (52, Up), (99, Down)]]
                .concat(),
        );
        let mut part = always(200);
        part.hours = vec![span(0, 30), span(60, 200)];
        part.windows = vec![span(20, 30)];
        let mut rolled = original.clone();
        assert!(rolled.roll_up(&[span(0, 100)], &rules(part.clone()), HOUR));
        for kind in [span(0, 20), span(20, 30), span(30, 60), span(60, 100)] {
            let sums = |line: &Timeline| classify(line.segments(kind, at(100)), &[kind]);
            assert_eq!(sums(&rolled), sums(&original), "{kind:?}");
        }
        assert_eq!(rolled.rolled()[0].outages, 5, "one is out of hours");
        let mut loose = original.clone();
        loose.roll_up(&[span(0, 100)], &rules(part.clone()), RollUp { loose: true, ..HOUR });
        let sums = |line: &Timeline| classify(line.segments(span(0, 100), at(100)), &part.hours);
        assert_eq!(sums(&loose), sums(&original));
        assert!(loose.entries().len() <= rolled.entries().len());
    }

    #[test]
    fn a_sum_goes_on_while_its_hour_is_the_current_one() {
        let mut rolled = line(&[(0, State::Up)]);
        for flap in 0..1000 {
            let begin = 1000 + 200 * flap;
            rolled.push(Entry::live(at(begin), State::Down, None, Reason::NoneReady));
            rolled.push(Entry::live(at(begin + 100), State::Up, None, Reason::AllCriticalReady));
            if rolled.entries().len() > 50 {
                rolled.roll_up(&[span(0, HOUR_MS)], &rules(always(10 * HOUR_MS)), HOUR);
            }
        }
        assert!(rolled.entries().len() <= 51);
        assert_eq!(rolled.rolled().len(), 1);
        let sums = classify(rolled.segments(span(0, HOUR_MS), at(HOUR_MS)), &[span(0, HOUR_MS)]);
        assert_eq!(sums.down, 100_000);
        let runs = rolled.down_runs(at(HOUR_MS));
        let listed = runs.iter().filter(|run| rolled.rolled_at(run.span.from).is_none()).count();
        assert_eq!(rolled.rolled()[0].outages as usize + listed, 1000);
    }
}
