//! Corrections: reports that supersede another one of their line, and where they stand in the order of closing.

use std::collections::{HashMap, HashSet};

use super::Problem;
use super::record::Record;

/// The reports of a line in order of closing. Those of the periods follow each other in time; a correction was closed
/// after the report that it names as previous, which may be of a later period than its own.
pub fn in_order_of_closing(records: Vec<Record<'_>>) -> Vec<Record<'_>> {
    let digests: HashSet<String> = records.iter().filter_map(|record| record.status.digest.clone()).collect();
    let (mut corrections, mut regular): (Vec<_>, Vec<_>) = records.into_iter().partition(Record::is_correction);
    regular.sort_by(|one, other| one.order().cmp(&other.order()));
    corrections.sort_by(|one, other| one.order().cmp(&other.order()));
    let mut followers: HashMap<String, Vec<Record<'_>>> = HashMap::new();
    for record in corrections {
        // One that follows a report that is gone stands beside the one it corrects.
        let previous = record.status.previous_digest.as_ref().filter(|digest| digests.contains(*digest));
        let named = record.spec.supersedes.as_ref().map(|superseded| &superseded.digest);
        let after = previous.or(named).cloned().unwrap_or_default();
        followers.entry(after).or_default().push(record);
    }
    let mut ordered = Vec::new();
    for record in regular {
        let mut waiting = vec![record];
        while let Some(next) = waiting.pop() {
            let after = next.status.digest.as_ref().and_then(|digest| followers.remove(digest)).unwrap_or_default();
            waiting.extend(after.into_iter().rev());
            ordered.push(next);
        }
    }
    let mut rest: Vec<Record<'_>> = followers.into_values().flatten().collect();
    rest.sort_by(|one, other| one.order().cmp(&other.order()));
    ordered.extend(rest);
    ordered
}

/// Checks a correction against the report that it corrects: the same subject, period and ledger, judged anew.
pub fn check(closed: &[Record<'_>], index: usize, add: &mut impl FnMut(&str, String)) {
    let record = &closed[index];
    let Some(superseded) = &record.spec.supersedes else { return };
    if record.spec.reason.as_deref().unwrap_or_default().is_empty() {
        add("spec.reason", "is missing; a correction says why it was made".to_owned());
    }
    let Some(corrected) = closed[..index].iter().find(|other| other.name == superseded.name.as_str()) else {
        let message = format!("names {}, which is no report of this line that was closed before", superseded.name);
        add("spec.supersedes.name", message);
        return;
    };
    let name = &corrected.name;
    if corrected.status.digest.as_ref() != Some(&superseded.digest) {
        add("spec.supersedes.digest", format!("is {}, {name} has another one", superseded.digest));
    }
    if record.name != next_name(corrected) {
        add("metadata.name", format!("is not {}, the name of a correction of {name}", next_name(corrected)));
    }
    let same = [
        ("spec.subject", record.spec.subject == corrected.spec.subject),
        ("spec.serviceRef", record.spec.service_ref == corrected.spec.service_ref),
        ("spec.period", record.spec.period == corrected.spec.period),
        ("status.ledger", record.value["status"]["ledger"] == corrected.value["status"]["ledger"]),
    ];
    for (field, _) in same.iter().filter(|(_, same)| !same) {
        add(field, format!("is not that of {name}; a correction judges the same evidence anew"));
    }
}

/// Name of the correction of a report: with `-r2`, of a second correction with `-r3`.
fn next_name(corrected: &Record<'_>) -> String {
    let revision = corrected.name.rsplit_once("-r").filter(|_| corrected.is_correction());
    match revision.and_then(|(base, number)| Some((base, number.parse::<u32>().ok()?))) {
        Some((base, number)) => format!("{base}-r{}", number.saturating_add(1)),
        None => format!("{}-r2", corrected.name),
    }
}

/// A report is corrected once; what corrects it further corrects the correction.
pub fn check_forks(closed: &[Record<'_>], problems: &mut Vec<Problem>) {
    let mut corrected: HashMap<&str, &str> = HashMap::new();
    for record in closed {
        let Some(superseded) = &record.spec.supersedes else { continue };
        if let Some(other) = corrected.insert(superseded.name.as_str(), &record.name) {
            let message = format!("names {}, which {other} corrects already", superseded.name);
            problems.push(record.problem("spec.supersedes.name", message));
        }
    }
}
