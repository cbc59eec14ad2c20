//! What is remembered of a span that was rolled up: how many outages there were, and how long.

use crate::domain::time::{DAY_MS, Instant, Interval};

/// How long the span is whose time was put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// An hour of UTC, or the part of it that has transitions.
    #[default]
    Hour,
    /// A day of UTC.
    Day,
    /// Seven days or more.
    Weeks,
}

impl Level {
    /// The word in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Weeks => "weeks",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Hour, Self::Day, Self::Weeks].into_iter().find(|level| level.as_str() == text)
    }
}

/// What is remembered of a span that was rolled up. Outages, short Down runs and gaps that reach out of the span are
/// not in it: they are still in the entries, with their instants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// When.
    pub span: Interval,
    /// What it is a part of.
    pub level: Level,
    /// Outages with counted time in it.
    pub outages: u32,
    /// Counted time of them.
    pub outages_ms: i64,
    /// The longest of them.
    pub longest_ms: i64,
    /// Number of Down runs that were too short to count.
    pub short_count: u32,
    /// Counted time of them.
    pub short_ms: i64,
    /// Number of gaps.
    pub gaps: u32,
    /// Length of them, in and out of hours.
    pub gaps_ms: i64,
    /// The longest of them.
    pub longest_gap_ms: i64,
    /// Entries that were put together.
    pub entries: u32,
}

/// Why a line about a rolled-up span could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the sum {0:?}: want `<from> <to> <hour, day or weeks> name=number …`")]
pub struct RolledError(String);

impl Rolled {
    /// Nothing yet.
    pub(super) fn new(span: Interval, level: Level) -> Self {
        Self {
            span,
            level,
            outages: 0,
            outages_ms: 0,
            longest_ms: 0,
            short_count: 0,
            short_ms: 0,
            gaps: 0,
            gaps_ms: 0,
            longest_gap_ms: 0,
            entries: 0,
        }
    }

    /// The span.
    pub fn span(&self) -> Interval {
        self.span
    }

    /// How many days of UTC it touches.
    pub fn days(&self) -> u32 {
        let day = |at: Instant| at.as_ms().div_euclid(DAY_MS);
        u32::try_from(day(self.span.to.minus_ms(1)) - day(self.span.from) + 1).unwrap_or(u32::MAX)
    }

    /// The ledger form; zeros are left out.
    pub fn format(&self) -> String {
        let mut text = format!("{} {} {}", self.span.from.format_utc(), self.span.to.format_utc(), self.level.as_str());
        for (name, value) in self.fields() {
            if value != 0 {
                text.extend([" ", name, "=", &value.to_string()]);
            }
        }
        text
    }

    /// Reads the ledger form.
    pub fn parse(text: &str) -> Result<Self, RolledError> {
        let error = || RolledError(text.to_owned());
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or_else(error);
        let from = Instant::parse(word()?).map_err(|_| error())?;
        let to = Instant::parse(word()?).map_err(|_| error())?;
        let level = Level::parse(word()?).ok_or_else(error)?;
        let mut rolled = Self::new(Interval::new(from, to).ok_or_else(error)?, level);
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(error)?;
            let value: i64 = value.parse().map_err(|_| error())?;
            let count = u32::try_from(value).map_err(|_| error());
            match name {
                "outages" => rolled.outages = count?,
                "outagesMs" => rolled.outages_ms = value,
                "longestMs" => rolled.longest_ms = value,
                "short" => rolled.short_count = count?,
                "shortMs" => rolled.short_ms = value,
                "gaps" => rolled.gaps = count?,
                "gapsMs" => rolled.gaps_ms = value,
                "longestGapMs" => rolled.longest_gap_ms = value,
                "entries" => rolled.entries = count?,
                _ => return Err(error()),
            }
        }
        Ok(rolled)
    }

    fn fields(&self) -> [(&'static str, i64); 9] {
        [
            ("outages", self.outages.into()),
            ("outagesMs", self.outages_ms),
            ("longestMs", self.longest_ms),
            ("short", self.short_count.into()),
            ("shortMs", self.short_ms),
            ("gaps", self.gaps.into()),
            ("gapsMs", self.gaps_ms),
            ("longestGapMs", self.longest_gap_ms),
            ("entries", self.entries.into()),
        ]
    }

    /// Takes over what a smaller span inside this one says.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.outages += other.outages;
        self.outages_ms += other.outages_ms;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.short_count += other.short_count;
        self.short_ms += other.short_ms;
        self.gaps += other.gaps;
        self.gaps_ms += other.gaps_ms;
        self.longest_gap_ms = self.longest_gap_ms.max(other.longest_gap_ms);
        self.entries += other.entries;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sum_is_printed_and_read_back() {
        let text = "2026-10-01T14:00:00.100Z 2026-10-01T14:10:00Z hour outages=3000 outagesMs=300000 entries=5996";
        let rolled = Rolled::parse(text).unwrap();
        assert_eq!((rolled.format().as_str(), rolled.outages, rolled.days()), (text, 3000, 1));
        for bad in [
            "",
            "x",
            "2026-10-01T14:00:00Z 2026-10-01T14:00:00Z hour",
            "2026-10-01T14:00:00Z 2026-10-01T15:00:00Z",
            "2026-10-01T14:00:00Z 2026-10-01T15:00:00Z hour outages=-1",
            "2026-10-01T14:00:00Z 2026-10-01T15:00:00Z hour a=1",
        ] {
            assert!(Rolled::parse(bad).is_err(), "{bad:?}");
        }
    }
}
