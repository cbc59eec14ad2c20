//! The record of one subject: an agreement, or a Service without one. Its lines are what its reports' ledgers hold.

use std::sync::Arc;

use crate::api::report::{Phase, SubjectKind, Superseded};
use crate::api::service::State;
use crate::domain::agreement::{TargetTerms, Terms};
use crate::domain::clock_steps::NotedSteps;
use crate::domain::maintenance::NOTHING_ANNOUNCED;
use crate::domain::reason::Reason;
use crate::domain::report::{Calendars, Facts, bound_ledger};
use crate::domain::service::ServiceRules;
use crate::domain::time::{DAY_MS, Instant, Interval};
use crate::domain::timeline::{Bounds, Entry, Rolled, Timeline};
use crate::domain::tracker::ServiceTracker;
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;

/// One ledger line.
#[derive(Clone, Debug)]
pub struct Line {
    /// The target.
    pub target: Arc<str>,
    /// The components it measures; none: the state of the Service, or an address.
    pub components: Option<Arc<[Arc<str>]>>,
    /// Whether it measures an address, which nothing tries yet.
    pub is_probed: bool,
    /// What it saw.
    pub timeline: Arc<Timeline>,
    /// Fingerprint of what former leaders wrote, until this replica writes.
    pub(super) written: Option<u64>,
}

impl Line {
    fn of(target: &TargetTerms) -> Self {
        Self {
            target: target.name.clone(),
            components: target.components.clone(),
            is_probed: target.probe.is_some(),
            timeline: Arc::default(),
            written: None,
        }
    }

    /// Whether it measures the state of the Service.
    pub fn follows_service(&self) -> bool {
        self.components.is_none() && !self.is_probed
    }

    /// What it notes now.
    fn entry(&self, tracker: &ServiceTracker, at: Instant) -> Entry {
        if self.is_probed {
            return Entry::live(at, State::Unknown, None, Reason::NotMeasurable);
        }
        tracker.entry(self.components.as_deref(), at)
    }
}

/// What is known of one report of the subject.
#[derive(Clone, Debug)]
pub struct KnownReport {
    /// Namespace and name.
    pub key: ObjectKey,
    /// Its uid of the subject.
    pub subject_uid: Box<str>,
    /// The report that it corrects.
    pub supersedes: Option<Box<Superseded>>,
    /// Whether it is the first one after its subject was restored.
    pub is_restored: bool,
    /// Its period.
    pub start: Instant,
    /// End of its period.
    pub end: Instant,
    /// Its phase as written.
    pub phase: Option<Phase>,
    /// Its verdict as written.
    pub result: Option<Box<str>>,
    /// Digest of the report closed before it, once closed.
    pub previous_digest: Option<Box<str>>,
    /// Its digest, once closed.
    pub digest: Option<Box<str>>,
    /// Its resourceVersion.
    pub version: Box<str>,
    /// Sequence of its ledger as written.
    pub sequence: i64,
    /// Leadership under which its ledger was written last.
    pub epoch: i64,
    /// Fingerprint of its status as written.
    pub fingerprint: u64,
    /// Its conditions as written.
    pub conditions: Vec<crate::domain::conditions::Remembered>,
    /// Its spec as JSON text, until it is closed: its digest covers what it was made with.
    pub spec: Option<Box<str>>,
    /// Its ledger lines as written, until they are taken over.
    pub ledger: Vec<WrittenLine>,
    /// The steps of the API server's clock that its ledger notes.
    pub clock_steps: NotedSteps,
}

impl KnownReport {
    /// One that was made, and of which nothing is written yet.
    pub fn made(key: ObjectKey, subject_uid: &str, start: Instant, end: Instant) -> Self {
        Self {
            key,
            subject_uid: subject_uid.into(),
            supersedes: None,
            is_restored: false,
            start,
            end,
            phase: None,
            result: None,
            previous_digest: None,
            digest: None,
            version: Box::default(),
            sequence: 0,
            epoch: 0,
            fingerprint: 0,
            conditions: Vec::new(),
            spec: None,
            ledger: Vec::new(),
            clock_steps: NotedSteps::default(),
        }
    }
}

/// A ledger line as written.
#[derive(Clone, Debug)]
pub struct WrittenLine {
    /// The target.
    pub target: Arc<str>,
    /// Its entries.
    pub entries: Vec<Entry>,
    /// Its rolled-up spans.
    pub rolled: Vec<Rolled>,
}

/// The record of one subject.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is about.
    pub kind: SubjectKind,
    /// Namespace and name of the subject.
    pub key: ObjectKey,
    /// Uid of the subject.
    pub uid: Box<str>,
    /// Uids of the objects that it was restored from: their reports are of its line.
    pub former: Vec<Box<str>>,
    /// Creation of the subject.
    pub created: Instant,
    /// Name of the Service.
    pub service: Arc<str>,
    /// Versions of the terms.
    pub terms: Versions<Terms>,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Whether a line grew since the last write.
    pub grown: bool,
    /// Whether the ledgers written before are taken over.
    pub restored: bool,
    /// Whether the lines hold what no report may hold yet: this replica leads or led.
    pub is_kept: bool,
}

impl Record {
    /// A record with nothing observed.
    pub fn new(
        kind: SubjectKind,
        key: ObjectKey,
        uid: &str,
        created: Instant,
        service: Arc<str>,
        terms: Versions<Terms>,
    ) -> Self {
        let mut record = Self {
            kind,
            key,
            uid: uid.into(),
            former: Vec::new(),
            created,
            service,
            terms,
            lines: Vec::new(),
            grown: false,
            restored: false,
            is_kept: false,
        };
        record.match_lines();
        record
    }

    /// Gives every target of the newest terms its line; a line whose components changed goes on from then.
    pub fn match_lines(&mut self) {
        let Some(newest) = self.terms.newest().cloned() else { return };
        for target in &newest.value.targets {
            match self.lines.iter_mut().find(|line| line.target == target.name) {
                Some(line) => {
                    line.components.clone_from(&target.components);
                    line.is_probed = target.probe.is_some();
                }
                None => self.lines.push(Line::of(target)),
            }
        }
    }

    /// Gives targets that the newest terms have no more their lines, as far as reports that are not closed hold them.
    pub(super) fn match_written(&mut self, reports: &[KnownReport]) {
        let open = reports.iter().filter(|report| report.digest.is_none() && self.owns(report));
        let mut missing: Vec<Line> = Vec::new();
        for report in open {
            let period = Interval { from: report.start, to: report.end };
            for WrittenLine { target, .. } in &report.ledger {
                let is_known = self.lines.iter().chain(&missing).any(|line| line.target == *target);
                if let Some(terms) = self.terms_of(target, period).filter(|_| !is_known) {
                    missing.push(Line::of(terms));
                }
            }
        }
        self.lines.append(&mut missing);
    }

    /// A target as it was agreed last within a period.
    pub fn terms_of(&self, target: &str, period: Interval) -> Option<&TargetTerms> {
        let targets = self.terms.within(period).flat_map(|(_, version)| &version.value.targets);
        targets.filter(|other| *other.name == *target).last()
    }

    /// Notes the present state in all lines; returns whether any grew.
    pub fn note(&mut self, tracker: &ServiceTracker, at: Instant) -> bool {
        let mut grown = false;
        for line in &mut self.lines {
            let mut entry = line.entry(tracker, at);
            if entry.state == State::Unknown
                && let Some(last) = line.timeline.last()
            {
                // What was seen was seen, if only for a moment: a gap begins after it.
                entry.at = entry.at.max(last.at.plus_ms(1));
            }
            if line.timeline.last().is_none_or(|last| !last.says_the_same(&entry)) {
                grown |= Arc::make_mut(&mut line.timeline).push(entry);
            }
        }
        self.grown |= grown;
        grown
    }

    /// Notes that nothing was observed from `at` on; returns whether any line grew.
    pub fn blind(&mut self, at: Instant, reason: Reason) -> bool {
        let mut grown = false;
        for line in self.lines.iter_mut().filter(|line| line.timeline.last().is_some() && !line.is_probed) {
            let entry = Entry::live(at, State::Unknown, None, reason);
            grown |= Arc::make_mut(&mut line.timeline).push(entry);
        }
        self.grown |= grown;
        grown
    }

    /// The line of a target.
    pub fn line(&self, target: &TargetTerms) -> Option<Arc<Timeline>> {
        self.lines.iter().find(|line| line.target == target.name).map(|line| line.timeline.clone())
    }

    /// Whether it grew since it was written last; from now on it is as this replica writes it.
    pub fn take_grown(&mut self) -> bool {
        let grown = std::mem::take(&mut self.grown);
        if grown {
            self.lines.iter_mut().for_each(|line| line.written = None);
        }
        grown
    }

    /// What the ledger of a period holds.
    pub fn held(&self, period: Interval) -> Bounds {
        Bounds::held(self.lines.iter().map(|line| &*line.timeline), period)
    }

    /// What its periods are judged from.
    pub fn facts<'a>(&'a self, calendars: &'a Calendars, service: &'a Versions<ServiceRules>) -> Facts<'a> {
        Facts {
            terms: &self.terms,
            calendars,
            service,
            service_name: &self.service,
            created: self.created,
            announced: &NOTHING_ANNOUNCED,
        }
    }

    /// Keeps the ledger of a period within bounds, without changing a figure; returns whether anything was rolled up.
    pub fn bound(&mut self, period: Interval, calendars: &Calendars, bounds: Bounds) -> bool {
        let service = Versions::default();
        let facts = Facts {
            terms: &self.terms,
            calendars,
            service: &service,
            service_name: &self.service,
            created: self.created,
            announced: &NOTHING_ANNOUNCED,
        };
        let lines = self.lines.iter_mut().map(|line| (&line.target, &mut line.timeline));
        bound_ledger(lines, facts, period, bounds)
    }

    /// Forgets what no report needs any more.
    pub fn forget_before(&mut self, instant: Instant) {
        self.forget_states_before(instant);
        // Which period is cut how depends on the rules of the period before.
        self.terms.forget_before(instant.minus_ms(LONGEST_PERIOD_MS));
    }

    /// Forgets states, but no terms: who takes over reads back the states of a whole period, and judges them.
    pub fn forget_states_before(&mut self, instant: Instant) {
        for line in &mut self.lines {
            if line.timeline.entries().first().is_some_and(|first| first.at < instant) {
                Arc::make_mut(&mut line.timeline).forget_before(instant);
            }
        }
    }

    /// What the ledger of a period says now, as if it had been read back.
    pub fn written(&self, period: Interval) -> Vec<WrittenLine> {
        let line = |line: &Line| WrittenLine {
            target: line.target.clone(),
            entries: line.timeline.entries_for(period.from, period.to).cloned().collect(),
            rolled: line
                .timeline
                .rolled()
                .iter()
                .filter(|rolled| rolled.span().intersect(&period).is_some())
                .cloned()
                .collect(),
        };
        self.lines.iter().map(line).collect()
    }

    /// Whether anything was ever observed of it.
    pub fn was_seen(&self) -> bool {
        self.lines.iter().any(|line| line.timeline.entries().iter().any(|entry| entry.state != State::Unknown))
    }
}

/// No period is longer, not even the first one of other rules.
const LONGEST_PERIOD_MS: i64 = 400 * DAY_MS;
