//! Taking over from a leader before: the time that nobody saw, and what is held until it is looked into.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::service::{ComponentStatus, State};
use crate::control::gaps::{ComponentKey, Next, OpenGap};
use crate::control::streams::Stream;
use crate::domain::inference::Piece;
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::Source;
use crate::observe::facts::ObjectKey;

use super::World;

/// How long a new leader looks into what it missed before it writes that nobody saw it.
const HOLD_MS: i64 = 6_000;

/// What a leader before left behind, and what this replica saw when it began.
#[derive(Debug, Default)]
pub(super) struct Takeover {
    /// The versions that the leader before had seen of each stream, from the Lease.
    pub(super) versions: HashMap<String, String>,
    /// Since when the statuses say what each component is.
    shown: HashMap<ObjectKey, Vec<(Arc<str>, State, Instant)>>,
    /// What each component was when this replica began.
    at_start: HashMap<ComponentKey, Observation>,
    /// The version of each stream then.
    pub(super) start_versions: HashMap<Stream, u64>,
    /// Whether the gap before the start is known.
    opened: bool,
    /// Number of that gap, and until when nothing is written while it is looked into.
    held: Option<(u64, Instant)>,
}

impl World {
    /// Notes since when a status says what the components are.
    pub(super) fn note_shown(&mut self, service: &ObjectKey, components: &[ComponentStatus]) {
        if self.started.is_some() || components.is_empty() {
            return;
        }
        let since = |component: &ComponentStatus| {
            let at = Instant::parse(component.since.as_deref()?).ok()?;
            Some((component.name.as_str().into(), component.state, at))
        };
        self.takeover.shown.insert(service.clone(), components.iter().filter_map(since).collect());
    }

    /// Notes what this replica sees as it begins: the end of a gap that it may have to close.
    pub(super) fn note_start(&mut self) {
        let mut seen = HashMap::new();
        for (key, entry) in &self.services {
            let Some(tracker) = &entry.tracker else { continue };
            for (index, tracked) in tracker.members().iter().take(tracker.rules().components.len()).enumerate() {
                seen.insert((key.clone(), index), tracked.observation);
            }
        }
        self.takeover.at_start = seen;
        self.takeover.start_versions =
            self.streams.iter().filter_map(|(stream, state)| Some((stream.clone(), state.shown?))).collect();
    }

    /// The time between what the leader before proved and this replica's own beginning, if there is any.
    pub(super) fn open_takeover(&mut self, now: Instant) {
        if self.leadership.is_none() || self.takeover.opened {
            return;
        }
        let (Some(until), Some(started)) = (self.observed_until, self.started) else { return };
        self.takeover.opened = true;
        let after = std::mem::take(&mut self.takeover.at_start);
        if let Some(span) = Interval::new(until, started) {
            let gap = self.open_gap(span, Reason::NoLeader, after, Next::Replay);
            self.takeover.held = gap.map(|number| (number, now.plus_ms(HOLD_MS)));
        }
    }

    /// Until when nothing is written: the time before the start may turn out to be proved, and would be written twice.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.takeover.held.filter(|(gap, _)| self.gaps.contains_key(gap)).map(|(_, until)| until)
    }

    /// Writes from now on.
    pub(super) fn end_hold(&mut self) {
        self.takeover.held = None;
        self.takeover.shown = HashMap::new();
    }

    /// Leadership is lost before the gap was looked into: the next time it opens anew.
    pub(super) fn postpone_takeover(&mut self) {
        if let Some((number, _)) = self.takeover.held.take()
            && let Some(gap) = self.gaps.remove(&number)
        {
            self.takeover.at_start = gap.after;
            self.takeover.opened = false;
        }
    }

    /// A component that was watched all the time, as it turns out, is what it is since before the start.
    pub(super) fn remember_since(&mut self, service: &ObjectKey, gap: &OpenGap) {
        let Some(shown) = self.takeover.shown.get(service) else { return };
        let Some(tracker) = self.services.get_mut(service).and_then(|entry| entry.tracker.as_mut()) else { return };
        for index in 0..tracker.rules().components.len() {
            let Some(pieces) = gap.pieces.get(&(service.clone(), index)) else { continue };
            let name = &tracker.rules().components[index].name;
            let state = tracker.members()[index].member.state;
            // What nothing proves bears the source of its stream, too.
            let is_live =
                |piece: &Piece| piece.source == Source::Live && !matches!(piece.observation, Observation::Unknown(_));
            let since = match &pieces[..] {
                [only] if is_live(only) => {
                    shown.iter().find(|(other, was, _)| other == name && *was == state).map(|(_, _, since)| *since)
                }
                [.., last] if is_live(last) => Some(last.at),
                _ => None,
            };
            if let Some(since) = since {
                tracker.holds_since(index, since);
            }
        }
    }
}
