//! Judging a period: from the versions in force and the timelines to the parts, outages, gaps and verdict of a report.
//!
//! Controllers, `assize replay` and `assize report` all call [`judge`]; nothing is computed twice in two ways.

mod contents;

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::report::Phase;
use crate::api::service::State;

use super::accounting::{ClassSums, Figures, Judgement, Verdict, classify};
use super::agreement::{TargetTerms, Terms};
use super::calendar::Calendar;
use super::limits::REPORT_PARTS;
use super::period::{Period, rolling_window};
use super::time::{DAY_MS, Instant, Interval, clip_list};
use super::timeline::{DownRun, Timeline};
use super::version::Versions;

pub use contents::{Contents, contents, headline, time_zone_database};

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
pub fn phase_at(period: &Period, grace_ms: i64, now: Instant) -> Phase {
    if now < period.end {
        Phase::Open
    } else if now < period.end.plus_ms(grace_ms) {
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
}

/// One part of a period, judged.
#[derive(Clone, Debug)]
pub struct JudgedPart {
    /// When, to the end of the part also while it runs.
    pub span: Interval,
    /// Digest of the terms.
    pub terms_digest: Arc<str>,
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
    /// Outages with counted time, in order.
    pub outages: Vec<CountedOutage>,
}

/// An outage with its counted time.
#[derive(Clone, Debug)]
pub struct CountedOutage {
    /// The target whose line shows it first.
    pub target: Arc<str>,
    /// The run itself.
    pub run: DownRun,
    /// Its time in the service hours within the judged span.
    pub counted_ms: i64,
}

impl Judged {
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
    let changes = part.targets.iter().filter_map(|target| {
        let ms = target.figures.words_change_after(state(&target.terms), terms.spent_at, edge.ms_since(now))?;
        Some(now.plus_ms(ms.max(LOOK_AGAIN_MS)))
    });
    changes.chain([edge]).min()
}

/// How far ahead service hours are asked for: a week shows every weekly edge.
const HOURS_AHEAD_MS: i64 = 7 * DAY_MS;

/// A forecast that does not come true, because loss is excluded meanwhile, is not looked at more often than this.
const LOOK_AGAIN_MS: i64 = 1_000;

/// Judges one period for one instant.
pub fn judge(
    facts: Facts<'_>,
    line: impl Fn(&TargetTerms) -> Option<Arc<Timeline>>,
    period: &Period,
    moment: Moment,
) -> Judged {
    let first = facts.terms.at(period.end.minus_ms(1)).or_else(|| facts.terms.newest());
    let rolling = first.and_then(|version| version.value.period.rolling_days());
    let window = match rolling {
        Some(days) => rolling_window(days, moment.as_of.min(period.end)),
        None => Interval { from: period.start, to: period.end },
    };
    let mut judged = Judged { window, parts: Vec::new(), verdict: None, outages: Vec::new() };
    for (span, version) in parts_of(facts, window) {
        let part = judge_part(facts, &line, span, &version.value, &version.digest, moment, &mut judged.outages);
        judged.parts.push(part);
    }
    judged.verdict = judged
        .parts
        .iter()
        .flat_map(|part| &part.targets)
        .filter(|target| target.terms.contractual)
        .filter_map(|target| target.judgement.map(|judgement| judgement.verdict))
        .max();
    judged.outages.sort_by_key(|outage| outage.run.span.from);
    judged
}

/// The parts of a window: a change of the judged terms begins another; other edits do not. Outside the term there is
/// none.
fn parts_of<'a>(facts: Facts<'a>, window: Interval) -> Vec<(Interval, &'a super::version::Version<Terms>)> {
    let mut parts: Vec<(Interval, &super::version::Version<Terms>)> = Vec::new();
    for (span, version) in facts.terms.within(window) {
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
        .filter_map(|(span, version)| version.value.in_term(span, facts.created).map(|span| (span, version)))
        .take(REPORT_PARTS)
        .collect()
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
    facts: Facts<'_>,
    line: &impl Fn(&TargetTerms) -> Option<Arc<Timeline>>,
    span: Interval,
    terms: &Terms,
    digest: &Arc<str>,
    moment: Moment,
    outages: &mut Vec<CountedOutage>,
) -> JudgedPart {
    let hours = hours_within(facts.calendars, terms.calendar.as_ref(), span);
    let elapsed = Interval::new(span.from, span.to.min(moment.as_of));
    let to_come: i64 = match (moment.phase, terms.period.rolling_days()) {
        (Phase::Open, None) => hours.iter().map(|open| (open.to.ms_since(open.from.max(moment.as_of))).max(0)).sum(),
        _ => 0,
    };
    let targets = terms
        .targets
        .iter()
        .map(|target| {
            let timeline = line(target).unwrap_or_default();
            let (settled, short) = timeline.without_short_outages(target.min_outage_ms, moment.horizon);
            let sums = elapsed
                .map_or_else(ClassSums::default, |elapsed| classify(settled.segments(elapsed, moment.horizon), &hours));
            let figures = match moment.phase {
                Phase::Open => Figures::open(sums, target.yardstick, to_come),
                Phase::Provisional | Phase::Closed => Figures::closed(sums, target.yardstick),
            };
            let judgement = match moment.phase {
                Phase::Open => figures.judge_open(),
                Phase::Provisional | Phase::Closed => figures.judge_closed(),
            };
            let short: Vec<i64> = short
                .iter()
                .map(|run| clip_list(&hours, *run).iter().map(Interval::length_ms).sum())
                .filter(|counted| *counted > 0)
                .collect();
            let rolled = || settled.rolled().iter().filter(|rolled| span.contains(rolled.span().from));
            let outage_count = count_outages(facts, terms, target, &settled, span, &hours, moment, outages)
                + rolled().map(|rolled| rolled.outages).sum::<u32>();
            JudgedTarget {
                terms: target.clone(),
                figures,
                judgement,
                outage_count,
                ignored_short_ms: short.iter().sum::<i64>() + rolled().map(|rolled| rolled.short_ms).sum::<i64>(),
                ignored_short_count: short.len() as u32 + rolled().map(|rolled| rolled.short_count).sum::<u32>(),
            }
        })
        .collect();
    JudgedPart { span, terms_digest: digest.clone(), targets, headline: terms.headline }
}

/// Lists the outages with counted time in a part, and counts those that belong to it: whose counted time begins in it.
#[allow(clippy::too_many_arguments)]
fn count_outages(
    facts: Facts<'_>,
    terms: &Terms,
    target: &TargetTerms,
    timeline: &Timeline,
    span: Interval,
    hours: &[Interval],
    moment: Moment,
    outages: &mut Vec<CountedOutage>,
) -> u32 {
    let mut count = 0;
    // Runs of one timeline differ: only those of other parts and targets can be known already.
    let known: HashMap<Interval, usize> =
        outages.iter().enumerate().map(|(index, outage)| (outage.run.span, index)).collect();
    for run in timeline.down_runs(moment.horizon) {
        let Some(inside) = run.span.intersect(&span) else { continue };
        if timeline.rolled_at(run.span.from).is_some() {
            continue;
        }
        let counted_ms: i64 = clip_list(hours, inside).iter().map(Interval::length_ms).sum();
        if counted_ms == 0 {
            continue;
        }
        let counted_before = Interval::new(run.span.from, span.from)
            .and_then(|before| terms.in_term(before, facts.created))
            .is_some_and(|before| !hours_within(facts.calendars, terms.calendar.as_ref(), before).is_empty());
        count += u32::from(!counted_before);
        match known.get(&run.span) {
            // The other part of an outage that an amendment cuts.
            Some(&index) if outages[index].target == target.name => outages[index].counted_ms += counted_ms,
            Some(_) => {}
            None => outages.push(CountedOutage { target: target.name.clone(), run, counted_ms }),
        }
    }
    count
}
