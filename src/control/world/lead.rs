//! Beginning to judge, and beginning and ceasing to lead.

use std::collections::HashMap;

use crate::api::report::SubjectKind;
use crate::control::departed::departed_at;
use crate::control::lineage::former_uids;
use crate::control::streams::{Doubt, Patience, Stream};
use crate::control::subject::Subject;
use crate::domain::cluster_time::ClockStep;
use crate::domain::time::Instant;
use crate::observe::facts::ObjectKey;

use super::{Leadership, World};

impl World {
    /// Notes a renewal of the Lease, which the streams' messages are ordered against.
    pub fn renewed(&mut self, version: u64, sent: Instant) {
        self.pulse.renewed(version, sent);
        for state in self.streams.values_mut() {
            state.renewed(version, sent);
        }
    }

    /// The clock of the API server stepped. Reports note it when they are written next.
    pub fn clock_stepped(&mut self, step: ClockStep) {
        self.clock_steps.note(step);
    }

    /// Says how long a stream may go unproved.
    pub fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// What is to be done about streams that nothing has proved for long.
    pub fn doubts(&mut self, now: Instant) -> Vec<(Stream, Doubt)> {
        let patience = self.patience;
        let measured = self.streams.iter_mut().filter(|(stream, _)| stream.is_measured());
        measured.filter_map(|(stream, state)| Some((stream.clone(), state.doubt(patience, now)?))).collect()
    }

    /// A list of one object of a stream was answered: with this version, to a request sent then.
    pub fn answered(&mut self, stream: &Stream, version: u64, sent: Instant, now: Instant) {
        if let Some(state) = self.streams.get_mut(stream) {
            state.answered(version, sent);
        }
        self.see_again(stream, self.patience.stalled_ms, now);
    }

    /// Begins to judge what is seen: every stream is listed or refused.
    pub fn start(&mut self, now: Instant) {
        if self.started.is_some() {
            return;
        }
        self.take_listed_terms(now);
        self.started = Some(now);
        self.settle_versions();
        let services: Vec<ObjectKey> = self.services.keys().cloned().collect();
        for key in &services {
            self.find_cycles(key);
        }
        for key in &services {
            self.first_look(key, now);
        }
        let agreements: Vec<(ObjectKey, ObjectKey, Instant)> = self
            .agreements
            .iter()
            .filter_map(|(key, entry)| {
                let record = entry.record.as_ref()?;
                let service = ObjectKey::new(key.namespace.clone(), record.service.clone());
                Some((key.clone(), service, record.created))
            })
            .collect();
        for (key, service, created) in agreements {
            self.agreement_look(&key, &service, created.max(now), now);
        }
        self.note_start();
        self.restore_all();
        self.seeks_departed = true;
        self.open_takeover(now);
        self.mark_all();
    }

    /// Begins to lead. `observed_until` is what the leader before proved, `versions` what it had seen of the streams.
    pub fn lead(
        &mut self,
        leadership: Leadership,
        observed_until: Option<Instant>,
        versions: HashMap<String, String>,
        now: Instant,
    ) {
        self.leadership = Some(leadership);
        self.observed_until = observed_until;
        self.unwritten.clear_all();
        self.shown_versions.clear();
        self.gaps.clear();
        self.takeover.versions = versions;
        self.restore_all();
        self.seeks_departed = true;
        self.open_takeover(now);
        self.mark_all();
    }

    /// Ceases to lead; goes on observing.
    pub fn follow(&mut self) {
        self.leadership = None;
        self.leave_departed();
        self.postpone_takeover();
        self.gaps.clear();
        self.lost.clear();
        for entry in self.services.values_mut() {
            entry.record.restored = false;
        }
        for record in self.agreements.values_mut().filter_map(|entry| entry.record.as_mut()) {
            record.restored = false;
        }
    }

    /// Whether this replica leads.
    pub fn leadership(&self) -> Option<Leadership> {
        self.leadership
    }

    /// Takes over what was written before, once this replica judges and leads.
    pub(super) fn restore_all(&mut self) {
        if self.may_restore() {
            let reports = self.reports.values().flatten();
            reports.for_each(|report| self.clock_steps.join(&report.clock_steps.listed));
        }
        let services: Vec<ObjectKey> = self.services.keys().cloned().collect();
        for key in services {
            self.restore_service(&key);
        }
        let agreements: Vec<ObjectKey> = self.agreements.keys().cloned().collect();
        for key in agreements {
            self.restore_agreement(&key);
        }
    }

    fn may_restore(&self) -> bool {
        self.leadership.is_some() && self.started.is_some()
    }

    /// Takes over the ledger of a service: of its own reports, and of agreements that measure the same.
    pub(super) fn restore_service(&mut self, key: &ObjectKey) {
        if !self.may_restore() {
            return;
        }
        if let Some(uid) = self.services.get(key).map(|entry| entry.uid.clone()) {
            self.leave(&uid);
        }
        let covering: Vec<(ObjectKey, Box<str>)> = self
            .uses
            .agreements
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|agreement| {
                let record = self.agreements.get(agreement)?.record.as_ref()?;
                let target = record.lines.iter().find(|line| line.follows_service())?;
                Some((agreement.clone(), target.target.as_ref().into()))
            })
            .collect();
        let mut reports = self.reports.get(&(SubjectKind::Service, key.clone())).cloned().unwrap_or_default();
        let Some(entry) = self.services.get_mut(key).filter(|entry| !entry.record.restored) else { return };
        let name = entry.record.lines.first().map(|line| line.target.clone());
        for (agreement, target) in covering {
            let written = self.reports.get(&(SubjectKind::ServiceLevelAgreement, agreement));
            for report in written.into_iter().flatten() {
                let mut report = report.clone();
                report.ledger.retain(|line| *line.target == *target);
                if let (Some(line), Some(name)) = (report.ledger.first_mut(), &name) {
                    line.target = name.clone();
                }
                report.subject_uid = entry.uid.clone();
                reports.push(report);
            }
        }
        let unwritten = entry.record.restore(&reports, self.observed_until);
        self.remember_sources(key);
        self.note_restored(Subject::Service(key.clone()), unwritten);
    }

    /// Takes over the ledgers of an agreement's reports.
    pub(super) fn restore_agreement(&mut self, key: &ObjectKey) {
        if !self.may_restore() {
            return;
        }
        self.find_line(key);
        self.go_on_with_departed(key);
        let reports = self.reports.get(&(SubjectKind::ServiceLevelAgreement, key.clone()));
        let reports = reports.map(Vec::as_slice).unwrap_or_default();
        let Some(record) = self.agreements.get_mut(key).and_then(|entry| entry.record.as_mut()) else { return };
        if record.restored {
            return;
        }
        record.find_beginning(reports);
        let mut proved = self.observed_until;
        if let Some(last) = record.interrupted_at(reports) {
            // Its Service was observed all the while; what it measures besides was not.
            proved = departed_at(reports.iter().filter(|report| record.owns(report)));
            let service = ObjectKey::new(key.namespace.clone(), record.service.clone());
            if let Some(line) = self.services.get(&service).and_then(|entry| entry.record.lines.first()) {
                record.follow(&line.timeline, last);
            }
        }
        let unwritten = record.restore(reports, proved);
        self.note_restored(Subject::Agreement(key.clone()), unwritten);
    }

    /// Finds out which reports are of an agreement's line.
    pub(super) fn find_line(&mut self, key: &ObjectKey) {
        let reports = self.reports.get(&(SubjectKind::ServiceLevelAgreement, key.clone()));
        let Some(entry) = self.agreements.get_mut(key) else { return };
        let Some(record) = entry.record.as_mut() else { return };
        let reports = reports.map(Vec::as_slice).unwrap_or_default();
        record.former = former_uids(&record.uid, entry.is_restored, reports);
    }

    fn note_restored(&mut self, subject: Subject, unwritten: Option<Instant>) {
        if let Some(at) = unwritten {
            self.unwritten.note(&subject, at);
        }
        self.queue.mark(subject);
    }

    /// A former leader's last write shows after this replica took over: it is taken over as well.
    pub(super) fn restore_again(&mut self, subject: &Subject) {
        match subject {
            Subject::Service(key) => {
                if let Some(entry) = self.services.get_mut(key) {
                    entry.record.restored = false;
                }
                self.restore_service(key);
            }
            Subject::Agreement(key) => {
                let Some(record) = self.agreements.get_mut(key).and_then(|entry| entry.record.as_mut()) else { return };
                record.restored = false;
                let service = ObjectKey::new(key.namespace.clone(), record.service.clone());
                self.restore_agreement(key);
                // The Service shows what the agreement's ledger says.
                self.restore_again(&Subject::Service(service));
            }
            Subject::Calendar(_) | Subject::Departed(_) => {}
        }
    }

    /// What a service was measured by before this process was there once: gone now, it is down and not unseen.
    fn remember_sources(&mut self, key: &ObjectKey) {
        let Some(entry) = self.services.get(key).filter(|entry| entry.record.was_seen()) else { return };
        let Some(tracker) = &entry.tracker else { return };
        let rules = tracker.rules().clone();
        let mut unseen = Vec::new();
        for (index, component) in rules.components.iter().enumerate() {
            let known = self.observation(&key.namespace, component).0;
            let never = crate::domain::readiness::Observation::Unknown(crate::domain::reason::Reason::NeverSeen);
            if known != never {
                continue;
            }
            match (&component.measure, &component.workload) {
                (crate::domain::service::Measure::Endpoints(name), _) => {
                    self.endpoints.remember(&ObjectKey::new(key.namespace.clone(), name.clone()));
                }
                (crate::domain::service::Measure::Workload, Some(workload)) => {
                    let name = ObjectKey::new(key.namespace.clone(), workload.name.as_str());
                    self.workloads.remember(workload.kind, &name);
                }
                _ => continue,
            }
            unseen.push(index);
        }
        if let Some(started) = self.started {
            for index in unseen {
                self.refresh(key, index, started);
            }
        }
    }
}
