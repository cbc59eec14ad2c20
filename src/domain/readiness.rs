//! From endpoints and replicas to the state of a component.
//!
//! The ready count follows the `EndpointSlice` contract and what kube-proxy does with it: traffic is the truth.

use crate::api::service::{State, Terminating};

use super::limits::SCALE_UP_GRACE_MS;
use super::reason::Reason;
use super::time::Instant;

/// Family of an endpoint's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What stands for an endpoint across slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKey {
    /// The object behind it, by the hash of its uid: the same one in a slice of each family.
    Target(u128),
    /// Its first address, by hash, where no object is named.
    Address(AddressFamily, u128),
}

/// One endpoint as a slice shows it, with the defaults of the API applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What it is.
    pub key: EndpointKey,
    /// May take traffic.
    pub ready: bool,
    /// Would be ready if it did not terminate.
    pub serving: bool,
    /// Is on its way out.
    pub terminating: bool,
}

/// Counts the ready endpoints in all slices of one core Service.
///
/// An endpoint in several slices counts once and is ready if any says so. Endpoints without an object behind them are
/// counted per address family, and the larger count is taken: both families of one server are one server. With
/// `publish_not_ready` the API reports every endpoint as ready, so `serving` is asked instead. Endpoints that terminate
/// and still serve count only while none is ready.
pub fn ready_count(
    endpoints: impl IntoIterator<Item = Endpoint>,
    publish_not_ready: bool,
    terminating: Terminating,
) -> u32 {
    let mut marked: Vec<(EndpointKey, bool, bool)> = endpoints
        .into_iter()
        .map(|endpoint| {
            let ready = if publish_not_ready { endpoint.serving && !endpoint.terminating } else { endpoint.ready };
            (endpoint.key, ready, endpoint.terminating && endpoint.serving)
        })
        .collect();
    marked.sort_unstable_by_key(|(key, ..)| *key);
    marked.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 |= next.1;
            kept.2 |= next.2;
        }
        same
    });
    let count = |wanted: fn(&(EndpointKey, bool, bool)) -> bool| -> u32 {
        let (mut targets, mut v4, mut v6) = (0, 0, 0);
        for (key, ..) in marked.iter().filter(|mark| wanted(mark)) {
            match key {
                EndpointKey::Target(_) => targets += 1,
                EndpointKey::Address(AddressFamily::V4, _) => v4 += 1,
                EndpointKey::Address(AddressFamily::V6, _) => v6 += 1,
            }
        }
        targets + v4.max(v6)
    };
    match count(|(_, ready, _)| *ready) {
        0 if terminating == Terminating::Serving => count(|(_, _, serving_out)| *serving_out),
        ready => ready,
    }
}

/// A number of ready replicas, or a share of the basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So many.
    Count(u32),
    /// So many percent of the basis, rounded up.
    Percent(u32),
}

impl Threshold {
    /// The number needed of a basis.
    pub fn of(self, basis: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                u32::try_from((u64::from(basis) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
            }
        }
    }
}

/// When a component is Down or Degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Fewer: Down.
    pub min_ready: Threshold,
    /// Fewer, but not Down: Degraded.
    pub degraded_below: Option<Threshold>,
    /// Whether a workload scaled to zero is Up.
    pub idle_at_zero: bool,
}

impl Thresholds {
    /// Whether what is needed depends on how many are wanted.
    pub fn has_percent(&self) -> bool {
        let is_percent = |threshold: Threshold| matches!(threshold, Threshold::Percent(_));
        is_percent(self.min_ready) || self.degraded_below.is_some_and(is_percent)
    }
}

/// What is known of a component at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// It cannot be measured, or not yet.
    Unknown(Reason),
    /// What delivers it is gone.
    Gone(Reason),
    /// Its state is given directly.
    Given(State, Reason),
    /// So many are ready.
    Counted {
        /// Ready endpoints, replicas or Pods.
        ready: u32,
        /// Wanted replicas, where a workload says so.
        desired: Option<u32>,
    },
    /// Not fewer than so many were ready: what was concluded after a gap.
    AtLeast {
        /// Replicas that are proved to have been ready.
        ready: u32,
        /// Wanted replicas, where a workload says so.
        desired: Option<u32>,
        /// Why nothing is known if they are too few.
        otherwise: Reason,
    },
}

/// The wanted replicas that percentages refer to.
///
/// A decrease applies at once. An increase applies as replicas become ready, and in full after a grace, so that scaling
/// from 2 to 10 is not an outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    replicas: Option<u32>,
    desired: u32,
    raised_at: Option<Instant>,
}

impl Basis {
    /// Takes in an observation made at `at`; returns the basis from then on.
    pub fn observe(&mut self, desired: u32, ready: u32, at: Instant) -> u32 {
        let Some(before) = self.replicas else {
            *self = Self { replicas: Some(desired), desired, raised_at: None };
            return desired;
        };
        if desired > self.desired {
            self.raised_at = Some(at);
        }
        self.desired = desired;
        let risen = self.raised_at.is_none_or(|raised| at >= raised.plus_ms(SCALE_UP_GRACE_MS));
        let basis = if risen { desired } else { desired.min(before.max(ready)) };
        if basis >= desired {
            self.raised_at = None;
        }
        self.replicas = Some(basis);
        basis
    }

    /// The wanted replicas seen last.
    pub fn desired(&self) -> Option<u32> {
        self.replicas.map(|_| self.desired)
    }

    /// The instant at which time alone changes the basis.
    pub fn deadline(&self) -> Option<Instant> {
        self.raised_at.map(|raised| raised.plus_ms(SCALE_UP_GRACE_MS))
    }
}

/// The state of a component, by its thresholds.
pub fn component_state(thresholds: Thresholds, observation: Observation, basis: u32) -> (State, Reason) {
    match observation {
        Observation::Unknown(reason) => (State::Unknown, reason),
        Observation::Gone(reason) => (State::Down, reason),
        Observation::Given(state, reason) => (state, reason),
        Observation::AtLeast { ready, desired, otherwise } => {
            match component_state(
                Thresholds { idle_at_zero: false, ..thresholds },
                Observation::Counted { ready, desired },
                basis,
            ) {
                (State::Down, _) => (State::Unknown, otherwise),
                proved => proved,
            }
        }
        Observation::Counted { desired: Some(0), .. } if thresholds.idle_at_zero => (State::Up, Reason::Idle),
        Observation::Counted { ready: 0, desired: Some(0) } => (State::Down, Reason::ScaledToZero),
        Observation::Counted { ready, .. } => {
            if ready < thresholds.min_ready.of(basis) {
                (State::Down, if ready == 0 { Reason::NoneReady } else { Reason::BelowMinimum })
            } else if thresholds.degraded_below.is_some_and(|wanted| ready < wanted.of(basis)) {
                (State::Degraded, Reason::Degraded)
            } else {
                (State::Up, Reason::AllCriticalReady)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(id: u128, ready: bool) -> Endpoint {
        Endpoint { key: EndpointKey::Target(id), ready, serving: ready, terminating: false }
    }

    fn leaving(id: u128) -> Endpoint {
        Endpoint { key: EndpointKey::Target(id), ready: false, serving: true, terminating: true }
    }

    fn address(family: AddressFamily, id: u128) -> Endpoint {
        Endpoint { key: EndpointKey::Address(family, id), ready: true, serving: true, terminating: false }
    }

    /// M-72 b) to h); a) and i) are defaults and kinds of slices, read in `observe::endpoints`.
    #[test]
    fn m_72_ready_counts() {
        let serving = Terminating::Serving;
        assert_eq!(ready_count([pod(1, true), pod(1, true)], false, serving), 1, "b: dual stack");
        assert_eq!(ready_count([pod(1, true), pod(2, false)], false, serving), 1, "c");
        let twice = [pod(1, true), pod(2, true), pod(2, true), pod(3, true)];
        assert_eq!(ready_count(twice, false, serving), 3, "d: one endpoint in two slices");
        assert_eq!(ready_count([pod(1, true), leaving(2)], false, serving), 1, "e");
        assert_eq!(ready_count([leaving(1), leaving(2)], false, serving), 2, "f");
        assert_eq!(ready_count([leaving(1), leaving(2)], false, Terminating::Ignore), 0, "f with Ignore");
        let bare = [address(AddressFamily::V4, 1), address(AddressFamily::V4, 2), address(AddressFamily::V6, 3)];
        assert_eq!(ready_count(bare, false, serving), 2, "g: the larger family");
        let published = [pod(1, true), Endpoint { serving: false, ..pod(2, true) }];
        assert_eq!(ready_count(published, true, serving), 1, "h: publishNotReadyAddresses");
        assert_eq!(ready_count([pod(1, false), pod(1, true)], false, serving), 1, "ready if any slice says so");
    }

    #[test]
    fn m_73_percentages_and_the_basis() {
        let thresholds = Thresholds {
            min_ready: Threshold::Percent(50),
            degraded_below: Some(Threshold::Percent(100)),
            idle_at_zero: false,
        };
        let minute = |minutes: i64| Instant::from_ms(minutes * 60_000);
        let mut basis = Basis::default();
        let mut state = |desired: u32, ready: u32, at: Instant| {
            let of = basis.observe(desired, ready, at);
            component_state(thresholds, Observation::Counted { ready, desired: Some(desired) }, of).0
        };
        assert_eq!(state(3, 3, minute(0)), State::Up);
        assert_eq!(state(3, 2, minute(1)), State::Degraded);
        assert_eq!(state(3, 1, minute(2)), State::Down);
        let mut basis = Basis::default();
        assert_eq!(basis.observe(2, 2, minute(0)), 2);
        assert_eq!(basis.observe(10, 2, minute(1)), 2);
        assert_eq!(basis.observe(10, 4, minute(2)), 4);
        assert_eq!(basis.deadline(), Some(minute(11)));
        assert_eq!(basis.observe(10, 4, minute(11)), 10);
        assert_eq!(basis.deadline(), None);
        let counted = Observation::Counted { ready: 4, desired: Some(10) };
        assert_eq!(component_state(thresholds, counted, 10), (State::Down, Reason::BelowMinimum));
        assert_eq!(basis.observe(4, 4, minute(12)), 4, "a decrease applies at once");
    }

    #[test]
    fn m_74_scaled_to_zero() {
        let mut thresholds = Thresholds { min_ready: Threshold::Count(1), degraded_below: None, idle_at_zero: false };
        let zero = Observation::Counted { ready: 0, desired: Some(0) };
        assert_eq!(component_state(thresholds, zero, 0), (State::Down, Reason::ScaledToZero));
        thresholds.idle_at_zero = true;
        assert_eq!(component_state(thresholds, zero, 0), (State::Up, Reason::Idle));
        let none = Observation::Counted { ready: 0, desired: Some(3) };
        assert_eq!(component_state(thresholds, none, 3), (State::Down, Reason::NoneReady));
    }
}
