//! Fingerprints of a status: what only a transition changes, and the shown figures that move with time.
//!
//! A status is written when the first differs from what was written last, and at most once an hour when only the second
//! does. Both are taken of the typed status, so that what a watch shows and what is about to be written compare alike.

use std::hash::{DefaultHasher, Hasher as _};

use serde::Serialize;

use crate::api::agreement::Headline;
use crate::api::report::Maintenance;
use crate::api::{ServiceCalendarStatus, ServiceLevelAgreementStatus, ServiceReportStatus, ServiceStatus};
use crate::domain::time::Instant;

fn hash(data: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&serde_json::to_vec(data).unwrap_or_default());
    hasher.finish()
}

fn still(headline: &mut Option<Headline>) {
    if let Some(headline) = headline {
        *headline = Headline {
            name: std::mem::take(&mut headline.name),
            objective: headline.objective.take(),
            ..Headline::default()
        };
    }
}

/// Fingerprints of a Service's status.
pub fn service(status: &ServiceStatus) -> (u64, u64) {
    let mut fixed = status.clone();
    fixed.as_of = None;
    let mut shown = None;
    let mut known = false;
    if let Some(availability) = &mut fixed.availability {
        known = availability.ratio_30d.is_some();
        shown = Some((availability.ratio_30d.take(), availability.coverage_30d.take()));
        availability.lowest_30d = None;
        availability.highest_30d = None;
        availability.history_since = None;
    }
    // The first figure is told at once, not within the hour.
    (hash(&(fixed, known)), hash(&shown))
}

/// Fingerprints of an agreement's status.
pub fn agreement(status: &ServiceLevelAgreementStatus) -> (u64, u64) {
    let mut fixed = status.clone();
    fixed.as_of = None;
    fixed.ms = None;
    let coverage = fixed.coverage.take();
    let headline = fixed.headline.clone();
    let known = headline.as_ref().is_some_and(|headline| headline.actual.is_some());
    still(&mut fixed.headline);
    for target in &mut fixed.targets {
        target.actual = None;
        target.lowest = None;
        target.highest = None;
        target.raw = None;
        target.budget_ms = None;
        target.budget_left_ms = None;
        target.budget_left = None;
        target.certain = false;
        // The longest and the mean move while an outage lasts; how many there are does not.
        if let Some(reliability) = &mut target.reliability {
            (reliability.longest_ms, reliability.mean_ms) = (0, None);
        }
    }
    (hash(&(fixed, known)), hash(&(coverage, headline)))
}

/// Fingerprints of a report's status.
pub fn report(status: &ServiceReportStatus) -> (u64, u64) {
    let mut fixed = status.clone();
    fixed.as_of = None;
    let headline = fixed.headline.clone();
    still(&mut fixed.headline);
    for part in &mut fixed.parts {
        for target in &mut part.targets {
            *target = crate::api::report::TargetFigures {
                name: std::mem::take(&mut target.name),
                objective: target.objective.take(),
                result: target.result.take(),
                ..Default::default()
            };
        }
    }
    for outage in &mut fixed.outages {
        if outage.to.is_none() {
            outage.ms = 0;
            outage.counted_ms = 0;
            outage.excluded_ms = 0;
        }
    }
    if let Some(as_of) = status.as_of.as_deref().and_then(|text| Instant::parse(text).ok()) {
        let runs = |window: &Maintenance| Instant::parse(&window.to).is_ok_and(|to| to > as_of);
        for window in fixed.maintenance.iter_mut().filter(|window| runs(window)) {
            (window.excluded_ms, window.overrun_ms) = (0, 0);
        }
    }
    for gap in &mut fixed.gaps {
        if gap.to.is_none() {
            gap.unknown_ms = 0;
        }
    }
    if let Some(ledger) = &mut fixed.ledger {
        ledger.sequence = 0;
        ledger.epoch = 0;
        // A step of the clock is no reason to write every report.
        ledger.clock_steps.clear();
        ledger.clock_steps_omitted = 0;
    }
    (hash(&fixed), hash(&headline))
}

/// Fingerprints of a calendar's status; nothing of it moves with time alone.
pub fn calendar(status: &ServiceCalendarStatus) -> (u64, u64) {
    (hash(status), 0)
}
