//! Taking in what became of batches.

use serde::Deserialize as _;

use crate::api::report::{ClockStep, SubjectKind};
use crate::control::lineage::RESTORED;
use crate::control::record::KnownReport;
use crate::control::subject::{Action, Outcome, Resource, Subject, Write, WriteFailure, Written};
use crate::domain::clock_steps::NotedSteps;
use crate::domain::time::Instant;

use super::World;

impl World {
    /// Takes in what became of a batch.
    pub fn written(&mut self, outcome: &Outcome, now: Instant) {
        let subject = &outcome.batch.subject;
        for (write, version) in outcome.batch.writes.iter().zip(&outcome.versions) {
            self.wrote(subject, write, version);
        }
        let Some(writing) = self.writing(subject) else { return };
        writing.in_flight = false;
        match &outcome.failure {
            None => {
                writing.failures = 0;
                self.all_written(subject);
            }
            Some(WriteFailure::Gone) => {
                writing.failures = 0;
                self.queue.mark(subject.clone());
            }
            Some(_) => {
                writing.failures += 1;
                // What the failed batch would have shown is not written: the figures are due again.
                writing.written.fingerprint ^= 1;
                let again = writing.earliest().unwrap_or(now);
                self.queue.mark_at(subject.clone(), Some(again));
                self.keep_growth(subject);
                return;
            }
        }
        // What changed while the batch was under way waits for its turn.
        self.queue.mark(subject.clone());
    }

    /// Everything of a subject is in its ledger, unless it grew meanwhile.
    pub(super) fn all_written(&mut self, subject: &Subject) {
        if !self.record_of(subject).is_some_and(|record| record.grown) {
            self.unwritten.clear(subject);
        }
    }

    fn keep_growth(&mut self, subject: &Subject) {
        let record = match subject {
            Subject::Service(key) => self.services.get_mut(key).map(|entry| &mut entry.record),
            Subject::Agreement(key) => self.agreements.get_mut(key).and_then(|entry| entry.record.as_mut()),
            Subject::Calendar(_) => None,
            Subject::Departed(uid) => self.departed.get_mut(uid).map(|departed| &mut departed.record),
        };
        if let Some(record) = record {
            record.grown = true;
        }
    }

    fn wrote(&mut self, subject: &Subject, write: &Write, version: &str) {
        match (&write.action, write.resource) {
            (Action::Create { body }, Resource::VersionRecord) => self.version_recorded(&write.key, body),
            (Action::Create { body }, _) => self.report_created(subject, write, body, version),
            (Action::Status { status, written, .. }, Resource::Report) => {
                self.report_written(subject, write, status, written, version);
            }
            (Action::Conditions { remembered, .. }, _) => {
                let reports = self.reports_of(subject).into_iter().flatten();
                for report in reports.filter(|report| report.key == write.key) {
                    report.version = version.into();
                    report.conditions.clone_from(remembered);
                }
            }
            (Action::Status { written, .. }, _) => {
                if let Some(writing) = self.writing(subject) {
                    writing.version = version.into();
                    writing.written = written.clone();
                }
            }
        }
    }

    fn report_created(&mut self, subject: &Subject, write: &Write, body: &serde_json::Value, version: &str) {
        let text = |path: &str| body.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default();
        let instant = |path: &str| Instant::parse(text(path)).ok();
        let (Some(start), Some(end)) = (instant("/spec/period/start"), instant("/spec/period/end")) else { return };
        let Some(list) = self.reports_of(subject) else { return };
        if list.iter().any(|report| report.key == write.key) {
            return;
        }
        list.push(KnownReport {
            is_restored: text("/spec/reason") == RESTORED,
            version: version.into(),
            spec: Some(body["spec"].to_string().into()),
            ..KnownReport::made(write.key.clone(), text("/spec/subject/uid"), start, end)
        });
        list.sort_by_key(|report| report.start);
    }

    fn report_written(
        &mut self,
        subject: &Subject,
        write: &Write,
        status: &serde_json::Value,
        written: &Written,
        version: &str,
    ) {
        let Some(list) = self.reports_of(subject) else { return };
        let Some(report) = list.iter_mut().find(|report| report.key == write.key) else { return };
        let text = |name: &str| status.get(name).and_then(serde_json::Value::as_str);
        report.version = version.into();
        report.fingerprint = written.fingerprint;
        report.conditions.clone_from(&written.conditions);
        report.result = text("result").map(Into::into);
        report.previous_digest = text("previousDigest").map(Into::into);
        report.digest = text("digest").map(Into::into);
        report.phase = text("phase").and_then(|phase| serde_json::from_value(phase.into()).ok());
        let number = |path: &str| status.pointer(path).and_then(serde_json::Value::as_i64).unwrap_or(0);
        report.sequence = number("/ledger/sequence");
        report.epoch = number("/ledger/epoch");
        report.clock_steps = clock_steps(status);
    }

    fn reports_of(&mut self, subject: &Subject) -> Option<&mut Vec<KnownReport>> {
        match subject {
            Subject::Service(key) => Some(self.reports.entry((SubjectKind::Service, key.clone())).or_default()),
            Subject::Agreement(key) => {
                Some(self.reports.entry((SubjectKind::ServiceLevelAgreement, key.clone())).or_default())
            }
            Subject::Calendar(_) => None,
            Subject::Departed(uid) => {
                let record = &self.departed.get(uid)?.record;
                self.reports.get_mut(&(record.kind, record.key.clone()))
            }
        }
    }
}

/// The steps that a written status notes.
fn clock_steps(status: &serde_json::Value) -> NotedSteps {
    let listed = status.pointer("/ledger/clockSteps").map(Vec::<ClockStep>::deserialize);
    let omitted = status.pointer("/ledger/clockStepsOmitted").and_then(serde_json::Value::as_u64).unwrap_or(0);
    NotedSteps::read(&listed.and_then(Result::ok).unwrap_or_default(), u32::try_from(omitted).unwrap_or(u32::MAX))
}
