//! What is to be planned: subjects that changed, and subjects whose time has come.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::domain::time::Instant;

use super::subject::Subject;

/// Subjects to plan, each at most once, in order of arrival; and deadlines.
#[derive(Debug, Default)]
pub struct Queue {
    order: VecDeque<Subject>,
    waiting: HashSet<Subject>,
    deadlines: BTreeSet<(Instant, Subject)>,
    deadline_of: HashMap<Subject, Instant>,
}

impl Queue {
    /// Asks for a plan of a subject.
    pub fn mark(&mut self, subject: Subject) {
        if self.waiting.insert(subject.clone()) {
            self.order.push_back(subject);
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
        let subject = self.order.pop_front()?;
        self.waiting.remove(&subject);
        Some(subject)
    }

    /// Whether a subject waits for a plan.
    pub fn is_waiting(&self, subject: &Subject) -> bool {
        self.waiting.contains(subject)
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
        if self.waiting.remove(subject) {
            self.order.retain(|other| other != subject);
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
}
