//! The method Probe: the states that follow from tries of an address.
//!
//! A try is one attempt at its scheduled start. An attempt that could not be made is no try: it proves nothing and
//! breaks no row.

mod address;

pub use address::{Address, Scheme};

use crate::api::service::State;

use super::reason::Reason;
use super::time::Instant;
use super::timeline::{Entry, Timeline};

/// One try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// Its scheduled start.
    pub at: Instant,
    /// Whether it succeeded.
    pub ok: bool,
}

/// How tries are made, and how many in a row decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeRules {
    /// From one scheduled start to the next.
    pub interval_ms: i64,
    /// So many failures in a row are Down, from the first of them; at least 1.
    pub fail_after: u32,
    /// So many successes in a row are Up again, from the first of them; at least 1.
    pub recover_after: u32,
}

/// What a target of the method Probe agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTerms {
    /// The address.
    pub address: Address,
    /// A try without an answer by then failed.
    pub timeout_ms: i64,
    /// How tries are made and judged.
    pub rules: ProbeRules,
}

/// The states of tries, which are in order of time. Each try holds up to the next, but no longer than to the next
/// scheduled start; from there, and before the first, the state is Unknown. What is not decided yet is as before; before
/// the first decision that is Up.
pub fn timeline(rules: ProbeRules, tries: &[Try]) -> Timeline {
    let decided = decide(rules, tries);
    let mut line = Timeline::default();
    for (index, (attempt, is_down)) in tries.iter().zip(decided).enumerate() {
        line.push(entry(attempt.at, is_down));
        let proved_to = Instant::from_ms(attempt.at.as_ms() + rules.interval_ms);
        if tries.get(index + 1).is_none_or(|next| next.at > proved_to) {
            line.push(Entry::live(proved_to, State::Unknown, None, Reason::NotObserved));
        }
    }
    line
}

/// Of each try, whether it is part of a Down.
fn decide(rules: ProbeRules, tries: &[Try]) -> Vec<bool> {
    let mut decided = Vec::with_capacity(tries.len());
    let mut is_down = false;
    let mut contrary: u32 = 0;
    for attempt in tries {
        // A failure while Up, or a success while Down, is held until enough of them came in a row.
        contrary = if attempt.ok == is_down { contrary + 1 } else { 0 };
        decided.push(is_down);
        let enough = if is_down { rules.recover_after } else { rules.fail_after };
        if contrary >= enough {
            is_down = !is_down;
            let row = decided.len() - contrary as usize;
            decided[row..].fill(is_down);
            contrary = 0;
        }
    }
    decided
}

fn entry(at: Instant, is_down: bool) -> Entry {
    let (state, reason) =
        if is_down { (State::Down, Reason::ProbeFailed) } else { (State::Up, Reason::ProbeSucceeded) };
    Entry::live(at, state, None, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ProbeRules = ProbeRules { interval_ms: 30, fail_after: 2, recover_after: 1 };

    /// One letter a scheduled start: `+` success, `-` failure, `.` no try. Gives `instant state` of each change.
    fn states(rules: ProbeRules, pattern: &str) -> Vec<(i64, State)> {
        let tries: Vec<Try> = (0..)
            .zip(pattern.chars())
            .filter(|(_, letter)| *letter != '.')
            .map(|(index, letter)| Try { at: Instant::from_ms(index * rules.interval_ms), ok: letter == '+' })
            .collect();
        timeline(rules, &tries).entries().iter().map(|entry| (entry.at.as_ms(), entry.state)).collect()
    }

    #[test]
    fn down_begins_with_the_first_failure_of_enough_in_a_row() {
        use State::{Down, Unknown, Up};
        assert_eq!(states(RULES, "+-+---+"), [(0, Up), (90, Down), (180, Up), (210, Unknown)], "M-79");
        assert_eq!(states(RULES, "--"), [(0, Down), (60, Unknown)]);
        let at_once = ProbeRules { fail_after: 1, ..RULES };
        assert_eq!(states(at_once, "+-+"), [(0, Up), (30, Down), (60, Up), (90, Unknown)]);
    }

    #[test]
    fn what_is_not_decided_is_as_before() {
        use State::{Down, Unknown, Up};
        assert_eq!(states(RULES, "+-"), [(0, Up), (60, Unknown)]);
        assert_eq!(states(RULES, "-+"), [(0, Up), (60, Unknown)]);
        let slow = ProbeRules { recover_after: 2, ..RULES };
        assert_eq!(states(slow, "--+"), [(0, Down), (90, Unknown)]);
        assert_eq!(states(slow, "--+-++"), [(0, Down), (120, Up), (180, Unknown)]);
    }

    #[test]
    fn without_a_try_it_is_unknown_from_the_next_scheduled_start_on() {
        use State::{Down, Unknown, Up};
        let expected = [(0, Up), (90, Down), (180, Unknown), (240, Up), (270, Unknown)];
        assert_eq!(states(RULES, "+-+---..+"), expected, "M-80");
        assert_eq!(states(RULES, ""), []);
        assert_eq!(states(RULES, "+."), [(0, Up), (30, Unknown)]);
    }

    #[test]
    fn what_is_no_try_breaks_no_row() {
        use State::{Down, Unknown, Up};
        let expected = [(0, Up), (30, Down), (60, Unknown), (90, Down), (120, Unknown)];
        assert_eq!(states(RULES, "+-.-"), expected);
    }

    #[test]
    fn a_try_before_the_next_scheduled_start_takes_over() {
        let tries = [Try { at: Instant::from_ms(0), ok: true }, Try { at: Instant::from_ms(29), ok: true }];
        let at: Vec<i64> = timeline(RULES, &tries).entries().iter().map(|entry| entry.at.as_ms()).collect();
        assert_eq!(at, [0, 59]);
    }
}
