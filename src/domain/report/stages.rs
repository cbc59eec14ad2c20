//! Stages: a judged span and what it rests on, cut where the terms or the cap of maintenance change.

use std::sync::Arc;

use crate::domain::agreement::{Schedule, TargetTerms, Terms};
use crate::domain::limits::{REPORT_PARTS, WINDOW_REPORTS};
use crate::domain::maintenance::{Slice, Windows};
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{DownRun, Timeline};
use crate::domain::version::Version;

use super::{Facts, hours_are_known, hours_within, parts};

/// What one target saw.
#[derive(Debug)]
pub(super) struct Line {
    /// The target.
    pub name: Arc<str>,
    /// Its states.
    pub timeline: Arc<Timeline>,
    /// Its Down runs, short ones too.
    pub runs: Vec<DownRun>,
}

impl Line {
    /// The run that began before an instant and still lasts at it.
    fn run_across(&self, at: Instant) -> Option<&DownRun> {
        let after = self.runs.partition_point(|run| run.span.to <= at);
        self.runs.get(after).filter(|run| run.span.from < at)
    }
}

/// The lines of the targets that any version in a span has, in order.
pub(super) fn lines_of(
    facts: Facts<'_>,
    line: &impl Fn(&TargetTerms) -> Option<Arc<Timeline>>,
    window: Interval,
    horizon: Instant,
) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for target in facts.terms.within(window).flat_map(|(_, version)| &version.value.targets) {
        if !lines.iter().any(|line| line.name == target.name) {
            let timeline = line(target).unwrap_or_default();
            let runs = timeline.down_runs(horizon);
            lines.push(Line { name: target.name.clone(), timeline, runs });
        }
    }
    lines
}

/// A stretch of time under one version of the terms and one cap.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    /// When.
    pub span: Interval,
    /// The version in force.
    pub version: &'a Version<Terms>,
    /// Its service hours.
    pub hours: Vec<Interval>,
    /// Whether these are known; else nothing is known of its time.
    pub is_known: bool,
    /// The windows that are effective in it.
    pub slices: Vec<Slice>,
    /// Beginning of the period whose cap its maintenance uses.
    pub cap_period: Instant,
    /// The part it belongs to; none where the judged span only rests on it.
    pub part: Option<usize>,
}

/// Which periods share a cap within a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CapPeriods {
    /// The span is one period.
    Whole,
    /// Calendar periods, of a rolling agreement months.
    Calendar,
}

/// A judged span, cut into stages.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    /// The parts of the judged span.
    pub parts: Vec<(Interval, &'a Version<Terms>)>,
    /// All stages, in order.
    pub stages: Vec<Stage<'a>>,
    /// Their windows, in the order in which they are charged.
    pub windows: Windows,
    /// Where the stages begin: the judged span, or what allowances used before it ask for.
    pub from: Instant,
}

impl<'a> Survey<'a> {
    /// Surveys a span. `until` is how far outages across its end are followed.
    pub(super) fn new(facts: Facts<'a>, window: Interval, caps: CapPeriods, lines: &[Line], until: Instant) -> Self {
        let schedule = facts.schedule();
        let from = beginning(facts, window, &schedule, caps, lines);
        let mut survey = Self {
            parts: parts(facts.terms, facts.created, window).into_iter().take(REPORT_PARTS).collect(),
            stages: Vec::new(),
            windows: Windows::default(),
            from,
        };
        if let Some(before) = Interval::new(from, window.from) {
            for (span, version) in parts(facts.terms, facts.created, before) {
                survey.add(facts, span, version, &schedule, CapPeriods::Calendar, None);
            }
        }
        for (index, (span, version)) in survey.parts.clone().into_iter().enumerate() {
            survey.add(facts, span, version, &schedule, caps, Some(index));
        }
        let reliability = survey.parts.iter().flat_map(|(_, version)| &version.value.targets);
        let mut followed = reliability.filter(|target| target.limits.is_some());
        let crosses =
            |name: &Arc<str>| lines.iter().any(|line| line.name == *name && line.run_across(window.to).is_some());
        if followed.any(|target| crosses(&target.name))
            && let Some(after) = Interval::new(window.to, until)
        {
            for (span, version) in parts(facts.terms, facts.created, after) {
                survey.add(facts, span, version, &schedule, CapPeriods::Calendar, None);
            }
        }
        let windows = std::mem::take(&mut survey.windows);
        survey.windows = windows.into_order(survey.stages.iter_mut().flat_map(|stage| &mut stage.slices));
        survey
    }

    fn add(
        &mut self,
        facts: Facts<'a>,
        span: Interval,
        version: &'a Version<Terms>,
        schedule: &Schedule<'_>,
        caps: CapPeriods,
        part: Option<usize>,
    ) {
        let mut at = span.from;
        while at < span.to {
            let (cap_period, end) = match caps {
                CapPeriods::Whole => (Instant::MIN, span.to),
                CapPeriods::Calendar => {
                    let period = cap_period(schedule, at);
                    (period.from, period.to.min(span.to))
                }
            };
            // A calendar that ends is the end of time.
            let end = if end > at { end } else { span.to };
            let stage = Interval { from: at, to: end };
            let terms = &version.value;
            self.stages.push(Stage {
                span: stage,
                version,
                hours: hours_within(facts.calendars, terms.calendar.as_ref(), stage),
                is_known: hours_are_known(facts.calendars, terms),
                slices: self.windows.slices(
                    stage,
                    part.is_some(),
                    &terms.maintenance,
                    facts.calendars,
                    facts.announced,
                ),
                cap_period,
                part,
            });
            at = end;
        }
    }

    /// Whether one exclusion covers all of a span, so that no loss in it counts.
    pub(super) fn excludes_all(&self, span: Interval) -> bool {
        // Only exclusions have no cap; they exclude all loss of their length.
        self.stages.iter().flat_map(|stage| &stage.slices).any(|slice| {
            slice.span.from <= span.from && span.to <= slice.span.to && !self.windows.list()[slice.window].capped
        })
    }

    /// The stages of a part.
    pub(super) fn of_part(&self, part: usize) -> impl Iterator<Item = (usize, &Stage<'a>)> {
        self.stages.iter().enumerate().filter(move |(_, stage)| stage.part == Some(part))
    }
}

/// The calendar period that an instant lies in, of a rolling agreement the month.
fn cap_period(schedule: &Schedule<'_>, at: Instant) -> Interval {
    let period = schedule.period_at(at);
    Interval { from: period.start.min(at), to: period.end }
}

/// Where the stages have to begin, so that allowances used before the span count: at its own beginning, with the period
/// whose cap it goes on using, and with the changes and outages that lie across that.
fn beginning(facts: Facts<'_>, window: Interval, schedule: &Schedule<'_>, caps: CapPeriods, lines: &[Line]) -> Instant {
    let standing = facts.terms.all().iter().any(|version| !version.value.maintenance.standing().is_empty());
    if !standing && facts.announced.is_empty() {
        return window.from;
    }
    let mut from = match caps {
        CapPeriods::Whole => window.from,
        CapPeriods::Calendar => cap_period(schedule, window.from).from,
    };
    for _ in 0..WINDOW_REPORTS {
        let across = |span: &Interval| span.from < from && from < span.to;
        let changes = facts.announced.changes.iter().map(|change| change.span).filter(across);
        let runs = lines.iter().filter_map(|line| line.run_across(from)).map(|run| run.span);
        match changes.chain(runs).map(|span| span.from).min() {
            Some(earliest) => from = cap_period(schedule, earliest).from,
            None => break,
        }
    }
    from
}
