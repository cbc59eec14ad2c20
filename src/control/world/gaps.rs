//! Gaps of this replica's own observation, and closing them by what is found out afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::api::service::State;
use crate::control::gaps::{
    ComponentKey, Found, Next, OpenGap, PodsOf, PodsSeen, Replayed, format_versions, written_within,
};
use crate::control::lease::Proof;
use crate::control::streams::{ALWAYS, StreamState};
use crate::control::subject::Subject;
use crate::domain::inference::{PodEvidence, PodFacts};
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::service::{Measure, Member, ServiceRules};
use crate::domain::time::{Instant, Interval};
use crate::domain::timeline::{Source, Timeline};
use crate::domain::tracker::{self, ServiceTracker};
use crate::observe::facts::ObjectKey;

use super::World;
use super::replayed::replay_component;

/// Gaps that are open at the same time, besides one of each selection of Pods; further ones stay unknown.
const OPEN_GAPS: usize = 16;

/// The states of a service within a gap, each in force until the next.
type Course = Arc<Vec<(Instant, Member, tracker::Proof)>>;

impl World {
    /// What the Lease carries: up to when everything is proved and written, and the versions to go on from. While a
    /// transition is not written yet, the versions from before it stay.
    pub fn proof(&mut self) -> Proof {
        if self.leadership.is_none() || self.started.is_none() {
            return Proof::default();
        }
        let whole = |state: &StreamState| !state.is_partial && state.blind_since.is_none();
        let all_whole = self.streams.iter().all(|(stream, state)| !stream.is_measured() || whole(state));
        if all_whole && self.unwritten.first().is_none() {
            let fixed = ALWAYS.iter().filter(|stream| stream.is_measured());
            let shown = fixed.filter_map(|stream| Some((stream.name().into(), self.streams.get(stream)?.shown?)));
            self.shown_versions = shown.collect();
        }
        let until = self.proved_until();
        Proof { until, versions: format_versions(&self.shown_versions) }
    }

    /// Opens a gap; returns its number, if it is looked into.
    pub(super) fn open_gap(
        &mut self,
        span: Interval,
        reason: Reason,
        after: HashMap<ComponentKey, Observation>,
        next: Next,
    ) -> Option<u64> {
        self.leadership?;
        let gap = OpenGap { span, reason, after, pieces: HashMap::new(), next };
        if self.gaps.len() >= OPEN_GAPS + self.uses.pods.len() {
            self.give_up(&gap);
            return None;
        }
        self.gap_count += 1;
        self.gaps.insert(self.gap_count, gap);
        Some(self.gap_count)
    }

    /// Takes in what was found out.
    pub fn found(&mut self, number: u64, found: Found) {
        match found {
            Found::Replayed(replayed) => {
                let Some(mut gap) = self.gaps.remove(&number) else { return };
                if let Some(replayed) = replayed {
                    self.take_replayed(&mut gap, &replayed);
                }
                gap.next = Next::Pods;
                self.gaps.insert(number, gap);
            }
            Found::Pods(seen) => {
                let listed = self.gaps.iter().filter(|(_, gap)| gap.next == Next::Listing(number));
                for key in listed.map(|(key, _)| *key).collect::<Vec<u64>>() {
                    let Some(mut gap) = self.gaps.remove(&key) else { continue };
                    self.take_pods(&mut gap, &seen);
                    self.close(&gap);
                    self.give_up(&gap);
                }
            }
        }
    }

    fn take_replayed(&mut self, gap: &mut OpenGap, replayed: &Replayed) {
        for component in gap.after.keys().cloned().collect::<Vec<ComponentKey>>() {
            let Some(rules) = self.rules_of(&component.0).cloned() else { continue };
            let before = self.before(gap, &component, &rules);
            if let Some(pieces) = replay_component(gap, &component, &rules, before, replayed) {
                gap.pieces.insert(component, pieces);
            }
        }
        self.close(gap);
    }

    fn take_pods(&self, gap: &mut OpenGap, places: &HashMap<PodsOf, PodsSeen>) {
        for component in gap.after.keys().cloned().collect::<Vec<ComponentKey>>() {
            if !gap.is_open(&component) {
                continue;
            }
            let Some(rules) = self.rules_of(&component.0).cloned() else { continue };
            let Some(seen) = self.place_of(&component).and_then(|place| places.get(&place)) else { continue };
            let Some(thresholds) = rules.components.get(component.1).map(|rules| rules.thresholds) else { continue };
            if thresholds.has_percent() {
                // How many were wanted within the gap is not known.
                continue;
            }
            let before = self.before(gap, &component, &rules);
            let before = before.unwrap_or(Member { state: State::Unknown, reason: gap.reason });
            let evidence = self.evidence(gap, &component, &rules, seen);
            let desired = match gap.after.get(&component) {
                Some(Observation::Counted { desired, .. }) => *desired,
                _ => None,
            };
            gap.conclude(&component, &evidence, before, desired, thresholds);
        }
    }

    pub(super) fn rules_of(&self, service: &ObjectKey) -> Option<&Arc<ServiceRules>> {
        Some(self.services.get(service)?.tracker.as_ref()?.rules())
    }

    /// Pods as evidence: ready are those that are endpoints now.
    fn evidence(&self, gap: &OpenGap, component: &ComponentKey, rules: &ServiceRules, seen: &PodsSeen) -> PodEvidence {
        let core = match rules.components.get(component.1).map(|rules| &rules.measure) {
            Some(Measure::Endpoints(name)) => Some(ObjectKey::new(component.0.namespace.clone(), name.clone())),
            _ => None,
        };
        let is_endpoint = |uid: u128| core.as_ref().is_none_or(|core| self.endpoints.is_ready_endpoint(core, uid));
        let pods = seen.pods.iter().map(|(uid, facts)| PodFacts { ready: facts.ready && is_endpoint(*uid), ..*facts });
        PodEvidence { pods: pods.collect(), service_changed: written_within(&seen.spec_writes, gap.span) }
    }

    /// The state of a component when a gap began, as far as the ledger of its service says it.
    fn before(&self, gap: &OpenGap, component: &ComponentKey, rules: &ServiceRules) -> Option<Member> {
        let entry = self.services.get(&component.0)?;
        let line = entry.record.lines.first()?;
        let last = line.timeline.before_gap(gap.span, gap.reason)?;
        let rules = rules.components.get(component.1).filter(|_| rules.groups.is_empty())?;
        let reason = last.reason.unwrap_or(gap.reason);
        let decides = last.component.as_ref() == Some(&rules.name);
        match last.state {
            State::Down | State::Degraded if decides => Some(Member { state: last.state, reason }),
            State::Up if rules.critical => Some(Member { state: State::Up, reason }),
            _ => None,
        }
    }

    /// Puts what is known of a gap into the lines of all services and agreements that it touches.
    fn close(&mut self, gap: &OpenGap) {
        let mut courses: HashMap<ObjectKey, Course> = HashMap::new();
        let services: HashSet<ObjectKey> = gap.after.keys().map(|(service, _)| service.clone()).collect();
        let mut waiting: Vec<(ObjectKey, bool)> = services.iter().map(|key| (key.clone(), false)).collect();
        let mut visited: HashSet<ObjectKey> = HashSet::new();
        while let Some((key, ready)) = waiting.pop() {
            if ready {
                let course = self.course(&key, gap, &courses);
                courses.insert(key, course);
            } else if visited.insert(key.clone()) {
                // What it depends on comes first.
                waiting.push((key.clone(), true));
                let others = self.dependencies_of(&key).into_iter().filter(|other| services.contains(other));
                waiting.extend(others.map(|other| (other, false)));
            }
        }
    }

    /// The course of one service within a gap; its lines and those of its agreements are filled with it.
    fn course(&mut self, key: &ObjectKey, gap: &OpenGap, courses: &HashMap<ObjectKey, Course>) -> Course {
        let Some(rules) = self.rules_of(key).cloned() else { return Course::default() };
        let mut tracker = ServiceTracker::new(rules.clone(), gap.reason);
        let mut instants: Vec<Instant> = vec![gap.span.from];
        let pieces = |index: usize| gap.pieces.get(&(key.clone(), index)).into_iter().flatten();
        for index in 0..rules.components.len() {
            instants.extend(pieces(index).map(|piece| piece.at));
        }
        let dependencies: Vec<Course> = (0..rules.dependencies.len())
            .map(|index| self.dependency_course(key, &rules, index, gap, courses))
            .collect();
        instants.extend(dependencies.iter().flat_map(|course| course.iter().map(|(at, ..)| *at)));
        instants.sort_unstable();
        instants.dedup();
        let mut names: Vec<Option<Arc<[Arc<str>]>>> = Vec::new();
        self.for_each_line(key, gap.span.from, &mut |line| {
            if !names.contains(&line.components) {
                names.push(line.components.clone());
            }
            false
        });
        let mut found: Vec<Timeline> = vec![Timeline::default(); names.len()];
        let mut course = Vec::new();
        for at in instants {
            for index in 0..rules.components.len() {
                if !gap.after.contains_key(&(key.clone(), index)) {
                    let (observation, at_once) = self.unaffected(key, index, gap.span.from);
                    tracker.conclude(
                        index,
                        if at_once { observation } else { Observation::Unknown(gap.reason) },
                        tracker::Proof::default(),
                        at,
                    );
                }
                for piece in pieces(index).filter(|piece| piece.at == at) {
                    let gap = Some(gap.reason).filter(|_| piece.source != Source::Live);
                    tracker.conclude(index, piece.observation, tracker::Proof { source: piece.source, gap }, at);
                }
            }
            for (index, dependency) in dependencies.iter().enumerate() {
                for (_, member, proof) in dependency.iter().filter(|(change, ..)| *change == at) {
                    tracker.conclude_dependency(index, *member, *proof, at);
                }
            }
            for (names, line) in names.iter().zip(&mut found) {
                let mut entry = tracker.entry(names.as_deref(), at);
                if entry.state == State::Unknown {
                    // The gap keeps its name.
                    entry.reason = Some(gap.reason);
                    entry.component = None;
                }
                line.push(entry);
            }
            let composite = tracker.composite();
            let member = Member { state: composite.state, reason: composite.reason };
            course.push((at, member, tracker.proof_of(composite, None)));
        }
        self.remember_since(key, gap);
        let filling: Vec<(Option<Arc<[Arc<str>]>>, Timeline)> = names.into_iter().zip(found).collect();
        self.for_each_line(key, gap.span.from, &mut |line| {
            let found = filling.iter().find(|(names, _)| *names == line.components).map(|(_, found)| found);
            found.is_some_and(|found| Arc::make_mut(&mut line.timeline).fill(found, gap.span, gap.reason))
        });
        Arc::new(course)
    }

    /// What is known of a component that was observed all the time, and whether that was so since `from`.
    fn unaffected(&self, key: &ObjectKey, index: usize, from: Instant) -> (Observation, bool) {
        let tracker = self.services.get(key).and_then(|entry| entry.tracker.as_ref());
        let tracked = tracker.and_then(|tracker| tracker.members().get(index));
        tracked.map_or((Observation::Unknown(Reason::NotObserved), false), |tracked| {
            (tracked.observation, tracked.since.is_none_or(|since| since <= from))
        })
    }

    fn dependency_course(
        &self,
        key: &ObjectKey,
        rules: &ServiceRules,
        index: usize,
        gap: &OpenGap,
        courses: &HashMap<ObjectKey, Course>,
    ) -> Course {
        let always = |member: Member| Arc::new(vec![(gap.span.from, member, tracker::Proof::default())]);
        let Some(other) = super::services::dependency_key(key, &rules.dependencies[index]) else {
            return always(Member { state: State::Up, reason: Reason::AllCriticalReady });
        };
        let now = self.dependency_state(key, &other);
        let in_cycle = self.services.get(key).is_some_and(|entry| entry.cycle.contains(&other.name));
        if in_cycle || self.visible_state(key, &other).is_none() {
            return always(now);
        }
        if let Some(course) = courses.get(&other) {
            return course.clone();
        }
        let line = self.services.get(&other).and_then(|entry| entry.record.lines.first());
        let held = line.and_then(|line| line.timeline.last()).is_some_and(|last| last.at <= gap.span.from);
        always(if held { now } else { Member { state: State::Unknown, reason: gap.reason } })
    }

    /// The lines of a service and of its agreements; `change` says whether it changed one, from `from` on.
    pub(super) fn for_each_line(
        &mut self,
        key: &ObjectKey,
        from: Instant,
        change: &mut dyn FnMut(&mut crate::control::record::Line) -> bool,
    ) {
        let mut changed: Vec<Subject> = Vec::new();
        let mut look = |subject: Subject, record: &mut crate::control::record::Record| {
            let mut any = false;
            // What measures an address does not follow the members.
            for line in record.lines.iter_mut().filter(|line| !line.is_probed) {
                any |= change(line);
            }
            if any {
                record.grown = !record.is_as_written();
                changed.push(subject);
            }
        };
        if let Some(entry) = self.services.get_mut(key) {
            look(Subject::Service(key.clone()), &mut entry.record);
        }
        for agreement in self.uses.agreements.get(key).into_iter().flatten() {
            if let Some(record) = self.agreements.get_mut(agreement).and_then(|entry| entry.record.as_mut()) {
                look(Subject::Agreement(agreement.clone()), record);
            }
        }
        for subject in changed {
            self.unwritten.note(&subject, from);
            self.queue.mark(subject);
        }
    }
}
