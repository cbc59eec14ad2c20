//! What is to be planned: subjects that changed, and subjects whose time has come.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::time::Instant;

use super::subject::Subject;

/// Subjects to plan, each at most once, in order of arrival; and deadlines.
#[derive(Debug, Default)]
pub struct Queue {
    /// By number of arrival, so that one is taken out without looking at the others.
    order: BTreeMap<u64, Subject>,
    arrival_of: HashMap<Subject, u64>,
    arrivals: u64,
    deadlines: BTreeSet<(Instant, Subject)>,
    deadline_of: HashMap<Subject, Instant>,
}

impl Queue {
    /// Asks for a plan of a subject.
    pub fn mark(&mut self, subject: Subject) {
        if let Entry::Vacant(vacant) = self.arrival_of.entry(subject) {
            self.arrivals += 1;
            self.order.insert(self.arrivals, vacant.key().clone());
            vacant.insert(self.arrivals);
        }
    }

    /// Asks for a plan at an instant; replaces an earlier request of the subject. None: not by time.
    pub fn mark_at(&mut self, subject: Subject, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.deadline_of.insert(subject.clone(), at),
            None => self.deadline_of.remove(&subject),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.deadlines.remove(&(before, subject.clone()));
        }
        if let Some(at) = at {
            self.deadlines.insert((at, subject));
        }
    }

    /// Moves the subjects whose time has come.
    pub fn due(&mut self, now: Instant) {
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now
            && let Some((_, subject)) = self.deadlines.pop_first()
        {
            self.deadline_of.remove(&subject);
            self.mark(subject);
        }
    }

    /// The next subject to plan.
    pub fn take(&mut self) -> Option<Subject> {
        let (_, subject) = self.order.pop_first()?;
        self.arrival_of.remove(&subject);
        Some(subject)
    }

    /// Whether a subject waits for a plan.
    pub fn is_waiting(&self, subject: &Subject) -> bool {
        self.arrival_of.contains_key(subject)
    }

    /// How many subjects wait for a plan.
    pub fn waiting(&self) -> usize {
        self.order.len()
    }

    /// The next instant at which time alone asks for a plan.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Forgets a subject.
    pub fn forget(&mut self, subject: &Subject) {
        self.mark_at(subject.clone(), None);
        if let Some(arrival) = self.arrival_of.remove(subject) {
            self.order.remove(&arrival);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::facts::ObjectKey;

    fn subject(name: &str) -> Subject {
        Subject::Service(ObjectKey::new("shop", name))
    }

    #[test]
    fn each_subject_waits_once_and_the_last_deadline_counts() {
        let at = Instant::from_ms;
        let mut queue = Queue::default();
        queue.mark(subject("a"));
        queue.mark(subject("a"));
        queue.mark_at(subject("b"), Some(at(10)));
        queue.mark_at(subject("b"), Some(at(20)));
        queue.due(at(15));
        assert_eq!((queue.take(), queue.take()), (Some(subject("a")), None));
        assert_eq!(queue.next_deadline(), Some(at(20)));
        queue.due(at(20));
        assert_eq!(queue.take(), Some(subject("b")));
        assert_eq!(queue.next_deadline(), None);
    }

    #[test]
    fn what_is_forgotten_is_not_planned_and_what_comes_back_waits_anew() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.mark(subject(name));
        }
        queue.mark_at(subject("a"), Some(Instant::from_ms(10)));
        queue.forget(&subject("a"));
        assert_eq!((queue.waiting(), queue.is_waiting(&subject("a")), queue.next_deadline()), (2, false, None));
        queue.mark(subject("a"));
        let taken: Vec<Subject> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(taken, ["b", "c", "a"].map(subject));
    }
}
