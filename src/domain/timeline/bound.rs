//! The bounds of a ledger: what is rolled up first, and how far.

use std::collections::{BTreeMap, HashSet};

use crate::domain::limits::{LEDGER_DAY_SUMS, LEDGER_ENTRIES, LEDGER_HOUR_SUMS};
use crate::domain::time::{DAY_MS, HOUR_MS, Instant, Interval};

use super::roll_up::RollUp;
use super::rolled::Level;
use super::rules::LineRules;
use super::{Rolled, Timeline};

/// What the ledger of one period may hold in all lines together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Entries.
    pub entries: usize,
    /// Sums of hours.
    pub hours: usize,
    /// Sums of days and of weeks.
    pub days: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: LEDGER_ENTRIES, hours: LEDGER_HOUR_SUMS, days: LEDGER_DAY_SUMS }
    }
}

impl Bounds {
    /// What lines hold now.
    pub fn held<'a>(lines: impl IntoIterator<Item = &'a Timeline>, period: Interval) -> Self {
        let mut held = Self { entries: 0, hours: 0, days: 0 };
        for line in lines {
            held.entries += line.count_in(period);
            for rolled in rolled_in(line, period) {
                match rolled.level {
                    Level::Hour => held.hours += 1,
                    Level::Day | Level::Weeks => held.days += 1,
                }
            }
        }
        held
    }

    /// Whether all of it is within `bounds`.
    pub fn is_within(&self, bounds: Self) -> bool {
        self.entries <= bounds.entries && self.hours <= bounds.hours && self.days <= bounds.days
    }
}

/// One line of a ledger and what it is rolled up under.
#[derive(Debug)]
pub struct Line<'a> {
    /// The line.
    pub timeline: &'a mut Timeline,
    /// What it is rolled up under.
    pub rules: &'a LineRules,
}

/// What is tried, one after the other, as long as there are too many entries.
const STEPS: [(Option<i64>, RollUp); 7] = [
    (Some(HOUR_MS), RollUp { level: Level::Hour, loose: false }),
    (Some(DAY_MS), RollUp { level: Level::Day, loose: false }),
    (Some(WEEK_MS), WEEKS),
    (Some(4 * WEEK_MS), WEEKS),
    (None, WEEKS),
    (Some(4 * WEEK_MS), RollUp { loose: true, ..WEEKS }),
    (None, RollUp { loose: true, ..WEEKS }),
];
const WEEK_MS: i64 = 7 * DAY_MS;
const WEEKS: RollUp = RollUp { level: Level::Weeks, loose: false };

/// Entries that are left of a bucket, mostly: two states and what follows.
const LEFT: usize = 3;

/// Brings the lines of one period within their bounds; returns whether anything was rolled up.
///
/// Of the entries, those of the fullest hour go first, of the oldest on a tie; then those of days, of weeks. The state in
/// force now always stays.
pub fn bound(lines: &mut [Line<'_>], period: Interval, bounds: Bounds) -> bool {
    let held = |lines: &[Line<'_>]| Bounds::held(lines.iter().map(|line| &*line.timeline), period);
    let mut changed = false;
    if held(lines).entries > bounds.entries {
        // Some room, so that the next entry does not roll up again.
        let wanted = bounds.entries * 9 / 10;
        for (length_ms, how) in STEPS {
            let mut tried = HashSet::new();
            while let Some(excess) = held(lines).entries.checked_sub(wanted + 1) {
                let chosen = fullest(lines, period, length_ms, excess + 1, &mut tried);
                if chosen.is_empty() {
                    break;
                }
                for (index, buckets) in chosen {
                    changed |= lines[index].timeline.roll_up(&buckets, lines[index].rules, how);
                }
            }
        }
    }
    while held(lines).hours > bounds.hours
        && let Some((index, bucket)) = oldest_day(lines, period)
        && lines[index].timeline.roll_up(&[bucket], lines[index].rules, STEPS[1].1)
    {
        changed = true;
    }
    for length_ms in [Some(WEEK_MS), Some(4 * WEEK_MS), None] {
        while held(lines).days > bounds.days
            && let Some((index, bucket)) = oldest_weeks(lines, period, length_ms)
            && lines[index].timeline.roll_up(&[bucket], lines[index].rules, WEEKS)
        {
            changed = true;
        }
    }
    changed
}

/// The bucket of a length, in UTC, that an instant lies in; without a length the period.
fn bucket_of(at: Instant, length_ms: Option<i64>, period: Interval) -> Interval {
    let Some(length_ms) = length_ms else { return period };
    let start = at.as_ms().div_euclid(length_ms) * length_ms;
    Interval { from: Instant::from_ms(start).max(period.from), to: Instant::from_ms(start + length_ms).min(period.to) }
}

/// The buckets with most entries, by line, until so many are saved; none twice.
fn fullest(
    lines: &[Line<'_>],
    period: Interval,
    length_ms: Option<i64>,
    excess: usize,
    tried: &mut HashSet<(usize, Instant)>,
) -> BTreeMap<usize, Vec<Interval>> {
    let mut full: Vec<(usize, Interval, usize)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut inside = line.timeline.entries_in(period);
        while let Some(first) = inside.first() {
            let bucket = bucket_of(first.at, length_ms, period);
            let count = inside.partition_point(|entry| entry.at < bucket.to).max(1);
            if count > LEFT && !tried.contains(&(index, bucket.from)) {
                full.push((count, bucket, index));
            }
            inside = &inside[count..];
        }
    }
    full.sort_by_key(|(count, bucket, index)| (std::cmp::Reverse(*count), bucket.from, *index));
    let mut chosen: BTreeMap<usize, Vec<Interval>> = BTreeMap::new();
    let mut saved = 0;
    for (count, bucket, index) in full {
        if saved >= excess {
            break;
        }
        saved += count - LEFT;
        tried.insert((index, bucket.from));
        chosen.entry(index).or_default().push(bucket);
    }
    for buckets in chosen.values_mut() {
        buckets.sort_unstable();
    }
    chosen
}

fn rolled_in(line: &Timeline, period: Interval) -> impl Iterator<Item = &Rolled> {
    line.rolled().iter().filter(move |rolled| rolled.span.intersect(&period).is_some())
}

/// The oldest day that has sums of hours, and its line.
fn oldest_day(lines: &[Line<'_>], period: Interval) -> Option<(usize, Interval)> {
    let oldest = |(index, line): (usize, &Line<'_>)| {
        let rolled = rolled_in(line.timeline, period).find(|rolled| rolled.level == Level::Hour)?;
        Some((bucket_of(rolled.span.from, Some(DAY_MS), period), index))
    };
    lines.iter().enumerate().filter_map(oldest).min().map(|(bucket, index)| (index, bucket))
}

/// Of the line with most sums, the oldest bucket in which several become one.
fn oldest_weeks(lines: &[Line<'_>], period: Interval, length_ms: Option<i64>) -> Option<(usize, Interval)> {
    let oldest = |(index, line): (usize, &Line<'_>)| {
        let sums: Vec<&Rolled> = rolled_in(line.timeline, period).filter(|rolled| rolled.level > Level::Hour).collect();
        let bucket = |rolled: &Rolled| bucket_of(rolled.span.from, length_ms, period);
        let pair = sums.windows(2).find(|pair| {
            let part = |rolled: &Rolled| line.rules.parts.partition_point(|part| part.span.to <= rolled.span.from);
            bucket(pair[0]) == bucket(pair[1]) && part(pair[0]) == part(pair[1])
        })?;
        Some((sums.len(), std::cmp::Reverse(bucket(pair[0]).from), index, bucket(pair[0])))
    };
    lines.iter().enumerate().filter_map(oldest).max().map(|(_, _, index, bucket)| (index, bucket))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::service::State;
    use crate::domain::accounting::classify;
    use crate::domain::reason::Reason;
    use crate::domain::time::normalise;
    use crate::domain::timeline::{Entry, PartRules};

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    fn flaps(days: i64, a_day: i64) -> Timeline {
        let mut entries = vec![Entry::live(at(0), State::Up, None, Reason::AllCriticalReady)];
        for day in 0..days {
            for flap in 0..a_day {
                let from = day * DAY_MS + 9 * HOUR_MS + flap * 2 * HOUR_MS / 3;
                entries.push(Entry::live(at(from), State::Down, None, Reason::NoneReady));
                entries.push(Entry::live(at(from + 1000), State::Up, None, Reason::AllCriticalReady));
            }
        }
        Timeline::from_entries(entries)
    }

    /// A year that flaps each day, in eight lines, with service hours or without: as it grows, it stays within all
    /// bounds, and no sum changes.
    #[test]
    fn a_year_of_flapping_in_eight_lines_stays_within_all_bounds() {
        const YEAR: i64 = 366;
        let period = Interval { from: at(0), to: at(YEAR * DAY_MS) };
        let office = |day: i64| Interval { from: at(day * DAY_MS + 8 * HOUR_MS), to: at(day * DAY_MS + 18 * HOUR_MS) };
        for hours in [vec![period], normalise((0..YEAR).map(office).collect())] {
            let part = PartRules { span: period, hours: hours.clone(), windows: Vec::new(), min_outage_ms: 0 };
            let rules = LineRules { parts: vec![part], counted: None };
            let original = flaps(YEAR, 10);
            let mut timelines = vec![Timeline::default(); 8];
            for day in 0..YEAR {
                let until = at((day + 1) * DAY_MS);
                for timeline in &mut timelines {
                    for entry in original.entries().iter().filter(|e| e.at >= at(day * DAY_MS) && e.at < until) {
                        timeline.push(entry.clone());
                    }
                }
                let mut lines: Vec<Line<'_>> =
                    timelines.iter_mut().map(|timeline| Line { timeline, rules: &rules }).collect();
                bound(&mut lines, period, Bounds::default());
                assert!(Bounds::held(&timelines, period).is_within(Bounds::default()), "day {day}");
            }
            for timeline in &timelines {
                let sums = |line: &Timeline| classify(line.segments(period, period.to), &hours);
                assert_eq!(sums(timeline), sums(&original));
                let live = timeline.down_runs(period.to);
                let live = live.iter().filter(|run| timeline.rolled_at(run.span.from).is_none()).count();
                let rolled: u32 = timeline.rolled().iter().map(|rolled| rolled.outages).sum();
                assert_eq!(live as i64 + i64::from(rolled), YEAR * 10);
                assert!(timeline.rolled().iter().any(|rolled| rolled.level == Level::Weeks));
            }
        }
    }

    /// M-68: 6000 transitions in ten minutes become one hour.
    #[test]
    fn m_68_the_flapping_hour_goes_and_all_else_stays() {
        let period = Interval { from: at(0), to: at(30 * DAY_MS) };
        let mut line = flaps(12, 3);
        for flap in 0..3000 {
            let from = 14 * DAY_MS + flap * 200;
            line.push(Entry::live(at(from), State::Down, None, Reason::NoneReady));
            line.push(Entry::live(at(from + 100), State::Up, None, Reason::AllCriticalReady));
        }
        let part = PartRules { span: period, hours: vec![period], windows: Vec::new(), min_outage_ms: 0 };
        let rules = LineRules { parts: vec![part], counted: None };
        assert!(bound(&mut [Line { timeline: &mut line, rules: &rules }], period, Bounds::default()));
        assert_eq!(line.rolled().len(), 1);
        let rolled = line.rolled()[0].clone();
        assert_eq!((rolled.level, rolled.longest_ms), (Level::Hour, 100));
        let runs = line.down_runs(period.to);
        let listed = runs.iter().filter(|run| line.rolled_at(run.span.from).is_none()).count();
        assert_eq!(listed + rolled.outages as usize, 12 * 3 + 3000);
        assert!(listed <= 12 * 3 + 2, "but for the runs at the edges");
        assert!(line.rolled_in_part(Interval { from: at(14 * DAY_MS), to: at(14 * DAY_MS + 60_000) }).is_some());
        assert!(line.rolled_in_part(Interval { from: at(14 * DAY_MS), to: at(15 * DAY_MS) }).is_none());
        assert!(line.rolled_in_part(Interval { from: at(15 * DAY_MS), to: at(16 * DAY_MS) }).is_none());
    }
}
