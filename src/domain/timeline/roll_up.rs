//! Rolling up: what keeps a ledger small without changing a figure.
//!
//! Within a span that is rolled up, the time of each state is put together: the sums stay exact, the instants inside
//! are lost. Spans are cut where the service hours or the terms change, so that no time moves from one class to another.

use std::sync::Arc;

use crate::api::service::State;
use crate::domain::reason::Reason;
use crate::domain::time::{DAY_MS, HOUR_MS, Instant, Interval, clip_list};

use super::{Entry, Source, Timeline};

/// What is remembered of a span that was rolled up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rolled {
    /// First instant, in ms.
    pub from: i64,
    /// First instant after it, in ms.
    pub to: i64,
    /// Outages with counted time that began in it.
    pub outages: u32,
    /// Counted time of them.
    pub outages_ms: i64,
    /// The longest of them.
    pub longest_ms: i64,
    /// Counted time of Down runs that were too short to count.
    pub short_ms: i64,
    /// Number of them.
    pub short_count: u32,
    /// Entries that were put together.
    pub entries: u32,
}

/// Why a line about a rolled-up span could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the sum {0:?}: want `<from> <to> name=number …`")]
pub struct RolledError(String);

impl Rolled {
    /// The span.
    pub fn span(&self) -> Interval {
        Interval { from: Instant::from_ms(self.from), to: Instant::from_ms(self.to) }
    }

    /// The ledger form; zeros are left out.
    pub fn format(&self) -> String {
        let mut text = format!("{} {}", self.span().from.format_utc(), self.span().to.format_utc());
        for (name, value) in self.fields() {
            if value != 0 {
                text.push_str(&format!(" {name}={value}"));
            }
        }
        text
    }

    /// Reads the ledger form.
    pub fn parse(text: &str) -> Result<Self, RolledError> {
        let error = || RolledError(text.to_owned());
        let mut words = text.split(' ');
        let mut instant = || words.next().and_then(|word| Instant::parse(word).ok()).ok_or_else(error);
        let mut rolled = Self { from: instant()?.as_ms(), to: instant()?.as_ms(), ..Self::default() };
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(error)?;
            let value: i64 = value.parse().map_err(|_| error())?;
            let count = u32::try_from(value);
            match name {
                "outages" => rolled.outages = count.map_err(|_| error())?,
                "outagesMs" => rolled.outages_ms = value,
                "longestMs" => rolled.longest_ms = value,
                "shortMs" => rolled.short_ms = value,
                "short" => rolled.short_count = count.map_err(|_| error())?,
                "entries" => rolled.entries = count.map_err(|_| error())?,
                _ => return Err(error()),
            }
        }
        Ok(rolled)
    }

    fn fields(&self) -> [(&'static str, i64); 6] {
        [
            ("outages", self.outages.into()),
            ("outagesMs", self.outages_ms),
            ("longestMs", self.longest_ms),
            ("short", self.short_count.into()),
            ("shortMs", self.short_ms),
            ("entries", self.entries.into()),
        ]
    }

    fn absorb(&mut self, other: &Self) {
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
        self.outages += other.outages;
        self.outages_ms += other.outages_ms;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.short_ms += other.short_ms;
        self.short_count += other.short_count;
        self.entries += other.entries;
    }
}

/// Lengths of the spans that are rolled up, the next when the one before is not enough.
pub const BUCKETS_MS: [i64; 4] = [HOUR_MS, DAY_MS, 7 * DAY_MS, 28 * DAY_MS];

/// What a timeline is rolled up under.
#[derive(Clone, Copy, Debug)]
pub struct RollUp<'a> {
    /// The period whose ledger is bounded.
    pub period: Interval,
    /// The service hours within it.
    pub hours: &'a [Interval],
    /// Instants at which the terms change.
    pub cuts: &'a [Instant],
    /// Down runs shorter than this do not count.
    pub min_outage_ms: i64,
}

impl Timeline {
    /// The spans that were rolled up, in order.
    pub fn rolled(&self) -> &[Rolled] {
        &self.rolled
    }

    /// Notes spans that were rolled up before, as a ledger holds them.
    pub fn set_rolled(&mut self, mut rolled: Vec<Rolled>) {
        rolled.sort_by_key(|span| span.from);
        rolled.dedup_by_key(|span| span.from);
        self.rolled = rolled;
    }

    /// The rolled-up span that an instant lies in.
    pub fn rolled_at(&self, at: Instant) -> Option<&Rolled> {
        self.rolled.iter().find(|rolled| rolled.span().contains(at))
    }

    /// How many entries of a period there are.
    pub fn count_in(&self, period: Interval) -> usize {
        self.entries_for(period.from, period.to).len()
    }

    /// The span of this bucket length with most entries of the period, and how many; the oldest on a tie. The state
    /// that is in force now is in none.
    pub fn fullest(&self, period: Interval, bucket_ms: i64) -> Option<(usize, Interval)> {
        let last = self.entries.last()?.at;
        let begin = self.entries.partition_point(|entry| entry.at < period.from);
        let mut best: Option<(usize, Interval)> = None;
        let mut index = begin;
        while index < self.entries.len() {
            let start = self.entries[index].at.as_ms().div_euclid(bucket_ms) * bucket_ms;
            let span = Interval {
                from: Instant::from_ms(start).max(period.from),
                to: Instant::from_ms(start + bucket_ms).min(period.to).min(last),
            };
            let end = self.entries.partition_point(|entry| entry.at < span.to).max(index + 1);
            let count = end - index;
            if span.from < span.to && best.is_none_or(|(most, _)| count > most) {
                best = Some((count, span));
            }
            index = end;
        }
        best
    }

    /// Puts the time of each state within a span together; returns how many entries that saves.
    pub fn roll_up(&mut self, span: Interval, rules: RollUp<'_>) -> usize {
        let horizon = self.entries.last().map_or(span.to, |last| last.at.max(span.to));
        let mut rolled = self.summary(span, rules, horizon);
        let (settled, _) = self.without_short_outages(rules.min_outage_ms, horizon);
        let mut kept: Vec<Entry> = Vec::new();
        for stretch in cut(span, rules) {
            kept.extend(settled.sorted(stretch));
        }
        let after = settled.entries.iter().rev().find(|entry| entry.at <= span.to).cloned();
        let first = self.entries.partition_point(|entry| entry.at < span.from);
        let end = self.entries.partition_point(|entry| entry.at < span.to);
        let tail = &self.entries[end..];
        let mut shorter = Self { entries: self.entries[..first].to_vec(), rolled: Vec::new() };
        let after = after.filter(|_| tail.first().is_none_or(|next| next.at > span.to));
        for entry in kept.into_iter().chain(after.map(|after| Entry { at: span.to, ..after })) {
            shorter.push(entry);
        }
        for entry in tail {
            shorter.push(entry.clone());
        }
        let saved = self.entries.len().saturating_sub(shorter.entries.len());
        if saved > 0 {
            self.entries = shorter.entries;
            rolled.entries = u32::try_from(saved).unwrap_or(u32::MAX);
            self.note_rolled(rolled);
        }
        saved
    }

    /// Neighbours and parts become one: a day holds its hours.
    fn note_rolled(&mut self, mut rolled: Rolled) {
        self.rolled.retain(|other| {
            let inside = other.from < rolled.to && rolled.from < other.to;
            let same_hour =
                other.to == rolled.from && other.from.div_euclid(HOUR_MS) == (rolled.to - 1).div_euclid(HOUR_MS);
            if inside || same_hour {
                rolled.absorb(other);
            }
            !(inside || same_hour)
        });
        self.rolled.push(rolled);
        self.rolled.sort_by_key(|span| span.from);
    }

    /// What is lost by rolling a span up: its outages, but for those of spans rolled up before.
    fn summary(&self, span: Interval, rules: RollUp<'_>, horizon: Instant) -> Rolled {
        let mut rolled = Rolled { from: span.from.as_ms(), to: span.to.as_ms(), ..Rolled::default() };
        let counted = |run: &Interval| clip_list(rules.hours, *run).iter().map(Interval::length_ms).sum::<i64>();
        let (settled, short) = self.without_short_outages(rules.min_outage_ms, horizon);
        let known = |at: Instant| self.rolled_at(at).is_some();
        for run in settled.down_runs(horizon) {
            let ms = counted(&run.span);
            if span.contains(run.span.from) && !known(run.span.from) && ms > 0 {
                rolled.outages += 1;
                rolled.outages_ms += ms;
                rolled.longest_ms = rolled.longest_ms.max(ms);
            }
        }
        for run in short.iter().filter(|run| span.contains(run.from) && !known(run.from)) {
            let ms = counted(run);
            rolled.short_count += u32::from(ms > 0);
            rolled.short_ms += ms;
        }
        rolled
    }

    /// The states within a stretch, each put together: the first state first and the last one last, so that what
    /// crosses the edges stays in one piece.
    fn sorted(&self, stretch: Interval) -> Vec<Entry> {
        let mut blocks: Vec<(State, Source, i64, Option<Arc<str>>, Option<Reason>)> = Vec::new();
        let mut last = None;
        for segment in self.segments(stretch, stretch.to) {
            let entry = self.entries.iter().rev().find(|entry| entry.at <= segment.span.from);
            let length = segment.span.length_ms();
            match blocks.iter_mut().find(|block| block.0 == segment.state && block.1 == segment.source) {
                Some(block) => block.2 += length,
                None => blocks.push((
                    segment.state,
                    segment.source,
                    length,
                    entry.and_then(|entry| entry.component.clone()),
                    entry.and_then(|entry| entry.reason),
                )),
            }
            last = Some((segment.state, segment.source));
        }
        if let Some((state, source)) = last
            && let Some(index) = blocks.iter().skip(1).position(|block| block.0 == state && block.1 == source)
        {
            let block = blocks.remove(index + 1);
            blocks.push(block);
        }
        let mut at = stretch.from;
        blocks
            .into_iter()
            .map(|(state, source, length, component, reason)| {
                let entry = Entry { at, state, source, component, reason };
                at = at.plus_ms(length);
                entry
            })
            .collect()
    }
}

/// A span, cut where hours or terms change.
fn cut(span: Interval, rules: RollUp<'_>) -> Vec<Interval> {
    let edges = rules.hours.iter().flat_map(|open| [open.from, open.to]).chain(rules.cuts.iter().copied());
    let mut cuts: Vec<Instant> = edges.filter(|edge| span.from < *edge && *edge < span.to).collect();
    cuts.extend([span.from, span.to]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).filter_map(|pair| Interval::new(pair[0], pair[1])).collect()
}

/// Bounds the lines of one period to `limit` entries together; returns whether anything was rolled up.
pub fn bound(lines: &mut [(&mut Timeline, RollUp<'_>)], limit: usize) -> bool {
    let count = |lines: &[(&mut Timeline, RollUp<'_>)]| -> usize {
        lines.iter().map(|(line, rules)| line.count_in(rules.period)).sum()
    };
    if count(lines) <= limit {
        return false;
    }
    // Some room, so that the next entry does not roll up again.
    let wanted = limit * 9 / 10;
    let mut rolled = false;
    for bucket_ms in BUCKETS_MS {
        let mut tried: Vec<(usize, Interval)> = Vec::new();
        while count(lines) > wanted {
            let fullest = lines
                .iter()
                .enumerate()
                .filter_map(|(index, (line, rules))| line.fullest(rules.period, bucket_ms).map(|found| (index, found)))
                .max_by_key(|(index, (count, span))| (*count, std::cmp::Reverse((span.from, *index))));
            let Some((index, (_, span))) = fullest else { break };
            let rules = lines[index].1;
            let saved = lines[index].0.roll_up(span, rules);
            if saved == 0 || tried.contains(&(index, span)) {
                break;
            }
            tried.push((index, span));
            rolled = true;
        }
    }
    rolled
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::accounting::classify;

    const DAYS: i64 = 100;

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    fn flapping(from: i64, count: i64, step_ms: i64) -> Timeline {
        let entry = |index: i64| {
            let state = if index % 2 == 0 { State::Down } else { State::Up };
            Entry::live(at(from + index * step_ms), state, None, Reason::NoneReady)
        };
        let mut entries = vec![Entry::live(at(0), State::Up, None, Reason::AllCriticalReady)];
        entries.extend((0..count).map(entry));
        Timeline::from_entries(entries)
    }

    /// M-68: 6000 transitions in ten minutes become one hour, and no figure changes.
    #[test]
    fn m_68_flapping_is_rolled_up_without_changing_a_figure() {
        let period = Interval { from: at(0), to: at(30 * DAY_MS) };
        let original = flapping(14 * HOUR_MS, 6000, 100);
        let mut line = original.clone();
        let hours = [period];
        let rules = RollUp { period, hours: &hours, cuts: &[], min_outage_ms: 0 };
        assert!(bound(&mut [(&mut line, rules)], 400));
        assert!(line.count_in(period) <= 400);
        let sums = |line: &Timeline| classify(line.segments(period, period.to), &hours);
        assert_eq!(sums(&line), sums(&original));
        assert_eq!(sums(&line).down, 300_000);
        assert_eq!(line.rolled().len(), 1);
        assert_eq!((line.rolled()[0].outages, line.rolled()[0].longest_ms), (3000, 100));
        let text = line.rolled()[0].format();
        assert_eq!(Rolled::parse(&text).unwrap(), line.rolled()[0]);
        assert!(Rolled::parse("x").is_err());
    }

    /// As M-96, for some months: flapping each day; the service hours keep their time.
    #[test]
    fn months_of_flapping_fits_and_hours_keep_their_time() {
        let period = Interval { from: at(0), to: at(DAYS * DAY_MS) };
        let mut entries = vec![Entry::live(at(0), State::Up, None, Reason::AllCriticalReady)];
        for day in 0..DAYS {
            for flap in 0..10 {
                let from = day * DAY_MS + 9 * HOUR_MS + flap * 60_000;
                entries.push(Entry::live(at(from), State::Down, None, Reason::NoneReady));
                entries.push(Entry::live(at(from + 1000), State::Up, None, Reason::AllCriticalReady));
            }
        }
        let original = Timeline::from_entries(entries);
        for hours in [
            vec![period],
            (0..DAYS)
                .map(|d| Interval { from: at(d * DAY_MS + 8 * HOUR_MS), to: at(d * DAY_MS + 18 * HOUR_MS) })
                .collect(),
        ] {
            let mut line = original.clone();
            let rules = RollUp { period, hours: &hours, cuts: &[], min_outage_ms: 0 };
            bound(&mut [(&mut line, rules)], 400);
            let sums = |line: &Timeline| classify(line.segments(period, period.to), &hours);
            assert_eq!(sums(&line), sums(&original));
            assert_eq!(sums(&line).down, DAYS * 10_000);
            let kept = line.down_runs(period.to).iter().filter(|run| line.rolled_at(run.span.from).is_none()).count();
            let rolled: u32 = line.rolled().iter().map(|rolled| rolled.outages).sum();
            assert_eq!(i64::from(rolled) + kept as i64, DAYS * 10);
            if hours.len() == 1 {
                assert!(line.count_in(period) <= 400, "{}", line.count_in(period));
            }
        }
    }
}
