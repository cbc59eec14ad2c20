//! Replay: the accounting of an event log, by the same rules as the operator's.

mod approvals;
mod closed;
mod event;
mod gaps;
mod ledger;
mod probes;
mod recorder;
mod versions;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};

pub use closed::Closed;
pub use event::{Event, EventError, EventKind, parse_line};

use super::agreement::{Schedule, Terms};
use super::capacity::{self, Outlook, Sample};
use super::maintenance::Announced;
use super::period::{Period, PeriodKey};
use super::report::{Calendars, Facts, Judged, Moment, judge, phase_at};
use super::service::ServiceRules;
use super::time::{Instant, Interval};
use super::timeline::Timeline;
use super::version::Versions;
use super::violation::Violation;
use versions::{calendar_version, missing_calendar, read_calendar, service_version, terms_version};

use recorder::{Mark, Recorder};

/// What a log is accounted under.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Namespace of the agreement.
    pub namespace: String,
    /// Name of the agreement.
    pub name: String,
    /// The agreement.
    pub agreement: ServiceLevelAgreementSpec,
    /// When it was created; its term begins then unless it says otherwise.
    pub created: Option<Instant>,
    /// Name of the Service.
    pub service_name: String,
    /// The Service.
    pub service: ServiceSpec,
    /// Calendars by name.
    pub calendars: Vec<(String, ServiceCalendarSpec)>,
}

/// Why a log could not be accounted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A file is not valid.
    #[error("{object}: {violation}")]
    Object {
        /// Which object.
        object: String,
        /// What is wrong.
        violation: Violation,
    },
    /// A line of the log is not valid.
    #[error("line {line}: {message}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The log holds nothing, and no instant was given.
    #[error("the log is empty and --as-of is absent: say for which instant the figures are")]
    Empty,
    /// The period is of another kind than the agreement's.
    #[error("--period {0}: the agreement has periods like {1}")]
    Period(String, String),
}

/// A log, accounted: everything that figures of any period and instant follow from.
#[derive(Debug)]
pub struct Replay {
    /// Namespace and name of the agreement.
    pub agreement: (String, String),
    /// Name of the Service.
    pub service_name: String,
    /// Versions of the agreement.
    pub terms: Versions<Terms>,
    /// Versions of the calendars.
    pub calendars: Calendars,
    /// Versions of the Service.
    pub service: Versions<ServiceRules>,
    /// One timeline a target.
    pub lines: HashMap<Arc<str>, Arc<Timeline>>,
    /// What the log approves.
    pub announced: Announced,
    /// Samples of each capacity item, in order of time.
    capacity: BTreeMap<Arc<str>, Vec<Sample>>,
    /// Number of events.
    pub events: usize,
    /// The last instant of the log.
    pub last: Option<Instant>,
    /// The targets that tries measure.
    probed: Vec<probes::Probed>,
    first: Option<Instant>,
    created: Instant,
}

impl Replay {
    /// Accounts a log. Lines may come in any order.
    pub fn run(objects: &Objects, mut events: Vec<Event>) -> Result<Self, ReplayError> {
        events.sort_by_key(|event| (event.at, event.line));
        let mut replay = Self::prepare(objects, &events)?;
        let mut recorder = Recorder::new(&replay);
        let (components, dependencies) = replay.member_names();
        let gaps = gaps::plan(&events, &components, &dependencies)?;
        let mut marks: Vec<Mark<'_>> = events.iter().map(Mark::Event).chain(gaps.iter().map(Mark::Gap)).collect();
        marks.sort_by_key(Mark::order);
        for mark in marks {
            recorder.advance(mark.at());
            match mark {
                Mark::Event(event) => recorder.take(event, &replay)?,
                Mark::Gap(gap) => recorder.blind(gap),
            }
        }
        recorder.advance(Instant::MAX);
        replay.probed = probes::read(&events, &replay.terms, &recorder.lines)?;
        for probed in &replay.probed {
            recorder.lines.insert(probed.target.clone(), probed.line(&replay.terms, Instant::MAX));
        }
        replay.lines = recorder.lines.into_iter().map(|(name, line)| (name, Arc::new(line))).collect();
        replay.refuse_what_was_rolled_up();
        Ok(replay)
    }

    /// The facts for judging.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            terms: &self.terms,
            calendars: &self.calendars,
            service: &self.service,
            service_name: &self.service_name,
            created: self.created,
            announced: &self.announced,
        }
    }

    /// The periods of the agreement.
    pub fn schedule(&self) -> Schedule<'_> {
        self.facts().schedule()
    }

    /// The instant of the figures, unless another is asked for: the last of the log.
    pub fn default_instant(&self) -> Result<Instant, ReplayError> {
        self.last.ok_or(ReplayError::Empty)
    }

    /// The period of a key, or the one that contains `as_of`.
    pub fn period(&self, key: Option<&str>, as_of: Instant) -> Result<Period, ReplayError> {
        let running = self.schedule().period_at(as_of);
        let Some(text) = key else { return Ok(running) };
        PeriodKey::parse(text)
            .ok()
            .and_then(|key| self.schedule().period_of(key))
            .ok_or_else(|| ReplayError::Period(text.to_owned(), running.key.to_string()))
    }

    /// Judges a period for an instant. Proof ends there; a closed period is judged as of its closing, by what was
    /// approved before it.
    pub fn judge(&self, lines: &HashMap<Arc<str>, Arc<Timeline>>, period: &Period, as_of: Instant) -> (Judged, Moment) {
        self.judge_knowing(lines, period, as_of, &self.known_by(period, as_of))
    }

    /// Judges a period for an instant by what is known of changes and exclusions.
    pub fn judge_knowing(
        &self,
        lines: &HashMap<Arc<str>, Arc<Timeline>>,
        period: &Period,
        as_of: Instant,
        announced: &Announced,
    ) -> (Judged, Moment) {
        let closing = self.schedule().closing(period);
        let moment =
            Moment { as_of: as_of.min(closing), horizon: as_of.min(closing), phase: phase_at(period, closing, as_of) };
        let facts = Facts { announced, ..self.facts() };
        (judge(facts, |target| lines.get(&target.name).cloned(), period, moment), moment)
    }

    /// What the samples of each capacity item say at the end of a span, by name; days are those of `zone`.
    pub fn capacity(&self, zone: &TimeZone, span: Interval) -> Vec<(&str, Outlook)> {
        let judge = |samples: &[Sample]| capacity::judge(samples, capacity::Demand::DEFAULT, zone, span);
        self.capacity.iter().map(|(name, samples)| (&**name, judge(samples))).collect()
    }

    /// Names of components and of dependencies, of all versions of the Service.
    fn member_names(&self) -> (Vec<&str>, Vec<&str>) {
        let versions = || self.service.all().iter();
        let mut components: Vec<&str> =
            versions().flat_map(|version| version.value.components.iter().map(|component| &*component.name)).collect();
        let mut dependencies: Vec<&str> = versions()
            .flat_map(|version| version.value.dependencies.iter().map(|dependency| &*dependency.name))
            .filter(|name| !components.contains(name))
            .collect();
        for names in [&mut components, &mut dependencies] {
            names.sort_unstable();
            names.dedup();
        }
        (components, dependencies)
    }

    fn prepare(objects: &Objects, events: &[Event]) -> Result<Self, ReplayError> {
        let wrong = |object: &str, violation: &Violation| ReplayError::Object {
            object: object.to_owned(),
            violation: violation.clone(),
        };
        let terms = Terms::from_spec(&objects.agreement).map_err(|all| wrong("agreement", &all[0]))?;
        let rules = ServiceRules::from_spec(&objects.service).map_err(|all| wrong("service", &all[0]))?;
        let mut calendars = Calendars::new();
        for (name, spec) in &objects.calendars {
            let calendar =
                read_calendar(spec, &objects.calendars).map_err(|violation| wrong("calendar", &violation))?;
            let version = calendar_version(name, spec, calendar, &objects.calendars, Instant::MIN);
            calendars.insert(name.as_str().into(), Versions::starting_with(version));
        }
        if let Some(missing) = missing_calendar(&terms, &calendars) {
            return Err(wrong("agreement", &missing));
        }
        let mut replay = Self {
            agreement: (objects.namespace.clone(), objects.name.clone()),
            service_name: objects.service_name.clone(),
            terms: Versions::starting_with(terms_version(objects, &objects.agreement, terms, Instant::MIN)),
            calendars,
            service: Versions::starting_with(service_version(objects, &objects.service, rules, Instant::MIN)),
            lines: HashMap::new(),
            probed: Vec::new(),
            capacity: capacity_of(events),
            announced: approvals::read(events, &objects.namespace, &objects.service_name)?,
            events: events.len(),
            last: events.last().map(|event| event.at),
            first: events.first().map(|event| event.at),
            created: objects.created.unwrap_or(Instant::MIN),
        };
        for event in events {
            replay.take_version(objects, event)?;
        }
        Ok(replay)
    }
}

/// The samples of each item; of two at the same instant the later line counts.
fn capacity_of(events: &[Event]) -> BTreeMap<Arc<str>, Vec<Sample>> {
    let mut items: BTreeMap<Arc<str>, Vec<Sample>> = BTreeMap::new();
    for event in events {
        if let EventKind::Capacity { resource, used, limit } = &event.kind {
            let samples = items.entry(resource.as_str().into()).or_default();
            if samples.last().is_some_and(|last| last.at == event.at) {
                samples.pop();
            }
            samples.push(Sample { at: event.at, used: *used, limit: *limit });
        }
    }
    items
}
