//! Reports as their watch shows them.

use std::sync::Arc;

use crate::api::report::{LedgerLine, Phase, SubjectKind};
use crate::control::fingerprint;
use crate::control::lineage::RESTORED;
use crate::control::record::{KnownReport, WrittenLine};
use crate::control::subject::Subject;
use crate::domain::clock_steps::NotedSteps;
use crate::domain::time::Instant;
use crate::domain::timeline::{Entry, Rolled};
use crate::observe::facts::ObjectKey;

use super::World;
use super::entries::{SeenReport, SeenReportSpec, remember};

impl World {
    pub(super) fn apply_report(&mut self, seen: SeenReport) {
        let key = seen.metadata.key();
        let Ok(spec) = serde_json::from_str::<SeenReportSpec>(seen.spec.get()) else { return };
        let (Ok(start), Ok(end)) = (Instant::parse(&spec.period.start), Instant::parse(&spec.period.end)) else {
            return;
        };
        let subject = ObjectKey::new(key.namespace.clone(), spec.subject.name.as_str());
        let status = seen.status.unwrap_or_default();
        let leading = self.leadership.filter(|_| self.started.is_some());
        let fingerprint = fingerprint::report(&status).0;
        let list = self.reports.entry((spec.subject.kind, subject.clone())).or_default();
        let known = list.iter_mut().find(|report| report.key == key);
        // What this replica wrote itself is in its own lines.
        let open = status.ledger.as_ref().filter(|_| status.phase != Some(Phase::Closed));
        let is_foreign = leading.is_some_and(|leading| open.is_some_and(|ledger| ledger.epoch != leading.epoch));
        let keep_ledger = leading.is_none() || known.is_none() || is_foreign;
        let ledger = status.ledger.as_ref().filter(|_| keep_ledger).map(|ledger| {
            let read = |line: &LedgerLine| {
                let entries = line.entries.iter().filter_map(|text| Entry::parse(text).ok()).collect();
                let rolled = line.rolled.iter().filter_map(|text| Rolled::parse(text).ok()).collect();
                WrittenLine { target: Arc::from(line.target.as_str()), entries, rolled }
            };
            ledger.lines.iter().map(read).collect()
        });
        let report = KnownReport {
            key,
            subject_uid: spec.subject.uid.as_str().into(),
            is_restored: spec.supersedes.is_none() && spec.reason.as_deref() == Some(RESTORED),
            supersedes: spec.supersedes.map(Box::new),
            start,
            end,
            phase: status.phase,
            result: status.result.as_deref().map(Into::into),
            previous_digest: status.previous_digest.as_deref().map(Into::into),
            digest: status.digest.as_deref().map(Into::into),
            version: seen.metadata.resource_version.as_str().into(),
            sequence: status.ledger.as_ref().map_or(0, |ledger| ledger.sequence),
            epoch: status.ledger.as_ref().map_or(0, |ledger| ledger.epoch),
            fingerprint,
            conditions: remember(Some(&status.conditions)),
            spec: status.digest.is_none().then(|| seen.spec.get().into()),
            ledger: ledger.unwrap_or_default(),
            clock_steps: status.ledger.as_ref().map_or_else(NotedSteps::default, |ledger| {
                NotedSteps::read(&ledger.clock_steps, ledger.clock_steps_omitted)
            }),
        };
        if is_foreign {
            self.clock_steps.join(&report.clock_steps.listed);
        }
        let owner: Arc<str> = spec.subject.uid.as_str().into();
        let changed = known.as_ref().is_none_or(|known| known.fingerprint != report.fingerprint);
        if let Some(known) = known {
            *known = report;
        } else {
            list.push(report);
            list.sort_by_key(|report| report.start);
        }
        if changed {
            let subject = subject_of(spec.subject.kind, subject);
            if is_foreign {
                self.restore_again(&subject);
            }
            self.queue.mark(subject);
            if self.departed.contains_key(&owner) {
                self.queue.mark(Subject::Departed(owner));
            }
        }
    }

    /// Forgets a report, as it was last.
    pub(super) fn forget_report(&mut self, seen: &SeenReport) {
        // One that cannot be read was never taken in.
        let Ok(spec) = serde_json::from_str::<SeenReportSpec>(seen.spec.get()) else { return };
        let key = seen.metadata.key();
        let subject = ObjectKey::new(key.namespace.clone(), spec.subject.name.as_str());
        let of = (spec.subject.kind, subject);
        let Some(list) = self.reports.get_mut(&of) else { return };
        list.retain(|report| report.key != key);
        if list.is_empty() {
            self.reports.remove(&of);
        }
        self.queue.mark(subject_of(of.0, of.1));
    }
}

fn subject_of(kind: SubjectKind, key: ObjectKey) -> Subject {
    match kind {
        SubjectKind::Service => Subject::Service(key),
        SubjectKind::ServiceLevelAgreement => Subject::Agreement(key),
    }
}
