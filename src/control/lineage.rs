//! Which reports belong to one line: those of the subject itself, and those of the objects that it was restored from.

use std::sync::Arc;

use crate::api::report::SubjectKind;
use crate::domain::time::Instant;
use crate::domain::timeline::{Entry, Timeline};

use super::record::{KnownReport, Record};

/// Reason of the first report that is made after its agreement was restored.
pub const RESTORED: &str = "Restored";

/// The uids whose reports a subject goes on with, the newest first. `restored`: it was made anew with the spec that was
/// in force last. `reports` are those of its name, in order of time.
///
/// An object that was restored itself goes on with the one before it: its first own report says so.
pub fn former_uids(uid: &str, restored: bool, reports: &[KnownReport]) -> Vec<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    let mut own: Box<str> = uid.into();
    let mut goes_on = restored;
    loop {
        let first = reports.iter().position(|report| report.subject_uid == own);
        goes_on |= first.is_some_and(|first| reports[first].is_restored);
        let earlier = &reports[..first.unwrap_or(reports.len())];
        let before =
            earlier.iter().rev().find(|report| report.subject_uid != own && !found.contains(&report.subject_uid));
        let Some(before) = before.filter(|_| goes_on) else { return found };
        own = before.subject_uid.clone();
        found.push(own.clone());
        goes_on = false;
    }
}

impl Record {
    /// Whether a report is one of its line.
    pub fn owns(&self, report: &KnownReport) -> bool {
        report.subject_uid == self.uid || self.former.contains(&report.subject_uid)
    }

    /// A restored subject is as old as the line that it goes on with: made anew, it is not rid of what was before.
    pub fn find_beginning(&mut self, reports: &[KnownReport]) {
        let own = reports.iter().filter(|report| self.former.contains(&report.subject_uid));
        let began = own.flat_map(|report| &report.ledger).flat_map(|line| &line.entries).map(|entry| entry.at).min();
        let Some(began) = began else { return };
        let first = self.terms.all().iter().rev().map(|version| version.since).find(|since| *since <= began);
        self.created = self.created.min(first.unwrap_or(began));
    }

    /// Takes the states of its Service from an instant on for the lines that measure just that.
    pub fn follow(&mut self, service: &Timeline, from: Instant) {
        let seen: Vec<Entry> = service.entries_for(from, Instant::MAX).cloned().collect();
        let Some(first) = seen.first().filter(|first| first.at <= from) else { return };
        for line in self.lines.iter_mut().filter(|line| line.follows_service()) {
            if line.timeline.entries().first().is_none_or(|own| first.at < own.at) {
                let mut timeline = Timeline::from_entries(seen.clone());
                timeline.set_rolled(service.rolled().to_vec());
                line.timeline = Arc::new(timeline);
            }
        }
    }

    /// Why a report that is to be made now is made, if not by the passing of time alone.
    pub fn reason_of_next(&self, known: &[KnownReport]) -> Option<&'static str> {
        let is_first = !known.iter().any(|report| report.subject_uid == self.uid);
        (self.kind == SubjectKind::ServiceLevelAgreement && !self.former.is_empty() && is_first).then_some(RESTORED)
    }

    /// When the ledger was written last, if that is from before the subject was made anew. How long its last state was
    /// in force, nobody says: the Lease proves what was observed for the subjects that there were.
    pub fn interrupted_at(&self, reports: &[KnownReport]) -> Option<Instant> {
        let newest = reports.iter().filter(|report| self.owns(report));
        let newest = newest.max_by_key(|report| (report.start, !report.ledger.is_empty()))?;
        let last = newest.ledger.iter().filter_map(|line| line.entries.last()).map(|entry| entry.at).max()?;
        // Made anew just now, it has seen nothing yet.
        let is_new = self.lines.iter().all(|line| line.timeline.entries().is_empty());
        (newest.subject_uid != self.uid && (is_new || last < self.created)).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::service::State;
    use crate::control::record::WrittenLine;
    use crate::domain::agreement::Terms;
    use crate::domain::reason::Reason;
    use crate::domain::version::{Version, Versions};
    use crate::observe::facts::ObjectKey;

    fn report(month: i64, uid: &str, is_restored: bool) -> KnownReport {
        let key = ObjectKey::new("shop", format!("gold-{month}"));
        let made = KnownReport::made(key, uid, Instant::from_ms(month), Instant::from_ms(month + 1));
        KnownReport { is_restored, version: "1".into(), ..made }
    }

    fn formers(uid: &str, restored: bool, reports: &[KnownReport]) -> Vec<String> {
        former_uids(uid, restored, reports).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_restored_agreement_goes_on_with_the_one_before() {
        let reports = [report(1, "a", false), report(2, "a", false)];
        assert_eq!(formers("b", true, &reports), ["a"], "with its open report");
        assert_eq!(formers("b", false, &reports), [""; 0], "another spec begins a line of its own");
        let reports = [report(1, "a", false), report(2, "a", false), report(3, "b", true)];
        assert_eq!(formers("b", false, &reports), ["a"], "its own first report says so");
        assert_eq!(formers("c", true, &reports), ["b", "a"]);
        assert_eq!(formers("d", false, &reports), [""; 0]);
        let anew = [report(1, "a", false), report(1, "b", false), report(2, "b", false)];
        assert_eq!(formers("c", true, &anew), ["b"], "what had a line of its own keeps it");
    }

    /// The Lease says as much while nothing is written yet: who takes over next must not lose what was proved before.
    #[test]
    fn what_is_not_written_begins_where_the_proof_of_the_leader_before_ends() {
        let at = Instant::from_ms;
        let up = |ms| Entry::live(at(ms), State::Up, None, Reason::AllCriticalReady);
        let version = Version { since: at(0), digest: "d".into(), value: Arc::new(Terms::implicit("checkout")) };
        let (key, terms) = (ObjectKey::new("shop", "checkout"), Versions::starting_with(version));
        let mut record = Record::new(SubjectKind::Service, key, "a", at(0), "checkout".into(), terms);
        let ledger =
            vec![WrittenLine { target: record.lines[0].target.clone(), entries: vec![up(10)], rolled: Vec::new() }];
        record.lines[0].timeline = Arc::new(Timeline::from_entries(vec![up(90_000)]));
        let reports = [KnownReport { ledger, ..report(1, "a", false) }];
        assert_eq!(record.restore(&reports, Some(at(60_000))), Some(at(60_000)));
    }
}
