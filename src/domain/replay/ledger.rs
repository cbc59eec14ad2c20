//! The ledgers that an operator would have written of a log.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::limits::WINDOW_REPORTS;
use crate::domain::maintenance::{AgreedExclusion, Announced};
use crate::domain::period::Period;
use crate::domain::report::{Facts, bound_ledger};
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{Bounds, Timeline};

use super::Replay;

impl Replay {
    /// The lines of a period as its ledger would hold them at an instant: within their bounds.
    pub fn ledger(&self, period: &Period, as_of: Instant) -> HashMap<Arc<str>, Arc<Timeline>> {
        let schedule = self.schedule();
        let mut lines = self.lines_until(as_of, as_of.min(schedule.closing(period)));
        // A rolling window reads the ledgers of all months that it touches.
        let from = period.window_at(as_of).from;
        let mut ledger = Some(*period);
        for _ in 0..WINDOW_REPORTS {
            let Some(period) = ledger else { break };
            self.bound(&mut lines, &period, as_of);
            ledger = schedule.before(&period).filter(|_| period.start > from);
        }
        lines
    }

    /// What is known at an instant and may still change the figures of a period: nothing that came after its closing.
    pub fn known_by(&self, period: &Period, as_of: Instant) -> Announced {
        self.announced.known_by(as_of.min(self.schedule().closing(period).minus_ms(1)))
    }

    /// Refuses exclusions that were agreed only after the ledger had given up instants that they ask for: of each, in
    /// order of agreement, by the ledgers as they were then.
    pub(super) fn refuse_what_was_rolled_up(&mut self) {
        for index in 0..self.announced.exclusions.len() {
            let cuts = self.cuts_sum(&self.announced.exclusions[index]);
            self.announced.exclusions[index].cuts_sum = cuts;
        }
    }

    fn cuts_sum(&self, exclusion: &AgreedExclusion) -> bool {
        let first = self.lines.values().filter_map(|line| line.entries().first()).map(|entry| entry.at).min();
        let Some(first) = first else { return false };
        let agreed = exclusion.approved;
        // Nothing after the agreement can have been rolled up before it.
        let past = Interval::new(exclusion.span.from.max(first), exclusion.span.to.min(agreed));
        let Some(past) = past.filter(|_| exclusion.by_customer && exclusion.by_provider) else { return false };
        let schedule = self.schedule();
        let mut next = Some(schedule.period_at(past.from));
        while let Some(ledger) = next.filter(|ledger| ledger.start < past.to) {
            let held = Interval { from: ledger.start, to: ledger.end };
            let rolls_up = !Bounds::held(self.lines.values().map(|line| &**line), held).is_within(Bounds::default());
            if rolls_up {
                let mut lines = self.lines_until(agreed, agreed);
                // This one is not known yet when the ledger is written.
                self.bound(&mut lines, &ledger, agreed.minus_ms(1));
                if lines.values().any(|line| line.rolled_in_part(exclusion.span).is_some()) {
                    return true;
                }
            }
            next = schedule.after(&ledger);
        }
        false
    }

    /// The lines as known at an instant; what tries left open is decided by those before `settled`.
    fn lines_until(&self, instant: Instant, settled: Instant) -> HashMap<Arc<str>, Arc<Timeline>> {
        let line = |name: &Arc<str>, line: &Timeline| {
            let probed = self.probed.iter().find(|probed| probed.target == *name);
            probed.map_or_else(|| line.until(instant), |probed| probed.line(&self.terms, settled).until(instant))
        };
        self.lines.iter().map(|(name, known)| (name.clone(), Arc::new(line(name, known)))).collect()
    }

    /// Brings the ledger of one period within its bounds, by what was known at an instant.
    fn bound(&self, lines: &mut HashMap<Arc<str>, Arc<Timeline>>, ledger: &Period, as_of: Instant) {
        let announced = self.known_by(ledger, as_of);
        let facts = Facts { announced: &announced, ..self.facts() };
        let mut sorted: Vec<_> = lines.iter_mut().collect();
        sorted.sort_by_key(|(name, _)| (*name).clone());
        bound_ledger(sorted, facts, Interval { from: ledger.start, to: ledger.end }, Bounds::default());
    }
}
