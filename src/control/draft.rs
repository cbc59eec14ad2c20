//! Drafting writes: which statuses and reports have to be written, and which are as they were.

use serde::Serialize;
use serde_json::Value;

use crate::api::report::Phase;
use crate::domain::agreement::Terms;
use crate::domain::clock_steps::ClockSteps;
use crate::domain::conditions::{Remembered, Transition, write};
use crate::domain::digest::without_nulls;
use crate::domain::limits::REPORT_BYTES;
use crate::domain::period::Period;
use crate::domain::report::Calendars;
use crate::domain::service::ServiceRules;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::Bounds;
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;

use super::departed::left_open;
use super::fingerprint;
use super::record::{KnownReport, Record};
use super::report::{self, Judging};
use super::subject::{Action, Batch, REFRESH_MS, Resource, Write, Writing, Written};

/// A status ready to be written, if it has to be.
pub struct Drafted {
    /// The status.
    pub status: Value,
    /// What to remember once it is written.
    pub written: Written,
    /// What Events tell.
    pub transitions: Vec<Transition>,
}

/// Keeps the ledgers of all reports that are not closed yet within their bounds, and the reports themselves below what
/// a report never exceeds.
pub fn keep_bounds(
    record: &mut Record,
    calendars: &Calendars,
    service: &Versions<ServiceRules>,
    clock_steps: &ClockSteps,
    known: &[KnownReport],
    periods: &[Period],
    now: Instant,
) {
    for period in periods {
        let span = Interval { from: period.start, to: period.end };
        record.bound(span, calendars, Bounds::default());
        while report::may_be_large(record, period) {
            let facts = record.facts(calendars, service);
            let judging = Judging { record, facts, now, horizon: now, clock_steps };
            if report::stored_bytes(judging, period, known) <= REPORT_BYTES {
                break;
            }
            let held = record.held(span);
            let part = |count: usize| count * 4 / 5;
            let tighter = Bounds { entries: part(held.entries), hours: part(held.hours), days: part(held.days) };
            if !record.bound(span, calendars, tighter) {
                break;
            }
        }
    }
}

/// When an object that has no figure yet is looked at again.
const FIRST_FIGURE_MS: i64 = 2_000;

/// What a Service's record keeps: 30 days, and the month before for its report.
pub const KEPT_MS: i64 = 70 * 86_400_000;

/// What an agreement's record keeps: its longest window, and the period before until it is closed.
pub fn kept_ms(terms: &Terms) -> i64 {
    use crate::domain::period::PeriodKind;
    let days = match terms.period.kind {
        PeriodKind::CalendarWeek => 7,
        PeriodKind::CalendarMonth => 31,
        PeriodKind::CalendarQuarter => 92,
        PeriodKind::CalendarYear => 366,
        PeriodKind::Rolling { days } => i64::from(days) + 31,
    };
    2 * days * 86_400_000 + terms.grace_ms
}

/// Drafts those reports of a record that are wanted: of a period, and whether it has a report already; returns when time
/// alone changes one.
pub fn plan_reports(
    judging: Judging<'_>,
    known: &[KnownReport],
    epoch: i64,
    is_wanted: impl Fn(&Period, bool) -> bool,
    batch: &mut Batch,
) -> Option<Instant> {
    let record = judging.record;
    let mut edge: Option<Instant> = None;
    let mut just_closed: Option<Box<str>> = None;
    for period in report::periods(record, known, judging.now) {
        let name = report::name(record, &period, known);
        edge = edge.into_iter().chain(next_phase(judging, &period)).min();
        if is_wanted(&period, known.iter().any(|report| *report.key.name == *name)) {
            // After a long absence several periods are closed at once, each onto the one before.
            let closed = plan_report(judging, &period, &name, known, epoch, just_closed.as_deref(), batch);
            just_closed = closed.or(just_closed);
        }
    }
    edge
}

/// Drafts the reports that a subject left open when it was deleted; returns when time alone changes one.
pub fn plan_left_open(judging: Judging<'_>, known: &[KnownReport], epoch: i64, batch: &mut Batch) -> Option<Instant> {
    let mut edge: Option<Instant> = None;
    let mut just_closed: Option<Box<str>> = None;
    for (report, period) in left_open(judging.record, known) {
        edge = edge.into_iter().chain(next_phase(judging, &period)).min();
        let closed = plan_report(judging, &period, &report.key.name, known, epoch, just_closed.as_deref(), batch);
        just_closed = closed.or(just_closed);
    }
    edge
}

/// When time alone changes the phase of a period. A millisecond later something of the next one has elapsed, and its
/// figures need no second write.
fn next_phase(judging: Judging<'_>, period: &Period) -> Option<Instant> {
    let edges = [period.end, judging.facts.schedule().closing(period)].map(|edge| edge.plus_ms(1));
    edges.into_iter().find(|next| *next > judging.now)
}

/// Drafts one report; returns its digest if this closes it.
fn plan_report(
    judging: Judging<'_>,
    period: &Period,
    name: &str,
    known: &[KnownReport],
    epoch: i64,
    just_closed: Option<&str>,
    batch: &mut Batch,
) -> Option<Box<str>> {
    let record = judging.record;
    let key = ObjectKey::new(record.key.namespace.clone(), name);
    let ours = known.iter().find(|report| report.key == key);
    if ours.is_some_and(|report| report.digest.is_some()) {
        return None;
    }
    let (mut status, findings, _) = report::status(judging, period, known, name, epoch, just_closed);
    let no_conditions: Vec<Remembered> = Vec::new();
    let remembered = ours.map_or(&no_conditions, |report| &report.conditions);
    let (conditions, _) = write(findings, remembered, 1, judging.now);
    status.conditions = conditions;
    let (fingerprint, shown) = fingerprint::report(&status);
    if ours.is_some_and(|report| report.fingerprint == fingerprint) {
        return None;
    }
    if ours.is_none() {
        let body = report::object(record, period, name, known);
        batch.writes.push(Write { resource: Resource::Report, key: key.clone(), action: Action::Create { body } });
    }
    if let Some(ledger) = status.ledger.as_mut().filter(|_| status.phase != Some(Phase::Closed)) {
        ledger.sequence += 1;
    }
    let written = Written { fingerprint, shown, conditions: Remembered::from_conditions(&status.conditions) };
    batch.writes.push(Write {
        resource: Resource::Report,
        key,
        action: Action::Status {
            version: ours.map(|report| report.version.clone()),
            status: to_value(&status),
            written,
        },
    });
    status.digest.map(Into::into)
}

/// The status, if it has to be written: a transition changed it, or it is an hour old and shows other figures.
pub fn draft(
    status: &impl Serialize,
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    (fingerprint, shown): (u64, u64),
    writing: &Writing,
    transition: bool,
    now: Instant,
    transitions: Vec<Transition>,
) -> Option<Drafted> {
    let before = &writing.written;
    let stale = shown != before.shown && writing.at.is_none_or(|at| now.ms_since(at) >= REFRESH_MS);
    let due = transition && shown != before.shown || stale;
    if fingerprint == before.fingerprint && !due {
        return None;
    }
    let written = Written { fingerprint, shown, conditions: Remembered::from_conditions(conditions) };
    Some(Drafted { status: to_value(status), written, transitions })
}

/// The write of a drafted status.
pub fn status_write(resource: Resource, key: ObjectKey, writing: &Writing, drafted: &Drafted) -> Write {
    Write {
        resource,
        key,
        action: Action::Status {
            version: Some(writing.version.clone()),
            status: drafted.status.clone(),
            written: drafted.written.clone(),
        },
    }
}

fn to_value(status: &impl Serialize) -> Value {
    without_nulls(serde_json::to_value(status).expect("API types serialise to JSON"))
}

/// When figures that move with time may be rewritten; spread, so that not all objects are due at once.
pub fn refresh_deadline(writing: &Writing, known: bool, moving: bool, now: Instant) -> Option<Instant> {
    if !known {
        // Nothing has elapsed yet; a moment later there is a figure.
        return Some(now.plus_ms(FIRST_FIGURE_MS));
    }
    let spread = i64::try_from(super::jitter(REFRESH_MS.unsigned_abs() / 4)).unwrap_or(0);
    // Figures that do not show a change within the hour are looked at again later, not at once.
    moving.then(|| writing.at.unwrap_or(now).plus_ms(REFRESH_MS + spread).max(now.plus_ms(REFRESH_MS / 6)))
}
