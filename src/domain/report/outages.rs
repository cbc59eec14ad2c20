//! Outages of a judged span: which belong to which part, and what of them counts.

use std::collections::HashMap;

use crate::domain::reliability::Outages;
use crate::domain::time::Interval;
use crate::domain::timeline::{DownRun, Rolled};

use super::stages::{Line, Survey};
use super::tally::{RunTime, StageTally, add_time};
use super::{CountedOutage, Facts, hours_within};

/// One target with its tally.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub facts: Facts<'a>,
    pub survey: &'a Survey<'a>,
    pub line: &'a Line,
    pub tallies: &'a [Option<StageTally>],
}

impl Counted<'_> {
    /// The rolled-up spans that begin in a part.
    pub fn rolled_in(&self, part: usize) -> impl Iterator<Item = &Rolled> {
        let (span, _) = self.survey.parts[part];
        self.line.timeline.rolled().iter().filter(move |rolled| span.contains(rolled.span().from))
    }

    /// The outages that belong to a part: whose counted time begins in it. They count whole, also beyond its end.
    pub fn outages_of(&self, part: usize) -> Outages {
        let mut outages = Outages::default();
        let (span, _) = self.survey.parts[part];
        let Some((first, _)) = self.survey.of_part(part).next() else { return outages };
        for time in self.times(Some(part)).into_iter().filter(|time| time.counted_ms > 0) {
            let run = &self.line.runs[time.run];
            if self.is_rolled(run) || (run.span.from < span.from && self.began_before(time.run, first)) {
                continue;
            }
            let later = if run.span.to > span.to { self.counted_after(time.run, part) } else { 0 };
            outages.add(time.counted_ms + later, !run.open);
        }
        // One that was agreed after the sum was made leaves its outages without counted time.
        for rolled in self.rolled_in(part).filter(|rolled| !self.survey.excludes_all(rolled.span())) {
            outages.count += rolled.outages;
            outages.longest_ms = outages.longest_ms.max(rolled.longest_ms);
            outages.ended += rolled.outages;
            outages.ended_ms += rolled.outages_ms;
        }
        outages
    }

    /// Times of runs in one part, or in all of them.
    fn times(&self, part: Option<usize>) -> Vec<RunTime> {
        let mut times = Vec::new();
        for (stage, tally) in self.survey.stages.iter().zip(self.tallies) {
            if stage.part.is_some() && (part.is_none() || stage.part == part) {
                tally.iter().flat_map(|tally| &tally.runs).for_each(|time| add_time(&mut times, *time));
            }
        }
        times
    }

    fn is_rolled(&self, run: &DownRun) -> bool {
        self.line.timeline.rolled_at(run.span.from).is_some()
    }

    /// Whether counted time of a run lies before a stage.
    fn began_before(&self, run: usize, stage: usize) -> bool {
        let earlier = self.tallies[..stage].iter().flatten().filter_map(|tally| tally.runs.last());
        if earlier.into_iter().any(|time| time.run == run && time.counted_ms > 0) {
            return true;
        }
        // Nothing can be excluded before the stages begin: hours alone decide.
        let Some(before) = Interval::new(self.line.runs[run].span.from, self.survey.from) else { return false };
        let Some(version) = self.facts.terms.at(before.to.minus_ms(1)) else { return false };
        let terms = &version.value;
        terms
            .in_term(before, self.facts.created)
            .is_some_and(|before| !hours_within(self.facts.calendars, terms.calendar.as_ref(), before).is_empty())
    }

    /// Counted time of a run in the stages after a part.
    fn counted_after(&self, run: usize, part: usize) -> i64 {
        let last = self.survey.of_part(part).last().map_or(0, |(stage, _)| stage + 1);
        let later = self.tallies[last..].iter().flatten().filter_map(|tally| tally.runs.first());
        later.filter(|time| time.run == run).map(|time| time.counted_ms).sum()
    }
}

/// The outages with counted time in the judged span, in order; one that several targets show is told of the first.
pub(super) fn listed(counted: &[Counted<'_>]) -> Vec<CountedOutage> {
    let mut outages: Vec<CountedOutage> = Vec::new();
    for target in counted {
        // Runs of one timeline differ: only those of other targets can be known already.
        let known: HashMap<Interval, usize> =
            outages.iter().enumerate().map(|(index, outage)| (outage.run.span, index)).collect();
        for time in target.times(None).into_iter().filter(|time| time.counted_ms > 0) {
            let run = &target.line.runs[time.run];
            if !known.contains_key(&run.span) && !target.is_rolled(run) {
                outages.push(CountedOutage {
                    target: target.line.name.clone(),
                    run: run.clone(),
                    counted_ms: time.counted_ms,
                    excluded_ms: time.excluded_ms,
                });
            }
        }
    }
    outages.sort_by_key(|outage| outage.run.span.from);
    outages
}
