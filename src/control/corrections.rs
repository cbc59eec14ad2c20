//! Reports that correct another one of their period, and the chain that the closed reports of a line form.

use crate::api::report::Phase;
use crate::domain::conditions::{Finding, Remembered, write};
use crate::domain::time::Instant;

use super::record::{KnownReport, Record};
use super::subject::{Action, Batch, Resource, Write};

/// Condition of a report that another one corrects. It stands outside the digest.
pub const SUPERSEDED: &str = "Superseded";

/// The closed report that corrects this one, if there is any. One that names another digest corrects what is not here.
pub fn corrected_by<'a>(report: &KnownReport, known: &'a [KnownReport]) -> Option<&'a KnownReport> {
    let corrects = |other: &&KnownReport| {
        let names = other.supersedes.as_ref().is_some_and(|superseded| {
            *report.key.name == *superseded.name.as_str() && report.digest.as_deref() == Some(&*superseded.digest)
        });
        let is_same = other.subject_uid == report.subject_uid && (other.start, other.end) == (report.start, report.end);
        names && is_same && other.digest.is_some() && other.key != report.key
    };
    known.iter().filter(corrects).max_by(|one, other| one.key.cmp(&other.key))
}

/// Whether a report holds a copy of the ledger of another one that is known.
pub fn repeats_ledger(report: &KnownReport, known: &[KnownReport]) -> bool {
    let Some(superseded) = &report.supersedes else { return false };
    known.iter().any(|other| {
        *other.key.name == *superseded.name.as_str()
            && other.key.namespace == report.key.namespace
            && other.start == report.start
    })
}

/// The report closed last: its name and verdict. Of a period that was corrected, the newest correction.
pub fn last_report(record: &Record, known: &[KnownReport]) -> Option<(String, String)> {
    let closed = || known.iter().filter(|report| report.phase == Some(Phase::Closed) && record.owns(report));
    let end = closed().map(|report| report.end).max()?;
    let of_period = closed().filter(|report| report.end == end);
    let last = of_period.max_by_key(|report| corrected_by(report, known).is_none())?;
    Some((last.key.name.to_string(), last.result.as_deref().unwrap_or_default().to_owned()))
}

/// Says of each report that another one corrects that it does not stand any more, once. It is written last: it must not
/// keep back what was measured.
pub fn plan_superseded(record: &Record, known: &[KnownReport], now: Instant, batch: &mut Batch) {
    if known.iter().all(|report| report.supersedes.is_none()) {
        return;
    }
    let is_said = |report: &KnownReport| report.conditions.iter().any(|condition| condition.is_true(SUPERSEDED));
    for report in known.iter().filter(|report| record.owns(report) && !is_said(report)) {
        let Some(newer) = corrected_by(report, known) else { continue };
        let message = format!("{} corrects it; its figures stay as they were closed", newer.key.name);
        let finding = Finding::yes(SUPERSEDED, "Corrected", message);
        let (conditions, _) = write(vec![finding], &report.conditions, 1, now);
        let mut remembered = report.conditions.clone();
        remembered.extend(Remembered::from_conditions(&conditions));
        batch.writes.push(Write {
            resource: Resource::Report,
            key: report.key.clone(),
            action: Action::Conditions { version: report.version.clone(), conditions, remembered },
        });
    }
}

impl Record {
    /// The report of its line that was closed last: no other one names it as the one before. After the order of
    /// periods it cannot be told, because a correction of an older period may have been closed since.
    pub fn closed_last<'a>(&self, known: &'a [KnownReport]) -> Option<&'a KnownReport> {
        let closed = || known.iter().filter(|report| report.digest.is_some() && self.owns(report));
        let is_followed = |report: &KnownReport| closed().any(|other| other.previous_digest == report.digest);
        // Several are left only where one between them was removed for good.
        let ends = closed().filter(|report| !is_followed(report));
        ends.max_by_key(|report| (report.end, report.supersedes.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::report::{SubjectKind, Superseded};
    use crate::domain::version::Versions;
    use crate::observe::facts::ObjectKey;

    fn record() -> Record {
        let key = ObjectKey::new("shop", "gold");
        let service = Arc::from("checkout");
        Record::new(SubjectKind::ServiceLevelAgreement, key, "a", Instant::from_ms(0), service, Versions::default())
    }

    /// A closed report whose name is its digest.
    fn closed(name: &str, month: i64, previous: Option<&str>, supersedes: Option<&str>) -> KnownReport {
        let superseded = |name: &str| Box::new(Superseded { name: name.into(), digest: name.to_owned() });
        let made =
            KnownReport::made(ObjectKey::new("shop", name), "a", Instant::from_ms(month), Instant::from_ms(month + 1));
        KnownReport {
            supersedes: supersedes.map(superseded),
            phase: Some(Phase::Closed),
            previous_digest: previous.map(Into::into),
            digest: Some(name.into()),
            version: "1".into(),
            ..made
        }
    }

    fn head(known: &[KnownReport]) -> Option<&str> {
        record().closed_last(known).map(|report| &*report.key.name)
    }

    #[test]
    fn the_head_is_what_no_other_report_follows() {
        assert_eq!(head(&[]), None);
        let (one, two) = (closed("1", 1, None, None), closed("2", 2, Some("1"), None));
        assert_eq!(head(&[one.clone(), two.clone()]), Some("2"));
        let same_period = closed("2-r2", 2, Some("2"), Some("2"));
        assert_eq!(head(&[one.clone(), same_period.clone(), two.clone()]), Some("2-r2"));
        let older_period = closed("1-r2", 1, Some("2-r2"), Some("1"));
        assert_eq!(head(&[older_period, one.clone(), same_period, two.clone()]), Some("1-r2"));
        // One in between was purged, and one is of another object.
        let three = closed("3", 3, Some("2"), None);
        let other = KnownReport { subject_uid: "b".into(), ..closed("4", 4, None, None) };
        assert_eq!(head(&[one, three, other]), Some("3"));
        let open = KnownReport { digest: None, previous_digest: None, ..closed("3", 3, None, None) };
        assert_eq!(head(&[two, open]), Some("2"));
    }

    #[test]
    fn the_newest_correction_is_the_last_report_of_its_period() {
        let last = |known: &[KnownReport]| last_report(&record(), known).map(|(name, _)| name);
        let first = closed("1", 1, None, None);
        let (second, third) = (closed("1-r2", 1, Some("1"), Some("1")), closed("1-r3", 1, Some("1-r2"), Some("1-r2")));
        let all = [third.clone(), first.clone(), second.clone()];
        assert_eq!(last(&all).as_deref(), Some("1-r3"));
        assert_eq!(corrected_by(&first, &all).map(|report| &*report.key.name), Some("1-r2"));
        assert!(corrected_by(&third, &all).is_none());
        let unfinished = KnownReport { digest: None, phase: None, ..second };
        assert_eq!(last(&[first, unfinished]).as_deref(), Some("1"));
    }

    #[test]
    fn a_copy_of_a_ledger_is_known_as_one() {
        let (first, second) = (closed("1", 1, None, None), closed("1-r2", 1, Some("1"), Some("1")));
        assert!(repeats_ledger(&second, &[second.clone(), first.clone()]));
        assert!(!repeats_ledger(&first, &[second.clone(), first.clone()]));
        assert!(
            !repeats_ledger(&second, std::slice::from_ref(&second)),
            "the one before is gone: this is what is left"
        );
    }
}
