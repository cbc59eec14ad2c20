//! Judging a period: from the versions in force and the timelines to the parts, outages, gaps and verdict of a report.
//!
//! Controllers, `assize replay` and `assize report` all call [`judge`]; nothing is computed twice in two ways.

mod contents;
mod ledger;
mod outages;
#[cfg(test)]
mod properties;
mod rolled;
mod stages;
mod tally;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::report::{Phase, ReliabilityFigures};
use crate::api::service::State;

use super::accounting::{ClassSums, Figures, Judgement, Verdict};
use super::agreement::{Schedule, TargetTerms, Terms};
use super::calendar::Calendar;
use super::maintenance::Announced;
use super::period::Period;
use super::time::{DAY_MS, Instant, Interval};
use super::timeline::{DownRun, Timeline};
use super::version::{Version, Versions};
use outages::Counted;
use stages::{CapPeriods, Line, Survey, lines_of};
use tally::{StageTally, add_short, tally};

pub use contents::{Contents, contents, headline, shorten, time_zone_database};
pub use ledger::{amendment_beyond, bound_ledger, roll_up_rules};
pub use rolled::{RolledSums, with_rolled_edge};
pub use windows::{JudgedWindow, next_window_edge};

/// The calendars that agreements name, with their versions.
pub type Calendars = HashMap<Arc<str>, Versions<Calendar>>;

/// What a period is judged from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The versions of the agreement; never empty.
    pub terms: &'a Versions<Terms>,
    /// The calendars it names.
    pub calendars: &'a Calendars,
    /// The digests of the Service's versions.
    pub service: &'a Versions<super::service::ServiceRules>,
    /// Name of the Service.
    pub service_name: &'a str,
    /// Creation of the agreement: its term begins then unless it says otherwise.
    pub created: Instant,
    /// The changes and exclusions that are known.
    pub announced: &'a Announced,
}

impl<'a> Facts<'a> {
    /// The periods of the agreement.
    pub fn schedule(&self) -> Schedule<'a> {
        Schedule::of(self.terms).expect("the versions of an agreement are never empty")
    }
}

/// The instant for which a period is judged.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The instant of the figures.
    pub as_of: Instant,
    /// Up to when states hold; later time is Unknown.
    pub horizon: Instant,
    /// Phase of the report then.
    pub phase: Phase,
}

/// Phase of a period at an instant.
pub fn phase_at(period: &Period, closing: Instant, now: Instant) -> Phase {
    if now < period.end {
        Phase::Open
    } else if now < closing {
        Phase::Provisional
    } else {
        Phase::Closed
    }
}

/// One target of one part, judged.
#[derive(Clone, Debug)]
pub struct JudgedTarget {
    /// The terms it was judged by.
    pub terms: TargetTerms,
    /// Its figures.
    pub figures: Figures,
    /// Its verdict; none without objective.
    pub judgement: Option<Judgement>,
    /// Number of outages that belong to the part.
    pub outage_count: u32,
    /// Length of Down runs shorter than `minOutage`.
    pub ignored_short_ms: i64,
    /// Number of them.
    pub ignored_short_count: u32,
    /// Its figures with nothing excluded that was agreed only afterwards, where there is such a thing.
    pub without_retroactive: Option<Figures>,
    /// Of a Reliability target: its outages.
    pub reliability: Option<ReliabilityFigures>,
}

/// One part of a period, judged.
#[derive(Clone, Debug)]
pub struct JudgedPart {
    /// When, to the end of the part also while it runs.
    pub span: Interval,
    /// Digest of the terms.
    pub terms_digest: Arc<str>,
    /// The calendar of its service hours, if that is not known.
    pub missing_calendar: Option<Arc<str>>,
    /// Its targets, in order.
    pub targets: Vec<JudgedTarget>,
    /// Index of the headline target.
    pub headline: usize,
}

/// A period, judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The span that is judged: the period, or the rolling window.
    pub window: Interval,
    /// Its parts, in order; none if it lies outside the term.
    pub parts: Vec<JudgedPart>,
    /// Worst verdict of the contractual targets of all parts; none without any.
    pub verdict: Option<Verdict>,
    /// Outages with counted time, in order; those that were rolled up are in `rolled`.
    pub outages: Vec<CountedOutage>,
    /// The windows that began, in order.
    pub windows: Vec<JudgedWindow>,
    /// What was rolled up in its lines.
    pub rolled: RolledSums,
}

/// An outage with its counted time.
#[derive(Clone, Debug)]
pub struct CountedOutage {
    /// The target whose line shows it first.
    pub target: Arc<str>,
    /// The run itself.
    pub run: DownRun,
    /// Its class Down within the judged span.
    pub counted_ms: i64,
    /// Its class Excluded within the judged span.
    pub excluded_ms: i64,
}

impl Judged {
    fn nothing(window: Interval) -> Self {
        Self {
            window,
            parts: Vec::new(),
            verdict: None,
            outages: Vec::new(),
            windows: Vec::new(),
            rolled: RolledSums::default(),
        }
    }

    /// The headline target of the newest part.
    pub fn headline(&self) -> Option<&JudgedTarget> {
        self.parts.last().and_then(|part| part.targets.get(part.headline))
    }
}

/// The next instant at which time alone changes a verdict, what is said of a budget, or the service hours, if everything stays as it is: at the
/// latest the end of the running part. `state` is what a target sees now.
pub fn next_change(
    facts: Facts<'_>,
    judged: &Judged,
    state: impl Fn(&TargetTerms) -> State,
    now: Instant,
) -> Option<Instant> {
    let part = judged.parts.last().filter(|part| part.span.contains(now))?;
    let terms = &facts.terms.at(now)?.value;
    let ahead = Interval::new(now, part.span.to.min(now.plus_ms(HOURS_AHEAD_MS)))?;
    let hours = hours_within(facts.calendars, terms.calendar.as_ref(), ahead);
    let edge = match hours.first() {
        Some(open) if open.from > now => return Some(open.from),
        Some(open) => open.to,
        None => return Some(ahead.to),
    };
    let running_ms = judged.outages.iter().rev().find(|outage| outage.run.open).map(|outage| outage.counted_ms);
    let changes = part.targets.iter().filter_map(|target| {
        let ms = match (&target.terms.limits, state(&target.terms)) {
            (None, state) => target.figures.words_change_after(state, terms.spent_at, edge.ms_since(now))?,
            (Some(limits), State::Down) => limits.breached_after(running_ms.unwrap_or(0))?,
            (Some(_), _) => return None,
        };
        Some(now.plus_ms(ms.max(LOOK_AGAIN_MS)))
    });
    changes.chain([edge]).min()
}

/// How far ahead service hours are asked for: a week shows every weekly edge.
const HOURS_AHEAD_MS: i64 = 7 * DAY_MS;

/// A forecast that does not come true, because loss is excluded meanwhile, is not looked at more often than this.
const LOOK_AGAIN_MS: i64 = 1_000;

/// Whether service time elapses at an instant: it is in the term and in the service hours.
pub fn is_service_time(facts: Facts<'_>, now: Instant) -> bool {
    let Some(version) = facts.terms.at(now) else { return false };
    let moment = version.value.in_term(Interval { from: now, to: now.plus_ms(1) }, facts.created);
    moment.is_some_and(|moment| !hours_within(facts.calendars, version.value.calendar.as_ref(), moment).is_empty())
}

/// Judges one period for one instant.
pub fn judge(
    facts: Facts<'_>,
    line: impl Fn(&TargetTerms) -> Option<Arc<Timeline>>,
    period: &Period,
    moment: Moment,
) -> Judged {
    let is_rolling = period.key.rolling_days().is_some();
    let exact = period.window_at(moment.as_of);
    let window = if is_rolling { rolled::with_rolled_edges(facts, exact, &line) } else { exact };
    let mut judged = Judged::nothing(window);
    let caps = if is_rolling { CapPeriods::Calendar } else { CapPeriods::Whole };
    let lines = lines_of(facts, &line, window, moment.horizon);
    let survey = Survey::new(facts, window, caps, &lines, moment.as_of);
    let tallies: Vec<Vec<Option<StageTally>>> =
        lines.iter().map(|line| tally(&survey, line, moment.as_of, moment.horizon)).collect();
    let counted: Vec<Counted<'_>> =
        lines.iter().zip(&tallies).map(|(line, tallies)| Counted { facts, survey: &survey, line, tallies }).collect();
    for index in 0..survey.parts.len() {
        judged.parts.push(judge_part(&survey, &counted, index, is_rolling, moment));
    }
    judged.verdict = judged
        .parts
        .iter()
        .flat_map(|part| &part.targets)
        .filter(|target| target.terms.contractual)
        .filter_map(|target| target.judgement.map(|judgement| judgement.verdict))
        .max();
    judged.outages = outages::listed(&counted);
    judged.windows = windows::judged(&survey, &counted, moment.as_of);
    judged.rolled =
        RolledSums { edge: window != exact, ..rolled::sums(&judged, &line, |span| survey.excludes_all(span)) };
    judged
}

/// Time by class of one target over any span up to `horizon`, with each version in its own time. What was agreed only
/// afterwards excludes nothing here: a counter is never corrected backwards.
pub fn class_sums(
    facts: Facts<'_>,
    target: &TargetTerms,
    line: Option<Arc<Timeline>>,
    span: Interval,
    horizon: Instant,
) -> ClassSums {
    let mut sums = ClassSums::default();
    let timeline = line.unwrap_or_default();
    let runs = timeline.down_runs(horizon);
    let lines = [Line { name: target.name.clone(), timeline, runs }];
    let survey = Survey::new(facts, span, CapPeriods::Calendar, &lines, span.to);
    for (stage, tally) in survey.stages.iter().zip(tally(&survey, &lines[0], span.to, horizon)) {
        if let Some(tally) = tally.filter(|_| stage.part.is_some()) {
            sums.add(&tally.without_retroactive.unwrap_or(tally.sums));
        }
    }
    sums
}

/// The parts of a window: a change of the judged terms begins another; other edits do not. Outside the term there is
/// none.
fn parts(terms: &Versions<Terms>, created: Instant, window: Interval) -> Vec<(Interval, &Version<Terms>)> {
    let mut parts: Vec<(Interval, &Version<Terms>)> = Vec::new();
    for (span, version) in terms.within(window) {
        if let Some((last, before)) = parts.last_mut()
            && before.value.judged == version.value.judged
            && last.to == span.from
        {
            last.to = span.to;
            continue;
        }
        parts.push((span, version));
    }
    parts
        .into_iter()
        .filter_map(|(span, version)| version.value.in_term(span, created).map(|span| (span, version)))
        .collect()
}

/// Whether the calendar of the agreed service hours is known; without it nothing is known of the time that it is agreed
/// for, neither that it counts nor that it does not.
fn hours_are_known(calendars: &Calendars, terms: &Terms) -> bool {
    terms.calendar.as_ref().is_none_or(|name| calendars.contains_key(name))
}

/// The service hours within a span: of each version of the calendar in its own time. Without calendar: always.
pub fn hours_within(calendars: &Calendars, calendar: Option<&Arc<str>>, span: Interval) -> Vec<Interval> {
    let Some(versions) = calendar.and_then(|name| calendars.get(name)) else { return vec![span] };
    let mut hours: Vec<Interval> = Vec::new();
    for (part, version) in versions.within(span) {
        for open in version.value.hours_within(part) {
            match hours.last_mut() {
                Some(last) if last.to == open.from => last.to = open.to,
                _ => hours.push(open),
            }
        }
    }
    hours
}

fn judge_part(
    survey: &Survey<'_>,
    counted: &[Counted<'_>],
    index: usize,
    is_rolling: bool,
    moment: Moment,
) -> JudgedPart {
    let (span, version) = survey.parts[index];
    let terms = &version.value;
    let hours = survey.of_part(index).flat_map(|(_, stage)| &stage.hours);
    let to_come: i64 = match (moment.phase, is_rolling) {
        (Phase::Open, false) => hours.map(|open| (open.to.ms_since(open.from.max(moment.as_of))).max(0)).sum(),
        _ => 0,
    };
    let targets = terms.targets.iter().filter_map(|target| {
        let counted = counted.iter().find(|counted| counted.line.name == target.name)?;
        Some(judge_target(counted, target, index, to_come, moment))
    });
    let is_unknown = survey.of_part(index).any(|(_, stage)| !stage.is_known);
    JudgedPart {
        span,
        terms_digest: version.digest.clone(),
        missing_calendar: terms.calendar.clone().filter(|_| is_unknown),
        targets: targets.collect(),
        headline: terms.headline,
    }
}

fn judge_target(
    counted: &Counted<'_>,
    target: &TargetTerms,
    index: usize,
    to_come: i64,
    moment: Moment,
) -> JudgedTarget {
    let mut sums = ClassSums::default();
    let mut without_retroactive = ClassSums::default();
    let mut is_retroactive = false;
    let mut short: Vec<(usize, i64)> = Vec::new();
    for (stage, _) in counted.survey.of_part(index) {
        let Some(tally) = &counted.tallies[stage] else { continue };
        sums.add(&tally.sums);
        without_retroactive.add(&tally.without_retroactive.unwrap_or(tally.sums));
        is_retroactive |= tally.without_retroactive.is_some();
        tally.short.iter().for_each(|(run, ms)| add_short(&mut short, *run, *ms));
    }
    let figures_of = |sums| match moment.phase {
        Phase::Open => Figures::open(sums, target.yardstick, to_come),
        Phase::Provisional | Phase::Closed => Figures::closed(sums, target.yardstick),
    };
    let figures = figures_of(sums);
    let outages = counted.outages_of(index);
    let judgement = match (&target.limits, moment.phase) {
        (None, Phase::Open) => figures.judge_open(),
        (None, _) => figures.judge_closed(),
        (Some(limits), Phase::Open) => Some(limits.judge_open(&outages, &figures, to_come, target.yardstick.warn_at)),
        (Some(limits), _) => Some(limits.judge_closed(&outages, &figures)),
    };
    let rolled = || counted.rolled_in(index);
    JudgedTarget {
        terms: target.clone(),
        figures,
        judgement,
        outage_count: outages.count,
        ignored_short_ms: short.iter().map(|(_, ms)| ms).sum::<i64>()
            + rolled().map(|rolled| rolled.short_ms).sum::<i64>(),
        ignored_short_count: short.len() as u32 + rolled().map(|rolled| rolled.short_count).sum::<u32>(),
        without_retroactive: is_retroactive.then(|| figures_of(without_retroactive)),
        reliability: target.limits.map(|limits| limits.figures(&outages)),
    }
}
