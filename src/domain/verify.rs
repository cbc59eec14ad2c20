//! Verifying closed reports: their digests, the chain of each line, its periods, and the sums.
//!
//! A digest is computed from the JSON as it is stored, so that a field nobody knows is noticed too. What cannot be
//! noticed from the reports alone is a cut tail: the newest reports of a line, taken away together. That shows only
//! against a digest that was exported before.

mod correction;
mod figures;
mod record;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use crate::api::report::SubjectKind;

use super::calendar::Calendar;
use record::Record;

/// Periods without a report that one message names.
const NAMED_PERIODS: usize = 12;

/// Something wrong with one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `namespace/name` of the report.
    pub report: String,
    /// The field that shows it.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

/// The closed reports of one subject, in order of closing.
#[derive(Clone, Debug)]
pub struct Line {
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// Namespace of the subject.
    pub namespace: String,
    /// Name of the subject.
    pub name: String,
    /// Number of closed reports.
    pub reports: usize,
    /// Period of the first.
    pub first: String,
    /// Period of the last.
    pub last: String,
    /// Digest of the last: what to keep elsewhere, so that a cut tail is noticed.
    pub head: Option<String>,
    /// What is wrong, the first bad report first.
    pub problems: Vec<Problem>,
}

/// What verifying found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// The lines, in order of namespace and name.
    pub lines: Vec<Line>,
    /// Reports that are not closed yet.
    pub open: usize,
    /// What belongs to no line: reports that cannot be read, exported digests that no report has.
    pub others: Vec<Problem>,
}

impl Verification {
    /// Number of closed reports.
    pub fn closed(&self) -> usize {
        self.lines.iter().map(|line| line.reports).sum()
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.lines.iter().flat_map(|line| &line.problems).chain(&self.others)
    }
}

/// What figures are checked against, as far as it is at hand.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Calendars by the digest of their spec; only those that take no holidays from others.
    pub calendars: HashMap<String, Arc<Calendar>>,
    /// Digests that were exported before: each must be the digest of a report.
    pub heads: Vec<String>,
}

/// Verifies reports as they are stored.
pub fn verify(reports: &[Value], inputs: &Inputs) -> Verification {
    let mut found = Verification::default();
    let mut lines: BTreeMap<(String, String, bool), Vec<Record<'_>>> = BTreeMap::new();
    let mut seen: HashMap<(String, String), &Value> = HashMap::new();
    for value in reports {
        match record::read(value) {
            Err(problem) => found.others.push(problem),
            Ok(record) => {
                let name = (record.namespace.clone(), record.name.clone());
                match seen.get(&name) {
                    Some(other) if record::says_the_same(other, value) => continue,
                    Some(_) => {
                        let message = "stands here twice, with different contents".to_owned();
                        found.others.push(record.problem("metadata.name", message));
                        continue;
                    }
                    None => seen.insert(name, value),
                };
                let subject = &record.spec.subject;
                let is_service = subject.kind == SubjectKind::Service;
                lines.entry((record.namespace.clone(), subject.name.clone(), is_service)).or_default().push(record);
            }
        }
    }
    let mut digests: Vec<String> = Vec::new();
    for ((namespace, name, is_service), records) in lines {
        let kind = if is_service { SubjectKind::Service } else { SubjectKind::ServiceLevelAgreement };
        let (closed, open): (Vec<_>, Vec<_>) = records.into_iter().partition(Record::is_closed);
        found.open += open.len();
        let closed = correction::in_order_of_closing(closed);
        digests.extend(closed.iter().filter_map(|record| record.status.digest.clone()));
        let problems = verify_line(&closed, &open, inputs);
        let (Some(first), Some(head)) = (closed.first(), closed.last()) else { continue };
        // A correction of an older period may be the head.
        let last = closed.iter().rfind(|record| !record.is_correction()).unwrap_or(head);
        found.lines.push(Line {
            kind,
            namespace,
            name,
            reports: closed.len(),
            first: first.spec.period.key.clone(),
            last: last.spec.period.key.clone(),
            head: head.status.digest.clone(),
            problems,
        });
    }
    for head in inputs.heads.iter().filter(|head| !digests.contains(head)) {
        let message = "no closed report has this digest: the report was changed, or the end of its line was cut off";
        found.others.push(Problem { report: head.clone(), field: "head".to_owned(), message: message.to_owned() });
    }
    found
}

fn verify_line(closed: &[Record<'_>], open: &[Record<'_>], inputs: &Inputs) -> Vec<Problem> {
    let mut problems = Vec::new();
    let by_digest: HashMap<&str, usize> = closed
        .iter()
        .enumerate()
        .filter_map(|(index, record)| record.status.digest.as_deref().map(|digest| (digest, index)))
        .collect();
    let mut followed: HashMap<usize, usize> = HashMap::new();
    for (index, record) in closed.iter().enumerate() {
        let mut add = |field: &str, message: String| problems.push(record.problem(field, message));
        record::check(record, &mut add);
        let before = check_link(closed, index, &by_digest, &mut followed, &mut add);
        if record.is_correction() {
            // Its period is that of the report it corrects.
            correction::check(closed, index, &mut add);
        } else {
            if let Some(before) = before {
                check_gap(before, record, &mut add);
            }
            record::check_start(before, record, &mut add);
        }
        figures::check(record, inputs, &mut add);
    }
    correction::check_forks(closed, &mut problems);
    // Periods run on without a hole up to the report that is open.
    let regular = |record: &&Record<'_>| !record.is_correction();
    if let (Some(last), Some(next)) =
        (closed.iter().rfind(regular), open.iter().filter(regular).min_by_key(|record| record.start))
        && last.spec.subject.uid == next.spec.subject.uid
    {
        check_gap(last, next, &mut |field, message| problems.push(next.problem(field, message)));
    }
    problems
}

/// Checks what a report says of the one closed before it; returns that one, as far as it is known. Corrections in
/// between are passed over: they are of a period that was closed already.
fn check_link<'a, 'b>(
    closed: &'a [Record<'b>],
    index: usize,
    by_digest: &HashMap<&str, usize>,
    followed: &mut HashMap<usize, usize>,
    add: &mut impl FnMut(&str, String),
) -> Option<&'a Record<'b>> {
    const FIELD: &str = "status.previousDigest";
    let record = &closed[index];
    let earlier = &closed[..index];
    let regular = || earlier.iter().rfind(|other| !other.is_correction());
    let Some(previous) = record.status.previous_digest.as_deref() else {
        // An agreement made anew with other terms begins a line of its own.
        let before = earlier.iter().rev().find(|other| other.spec.subject.uid == record.spec.subject.uid)?;
        add(FIELD, format!("is missing; the report closed before is {}", before.name));
        return regular();
    };
    match by_digest.get(previous) {
        None => {
            let message = match earlier.last() {
                Some(before) if before.end == record.start => {
                    format!("is {previous}, {} has another one: it was changed", before.name)
                }
                Some(before) => {
                    format!("is {previous}, which no report here has: one after {} was deleted", before.name)
                }
                None => format!("is {previous}, which no report here has: the one before was deleted"),
            };
            add(FIELD, message);
            regular()
        }
        Some(&at) if at >= index => {
            add(FIELD, format!("names {}, which is not closed before this report", closed[at].name));
            regular()
        }
        Some(&at) => {
            if let Some(other) = followed.insert(at, index) {
                add(FIELD, format!("names {}, which {} already follows: a fork", closed[at].name, closed[other].name));
            }
            let before = closed[..=at].iter().rfind(|other| !other.is_correction())?;
            let is_restored = record.spec.reason.as_deref() == Some("Restored");
            if !record.is_correction() && before.spec.subject.uid != record.spec.subject.uid && !is_restored {
                add("spec.reason", format!("is not Restored, although {} is of another object", before.name));
            }
            Some(before)
        }
    }
}

/// Checks that a period begins where the one before it ends.
fn check_gap(before: &Record<'_>, record: &Record<'_>, add: &mut impl FnMut(&str, String)) {
    let (Some(last), Some(next)) = (before.key, record.key) else { return };
    if before.end == record.start || before.start == record.start {
        return;
    }
    if record.start < before.end {
        add("spec.period", format!("begins before the period of {} ends", before.name));
        return;
    }
    if !before.is_cut_like(record) {
        let (from, to) = (&before.spec.period.end, &record.spec.period.start);
        add("spec.period", format!("no report covers {from} to {to}, between {} and this one", before.name));
        return;
    }
    let mut missing: Vec<String> = Vec::new();
    let mut key = last.next();
    while key != next && missing.len() <= NAMED_PERIODS {
        missing.push(key.to_string());
        key = key.next();
    }
    if missing.len() > NAMED_PERIODS {
        missing.truncate(NAMED_PERIODS);
        missing.push("…".to_owned());
    }
    add("spec.period", format!("no report covers {}, between {} and this one", missing.join(", "), before.name));
}
