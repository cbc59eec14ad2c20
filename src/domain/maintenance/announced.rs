//! What was approved for one Service and agreement: changes with their notice, and exclusions.

use std::sync::Arc;

use crate::api::agreement::ExclusionCause;
use crate::domain::time::{Instant, Interval};

/// A change whose approvals are effective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovedChange {
    /// Its name.
    pub name: Arc<str>,
    /// When its last approval became effective.
    pub approved: Instant,
    /// When it was approved and told.
    pub noticed: Instant,
    /// `[notBefore, notAfter)`.
    pub span: Interval,
    /// How much loss it announces.
    pub expected_outage_ms: i64,
    /// When it was cancelled, or edited, which voids its approval.
    pub cancelled: Option<Instant>,
}

/// An exclusion as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreedExclusion {
    /// When its last approval became effective.
    pub approved: Instant,
    /// `[from, to)`.
    pub span: Interval,
    /// Why.
    pub cause: ExclusionCause,
    /// Whether the customer approved it.
    pub by_customer: bool,
    /// Whether the provider approved it.
    pub by_provider: bool,
    /// Whether it covers only a part of a span that the ledger had rolled up when it was agreed: it is refused then.
    pub cuts_sum: bool,
}

/// What was approved, in order of approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The changes that name the Service.
    pub changes: Vec<ApprovedChange>,
    /// The exclusions of the agreement.
    pub exclusions: Vec<AgreedExclusion>,
}

/// Nothing was approved.
pub static NOTHING_ANNOUNCED: Announced = Announced { changes: Vec::new(), exclusions: Vec::new() };

/// Nothing of that name was approved before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no change {0:?} was approved before; correct the name or remove the line")]
pub struct UnknownChange(pub String);

impl Announced {
    /// Takes an approved change in. One of that name approved before was edited: it ends here, and so does its notice.
    pub fn approve(&mut self, change: ApprovedChange) {
        self.changes.retain(|other| other.name != change.name || other.approved != change.approved);
        for other in self.changes.iter_mut().filter(|other| other.name == change.name) {
            other.cancelled.get_or_insert(change.approved);
        }
        self.changes.push(change);
    }

    /// Ends the window of a change.
    pub fn cancel(&mut self, name: &str, at: Instant) -> Result<(), UnknownChange> {
        let newest = self.changes.iter_mut().rfind(|change| *change.name == *name);
        newest.ok_or_else(|| UnknownChange(name.to_owned()))?.cancelled.get_or_insert(at);
        Ok(())
    }

    /// Takes an exclusion in.
    pub fn agree(&mut self, exclusion: AgreedExclusion) {
        self.exclusions.push(exclusion);
    }

    /// What was known at an instant: later approvals and cancellations are left out, and of exclusions of the same span
    /// and cause the last counts.
    #[must_use]
    pub fn known_by(&self, at: Instant) -> Self {
        let cut = |change: &ApprovedChange| ApprovedChange {
            cancelled: change.cancelled.filter(|cancelled| *cancelled <= at),
            ..change.clone()
        };
        let changes = self.changes.iter().filter(|change| change.approved <= at).map(cut).collect();
        let mut exclusions: Vec<AgreedExclusion> = Vec::new();
        for exclusion in self.exclusions.iter().filter(|exclusion| exclusion.approved <= at) {
            exclusions.retain(|other| other.span != exclusion.span || other.cause != exclusion.cause);
            exclusions.push(exclusion.clone());
        }
        Self { changes, exclusions }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.exclusions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(ms: i64) -> Instant {
        Instant::from_ms(ms)
    }

    fn change(approved: i64) -> ApprovedChange {
        ApprovedChange {
            name: "chg".into(),
            approved: at(approved),
            noticed: at(approved),
            span: Interval { from: at(100), to: at(200) },
            expected_outage_ms: 10,
            cancelled: None,
        }
    }

    #[test]
    fn an_edited_change_is_another_and_later_facts_are_not_known_before() {
        let mut announced = Announced::default();
        assert!(announced.cancel("chg", at(1)).is_err());
        announced.approve(change(10));
        announced.approve(change(150));
        announced.cancel("chg", at(180)).unwrap();
        let cancelled = |announced: &Announced| -> Vec<Option<i64>> {
            announced.changes.iter().map(|change| change.cancelled.map(Instant::as_ms)).collect()
        };
        assert_eq!(cancelled(&announced), [Some(150), Some(180)]);
        assert_eq!(cancelled(&announced.known_by(at(149))), [None]);
        assert_eq!(cancelled(&announced.known_by(at(179))), [Some(150), None]);
    }

    #[test]
    fn a_change_approved_twice_at_one_instant_is_one() {
        let mut announced = Announced::default();
        announced.approve(change(10));
        announced.approve(ApprovedChange { expected_outage_ms: 20, ..change(10) });
        assert_eq!(announced.changes.len(), 1);
        assert_eq!(announced.changes[0].expected_outage_ms, 20);
    }
}
