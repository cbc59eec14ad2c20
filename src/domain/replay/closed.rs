//! The closed reports of a log, in order of closing: of each period that is over, and the corrections of those.

use crate::api::agreement::ExclusionCause;
use crate::domain::maintenance::Announced;
use crate::domain::period::Period;
use crate::domain::time::{Instant, Interval};

use super::Replay;

/// A report that was closed.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Its period.
    pub period: Period,
    /// When it was closed.
    pub at: Instant,
    /// 1 for the report of the period, 2 for the first correction of it, and so on.
    pub revision: u32,
    /// What it knows of.
    pub announced: Announced,
}

impl Replay {
    /// The reports that were closed by an instant, in order of closing. They begin with the first line of the log, or
    /// with the term if that is later.
    pub fn closed_by(&self, as_of: Instant) -> Vec<Closed> {
        let Some(first) = self.first else { return Vec::new() };
        let schedule = self.schedule();
        let term = self.terms.all()[0].value.begins().unwrap_or(self.created);
        let mut closed: Vec<Closed> = Vec::new();
        let mut period = schedule.period_at(first.max(term));
        while period.end <= as_of {
            if schedule.closing(&period) <= as_of {
                closed.extend(self.reports_of(period, as_of));
            }
            let Some(next) = schedule.after(&period) else { break };
            period = next;
        }
        closed.sort_by_key(|report| (report.at, report.revision > 1, report.period.start));
        closed
    }

    /// The report of a period, and a correction for each instant after its closing at which what is excluded changed.
    fn reports_of(&self, period: Period, as_of: Instant) -> Vec<Closed> {
        let closing = self.schedule().closing(&period);
        let window = period.window_at(period.end);
        let in_term = |(span, version): (Interval, &crate::domain::version::Version<super::Terms>)| {
            version.value.in_term(span, self.created).is_some()
        };
        if !self.terms.within(window).any(in_term) {
            return Vec::new();
        }
        let announced = self.known_by(&period, closing);
        let mut reports = vec![Closed { period, at: closing, revision: 1, announced: announced.clone() }];
        let later = self.announced.exclusions.iter().filter(|exclusion| {
            let agreed = exclusion.approved;
            closing <= agreed && agreed <= as_of && exclusion.span.intersect(&window).is_some()
        });
        let mut instants: Vec<Instant> = later.map(|exclusion| exclusion.approved).collect();
        instants.sort_unstable();
        instants.dedup();
        let mut before = self.excluded(window, &announced);
        for at in instants {
            let exclusions = self.announced.known_by(at).exclusions;
            let announced = Announced { exclusions, ..announced.clone() };
            let excluded = self.excluded(window, &announced);
            let same = excluded.len() == before.len() && excluded.iter().all(|one| before.contains(one));
            if !same {
                let revision = u32::try_from(reports.len()).unwrap_or(u32::MAX).saturating_add(1);
                reports.push(Closed { period, at, revision, announced });
                before = excluded;
            }
        }
        reports
    }

    /// The exclusions that are effective in some part of a window.
    fn excluded(&self, window: Interval, announced: &Announced) -> Vec<(Interval, ExclusionCause)> {
        let is_effective = |span: Interval, cause: ExclusionCause| {
            let mut versions = self.terms.within(window);
            versions.any(|(part, version)| {
                version.value.maintenance.causes.contains(&cause) && part.intersect(&span).is_some()
            })
        };
        let agreed = announced.exclusions.iter().filter(|one| one.by_customer && one.by_provider && !one.cuts_sum);
        agreed.filter(|one| is_effective(one.span, one.cause)).map(|one| (one.span, one.cause)).collect()
    }
}
