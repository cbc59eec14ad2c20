//! The time of the API server, from what its answers say.
//!
//! Each answer carries the server's time in whole seconds. It was written between the sending of the request and the
//! receipt of the answer, so it bounds how far the server's clock is ahead of a local clock that only runs forward.

use std::collections::VecDeque;

use super::time::{Instant, SECOND_MS};

/// Answers whose bounds are kept.
const ANSWERS: usize = 32;
/// How much two clocks drift apart at most, in millionths.
const DRIFT_PPM: i64 = 200;
/// From here on a difference is a step; below it API servers may differ.
const STEP_MS: i64 = SECOND_MS;

/// What one answer says. Times are those of the local monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// When its request was sent.
    pub sent_ms: i64,
    /// When it was received.
    pub received_ms: i64,
    /// The server's time, cut to seconds.
    pub date: Instant,
}

/// The server's clock moved by more than a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// When it was noticed, in the server's time after it, which never runs backwards.
    pub at: Instant,
    /// By how much; negative if the clock was set back.
    pub by_ms: i64,
}

/// A range of offsets: the server's clock less the local one; `low` is in it, `high` is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    low: i64,
    high: i64,
}

impl Range {
    fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        (both.low < both.high).then_some(both)
    }

    fn middle(self) -> i64 {
        self.low + (self.high - self.low) / 2
    }

    /// How far two ranges are apart; 0 if they meet.
    fn distance(self, other: Self) -> i64 {
        (self.low - other.high).max(other.low - self.high).max(0)
    }

    /// How far apart offsets in both can be.
    fn spread(self, other: Self) -> i64 {
        (self.high - other.low).max(other.high - self.low)
    }
}

/// The bounds of one answer, and when it came.
#[derive(Clone, Copy, Debug)]
struct Bound {
    range: Range,
    at_ms: i64,
}

/// The estimate of the server's time. It never runs backwards.
#[derive(Clone, Debug)]
pub struct ClusterTime {
    bounds: VecDeque<Bound>,
    wall_ms: i64,
    offset_ms: i64,
    /// What was known before bounds contradicted it, until it is clear whether that was a step.
    before: Option<Range>,
    floor: Option<Instant>,
}

impl ClusterTime {
    /// An estimate that knows the wall clock only: its offset from the monotonic one.
    pub fn new(wall_ms: i64) -> Self {
        Self { bounds: VecDeque::with_capacity(ANSWERS), wall_ms, offset_ms: wall_ms, before: None, floor: None }
    }

    /// The server's clock less the wall clock.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms - self.wall_ms
    }

    /// The server's time at a moment of the monotonic clock. Before the first answer it is the wall clock's, which
    /// nothing that is recorded may follow.
    pub fn at(&mut self, monotonic_ms: i64) -> Instant {
        let at = Instant::from_ms(monotonic_ms.saturating_add(self.offset_ms));
        if self.bounds.is_empty() {
            return at;
        }
        let at = self.floor.map_or(at, |floor| floor.max(at));
        self.floor = Some(at);
        at
    }

    /// Takes in an answer; returns the step that it shows, if one.
    pub fn hear(&mut self, answer: Answer) -> Option<ClockStep> {
        let date_ms = answer.date.as_ms();
        let range = Range { low: date_ms - answer.received_ms, high: date_ms + SECOND_MS - answer.sent_ms };
        let known = self.range_at(answer.received_ms);
        if let Some(known) = known.filter(|known| known.intersect(range).is_none()) {
            // API servers differ a little; whether this is more, the next answers show.
            self.before.get_or_insert(known);
            self.bounds.clear();
        }
        if self.bounds.len() == ANSWERS {
            self.bounds.pop_front();
        }
        self.bounds.push_back(Bound { range, at_ms: answer.received_ms });
        let now = self.range_at(answer.received_ms)?;
        // Where the wall clock is within the bounds, nothing speaks against it.
        let believable = now.low <= self.wall_ms && self.wall_ms < now.high;
        self.offset_ms = if believable { self.wall_ms } else { now.middle() };
        self.step(now, answer.received_ms)
    }

    fn step(&mut self, now: Range, received_ms: i64) -> Option<ClockStep> {
        let before = self.before?;
        let stepped = now.distance(before) > STEP_MS;
        if stepped || now.spread(before) <= STEP_MS || self.bounds.len() == ANSWERS {
            self.before = None;
        }
        stepped.then(|| ClockStep { at: self.at(received_ms), by_ms: now.middle() - before.middle() })
    }

    /// The offsets that all answers allow, each widened by what clocks may have drifted since.
    fn range_at(&self, monotonic_ms: i64) -> Option<Range> {
        let widened = |bound: &Bound| {
            let drift = ((monotonic_ms - bound.at_ms).max(0) * DRIFT_PPM).div_euclid(1_000_000) + 1;
            Range { low: bound.range.low - drift, high: bound.range.high + drift }
        };
        self.bounds
            .iter()
            .map(widened)
            .reduce(|one, other| Range { low: one.low.max(other.low), high: one.high.min(other.high) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A server whose clock is this far ahead of the monotonic one, and drifts.
    struct Server {
        ahead_ms: i64,
        drift_ppm: i64,
    }

    impl Server {
        fn time_at(&self, monotonic_ms: i64) -> i64 {
            self.ahead_ms + monotonic_ms + monotonic_ms * self.drift_ppm / 1_000_000
        }

        fn answer(&self, sent_ms: i64) -> Answer {
            let written = self.time_at(sent_ms + 2);
            let date = Instant::from_ms(written.div_euclid(SECOND_MS) * SECOND_MS);
            Answer { sent_ms, received_ms: sent_ms + 5, date }
        }
    }

    const AHEAD_MS: i64 = 1_763_470_800_123;

    /// 32 answers over 160 s, in different fractions of a second; the wall clock is ten minutes off.
    fn converged(server: &Server) -> (ClusterTime, i64) {
        let mut time = ClusterTime::new(AHEAD_MS - 600_000);
        let mut sent_ms = 0;
        let mut last = Instant::MIN;
        for round in 0..32 {
            assert_eq!(time.hear(server.answer(sent_ms)), None, "no false step");
            let now = time.at(sent_ms + 5);
            assert!(now >= last, "never backwards");
            last = now;
            sent_ms += 4500 + round * 997 % 1000;
        }
        (time, sent_ms)
    }

    #[test]
    fn m_104_drift_is_no_step_and_a_jump_above_a_second_is_one() {
        for drift_ppm in [-100, 100] {
            let server = Server { ahead_ms: AHEAD_MS, drift_ppm };
            let (mut time, sent_ms) = converged(&server);
            let error = time.at(sent_ms).as_ms() - server.time_at(sent_ms);
            assert!(error.abs() <= 100, "{error}");
            for (jump_ms, steps) in [(600, 0), (-600, 0), (2000, 1), (-2000, 1), (3_600_000, 1)] {
                let mut time = time.clone();
                let jumped = Server { ahead_ms: AHEAD_MS + jump_ms, drift_ppm };
                let mut last = time.at(sent_ms);
                let mut seen = Vec::new();
                for round in 0..40 {
                    let sent = sent_ms + round * 4500 + round * 997 % 1000;
                    let step = time.hear(jumped.answer(sent));
                    assert!(step.is_none_or(|step| step.at >= last), "nor is a step noticed before: {step:?}");
                    seen.extend(step);
                    let now = time.at(sent + 5);
                    assert!(now >= last, "never backwards");
                    last = now;
                }
                assert_eq!(seen.len(), steps, "{jump_ms}: {seen:?}");
                assert!(seen.iter().all(|step| (step.by_ms - jump_ms).abs() <= 700), "{seen:?}");
                let end = sent_ms + 200_000;
                let error = time.at(end).as_ms() - jumped.time_at(end);
                assert!(error.abs() <= 200, "{jump_ms}: {error}");
            }
        }
    }

    #[test]
    fn a_wall_clock_within_the_bounds_is_believed_and_another_is_not() {
        let server = Server { ahead_ms: AHEAD_MS, drift_ppm: 0 };
        let mut right = ClusterTime::new(AHEAD_MS + 3);
        right.hear(server.answer(0));
        assert_eq!(right.offset_ms(), 0);
        let mut wrong = ClusterTime::new(AHEAD_MS + 600_000);
        assert_eq!(wrong.at(1).as_ms(), AHEAD_MS + 600_001, "until the first answer");
        wrong.hear(server.answer(0));
        let error = wrong.at(10).as_ms() - server.time_at(10);
        assert!(error.abs() <= 1000, "what was shown before holds nothing back: {error}");
    }
}
