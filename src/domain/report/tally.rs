//! The tally of one target: each millisecond of each stage in its class, in one pass.

use std::collections::BTreeMap;

use crate::api::service::State;
use crate::domain::accounting::{ClassSums, classify_with};
use crate::domain::agreement::TargetTerms;
use crate::domain::decimal::Decimal;
use crate::domain::maintenance::{Allowances, Slice, Sweep, WindowTime};
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{DownRun, Segment};

use super::stages::{Line, Stage, Survey};

/// Time of one Down run in one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunTime {
    /// Index of the run.
    pub run: usize,
    /// Class Down.
    pub counted_ms: i64,
    /// Class Excluded.
    pub excluded_ms: i64,
}

/// What one target saw in one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct StageTally {
    /// Time by class.
    pub sums: ClassSums,
    /// Time by class with nothing excluded that was agreed only afterwards, where there is such a thing.
    pub without_retroactive: Option<ClassSums>,
    /// The Down runs with service time, in order.
    pub runs: Vec<RunTime>,
    /// The Down runs that are too short to count, with their service time.
    pub short: Vec<(usize, i64)>,
    /// What each window excluded and did not.
    pub windows: BTreeMap<usize, WindowTime>,
    /// When allowances were used up.
    pub ran_out: Vec<Instant>,
}

/// The tally of a target, one entry a stage; none where the terms do not have it.
pub(super) fn tally(survey: &Survey<'_>, line: &Line, as_of: Instant, horizon: Instant) -> Vec<Option<StageTally>> {
    let windows = survey.windows.list();
    let mut allowances = Allowances::new(windows);
    let mut tallies: Vec<Option<StageTally>> = Vec::with_capacity(survey.stages.len());
    for stage in &survey.stages {
        tallies.push(target_of(stage, line).map(|target| {
            let sweep = allowances.enter(&stage.slices, stage.cap_period, stage.version.value.maintenance.cap_ms);
            Pass { stage, target, line, as_of, horizon }.run(sweep)
        }));
    }
    let retroactive = |slice: &Slice| windows[slice.window].retroactive;
    if survey.stages.iter().flat_map(|stage| &stage.slices).any(retroactive) {
        let mut allowances = Allowances::new(windows);
        for (stage, tally) in survey.stages.iter().zip(&mut tallies) {
            let (Some(target), Some(tally)) = (target_of(stage, line), tally) else { continue };
            let slices: Vec<Slice> = stage.slices.iter().copied().filter(|slice| !retroactive(slice)).collect();
            let sweep = allowances.enter(&slices, stage.cap_period, stage.version.value.maintenance.cap_ms);
            let other = Pass { stage, target, line, as_of, horizon }.run(sweep);
            let touched = stage.slices.iter().any(retroactive) || other.sums != tally.sums;
            tally.without_retroactive = touched.then_some(other.sums);
        }
    }
    tallies
}

fn target_of<'a>(stage: &Stage<'a>, line: &Line) -> Option<&'a TargetTerms> {
    stage.version.value.targets.iter().find(|target| target.name == line.name)
}

/// One target in one stage.
struct Pass<'a> {
    stage: &'a Stage<'a>,
    target: &'a TargetTerms,
    line: &'a Line,
    as_of: Instant,
    horizon: Instant,
}

impl Pass<'_> {
    fn run(&self, mut sweep: Sweep<'_, '_>) -> StageTally {
        let mut tally = StageTally::default();
        let Some(elapsed) = Interval::new(self.stage.span.from, self.stage.span.to.min(self.as_of)) else {
            return tally;
        };
        let horizon = if self.stage.is_known { self.horizon } else { elapsed.from };
        let runs = &self.line.runs;
        let mut next = runs.partition_point(|run| run.span.to <= elapsed.from);
        let degraded_is_loss = self.target.yardstick.degraded_counts > Decimal::ZERO;
        let (mut times, mut short) = (Vec::new(), Vec::new());
        let book = |piece: &Segment| match piece.state {
            State::Down => {
                while runs.get(next).is_some_and(|run| run.span.to <= piece.span.from) {
                    next += 1;
                }
                let length_ms = piece.span.length_ms();
                if runs.get(next).is_some_and(|run| self.line.is_short(run, self.target.min_outage_ms)) {
                    add_short(&mut short, next, length_ms);
                    return (State::Up, 0);
                }
                let excluded_ms = sweep.lose(piece.span);
                add_time(&mut times, RunTime { run: next, counted_ms: length_ms - excluded_ms, excluded_ms });
                (State::Down, excluded_ms)
            }
            State::Degraded if degraded_is_loss => (State::Degraded, sweep.lose(piece.span)),
            state => (state, 0),
        };
        tally.sums = classify_with(self.line.timeline.segments(elapsed, horizon), &self.stage.hours, book);
        (tally.windows, tally.ran_out) = sweep.finish();
        tally.runs = times;
        tally.short = short;
        tally
    }
}

impl Line {
    /// A run is taken whole; one that still lasts is not decided yet, one that was rolled up was decided then.
    fn is_short(&self, run: &DownRun, min_outage_ms: i64) -> bool {
        !run.open && run.span.length_ms() < min_outage_ms && self.timeline.rolled_at(run.span.from).is_none()
    }
}

/// Adds time of a run to a list in order of runs.
pub(super) fn add_time(times: &mut Vec<RunTime>, time: RunTime) {
    match times.last_mut() {
        Some(last) if last.run == time.run => {
            last.counted_ms += time.counted_ms;
            last.excluded_ms += time.excluded_ms;
        }
        _ => times.push(time),
    }
}

/// Adds time of a short run to a list in order of runs.
pub(super) fn add_short(list: &mut Vec<(usize, i64)>, run: usize, ms: i64) {
    match list.last_mut() {
        Some((last, sum)) if *last == run => *sum += ms,
        _ => list.push((run, ms)),
    }
}
