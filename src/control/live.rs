//! Counters that are accrued at each scrape: what was counted once is never taken back, whatever evidence comes later.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::accounting::ClassSums;
use crate::domain::time::{Instant, Interval};
use crate::observe::facts::ObjectKey;

/// The counters of all agreements since this process began.
#[derive(Debug, Default)]
pub struct Live {
    agreements: HashMap<ObjectKey, Accrued>,
    /// The leadership under which was accrued last.
    epoch: Option<i64>,
    /// Another replica led since the scrape before: the time until now is its own.
    resumes: bool,
    scrape: u64,
}

/// The counters of one agreement.
#[derive(Debug, Default)]
struct Accrued {
    uid: Box<str>,
    targets: Vec<(Arc<str>, Instant, ClassSums)>,
    rolled_up_seen: u64,
    rolled_up: u64,
    scrape: u64,
}

impl Live {
    /// Begins a scrape under a leadership.
    pub fn begin(&mut self, epoch: i64) {
        self.scrape += 1;
        // The number of a leadership grows by one each time; by more if another replica led in between.
        self.resumes = self.epoch.is_some_and(|before| epoch > before + 1);
        self.epoch = Some(epoch);
    }

    /// Ends a scrape: counters of agreements that it did not show are forgotten.
    pub fn end(&mut self) {
        let scrape = self.scrape;
        self.agreements.retain(|_, accrued| accrued.scrape == scrape);
    }

    /// An agreement is shown. Another uid is another agreement and begins anew.
    fn shown(&mut self, key: &ObjectKey, uid: &str) -> &mut Accrued {
        let accrued = self.agreements.entry(key.clone()).or_default();
        if *accrued.uid != *uid {
            *accrued = Accrued { uid: uid.into(), ..Accrued::default() };
        }
        accrued.scrape = self.scrape;
        accrued
    }

    /// Time by class of a target up to `now`; what was not counted yet, at first from `since` on, is asked of `classes`.
    pub fn accrue(
        &mut self,
        (key, uid): (&ObjectKey, &str),
        target: &Arc<str>,
        since: Instant,
        now: Instant,
        classes: impl FnOnce(Interval) -> ClassSums,
    ) -> ClassSums {
        let resumes = self.resumes;
        let accrued = self.shown(key, uid);
        let place = accrued.targets.iter().position(|(name, ..)| name == target);
        let place = place.unwrap_or_else(|| {
            accrued.targets.push((target.clone(), since, ClassSums::default()));
            accrued.targets.len() - 1
        });
        let (_, until, sums) = &mut accrued.targets[place];
        if resumes {
            *until = now.max(*until);
        } else if let Some(span) = Interval::new(*until, now) {
            sums.add(&classes(span));
            *until = now;
        }
        *sums
    }

    /// Ledger entries of an agreement that became sums, of which `kept` are kept now: those that are forgotten with time
    /// stay counted.
    pub fn rolled_up(&mut self, key: &ObjectKey, uid: &str, kept: u64) -> u64 {
        let accrued = self.shown(key, uid);
        accrued.rolled_up += kept.saturating_sub(accrued.rolled_up_seen);
        accrued.rolled_up_seen = kept;
        accrued.rolled_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    #[test]
    fn what_was_counted_stays_counted() {
        let mut live = Live::default();
        let key = ObjectKey::new("shop", "gold");
        let target: Arc<str> = "availability".into();
        let scrape = |live: &mut Live, uid: &str, epoch: i64, now: i64, down: bool| {
            live.begin(epoch);
            let sums = live.accrue((&key, uid), &target, at(100), at(now), |span| {
                let ms = span.length_ms();
                if down {
                    ClassSums { down: ms, ..ClassSums::default() }
                } else {
                    ClassSums { up: ms, ..ClassSums::default() }
                }
            });
            live.end();
            (sums.up, sums.down)
        };
        assert_eq!(scrape(&mut live, "1", 1, 100, false), (0, 0));
        assert_eq!(scrape(&mut live, "1", 1, 150, false), (50, 0));
        // Later evidence says that all of it was down: only what is new is counted as that.
        assert_eq!(scrape(&mut live, "1", 1, 160, true), (50, 10));
        assert_eq!(scrape(&mut live, "1", 1, 155, true), (50, 10), "a scrape that was overtaken");
        // Another replica led until now, and counted that time.
        assert_eq!(scrape(&mut live, "1", 3, 500, true), (50, 10));
        assert_eq!(scrape(&mut live, "1", 3, 501, true), (50, 11));
        // Another agreement of the same name.
        assert_eq!(scrape(&mut live, "2", 3, 110, true), (0, 10));
        live.begin(3);
        live.end();
        assert!(live.agreements.is_empty());
    }

    #[test]
    fn rolled_up_entries_only_grow() {
        let mut live = Live::default();
        let key = ObjectKey::new("shop", "gold");
        live.begin(1);
        let counts = [10, 25, 5, 6].map(|kept| live.rolled_up(&key, "1", kept));
        assert_eq!(counts, [10, 25, 25, 26]);
    }
}
