//! Subjects with transitions that no ledger holds yet: the Lease may prove observation only up to the first of them.

use std::collections::{BTreeSet, HashMap};

use crate::domain::time::Instant;

use super::subject::Subject;

/// The first transition of each subject that is not written yet.
///
/// A leader that dies leaves its ledgers and, in the Lease, the instant up to which they say everything. A transition
/// that was seen and not written must lie after that instant, else the time after it would be taken for what the ledger
/// says last.
#[derive(Debug, Default)]
pub struct Unwritten {
    first_of: HashMap<Subject, Instant>,
    order: BTreeSet<(Instant, Subject)>,
}

impl Unwritten {
    /// Notes a transition of a subject.
    pub fn note(&mut self, subject: &Subject, at: Instant) {
        if self.first_of.get(subject).is_some_and(|first| *first <= at) {
            return;
        }
        if let Some(before) = self.first_of.insert(subject.clone(), at) {
            self.order.remove(&(before, subject.clone()));
        }
        self.order.insert((at, subject.clone()));
    }

    /// Everything of a subject is written, or the subject is gone.
    pub fn clear(&mut self, subject: &Subject) {
        if let Some(first) = self.first_of.remove(subject) {
            self.order.remove(&(first, subject.clone()));
        }
    }

    /// Forgets all.
    pub fn clear_all(&mut self) {
        self.first_of.clear();
        self.order.clear();
    }

    /// The first transition of all that is not written yet.
    pub fn first(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::facts::ObjectKey;

    #[test]
    fn the_first_transition_of_all_bounds_what_is_proved() {
        let subject = |name: &str| Subject::Service(ObjectKey::new("shop", name));
        let at = Instant::from_ms;
        let mut unwritten = Unwritten::default();
        assert_eq!(unwritten.first(), None);
        unwritten.note(&subject("a"), at(20));
        unwritten.note(&subject("a"), at(30));
        unwritten.note(&subject("b"), at(10));
        assert_eq!(unwritten.first(), Some(at(10)));
        unwritten.clear(&subject("b"));
        assert_eq!(unwritten.first(), Some(at(20)));
        unwritten.clear(&subject("a"));
        assert_eq!(unwritten.first(), None);
    }
}
