//! Planning: from the world to batches of writes. Decides everything, does nothing.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::api::report::{Phase, SubjectKind};
use crate::control::agreement::{self, Obstacle, Shown};
use crate::control::record::{KnownReport, Record};
use crate::control::report::{self, Judging};
use crate::control::service::{self, Around};
use crate::control::streams::Stream;
use crate::control::subject::{Action, Batch, REFRESH_MS, Resource, Subject, Write, Writing, Written};
use crate::control::watch::WatchFailure;
use crate::control::{calendar, fingerprint};
use crate::domain::agreement::Terms;
use crate::domain::conditions::{Remembered, Transition, write};
use crate::domain::digest::without_nulls;
use crate::domain::period::Period;
use crate::domain::report::{Calendars, Facts};
use crate::domain::service::Measure;
use crate::domain::time::{Instant, Interval};
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;

use super::World;

/// A status ready to be written, if it has to be.
struct Drafted {
    status: Value,
    written: Written,
    transitions: Vec<Transition>,
}

impl World {
    /// Plans waiting subjects until `room` batches are found. Without leadership nothing is written and everything
    /// waits.
    pub fn plan(&mut self, now: Instant, room: usize) -> Vec<Batch> {
        self.queue.due(now);
        let mut batches = Vec::new();
        let mut postponed = Vec::new();
        let Some(leadership) = self.leadership.filter(|_| self.started.is_some()) else { return batches };
        while batches.len() < room
            && let Some(subject) = self.queue.take()
        {
            match self.earliest(&subject) {
                Busy::Now => {}
                Busy::InFlight => continue,
                Busy::Until(at) if at > now => {
                    postponed.push((subject, at));
                    continue;
                }
                Busy::Until(_) => {}
            }
            if self.awaits_verdict(&subject) {
                self.queue.mark(subject);
                continue;
            }
            let batch = match &subject {
                Subject::Service(key) => self.plan_service(key, leadership.epoch, now),
                Subject::Agreement(key) => self.plan_agreement(key, leadership.epoch, now),
                Subject::Calendar(name) => self.plan_calendar(name, now),
            };
            if let Some(batch) = batch.filter(|batch| !batch.writes.is_empty()) {
                if let Some(writing) = self.writing(&subject) {
                    writing.in_flight = true;
                    writing.at = Some(now);
                }
                batches.push(batch);
            }
        }
        for (subject, at) in postponed {
            self.queue.mark_at(subject, Some(at));
        }
        batches
    }

    /// What is known of the status of a subject.
    pub(super) fn writing(&mut self, subject: &Subject) -> Option<&mut Writing> {
        match subject {
            Subject::Service(key) => self.services.get_mut(key).map(|entry| &mut entry.writing),
            Subject::Agreement(key) => self.agreements.get_mut(key).map(|entry| &mut entry.writing),
            Subject::Calendar(name) => self.calendars.get_mut(name).map(|entry| &mut entry.writing),
        }
    }

    /// Whether an agreement of this Service is yet to be planned for the first time and waits for that: planned before
    /// it, the Service would show no verdict and be written again right after. An agreement that waits is ahead in the
    /// queue, so that the Service's turn comes.
    fn awaits_verdict(&self, subject: &Subject) -> bool {
        let Subject::Service(key) = subject else { return false };
        self.uses.agreements.get(key).into_iter().flatten().any(|agreement| {
            self.agreements.get(agreement).is_some_and(|entry| !entry.planned)
                && self.queue.is_waiting(&Subject::Agreement(agreement.clone()))
        })
    }

    fn earliest(&mut self, subject: &Subject) -> Busy {
        match self.writing(subject) {
            Some(writing) if writing.in_flight => Busy::InFlight,
            Some(writing) => writing.earliest().map_or(Busy::Now, Busy::Until),
            None => Busy::Now,
        }
    }

    fn plan_calendar(&mut self, name: &Arc<str>, now: Instant) -> Option<Batch> {
        let subject = Subject::Calendar(name.clone());
        let users = self.users_of(name);
        let entry = self.calendars.get(name)?;
        let newest = self.calendar_versions.get(name).and_then(Versions::newest).map(|version| version.value.clone());
        let (mut status, findings, deadline) = calendar::status(entry, newest.as_deref(), users, now);
        let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
        status.conditions = conditions;
        let fingerprints = fingerprint::calendar(&status);
        let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, false, now, transitions);
        let key = ObjectKey::new("", name.clone());
        let writes = drafted.as_ref().map(|drafted| status_write(Resource::Calendar, key, &entry.writing, drafted));
        let batch = Batch {
            subject: subject.clone(),
            uid: entry.uid.clone(),
            writes: writes.into_iter().collect(),
            transitions: drafted.map(|drafted| drafted.transitions).unwrap_or_default(),
        };
        self.queue.mark_at(subject, deadline);
        Some(batch)
    }

    fn plan_service(&mut self, key: &ObjectKey, epoch: i64, now: Instant) -> Option<Batch> {
        self.tick(key, now);
        let horizon = self.horizon(now);
        let around = self.around(key);
        let covered = self.is_covered(key);
        let known = self.reports.get(&(SubjectKind::Service, key.clone())).cloned().unwrap_or_default();
        let entry = self.services.get_mut(key)?;
        let grown = std::mem::take(&mut entry.record.grown);
        if grown {
            bound_running(&mut entry.record, &self.calendar_versions, now);
        }
        entry.record.forget_before(now.minus_ms(KEPT_MS));
        let entry = &*entry;
        let (mut status, findings) = service::status(entry, &around, now, horizon);
        let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
        status.conditions = conditions;
        let fingerprints = fingerprint::service(&status);
        let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, grown, now, transitions);
        let mut batch = Batch {
            subject: Subject::Service(key.clone()),
            uid: entry.uid.clone(),
            writes: Vec::new(),
            transitions: Vec::new(),
        };
        let mut deadline = entry.tracker.as_ref().and_then(|tracker| tracker.deadline());
        if !covered && entry.stage.is_measured() && entry.tracker.is_some() {
            let facts = Facts {
                terms: &entry.record.terms,
                calendars: &self.calendar_versions,
                service: &entry.versions,
                service_name: &key.name,
                created: entry.created,
            };
            let judging = Judging { record: &entry.record, facts, now, horizon };
            let edge = plan_reports(judging, &known, epoch, &mut batch);
            deadline = [deadline, edge].into_iter().flatten().min();
        }
        if let Some(drafted) = drafted {
            batch.writes.push(status_write(Resource::Service, key.clone(), &entry.writing, &drafted));
            batch.transitions = drafted.transitions;
        }
        let moving = status.availability.as_ref().is_some_and(|availability| {
            availability.ratio_30d.as_deref() != Some("100.0000")
                || availability.coverage_30d.as_deref() != Some("100.0000")
        });
        let refresh = refresh_deadline(&entry.writing, moving, now);
        self.queue.mark_at(Subject::Service(key.clone()), [deadline, refresh].into_iter().flatten().min());
        Some(batch)
    }

    /// What the status of a service shows of others.
    fn around(&self, key: &ObjectKey) -> Around {
        let mut around = Around::default();
        let Some(entry) = self.services.get(key) else { return around };
        for agreement in self.uses.agreements.get(key).into_iter().flatten() {
            around.verdicts.push(self.agreements.get(agreement).and_then(|entry| entry.verdict));
        }
        let Some(tracker) = &entry.tracker else { return around };
        for dependency in &tracker.rules().dependencies {
            let Some(reference) = &dependency.service else {
                around.dependencies.push(None);
                continue;
            };
            let namespace = reference.namespace.as_ref().map_or(key.namespace.clone(), |name| name.as_str().into());
            let other = ObjectKey::new(namespace, reference.name.as_str());
            let state = self.visible_state(key, &other).map(|member| member.state);
            if state.is_none() {
                around.unresolved.push((dependency.name.to_string(), other.to_string()));
            }
            around.dependencies.push(state);
        }
        for component in &tracker.rules().components {
            for stream in sources(component) {
                let Some(state) = self.streams.get(&stream) else { continue };
                match &state.failure {
                    Some(WatchFailure::Forbidden(message)) => {
                        let remedy = "grant the verbs list and watch to the operator's service account";
                        around.forbidden.get_or_insert(format!("{}: {message}; {remedy}", stream.name()));
                    }
                    Some(_) if state.synced => around.lost.push(stream.name().to_owned()),
                    _ => {}
                }
            }
        }
        around.lost.sort();
        around.lost.dedup();
        around
    }

    /// Whether an agreement measures what `kubectl get its` shows, so that the service needs no report of its own.
    fn is_covered(&self, key: &ObjectKey) -> bool {
        self.uses.agreements.get(key).into_iter().flatten().any(|agreement| {
            let record = self.agreements.get(agreement).and_then(|entry| entry.record.as_ref());
            record.and_then(|record| record.terms.newest()).is_some_and(|version| version.value.covers_service())
        })
    }

    fn plan_agreement(&mut self, key: &ObjectKey, epoch: i64, now: Instant) -> Option<Batch> {
        let horizon = self.horizon(now);
        let lost_since = self.lost_since();
        let known = self.reports.get(&(SubjectKind::ServiceLevelAgreement, key.clone())).cloned().unwrap_or_default();
        let entry = self.agreements.get_mut(key)?;
        entry.planned = true;
        let mut batch = Batch {
            subject: Subject::Agreement(key.clone()),
            uid: entry.uid.clone(),
            writes: Vec::new(),
            transitions: Vec::new(),
        };
        let Some(record) = entry.record.as_mut() else {
            let entry = &*entry;
            let (mut status, findings) = agreement::invalid(entry);
            let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
            status.conditions = conditions;
            let fingerprints = fingerprint::agreement(&status);
            let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, false, now, transitions);
            if let Some(drafted) = drafted {
                batch.writes.push(status_write(Resource::Agreement, key.clone(), &entry.writing, &drafted));
            }
            return Some(batch);
        };
        let grown = std::mem::take(&mut record.grown);
        if grown {
            bound_running(record, &self.calendar_versions, now);
        }
        let kept = record.terms.newest().map_or(0, |version| kept_ms(&version.value));
        record.forget_before(now.minus_ms(kept));
        let entry = &self.agreements[key];
        let record = entry.record.as_ref().expect("looked up above");
        let service_key = ObjectKey::new(key.namespace.clone(), record.service.clone());
        let version = record.terms.at(now).or_else(|| record.terms.newest())?.clone();
        let obstacle = self.obstacle(&version.value, &service_key);
        let no_versions = Versions::default();
        let service = self.services.get(&service_key);
        let facts = Facts {
            terms: &record.terms,
            calendars: &self.calendar_versions,
            service: service.map_or(&no_versions, |service| &service.versions),
            service_name: &record.service,
            created: record.created,
        };
        let judging = Judging { record, facts, now, horizon };
        let measurable = !matches!(obstacle, Some(Obstacle::ServiceNotFound(_) | Obstacle::CalendarNotFound(_)));
        let edge = if measurable { plan_reports(judging, &known, epoch, &mut batch) } else { None };
        let period = report::ledger_period(&version.value, now);
        let judged = measurable.then(|| judging.judge(&period).0);
        let shown = Shown {
            version: &version,
            period: &period,
            judged: judged.as_ref(),
            current: record.lines.get(version.value.headline).and_then(|line| line.timeline.last()),
            open_report: report::name(record, &period, &known),
            last_report: last_report(record, &known),
            obstacle,
            lost_since,
        };
        let (mut status, findings) = agreement::status(entry, &shown, now);
        let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
        status.conditions = conditions;
        let fingerprints = fingerprint::agreement(&status);
        let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, grown, now, transitions);
        if let Some(drafted) = drafted {
            batch.writes.push(status_write(Resource::Agreement, key.clone(), &entry.writing, &drafted));
            batch.transitions = drafted.transitions;
        }
        let moving = status.headline.as_ref().is_some_and(|headline| headline.actual.as_deref() != Some("100.0000"))
            || status.coverage.as_deref().is_some_and(|coverage| coverage != "100.0000");
        let refresh = refresh_deadline(&entry.writing, moving, now);
        let term = Some(version.value.end()).filter(|end| *end > now && *end < Instant::MAX);
        let verdict = shown.judged.and_then(|judged| judged.verdict);
        self.queue.mark_at(Subject::Agreement(key.clone()), [edge, refresh, term].into_iter().flatten().min());
        let entry = self.agreements.get_mut(key)?;
        if entry.verdict != verdict {
            entry.verdict = verdict;
            self.queue.mark(Subject::Service(service_key));
        }
        Some(batch)
    }

    fn obstacle(&self, terms: &Terms, service: &ObjectKey) -> Option<Obstacle> {
        let Some(entry) = self.services.get(service) else {
            let message = format!("serviceRef: Service {} was not found in this namespace; create it", service.name);
            return Some(Obstacle::ServiceNotFound(message));
        };
        if let Some(calendar) = &terms.calendar
            && !self.calendar_versions.contains_key(calendar)
        {
            let message = format!("serviceHours.calendar: no valid ServiceCalendar {calendar} was found; create it");
            return Some(Obstacle::CalendarNotFound(message));
        }
        let rules = entry.tracker.as_ref()?.rules();
        let missing = terms.targets.iter().flat_map(|target| target.components.iter().flat_map(|names| names.iter()));
        let missing = missing.filter(|name| !rules.components.iter().any(|component| component.name == **name)).next();
        missing.map(|name| {
            let message = format!("targets: readiness.components: Service {} has no component {name}", service.name);
            Obstacle::ComponentNotFound(message)
        })
    }
}

/// Keeps the ledger of the running period within its bounds.
fn bound_running(record: &mut Record, calendars: &Calendars, now: Instant) {
    let Some(terms) = record.terms.newest().map(|version| version.value.clone()) else { return };
    let period = report::ledger_period(&terms, now);
    record.bound(Interval { from: period.start, to: period.end }, calendars);
}

enum Busy {
    Now,
    InFlight,
    Until(Instant),
}

/// What a Service's record keeps: 30 days, and the month before for its report.
const KEPT_MS: i64 = 70 * 86_400_000;

/// What an agreement's record keeps: its longest window, and the period before until it is closed.
fn kept_ms(terms: &Terms) -> i64 {
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

fn sources(component: &crate::domain::service::ComponentRules) -> Vec<Stream> {
    let mut streams: Vec<Stream> = match &component.measure {
        Measure::Endpoints(_) => vec![Stream::CoreServices, Stream::Slices],
        Measure::Workload | Measure::Pods(_) => Vec::new(),
    };
    streams.extend(component.workload.as_ref().map(|workload| Stream::Workloads(workload.kind)));
    streams
}

fn last_report(record: &Record, known: &[KnownReport]) -> Option<(String, String)> {
    let closed =
        known.iter().filter(|report| report.phase == Some(Phase::Closed) && *report.subject_uid == *record.uid);
    let last = closed.max_by_key(|report| report.end)?;
    Some((last.key.name.to_string(), last.result.as_deref().unwrap_or_default().to_owned()))
}

/// Drafts the reports of a record; returns when time alone changes one.
fn plan_reports(judging: Judging<'_>, known: &[KnownReport], epoch: i64, batch: &mut Batch) -> Option<Instant> {
    let record = judging.record;
    let grace_ms = record.terms.newest().map_or(0, |version| version.value.grace_ms);
    let mut edge: Option<Instant> = None;
    for period in report::periods(record, known, judging.now) {
        let next = if judging.now < period.end { period.end } else { period.end.plus_ms(grace_ms) };
        if next > judging.now {
            edge = Some(edge.map_or(next, |edge| edge.min(next)));
        }
        plan_report(judging, &period, known, epoch, batch);
    }
    edge
}

fn plan_report(judging: Judging<'_>, period: &Period, known: &[KnownReport], epoch: i64, batch: &mut Batch) {
    let record = judging.record;
    let name = report::name(record, period, known);
    let key = ObjectKey::new(record.key.namespace.clone(), name.as_str());
    let ours = known.iter().find(|report| report.key == key);
    if ours.is_some_and(|report| report.digest.is_some()) {
        return;
    }
    let (mut status, findings, _) = report::status(judging, period, known, &name, epoch);
    let no_conditions: Vec<Remembered> = Vec::new();
    let remembered = ours.map_or(&no_conditions, |report| &report.conditions);
    let (conditions, _) = write(findings, remembered, 1, judging.now);
    status.conditions = conditions;
    let (fingerprint, shown) = fingerprint::report(&status);
    if ours.is_some_and(|report| report.fingerprint == fingerprint) {
        return;
    }
    if ours.is_none() {
        let body = report::object(record, period, &name);
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
}

/// The status, if it has to be written: a transition changed it, or it is an hour old and shows other figures.
fn draft(
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

fn status_write(resource: Resource, key: ObjectKey, writing: &Writing, drafted: &Drafted) -> Write {
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
fn refresh_deadline(writing: &Writing, moving: bool, now: Instant) -> Option<Instant> {
    let spread = i64::try_from(super::super::jitter(REFRESH_MS.unsigned_abs() / 4)).unwrap_or(0);
    moving.then(|| writing.at.unwrap_or(now).plus_ms(REFRESH_MS + spread))
}
