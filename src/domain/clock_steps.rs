//! Steps of the API server's clock, as reports note them.

use jiff::tz::TimeZone;

use crate::api::report;

use super::cluster_time::ClockStep;
use super::limits::{KEPT_CLOCK_STEPS, LISTED_CLOCK_STEPS};
use super::time::{Instant, MINUTE_MS, SECOND_MS};

/// How far apart two replicas may notice the same step: the last answers before it bound a small one at first too
/// loosely.
const LAG_MS: i64 = MINUTE_MS;
/// How far their estimates of it may differ.
const DIFFERENCE_MS: i64 = 2 * SECOND_MS;

/// The newest steps that this replica noticed or found noted, in order of time.
#[derive(Clone, Debug, Default)]
pub struct ClockSteps(Vec<ClockStep>);

/// The steps that one report notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotedSteps {
    /// The newest, in order of time.
    pub listed: Vec<ClockStep>,
    /// How many earlier ones there were.
    pub omitted: u32,
}

impl ClockSteps {
    /// Adds a step that was noticed just now. No two are at the same instant: where time stands still because the clock
    /// was set back, they are a millisecond apart.
    pub fn note(&mut self, step: ClockStep) {
        let at = self.0.last().map_or(step.at, |last| step.at.max(last.at.plus_ms(1)));
        self.0.push(ClockStep { at, ..step });
        self.forget();
    }

    /// Takes over the steps that a report notes. What this replica noticed as well is the same step; the earlier notice
    /// of it stays.
    pub fn join(&mut self, noted: &[ClockStep]) {
        let others: Vec<ClockStep> = noted.iter().filter(|step| !self.0.contains(step)).copied().collect();
        if others.is_empty() {
            return;
        }
        let mut own: Vec<ClockStep> = self.0.iter().filter(|step| !noted.contains(step)).copied().collect();
        for other in others {
            // One step is the twin of one other: a clock that jumps to and fro steps alike several times.
            if let Some(twin) = own.iter().position(|step| is_twin(*step, other)) {
                let twin = own.remove(twin);
                if twin.at <= other.at {
                    continue;
                }
                self.0.retain(|step| *step != twin);
            }
            self.0.push(other);
        }
        self.0.sort_by_key(|step| step.at);
        self.forget();
    }

    /// What a report notes next: what it notes already, and the later steps at instants that `is_of` it.
    pub fn added_to(&self, noted: &NotedSteps, is_of: impl Fn(Instant) -> bool) -> NotedSteps {
        let last = noted.listed.last().map(|last| last.at);
        let later = self.0.iter().filter(|step| last.is_none_or(|last| step.at > last) && is_of(step.at));
        let mut listed: Vec<ClockStep> = noted.listed.iter().chain(later).copied().collect();
        let over = listed.len().saturating_sub(LISTED_CLOCK_STEPS);
        listed.drain(..over);
        NotedSteps { listed, omitted: noted.omitted.saturating_add(over as u32) }
    }

    fn forget(&mut self) {
        let over = self.0.len().saturating_sub(KEPT_CLOCK_STEPS);
        self.0.drain(..over);
    }
}

fn is_twin(one: ClockStep, other: ClockStep) -> bool {
    one.at.ms_since(other.at).abs() <= LAG_MS && (one.by_ms - other.by_ms).abs() <= DIFFERENCE_MS
}

impl NotedSteps {
    /// Reads the form of a ledger; what cannot be read is left out.
    pub fn read(listed: &[report::ClockStep], omitted: u32) -> Self {
        let step = |step: &report::ClockStep| Some(ClockStep { at: Instant::parse(&step.at).ok()?, by_ms: step.by_ms });
        Self { listed: listed.iter().filter_map(step).collect(), omitted }
    }

    /// The form of a ledger.
    pub fn write(&self, zone: &TimeZone) -> Vec<report::ClockStep> {
        let step = |step: &ClockStep| report::ClockStep { at: step.at.format_ms_in(zone), by_ms: step.by_ms };
        self.listed.iter().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(second: i64, by_ms: i64) -> ClockStep {
        ClockStep { at: Instant::from_ms(second * SECOND_MS), by_ms }
    }

    fn noticed(steps: &[ClockStep]) -> ClockSteps {
        let mut all = ClockSteps::default();
        for step in steps {
            all.note(*step);
        }
        all
    }

    fn noted(listed: &[ClockStep], omitted: u32) -> NotedSteps {
        NotedSteps { listed: listed.to_vec(), omitted }
    }

    #[test]
    fn a_report_notes_the_later_steps_of_its_own_time() {
        let steps = noticed(&[step(10, 2000), step(20, -3000), step(30, 4000)]);
        let is_of = |at: Instant| at < Instant::from_ms(25 * SECOND_MS);
        let first = steps.added_to(&NotedSteps::default(), is_of);
        assert_eq!(first, noted(&[step(10, 2000), step(20, -3000)], 0));
        assert_eq!(steps.added_to(&first, is_of), first, "once");
        // What it noted first is not noted anew when it is not listed any more.
        let later = noted(&[step(20, -3000)], 1);
        assert_eq!(steps.added_to(&later, is_of), later);
    }

    #[test]
    fn the_oldest_steps_beyond_the_bound_are_counted() {
        let all: Vec<ClockStep> = (0..20).map(|number| step(number * 100, 5000)).collect();
        let first = noticed(&all[..15]).added_to(&NotedSteps::default(), |_| true);
        assert_eq!(first, noted(&all[3..15], 3));
        assert_eq!(noticed(&all).added_to(&first, |_| true), noted(&all[8..], 8));
        let many: Vec<ClockStep> = (0..KEPT_CLOCK_STEPS as i64 + 5).map(|number| step(number, 5000)).collect();
        assert_eq!(noticed(&many).0, many[5..]);
    }

    #[test]
    fn steps_while_time_stands_still_are_told_apart() {
        let steps =
            noticed(&[step(10, -60_000), step(10, -70_000)]).added_to(&noted(&[step(10, -60_000)], 0), |_| true);
        let after = ClockStep { at: step(10, 0).at.plus_ms(1), by_ms: -70_000 };
        assert_eq!(steps.listed, [step(10, -60_000), after]);
    }

    /// What a standby noticed a moment earlier or later than the leader that noted it is one step.
    #[test]
    fn a_step_that_two_replicas_noticed_is_one() {
        let mut later = noticed(&[step(10, 2300), step(300, 2000)]);
        later.join(&[step(8, 1800)]);
        assert_eq!(later.0, [step(8, 1800), step(300, 2000)]);
        let mut earlier = noticed(&[step(8, 1800)]);
        earlier.join(&[step(10, 2300)]);
        earlier.join(&[step(10, 2300)]);
        assert_eq!(earlier.0, [step(8, 1800)]);
        assert_eq!(earlier.added_to(&noted(&[step(10, 2300)], 0), |_| true).listed, [step(10, 2300)]);
    }

    #[test]
    fn a_clock_that_jumps_to_and_fro_steps_each_time() {
        let all = [step(0, 3000), step(5, -3000), step(10, 3000), step(15, -3000)];
        let mut own = noticed(&all);
        own.join(&all[..1]);
        assert_eq!(own.0, all);
        let mut fresh = ClockSteps::default();
        fresh.join(&all);
        fresh.join(&all[2..]);
        assert_eq!(fresh.0, all);
        // The former leader noted two of them, as it noticed them itself.
        own.join(&[step(1, 3100), step(6, -2900)]);
        assert_eq!(own.0, all);
    }

    #[test]
    fn the_written_form_is_read_back() {
        let steps = noted(&[ClockStep { at: Instant::from_ms(1_763_470_800_123), by_ms: -2001 }], 4);
        let zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
        let written = steps.write(&zone);
        assert_eq!(written[0].at, "2025-11-18T14:00:00.123+01:00");
        assert_eq!(NotedSteps::read(&written, 4), steps);
    }
}
