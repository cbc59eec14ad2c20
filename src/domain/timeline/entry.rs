//! One entry of a timeline, and its form in the ledger.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::api::service::State;
use crate::domain::reason::Reason;
use crate::domain::time::Instant;

/// Before the lag of an outage, where it has one.
const LAG: &str = " lag=";

/// Where the proof of a state comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Observed as it happened.
    #[default]
    Live,
    /// Concluded after a gap from what objects say of their own past.
    Inferred,
    /// Filled in from stored samples.
    Backfilled,
}

impl Source {
    /// The word in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Inferred => "inferred",
            Self::Backfilled => "backfilled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Inferred, Self::Backfilled].into_iter().find(|source| source.as_str() == text)
    }
}

/// One state from one instant on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// From when.
    pub at: Instant,
    /// The state.
    pub state: State,
    /// Where its proof comes from.
    pub source: Source,
    /// The component that decides it; none while Up.
    pub component: Option<Arc<str>>,
    /// Why.
    pub reason: Option<Reason>,
    /// How long before it a node that was lost had fallen silent; 0 where nothing says so.
    pub detection_lag_ms: i64,
}

/// Why a ledger entry could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read ledger entry {entry:?}: want `<instant> <state> <source> <component or -> <reason or ->` and perhaps `lag=<ms>`"
)]
pub struct EntryError {
    entry: String,
}

impl Entry {
    /// An observed state.
    pub fn live(at: Instant, state: State, component: Option<Arc<str>>, reason: Reason) -> Self {
        Self { at, state, source: Source::Live, component, reason: Some(reason), detection_lag_ms: 0 }
    }

    /// The ledger form, with the instant in the zone of the agreement.
    pub fn format(&self, zone: &TimeZone) -> String {
        let mut text = format!(
            "{} {} {} {} {}",
            self.at.format_ms_in(zone),
            self.state.as_str(),
            self.source.as_str(),
            self.component.as_deref().unwrap_or("-"),
            self.reason.map_or("-", Reason::as_str),
        );
        if self.detection_lag_ms > 0 {
            text.push_str(LAG);
            text.push_str(&self.detection_lag_ms.to_string());
        }
        text
    }

    /// Reads the ledger form.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        let error = || EntryError { entry: text.to_owned() };
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or_else(error);
        let at = Instant::parse(next()?).map_err(|_| error())?;
        let state = match next()? {
            "Up" => State::Up,
            "Degraded" => State::Degraded,
            "Down" => State::Down,
            "Unknown" => State::Unknown,
            _ => return Err(error()),
        };
        let source = Source::parse(next()?).ok_or_else(error)?;
        let component = Some(next()?).filter(|name| *name != "-").map(Arc::from);
        let reason = match next()? {
            "-" => None,
            word => Some(Reason::parse(word).ok_or_else(error)?),
        };
        let detection_lag_ms = match words.next() {
            None => 0,
            Some(word) => word.strip_prefix(LAG.trim_start()).and_then(|ms| ms.parse().ok()).ok_or_else(error)?,
        };
        if detection_lag_ms < 0 || words.next().is_some() {
            return Err(error());
        }
        Ok(Self { at, state, source, component, reason, detection_lag_ms })
    }

    /// Whether it says the same of another instant. A lag tells the beginning of an outage, not what is in force.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.state == other.state
            && self.source == other.source
            && self.component == other.component
            && self.reason == other.reason
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_are_printed_and_read_back() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for text in [
            "2026-10-12T10:05:04.000+02:00 Degraded live api Degraded",
            "2026-10-12T10:05:04.000+02:00 Down live api NoneReady lag=45012",
        ] {
            assert_eq!(Entry::parse(text).unwrap().format(&zone), text);
        }
        for bad in [
            "",
            "2026-10-12T10:05:04.000+02:00 Degraded live api",
            "x Up live - -",
            "2026-10-12T10:05:04Z Down live api NoneReady lag=",
            "2026-10-12T10:05:04Z Down live api NoneReady lag=-1",
            "2026-10-12T10:05:04Z Down live api NoneReady lag=1 lag=1",
            "2026-10-12T10:05:04Z Bad live - -",
        ] {
            assert!(Entry::parse(bad).is_err(), "{bad:?}");
        }
    }
}
