//! Subjects that were deleted while reports of theirs are open. The term of a subject ends with it: what is left is to
//! lead these reports to their end.

use std::sync::Arc;

use serde_json::Value;

use crate::api::service::State;
use crate::domain::period::{Period, PeriodKey};
use crate::domain::reason::Reason;
use crate::domain::time::Instant;
use crate::domain::timeline::{Entry, Timeline};

use super::record::{KnownReport, Record};
use super::subject::Writing;

/// What is kept of a subject that is gone.
#[derive(Debug)]
pub struct Departed {
    /// What was observed of it, ended.
    pub record: Record,
    /// When it was deleted.
    pub at: Instant,
    /// How its reports are written.
    pub writing: Writing,
}

/// The reports of a line that are not closed, with their periods. A correction is not the operator's to finish.
pub fn left_open<'a>(
    record: &'a Record,
    known: &'a [KnownReport],
) -> impl Iterator<Item = (&'a KnownReport, Period)> + 'a {
    let open = known.iter().filter(|report| report.is_left_open() && record.owns(report));
    open.filter_map(|report| {
        let spec: Value = serde_json::from_str(report.spec.as_deref()?).ok()?;
        let key = PeriodKey::parse(spec.pointer("/period/key")?.as_str()?).ok()?;
        Some((report, Period { key, start: report.start, end: report.end }))
    })
}

/// When the subject of these reports was deleted, as the ledger of the newest one says.
pub fn departed_at<'a>(reports: impl Iterator<Item = &'a KnownReport>) -> Option<Instant> {
    let newest = reports.max_by_key(|report| (report.start, !report.ledger.is_empty()))?;
    let last = newest.ledger.iter().filter_map(|line| line.entries.last());
    last.filter(|entry| is_end(entry)).map(|entry| entry.at).max()
}

/// Whether an entry says that the subject was deleted.
pub fn is_end(entry: &Entry) -> bool {
    entry.reason == Some(Reason::SubjectDeleted)
}

impl KnownReport {
    /// Whether it waits for the end of its period, as no correction does.
    pub fn is_left_open(&self) -> bool {
        self.digest.is_none() && self.supersedes.is_none()
    }
}

impl Record {
    /// The subject was deleted at `at`: nothing elapses any more.
    pub fn end(&mut self, at: Instant) {
        for line in &mut self.lines {
            let end = Entry::live(at, State::Unknown, None, Reason::SubjectDeleted);
            Arc::make_mut(&mut line.timeline).push(end);
        }
        self.terms = self.terms.map(|terms| terms.ending_at(at));
        self.grown = true;
    }

    /// Reads back what the reports of a subject say that was deleted at `at`: their last state is proved until
    /// `proved`, and what was between is unknown.
    pub fn read_back(&mut self, reports: &[KnownReport], proved: Option<Instant>, at: Instant) {
        self.match_written(reports);
        for index in 0..self.lines.len() {
            let target = self.lines[index].target.clone();
            let own = reports.iter().filter(|report| self.owns(report)).flat_map(|report| &report.ledger);
            let ledgers = || own.clone().filter(|written| written.target == target);
            let entries = ledgers().flat_map(|written| &written.entries).filter(|entry| !is_end(entry));
            let mut timeline = Timeline::from_entries(entries.cloned().collect());
            let seen = timeline.last().map(|last| last.at.plus_ms(1).max(proved.unwrap_or(last.at)));
            if let Some(until) = seen.filter(|until| *until < at) {
                timeline.push(Entry::live(until, State::Unknown, None, Reason::NoLeader));
            }
            timeline.set_rolled(ledgers().flat_map(|written| &written.rolled).cloned().collect());
            self.lines[index].timeline = Arc::new(timeline);
        }
        self.restored = true;
        self.is_kept = true;
        self.end(at);
    }
}
