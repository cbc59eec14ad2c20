//! Subjects that are gone: their open reports go on to Provisional and Closed, with the figures up to the deletion.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::report::SubjectKind;
use crate::control::departed::{Departed, departed_at, left_open};
use crate::control::draft::{keep_bounds, plan_left_open};
use crate::control::lineage::former_uids;
use crate::control::record::{KnownReport, Record};
use crate::control::report::Judging;
use crate::control::streams::Stream;
use crate::control::subject::{Batch, Subject, Writing};
use crate::domain::agreement::Terms;
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval};
use crate::domain::version::{Version, Versions};
use crate::observe::facts::ObjectKey;

use super::World;

/// Writes that were under way when the subject went are known by then.
const UNDER_WAY_MS: i64 = 60_000;

impl World {
    /// A subject was deleted; what is observed of it holds until `horizon`. Without leadership its reports say all that
    /// the next leader needs.
    pub(super) fn depart(&mut self, mut record: Record, horizon: Instant, now: Instant) {
        if self.leadership.is_none() || self.started.is_none() {
            return;
        }
        if horizon < now {
            record.blind(horizon, Reason::SourceLost);
        }
        record.end(now);
        self.keep_departed(record, now);
    }

    fn keep_departed(&mut self, record: Record, at: Instant) {
        let uid: Arc<str> = (&*record.uid).into();
        let subject = Subject::Departed(uid.clone());
        self.unwritten.note(&subject, at);
        self.queue.mark(subject);
        self.departed.insert(uid, Departed { record, at, writing: Writing::default() });
    }

    fn forget_departed(&mut self, uid: &str) -> Option<Departed> {
        let subject = Subject::Departed(uid.into());
        self.queue.forget(&subject);
        self.unwritten.clear(&subject);
        self.departed.remove(uid)
    }

    /// Plans anew what is left of subjects that are gone.
    pub(super) fn mark_departed(&mut self) {
        for uid in self.departed.keys() {
            self.queue.mark(Subject::Departed(uid.clone()));
        }
    }

    /// Finds open reports whose subject was deleted while no replica led.
    pub(super) fn find_departed(&mut self, now: Instant) {
        let is_listed = |stream: Stream| self.streams.get(&stream).is_some_and(|state| state.synced && !state.listing);
        if ![Stream::Reports, Stream::Versions].into_iter().all(is_listed) {
            return;
        }
        let mut found: BTreeSet<(bool, ObjectKey, Box<str>)> = BTreeSet::new();
        for ((kind, key), reports) in &self.reports {
            let is_agreement = *kind == SubjectKind::ServiceLevelAgreement;
            if !is_listed(if is_agreement { Stream::Agreements } else { Stream::Services }) {
                continue;
            }
            let open = reports.iter().filter(|report| report.is_left_open());
            let left = open.filter(|report| !self.is_led(*kind, key, report));
            found.extend(left.map(|report| (is_agreement, key.clone(), report.subject_uid.clone())));
        }
        for (is_agreement, key, uid) in found {
            let kind = if is_agreement { SubjectKind::ServiceLevelAgreement } else { SubjectKind::Service };
            match self.read_back(kind, &key, &uid, now) {
                Some((record, at)) => self.keep_departed(record, at),
                None => {
                    tracing::warn!(subject = %key, "no version of a deleted object is recorded, its report stays open");
                }
            }
        }
    }

    /// Whether the subject of a report is there, or is known to be gone.
    fn is_led(&self, kind: SubjectKind, key: &ObjectKey, report: &KnownReport) -> bool {
        let is_there = match kind {
            SubjectKind::Service => self.services.get(key).is_some_and(|entry| entry.record.owns(report)),
            SubjectKind::ServiceLevelAgreement => self.agreements.get(key).is_some_and(|entry| {
                entry.uid == report.subject_uid || entry.record.as_ref().is_some_and(|record| record.owns(report))
            }),
        };
        let is_of = |departed: &Departed| departed.record.kind == kind && departed.record.key == *key;
        is_there || self.departed.values().any(|departed| is_of(departed) && departed.record.owns(report))
    }

    /// What is known of a subject that is gone, and when it went: nobody saw it, so at the latest instant that it may
    /// have been.
    fn read_back(&self, kind: SubjectKind, key: &ObjectKey, uid: &str, now: Instant) -> Option<(Record, Instant)> {
        let known = self.reports.get(&(kind, key.clone()))?;
        let former = former_uids(uid, false, known);
        let is_own = |report: &&KnownReport| *report.subject_uid == *uid || former.contains(&report.subject_uid);
        let own = || known.iter().filter(is_own);
        let entries = own().flat_map(|report| &report.ledger).flat_map(|line| &line.entries);
        let began = entries.map(|entry| entry.at).min().or_else(|| own().map(|report| report.start).min())?;
        let noted = departed_at(own());
        let (terms, created, at) = match kind {
            SubjectKind::ServiceLevelAgreement => {
                let all = self.versions.agreements.known(key);
                let next = self.agreements.get(key).and_then(|entry| entry.record.as_ref()).map(|next| next.created);
                let at = noted.unwrap_or_else(|| next.map_or(now, |next| next.min(now)));
                let created = all.all().iter().rev().map(|version| version.since).find(|since| *since <= began)?;
                (all.between(created, at), created, at)
            }
            SubjectKind::Service => {
                let all = self.versions.services.known(key);
                let created = all.all().iter().rev().map(|version| version.since).find(|since| *since <= began)?;
                let digest = all.all().first()?.digest.clone();
                let value = Arc::new(Terms::implicit(&key.name));
                (Versions::starting_with(Version { since: created, digest, value }), created, noted.unwrap_or(now))
            }
        };
        let service = terms.newest()?.value.service.clone();
        let mut record = Record::new(kind, key.clone(), uid, created, service, terms);
        record.former = former;
        record.read_back(known, noted.or(self.observed_until), at);
        Some((record, at))
    }

    /// What a subject that is gone saw goes to the one that goes on with its line.
    pub(super) fn go_on_with_departed(&mut self, key: &ObjectKey) {
        let Some(record) = self.agreements.get(key).and_then(|entry| entry.record.as_ref()) else { return };
        let is_of = |departed: &Departed| departed.record.kind == record.kind && departed.record.key == *key;
        let line = std::iter::once(&record.uid).chain(&record.former);
        let known = line.filter_map(|uid| self.departed.get_key_value(&**uid));
        let taken: Vec<Arc<str>> = known.filter(|(_, departed)| is_of(departed)).map(|(uid, _)| uid.clone()).collect();
        if taken.is_empty() {
            return;
        }
        for uid in taken {
            self.leave(&uid);
        }
        self.restore_again(&Subject::Agreement(key.clone()));
    }

    /// This replica leads no more: the next leader reads what it needs from the reports.
    pub(super) fn leave_departed(&mut self) {
        for uid in self.departed.keys().cloned().collect::<Vec<_>>() {
            self.leave(&uid);
        }
    }

    /// Forgets a subject that is gone; what it saw is kept with its open reports.
    pub(super) fn leave(&mut self, uid: &str) {
        let Some(departed) = self.forget_departed(uid) else { return };
        let record = departed.record;
        let reports = self.reports.get_mut(&(record.kind, record.key.clone()));
        for report in reports.into_iter().flatten().filter(|report| report.digest.is_none() && record.owns(report)) {
            report.ledger = record.written(Interval { from: report.start, to: report.end });
        }
    }

    /// Plans the reports that a subject left open.
    pub(super) fn plan_departed(&mut self, uid: &Arc<str>, epoch: i64, now: Instant) -> Option<Batch> {
        let subject = Subject::Departed(uid.clone());
        let departed = self.departed.get_mut(uid)?;
        let (record, at) = (&mut departed.record, departed.at);
        let known = self.reports.get(&(record.kind, record.key.clone())).cloned().unwrap_or_default();
        let service = ObjectKey::new(record.key.namespace.clone(), record.service.clone());
        let versions = self.versions.services.known(&service).between(Instant::MIN, at);
        if std::mem::take(&mut record.grown) {
            let periods: Vec<_> = left_open(record, &known).map(|(_, period)| period).collect();
            keep_bounds(record, &self.calendar_versions, &versions, &self.clock_steps, &known, &periods, now);
        }
        let record = &self.departed[uid].record;
        if left_open(record, &known).next().is_none() {
            let until = at.plus_ms(UNDER_WAY_MS);
            if now < until {
                self.queue.mark_at(subject, Some(until));
            } else {
                self.forget_departed(uid);
            }
            return None;
        }
        let facts = record.facts(&self.calendar_versions, &versions);
        let judging = Judging { record, facts, now, horizon: at.min(now), clock_steps: &self.clock_steps };
        let mut batch = Batch::new(subject.clone(), record.uid.clone());
        let edge = plan_left_open(judging, &known, epoch, &mut batch);
        self.queue.mark_at(subject, edge);
        Some(batch)
    }
}
