//! From when until when an agreement holds, and how often the parties look at it anew.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::api::term::Term as WrittenTerm;
use crate::api::values::DateOrInstant;

use super::conditions::Finding;
use super::duration::CalendarSpan;
use super::period::{end_of_date, start_of_date};
use super::time::Instant;
use super::violation::Violation;

/// A bound of a term: a local date or an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Date(Date),
    Instant(Instant),
}

/// A validated term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Term {
    from: Option<Bound>,
    expires: Option<Bound>,
    review_every: Option<CalendarSpan>,
}

impl Term {
    /// Reads a term; what is wrong with it is added to `found`.
    pub fn read(written: Option<&WrittenTerm>, found: &mut Vec<Violation>) -> Self {
        let Some(written) = written else { return Self::default() };
        let from = read_bound(written.effective_from.as_ref(), "spec.term.effectiveFrom", found);
        let expires = read_bound(written.expires.as_ref(), "spec.term.expires", found);
        if let (Some(Bound::Date(first)), Some(Bound::Date(last))) = (from, expires)
            && last < first
        {
            found.push(Violation::new("spec.term.expires", "lies before effectiveFrom; swap or correct them"));
        }
        let review_every = written.review_every.as_ref().and_then(|text| {
            CalendarSpan::parse(text.as_str())
                .map_err(|error| found.push(Violation::new("spec.term.reviewEvery", error.to_string())))
                .ok()
        });
        Self { from, expires, review_every }
    }

    /// The first instant of the term, if it is written down.
    pub fn begins(&self, zone: &TimeZone) -> Option<Instant> {
        self.from.map(|bound| match bound {
            Bound::Date(date) => start_of_date(zone, date),
            Bound::Instant(instant) => instant,
        })
    }

    /// The first instant after the term.
    pub fn end(&self, zone: &TimeZone) -> Instant {
        match self.expires {
            Some(Bound::Date(date)) => end_of_date(zone, date),
            Some(Bound::Instant(instant)) => instant,
            None => Instant::MAX,
        }
    }

    /// The term of an object that was deleted at `instant`.
    #[must_use]
    pub fn ending_at(self, zone: &TimeZone, instant: Instant) -> Self {
        Self { expires: Some(Bound::Instant(self.end(zone).min(instant))), ..self }
    }

    /// When the parties have to have looked at the agreement anew: its span after the later of its beginning and the
    /// version in force, because a new version is a look at it. At the beginning of that local day. None where no
    /// review was agreed.
    pub fn review_due(&self, zone: &TimeZone, created: Instant, version_since: Instant) -> Option<Instant> {
        let last = self.begins(zone).unwrap_or(created).max(version_since);
        let span = self.review_every?;
        Some(span.add_to(last.date_in(zone)).map_or(Instant::MAX, |due| start_of_date(zone, due)))
    }
}

/// The condition `ReviewCurrent`, and when time alone changes it.
pub fn review_current(due: Option<Instant>, zone: &TimeZone, now: Instant) -> (Finding, Option<Instant>) {
    const KIND: &str = "ReviewCurrent";
    let Some(due) = due else {
        return (Finding::yes(KIND, "NoReviewAgreed", "no review was agreed"), None);
    };
    let at = due.format_in(zone);
    if now < due {
        let next = (due < Instant::MAX).then_some(due);
        (Finding::yes(KIND, "InTime", format!("the next review is due by {at}")), next)
    } else {
        let message = format!("a review was due by {at}; agree on a new version, or on another reviewEvery");
        (Finding::no(KIND, "ReviewOverdue", message), None)
    }
}

fn read_bound(text: Option<&DateOrInstant>, field: &str, found: &mut Vec<Violation>) -> Option<Bound> {
    let text = text?.as_str();
    let bound = if text.len() <= 10 {
        text.parse::<Date>().ok().map(Bound::Date)
    } else {
        Instant::parse(text).ok().map(Bound::Instant)
    };
    if bound.is_none() {
        let message = format!("{text:?} is no date such as \"2026-01-01\" and no instant with its offset");
        found.push(Violation::new(field, message));
    }
    bound
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn term(yaml: &str) -> Term {
        let mut found = Vec::new();
        let read = Term::read(Some(&serde_saphyr::from_str(yaml).unwrap()), &mut found);
        assert_eq!(found, []);
        read
    }

    #[test]
    fn what_is_deleted_ends_then_at_the_latest() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let deleted = at("2026-05-01T12:00:00Z");
        let end = |term: Term| term.ending_at(&TimeZone::UTC, deleted).end(&TimeZone::UTC);
        assert_eq!(end(Term::default()), deleted);
        assert_eq!(end(term("{expires: '2026-12-31'}")), deleted);
        assert_eq!(end(term("{expires: '2026-03-31'}")), at("2026-04-01T00:00:00Z"));
    }

    #[test]
    fn a_review_is_due_a_span_after_the_beginning_or_the_newest_version() {
        let at = |text: &str| Instant::parse(text).unwrap();
        let berlin = crate::domain::zone::zone_named("Europe/Berlin").unwrap();
        let term = term("{effectiveFrom: '2026-08-31', reviewEvery: P6M}");
        let created = at("2026-01-01T00:00:00Z");
        let due = term.review_due(&berlin, created, created).unwrap();
        assert_eq!(due.format_in(&berlin), "2027-02-28T00:00:00+01:00");
        let (finding, next) = review_current(Some(due), &berlin, due.minus_ms(1));
        assert_eq!((finding.reason, next), ("InTime", Some(due)));
        assert_eq!(review_current(Some(due), &berlin, due).0.reason, "ReviewOverdue");
        let amended = term.review_due(&berlin, created, at("2026-12-24T12:00:00Z")).unwrap();
        assert_eq!(amended.format_in(&berlin), "2027-06-24T00:00:00+02:00");
        assert_eq!(Term::default().review_due(&berlin, created, created), None);
        assert_eq!(review_current(None, &berlin, created).0.reason, "NoReviewAgreed");
    }
}
