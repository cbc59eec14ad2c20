//! What a record takes over from former leaders.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::api::service::State;
use crate::domain::reason::Reason;
use crate::domain::time::Instant;
use crate::domain::timeline::{Entry, Rolled, Timeline};

use super::corrections::repeats_ledger;
use super::departed::is_end;
use super::record::{KnownReport, Record, WrittenLine};

impl Record {
    /// Takes over what former leaders wrote, up to `observed_until`, and goes on with what this replica saw itself;
    /// returns since when the ledgers do not hold everything, if they do not.
    ///
    /// Where its own observation began later, the time between is unknown: nobody was looking. To be called again when
    /// a former leader's last write shows late: what was written and what was seen are merged, never doubled.
    pub fn restore(&mut self, reports: &[KnownReport], observed_until: Option<Instant>) -> Option<Instant> {
        self.match_written(reports);
        self.restored = true;
        // What a standby noted the leader wrote, as far as its ledgers say so.
        let mut grown = self.grown && self.is_kept;
        self.is_kept = true;
        let mut written_until: Option<Instant> = None;
        let (uid, former) = (&self.uid, &self.former);
        let owns = |report: &KnownReport| report.subject_uid == *uid || former.contains(&report.subject_uid);
        for line in &mut self.lines {
            let ledgers: Vec<&WrittenLine> = reports
                .iter()
                .filter(|report| owns(report) && !repeats_ledger(report, reports))
                .flat_map(|report| &report.ledger)
                .filter(|written| written.target == line.target)
                .collect();
            let rolled = line.timeline.rolled().iter().chain(ledgers.iter().flat_map(|ledger| &ledger.rolled));
            let rolled: Vec<Rolled> = rolled.cloned().collect();
            let written = ledgers.iter().flat_map(|ledger| &ledger.entries).filter(|entry| !is_end(entry));
            let written = Timeline::from_entries(written.cloned().collect());
            let Some(last) = written.last().cloned() else {
                grown |= line.timeline.last().is_some();
                continue;
            };
            // What this replica led itself and nobody wrote anew is still its own.
            let begins = written.entries().first().map_or(last.at, |first| first.at);
            let mut before =
                line.timeline.entries().iter().filter(|entry| entry.at < begins).cloned().collect::<Vec<_>>();
            before.extend(written.entries().iter().cloned());
            let written = Timeline::from_entries(before);
            // What was written was seen, if only for a moment.
            let until = last.at.plus_ms(1).max(observed_until.unwrap_or(last.at));
            // An address that nobody tries is no more unknown while nobody leads.
            let until = if line.is_probed && last.state == State::Unknown { Instant::MAX } else { until };
            let mut joined = join(written.clone(), until, &line.timeline);
            let said = joined.entries() == written.entries();
            // Up to there the ledger says everything, however long ago its last entry is.
            let unwritten = joined.entries().get(written.entries().len()).map_or(last.at, |entry| entry.at);
            joined.set_rolled(rolled);
            line.timeline = Arc::new(joined);
            line.written = Some(fingerprint(&written));
            if said {
                continue;
            }
            grown = true;
            written_until = Some(written_until.map_or(unwritten, |before| before.min(unwritten)));
        }
        self.grown = grown;
        written_until
    }

    /// Whether its lines turn out to be what former leaders wrote.
    pub fn is_as_written(&self) -> bool {
        self.lines.iter().all(|line| line.written.is_some_and(|written| written == fingerprint(&line.timeline)))
    }
}

fn fingerprint(timeline: &Timeline) -> u64 {
    let mut hasher = DefaultHasher::new();
    timeline.entries().hash(&mut hasher);
    hasher.finish()
}

/// How much later than a former leader this replica may have seen the same transition.
const LAG_MS: i64 = 5_000;

/// A written timeline that holds until `until`, continued by what this replica saw itself.
fn join(mut written: Timeline, until: Instant, own: &Timeline) -> Timeline {
    let Some(last) = written.last().cloned() else { return own.clone() };
    let seen = own.entries();
    let after = seen.partition_point(|entry| entry.at <= last.at);
    let begins = seen.first().map(|entry| entry.at);
    let in_force = after.checked_sub(1).map(|index| &seen[index]);
    if begins.is_none_or(|begins| begins > until) {
        written.push(Entry::live(until, State::Unknown, None, Reason::NoLeader));
    }
    // What was written last, this replica saw, too, only a moment later: the same transition is not counted twice.
    let twin = seen[after..].iter().position(|entry| entry.state == last.state && entry.at.ms_since(last.at) <= LAG_MS);
    let next = match (in_force, twin) {
        (Some(before), Some(index)) if before.state != last.state => after + index + 1,
        (Some(before), None) if before.state != last.state && seen.get(after).is_none_or(|next| next.at > until) => {
            written.push(Entry { at: until, ..before.clone() });
            after
        }
        _ => after,
    };
    for entry in &seen[next..] {
        written.push(entry.clone());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_ms(second * 1000)
    }

    fn line(entries: &[(i64, State)]) -> Timeline {
        let entry = |&(second, state)| Entry::live(at(second), state, None, Reason::AllCriticalReady);
        Timeline::from_entries(entries.iter().map(entry).collect())
    }

    fn states(timeline: &Timeline) -> Vec<(i64, State)> {
        timeline.entries().iter().map(|entry| (entry.at.as_ms() / 1000, entry.state)).collect()
    }

    #[test]
    fn a_restart_leaves_the_time_that_nobody_saw_unknown() {
        let joined = join(line(&[(0, State::Up)]), at(100), &line(&[(160, State::Up)]));
        assert_eq!(states(&joined), [(0, State::Up), (100, State::Unknown), (160, State::Up)]);
    }

    /// M-65: a standby that has been watching proves the dead leader's last seconds.
    #[test]
    fn m_65_a_standby_leaves_nothing_unknown() {
        let own = line(&[(-500, State::Up), (107, State::Down), (121, State::Up)]);
        let joined = join(line(&[(0, State::Up)]), at(100), &own);
        assert_eq!(states(&joined), [(0, State::Up), (107, State::Down), (121, State::Up)]);
    }

    #[test]
    fn what_the_leader_saw_a_moment_earlier_is_not_counted_twice() {
        let own = line(&[(-500, State::Up), (101, State::Down), (200, State::Up)]);
        let joined = join(line(&[(0, State::Up), (100, State::Down)]), at(100).plus_ms(1), &own);
        assert_eq!(states(&joined), [(0, State::Up), (100, State::Down), (200, State::Up)]);
    }

    /// What a standby saw is proof, whatever the Lease says of the streams of the dead leader.
    #[test]
    fn what_the_leader_had_no_time_to_write_is_kept() {
        let own = line(&[(-500, State::Up), (90, State::Down)]);
        let joined = join(line(&[(0, State::Up)]), at(100), &own);
        assert_eq!(states(&joined), [(0, State::Up), (90, State::Down)]);
    }

    /// A former leader's last write that shows late is merged into what was taken over before.
    #[test]
    fn taking_over_twice_changes_nothing() {
        let own = line(&[(-500, State::Up), (107, State::Down), (121, State::Up)]);
        let once = join(line(&[(0, State::Up)]), at(100), &own);
        assert_eq!(join(line(&[(0, State::Up)]), at(100), &once), once);
        let late = join(line(&[(0, State::Up), (106, State::Down)]), at(107), &once);
        assert_eq!(states(&late), [(0, State::Up), (106, State::Down), (121, State::Up)]);
    }

    #[test]
    fn a_replica_that_saw_nothing_yet_leaves_the_end_open_and_unknown() {
        let joined = join(line(&[(0, State::Up)]), at(100), &Timeline::default());
        assert_eq!(states(&joined), [(0, State::Up), (100, State::Unknown)]);
    }
}
