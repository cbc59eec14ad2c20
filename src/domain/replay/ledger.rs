//! The ledgers that an operator would have written of a log.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::limits::WINDOW_REPORTS;
use crate::domain::period::{Period, rolling_window};
use crate::domain::report::bound_ledger;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{Bounds, Timeline};

use super::Replay;

impl Replay {
    /// The lines of a period as its ledger would hold them at an instant: within their bounds.
    pub fn ledger(&self, period: &Period, as_of: Instant) -> HashMap<Arc<str>, Arc<Timeline>> {
        let rules = &self.terms.newest().expect("a replay has terms").value.period;
        let mut lines: HashMap<Arc<str>, Arc<Timeline>> =
            self.lines.iter().map(|(name, line)| (name.clone(), Arc::new(line.until(as_of)))).collect();
        // A rolling window reads the ledgers of all months that it touches.
        let from = rules.rolling_days().map_or(period.start, |days| rolling_window(days, as_of.min(period.end)).from);
        let mut key = period.key;
        for _ in 0..WINDOW_REPORTS {
            let ledger = key.ledger().period_in(&rules.zone);
            let span = Interval { from: ledger.start, to: ledger.end };
            let mut sorted: Vec<_> = lines.iter_mut().collect();
            sorted.sort_by_key(|(name, _)| (*name).clone());
            bound_ledger(sorted, self.facts(), span, Bounds::default());
            if ledger.start <= from {
                break;
            }
            key = key.previous();
        }
        lines
    }
}
