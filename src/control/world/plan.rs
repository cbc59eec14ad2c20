//! Planning: from the world to batches of writes. Decides everything, does nothing.

use std::borrow::Cow;
use std::sync::Arc;

use crate::api::ServiceLevelAgreementStatus;
use crate::api::report::SubjectKind;
use crate::api::service::State;
use crate::control::agreement::{self, Obstacle, Shown};
use crate::control::corrections::{last_report, plan_superseded};
use crate::control::draft::{
    Drafted, KEPT_MS, draft, keep_bounds, kept_ms, plan_reports, refresh_deadline, status_write,
};
use crate::control::record::{KnownReport, Record};
use crate::control::report::{self, Judging};
use crate::control::subject::{Batch, Resource, Subject, Writing};
use crate::control::{calendar, fingerprint, service};
use crate::domain::accounting::Verdict;
use crate::domain::clock_steps::ClockSteps;
use crate::domain::conditions::write;
use crate::domain::period::Period;
use crate::domain::report::{Calendars, is_service_time, next_window_edge};
use crate::domain::service::ServiceRules;
use crate::domain::time::Instant;
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;

use super::World;
use super::entries::AgreementEntry;

impl World {
    /// Plans waiting subjects until `room` batches are found. Without leadership nothing is written and everything
    /// waits.
    pub fn plan(&mut self, now: Instant, room: usize) -> Vec<Batch> {
        self.queue.due(now);
        let mut batches = Vec::new();
        let mut postponed = Vec::new();
        let Some(leadership) = self.leadership.filter(|_| self.started.is_some()) else { return batches };
        if self.held_until().is_some_and(|until| now < until) {
            return batches;
        }
        self.end_hold();
        if std::mem::take(&mut self.seeks_departed) {
            self.find_departed(now);
        }
        while batches.len() < room
            && let Some(subject) = self.queue.take()
        {
            match self.earliest(&subject) {
                Busy::InFlight => continue,
                Busy::Until(at) if at > now => {
                    postponed.push((subject, at));
                    continue;
                }
                Busy::Now | Busy::Until(_) => {}
            }
            if self.awaits_verdict(&subject) {
                self.queue.mark(subject);
                continue;
            }
            let batch = match &subject {
                Subject::Service(key) => self.plan_service(key, leadership.epoch, now),
                Subject::Agreement(key) => self.plan_agreement(key, leadership.epoch, now),
                Subject::Calendar(name) => self.plan_calendar(name, now),
                Subject::Departed(uid) => self.plan_departed(uid, leadership.epoch, now),
            };
            let batch = batch.map(|batch| self.with_versions(&subject, batch));
            match batch.filter(|batch| !batch.writes.is_empty()) {
                Some(batch) => {
                    if let Some(writing) = self.writing(&subject) {
                        writing.in_flight = true;
                        writing.at = Some(now);
                    }
                    batches.push(batch);
                }
                None => self.all_written(&subject),
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
            Subject::Departed(uid) => self.departed.get_mut(uid).map(|departed| &mut departed.writing),
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
        // A transition is judged once it has lasted a millisecond: an outage without length is none yet, and would be
        // listed by a second write.
        let lasted = self.last_transition_of(subject).map(|at| at.plus_ms(1));
        match self.writing(subject) {
            Some(writing) if writing.in_flight => Busy::InFlight,
            Some(writing) => writing.earliest().max(lasted).map_or(Busy::Now, Busy::Until),
            None => Busy::Now,
        }
    }

    /// What was observed of a subject.
    pub(super) fn record_of(&self, subject: &Subject) -> Option<&Record> {
        match subject {
            Subject::Service(key) => self.services.get(key).map(|entry| &entry.record),
            Subject::Agreement(key) => self.agreements.get(key).and_then(|entry| entry.record.as_ref()),
            Subject::Calendar(_) => None,
            Subject::Departed(uid) => self.departed.get(uid).map(|departed| &departed.record),
        }
    }

    fn last_transition_of(&self, subject: &Subject) -> Option<Instant> {
        self.record_of(subject)?.lines.iter().filter_map(|line| line.timeline.last()).map(|last| last.at).max()
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
        let horizon = self.horizon(key, now);
        let around = self.around(key);
        let (covered, coverage_edge) = self.is_covered(key, now);
        let known = self.reports.get(&(SubjectKind::Service, key.clone())).cloned().unwrap_or_default();
        let entry = self.services.get_mut(key)?;
        let grown = entry.record.take_grown();
        if grown {
            let periods = report::periods(&entry.record, &known, now);
            let steps = &self.clock_steps;
            keep_bounds(&mut entry.record, &self.calendar_versions, &entry.versions, steps, &known, &periods, now);
        }
        entry.record.forget_before(now.minus_ms(KEPT_MS));
        let entry = &*entry;
        let (mut status, findings) = service::status(entry, &around, now, horizon);
        let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
        status.conditions = conditions;
        let fingerprints = fingerprint::service(&status);
        let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, grown, now, transitions);
        let mut batch = Batch::new(Subject::Service(key.clone()), entry.uid.clone());
        let mut deadline = entry.tracker.as_ref().and_then(crate::domain::tracker::ServiceTracker::deadline);
        // What is begun goes on to its end.
        let begins = !covered && entry.stage.is_measured() && entry.tracker.is_some();
        if begins || known.iter().any(|report| report.is_left_open() && entry.record.owns(report)) {
            let facts = entry.record.facts(&self.calendar_versions, &entry.versions);
            let judging = Judging { record: &entry.record, facts, now, horizon, clock_steps: &self.clock_steps };
            let edge = plan_reports(judging, &known, epoch, |_, is_begun| begins || is_begun, &mut batch);
            deadline = [deadline, edge].into_iter().flatten().min();
        }
        if let Some(drafted) = drafted {
            batch.writes.push(status_write(Resource::Service, key.clone(), &entry.writing, &drafted));
            batch.transitions = drafted.transitions;
        }
        plan_superseded(&entry.record, &known, now, &mut batch);
        let observed = status.availability.as_ref().is_some_and(|availability| availability.state != State::Unknown);
        let moving = status.availability.as_ref().is_some_and(|availability| {
            availability.ratio_30d.as_deref() != Some("100.0000")
                || availability.coverage_30d.as_deref() != Some("100.0000")
        });
        let known = status.availability.as_ref().is_none_or(|availability| availability.ratio_30d.is_some());
        let refresh = refresh_deadline(&entry.writing, known || !observed, moving, now);
        let due = [deadline, refresh, coverage_edge].into_iter().flatten().min();
        self.queue.mark_at(Subject::Service(key.clone()), due);
        Some(batch)
    }

    fn plan_agreement(&mut self, key: &ObjectKey, epoch: i64, now: Instant) -> Option<Batch> {
        self.find_line(key);
        self.go_on_with_departed(key);
        self.retry_amendment(key, now);
        let known = self.reports.get(&(SubjectKind::ServiceLevelAgreement, key.clone())).cloned().unwrap_or_default();
        let entry = self.agreements.get_mut(key)?;
        entry.planned = true;
        let mut batch = Batch::new(Subject::Agreement(key.clone()), entry.uid.clone());
        let Some(record) = entry.record.as_mut() else {
            return Some(invalid_agreement(key, entry, batch, now));
        };
        let service_key = ObjectKey::new(key.namespace.clone(), record.service.clone());
        // Of a Service that is gone the recorded versions were in force.
        let versions = match self.services.get(&service_key) {
            Some(service) => Cow::Borrowed(&service.versions),
            None => Cow::Owned(self.versions.services.known(&service_key)),
        };
        let grown = bound_record(record, &self.calendar_versions, &versions, &self.clock_steps, &known, now);
        let entry = &self.agreements[key];
        let record = entry.record.as_ref().expect("looked up above");
        let version = record.terms.at(now).or_else(|| record.terms.newest())?.clone();
        let lost_since = self.lost_since(&service_key);
        let horizon = lost_since.unwrap_or(now).min(now);
        let obstacle = self.obstacle(&version.value, &service_key);
        let facts = record.facts(&self.calendar_versions, &versions);
        let judging = Judging { record, facts, now, horizon, clock_steps: &self.clock_steps };
        let measurable = !matches!(obstacle, Some(Obstacle::ServiceNotFound(_) | Obstacle::CalendarNotFound(_)));
        // What is begun goes on to its end; what is over is judged by what was in force then.
        let is_there = !matches!(obstacle, Some(Obstacle::ServiceNotFound(_)));
        let is_wanted = |period: &Period, is_begun| is_there || is_begun || period.end <= now;
        let edge = plan_reports(judging, &known, epoch, is_wanted, &mut batch);
        let schedule = facts.schedule();
        let period = schedule.period_at(now);
        let judged = measurable.then(|| judging.judge(&period).0);
        let change = judged.as_ref().and_then(|judged| report::next_change(&judging, judged));
        let chain = self.chain(key, &version.value, period.start.max(record.created));
        let review_due = version.value.review_due(record.created, version.since);
        let shown = Shown {
            version: &version,
            schedule: &schedule,
            period: &period,
            judged: judged.as_ref(),
            current: record.lines.get(version.value.headline).and_then(|line| line.timeline.last()),
            open_report: report::name(record, &period, &known),
            last_report: last_report(record, &known),
            obstacle,
            lost_since,
            chain: &chain,
            review_due,
        };
        let (status, drafted) = draft_agreement(entry, &shown, grown, now);
        let window_edge = next_window_edge(&version.value, &self.calendar_versions, now);
        if let Some(drafted) = drafted {
            batch.writes.push(status_write(Resource::Agreement, key.clone(), &entry.writing, &drafted));
            batch.transitions = drafted.transitions;
        }
        plan_superseded(record, &known, now, &mut batch);
        let refresh = refresh_of(&status, &entry.writing, is_service_time(facts, now), now);
        let verdict = shown.judged.and_then(|judged| judged.verdict);
        let amendment = entry.waiting.as_ref().map(|_| period.end.min(now.plus_ms(AMENDMENT_RETRY_MS)));
        let ends = [Some(version.value.end()), review_due].into_iter().flatten();
        let ends = ends.filter(|end| *end > now && *end < Instant::MAX);
        let deadline = [edge, refresh, change, window_edge, amendment].into_iter().flatten().chain(ends).min();
        self.queue.mark_at(Subject::Agreement(key.clone()), deadline);
        self.remember_plan(key, service_key, window_edge, verdict);
        Some(batch)
    }

    /// Notes what the plan of an agreement found; its Service shows the verdict.
    fn remember_plan(&mut self, key: &ObjectKey, service: ObjectKey, edge: Option<Instant>, verdict: Option<Verdict>) {
        let Some(entry) = self.agreements.get_mut(key) else { return };
        entry.window_edge = edge;
        if entry.verdict != verdict {
            entry.verdict = verdict;
            self.queue.mark(Subject::Service(service));
        }
    }
}

/// Keeps the record of an agreement within its bounds; returns whether it grew since the last plan.
fn bound_record(
    record: &mut Record,
    calendars: &Calendars,
    service: &Versions<ServiceRules>,
    clock_steps: &ClockSteps,
    known: &[KnownReport],
    now: Instant,
) -> bool {
    let grown = record.take_grown();
    if grown {
        let periods = report::periods(record, known, now);
        keep_bounds(record, calendars, service, clock_steps, known, &periods, now);
    }
    let kept = record.terms.all().iter().map(|version| kept_ms(&version.value)).max();
    record.forget_before(now.minus_ms(kept.unwrap_or(0)));
    grown
}

/// The status of an agreement, and its write if it has to be written.
fn draft_agreement(
    entry: &AgreementEntry,
    shown: &Shown<'_>,
    grown: bool,
    now: Instant,
) -> (ServiceLevelAgreementStatus, Option<Drafted>) {
    let (mut status, findings) = agreement::status(entry, shown, now);
    let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
    status.conditions = conditions;
    let fingerprints = fingerprint::agreement(&status);
    // What is excluded begins or ends at the edges of windows: the figures are written then, as at a transition.
    let edge_passed = entry.window_edge.is_some_and(|edge| edge <= now);
    let due = grown || edge_passed;
    let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, due, now, transitions);
    (status, drafted)
}

/// How often a refused amendment is looked at again, before the period's end: parts leave a rolling window at any time.
const AMENDMENT_RETRY_MS: i64 = 3_600_000;

/// When the figures of an agreement are written again though nothing happens.
fn refresh_of(
    status: &ServiceLevelAgreementStatus,
    writing: &Writing,
    is_service_time: bool,
    now: Instant,
) -> Option<Instant> {
    let moving = status.headline.as_ref().is_some_and(|headline| headline.actual.as_deref() != Some("100.0000"))
        || status.coverage.as_deref().is_some_and(|coverage| coverage != "100.0000");
    let known = !is_service_time
        || status.headline.as_ref().is_none_or(|headline| headline.actual.is_some() || headline.objective.is_none())
        || status.current.as_ref().is_none_or(|current| current.state == State::Unknown);
    refresh_deadline(writing, known, moving, now)
}

enum Busy {
    Now,
    InFlight,
    Until(Instant),
}

/// Says of an agreement whose spec was never valid what is wrong with it.
fn invalid_agreement(key: &ObjectKey, entry: &AgreementEntry, mut batch: Batch, now: Instant) -> Batch {
    let (mut status, findings) = agreement::invalid(entry);
    let (conditions, transitions) = write(findings, &entry.writing.written.conditions, entry.generation, now);
    status.conditions = conditions;
    let fingerprints = fingerprint::agreement(&status);
    let drafted = draft(&status, &status.conditions, fingerprints, &entry.writing, false, now, transitions);
    if let Some(drafted) = drafted {
        batch.writes.push(status_write(Resource::Agreement, key.clone(), &entry.writing, &drafted));
    }
    batch
}
