//! The windows of a judged span: which there are, whether they are effective, and where.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::report::Calendars;
use crate::domain::time::Interval;

use super::announced::{AgreedExclusion, Announced, ApprovedChange};
use super::terms::MaintenanceTerms;

/// Why loss in a window is not excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The change was cancelled or edited before its window began.
    Cancelled,
    /// The agreement excludes no maintenance, or not for this cause.
    NotAgreed,
    /// The change announces no outage.
    NoOutageExpected,
    /// The change was approved or told too late.
    LateNotice,
    /// A party did not approve the exclusion.
    ApprovalMissing,
    /// When it was agreed, the ledger no longer held the instants of a span that the exclusion covers only in part.
    RolledUp,
}

impl Refusal {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "Cancelled",
            Self::NotAgreed => "NotAgreed",
            Self::NoOutageExpected => "NoOutageExpected",
            Self::LateNotice => "LateNotice",
            Self::ApprovalMissing => "ApprovalMissing",
            Self::RolledUp => "RolledUp",
        }
    }
}

/// Why the window of a change is not effective; equality of notice is enough, and late notice voids all of it.
fn refused_change(change: &ApprovedChange, terms: &MaintenanceTerms) -> Option<Refusal> {
    if change.cancelled.is_some_and(|cancelled| cancelled <= change.span.from) {
        Some(Refusal::Cancelled)
    } else if !terms.exclude {
        Some(Refusal::NotAgreed)
    } else if change.expected_outage_ms == 0 {
        Some(Refusal::NoOutageExpected)
    } else if change.noticed.plus_ms(terms.min_notice_ms) > change.span.from {
        Some(Refusal::LateNotice)
    } else {
        None
    }
}

/// Why an exclusion is not effective.
fn refused_exclusion(exclusion: &AgreedExclusion, terms: &MaintenanceTerms) -> Option<Refusal> {
    if !(exclusion.by_customer && exclusion.by_provider) {
        Some(Refusal::ApprovalMissing)
    } else if !terms.causes.contains(&exclusion.cause) {
        Some(Refusal::NotAgreed)
    } else if exclusion.cuts_sum {
        Some(Refusal::RolledUp)
    } else {
        None
    }
}

/// A span in which loss may be excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Name of the change, `<calendar>/<window>`, or the cause of the exclusion.
    pub name: Arc<str>,
    /// All of it; of a cancelled change up to the cancellation.
    pub span: Interval,
    /// How long before its start it was announced; none where no notice is asked.
    pub notice_ms: Option<i64>,
    /// Loss that it excludes at most.
    pub allowance_ms: i64,
    /// Whether what it excludes counts towards the cap of the period.
    pub capped: bool,
    /// Whether it was agreed after its start.
    pub retroactive: bool,
    /// Why it is not effective; none: it is, in some part of the judged span.
    pub refusal: Option<Refusal>,
    /// Whether it lies in the judged span itself, and not only in what that span rests on.
    pub judged: bool,
}

impl Window {
    fn of_change(change: &ApprovedChange) -> Self {
        let to = change.cancelled.map_or(change.span.to, |cancelled| cancelled.min(change.span.to));
        let to = if to > change.span.from { to } else { change.span.to };
        Self {
            name: change.name.clone(),
            span: Interval { from: change.span.from, to },
            notice_ms: Some(change.span.from.ms_since(change.noticed)),
            allowance_ms: change.expected_outage_ms,
            capped: true,
            retroactive: false,
            refusal: None,
            judged: false,
        }
    }

    fn of_occurrence(name: &Arc<str>, span: Interval) -> Self {
        Self {
            name: name.clone(),
            span,
            notice_ms: None,
            allowance_ms: span.length_ms(),
            capped: true,
            retroactive: false,
            refusal: None,
            judged: false,
        }
    }

    fn of_exclusion(exclusion: &AgreedExclusion) -> Self {
        Self {
            name: format!("{:?}", exclusion.cause).into(),
            span: exclusion.span,
            notice_ms: None,
            allowance_ms: exclusion.span.length_ms(),
            capped: false,
            retroactive: exclusion.approved > exclusion.span.from,
            refusal: None,
            judged: false,
        }
    }
}

/// The part of a window that is effective in one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Index of the window.
    pub window: usize,
    /// When.
    pub span: Interval,
}

/// What makes a window the same in every stage it touches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Change(usize),
    Occurrence(Arc<str>, Interval),
    Exclusion(usize),
}

/// The windows of a judged span and of what it rests on.
#[derive(Debug, Default)]
pub struct Windows {
    list: Vec<Window>,
    known: HashMap<Key, usize>,
}

impl Windows {
    /// The windows; in order once [`Windows::into_order`] was called.
    pub fn list(&self) -> &[Window] {
        &self.list
    }

    /// The effective parts of the windows within a stage, in order of time. `judged`: the stage is part of the judged
    /// span, and what it refuses is worth telling.
    pub fn slices(
        &mut self,
        stage: Interval,
        judged: bool,
        terms: &MaintenanceTerms,
        calendars: &Calendars,
        announced: &Announced,
    ) -> Vec<Slice> {
        let mut slices: Vec<Slice> = Vec::new();
        for (index, change) in announced.changes.iter().enumerate() {
            let refusal = refused_change(change, terms);
            let window = || Window::of_change(change);
            slices.extend(self.note(Key::Change(index), window, refusal, stage, judged));
        }
        for standing in terms.standing() {
            let Some(versions) = calendars.get(&standing.calendar) else { continue };
            let name: Arc<str> = format!("{}/{}", standing.calendar, standing.name).into();
            for (span, version) in versions.within(stage) {
                for occurrence in version.value.window_occurrences(&standing.name, span) {
                    let key = Key::Occurrence(name.clone(), occurrence);
                    let window = || Window::of_occurrence(&name, occurrence);
                    slices.extend(self.note(key, window, None, span, judged));
                }
            }
        }
        for (index, exclusion) in announced.exclusions.iter().enumerate() {
            let refusal = refused_exclusion(exclusion, terms);
            let window = || Window::of_exclusion(exclusion);
            slices.extend(self.note(Key::Exclusion(index), window, refusal, stage, judged));
        }
        slices.sort_by_key(|slice| (slice.span.from, slice.window));
        join_neighbours(slices)
    }

    fn note(
        &mut self,
        key: Key,
        window: impl FnOnce() -> Window,
        refusal: Option<Refusal>,
        stage: Interval,
        judged: bool,
    ) -> Option<Slice> {
        let index = if let Some(&index) = self.known.get(&key) {
            index
        } else {
            let window = window();
            window.span.intersect(&stage)?;
            self.list.push(window);
            self.known.insert(key, self.list.len() - 1);
            self.list.len() - 1
        };
        let window = &mut self.list[index];
        let span = window.span.intersect(&stage)?;
        if judged {
            // Effective in one part is effective.
            let refused = window.refusal.is_some() || !window.judged;
            window.refusal = if refused { refusal } else { None };
            window.judged = true;
        }
        refusal.is_none().then_some(Slice { window: index, span })
    }

    /// Puts the windows in the order in which they are charged; `slices` follow.
    #[must_use]
    pub fn into_order<'a>(mut self, slices: impl Iterator<Item = &'a mut Slice>) -> Self {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        order.sort_by(|one, other| {
            let key = |index: usize| (self.list[index].span.from, self.list[index].name.clone(), index);
            key(*one).cmp(&key(*other))
        });
        let mut rank = vec![0; order.len()];
        for (place, index) in order.iter().enumerate() {
            rank[*index] = place;
        }
        for slice in slices {
            slice.window = rank[slice.window];
        }
        self.list = order.into_iter().map(|index| self.list[index].clone()).collect();
        self.known.clear();
        self
    }
}

/// An occurrence that a new version of the calendar leaves as it is goes on.
fn join_neighbours(slices: Vec<Slice>) -> Vec<Slice> {
    let mut joined: Vec<Slice> = Vec::with_capacity(slices.len());
    let mut last: HashMap<usize, usize> = HashMap::new();
    for slice in slices {
        match last.get(&slice.window) {
            Some(&index) if joined[index].span.to == slice.span.from => joined[index].span.to = slice.span.to,
            _ => {
                last.insert(slice.window, joined.len());
                joined.push(slice);
            }
        }
    }
    joined
}
