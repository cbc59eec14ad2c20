//! What a replay goes through in order of time, and the states that a log gives directly.

use crate::api::service::State;
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::time::Instant;

use super::event::Event;
use super::gaps::MemberGap;

/// A line of the log, or a gap.
pub(super) enum Mark<'a> {
    Event(&'a Event),
    Gap(&'a MemberGap),
}

impl Mark<'_> {
    pub(super) fn at(&self) -> Instant {
        match self {
            Self::Event(event) => event.at,
            Self::Gap(gap) => gap.span.from,
        }
    }

    /// By instant, a gap before what is seen at its beginning, then by line.
    pub(super) fn order(&self) -> (Instant, u8, usize) {
        match self {
            Self::Gap(gap) => (gap.span.from, 0, 0),
            Self::Event(event) => (event.at, 1, event.line),
        }
    }
}

/// Why a state given without a reason is what it is.
pub(super) fn default_reason(state: State) -> Reason {
    match state {
        State::Up => Reason::AllCriticalReady,
        State::Degraded => Reason::Degraded,
        State::Down => Reason::NoneReady,
        State::Unknown => Reason::NotObserved,
    }
}

/// An observation that gives a component a state directly.
pub(super) fn given_state(state: State, reason: Reason) -> Observation {
    match state {
        State::Unknown => Observation::Unknown(reason),
        State::Down => Observation::Gone(reason),
        State::Up | State::Degraded => Observation::Given(state, reason),
    }
}
