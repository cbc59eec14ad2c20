//! What the plan of one object reads of others.

use std::collections::HashSet;
use std::sync::Arc;

use crate::control::agreement::Obstacle;
use crate::control::service::Around;
use crate::control::streams::Stream;
use crate::control::watch::WatchFailure;
use crate::domain::agreement::{Schedule, Terms};
use crate::domain::calendar::Calendar;
use crate::domain::service::{ComponentRules, Measure};
use crate::domain::time::Instant;
use crate::domain::version::Versions;
use crate::observe::facts::ObjectKey;

use super::World;
use super::members::selection;
use super::services::dependency_key;

impl World {
    /// What the status of a service shows of others.
    pub(super) fn around(&self, key: &ObjectKey) -> Around {
        let mut around = Around::default();
        let Some(entry) = self.services.get(key) else { return around };
        for agreement in self.uses.agreements.get(key).into_iter().flatten() {
            around.verdicts.push(self.agreements.get(agreement).and_then(|entry| entry.verdict));
        }
        let Some(tracker) = &entry.tracker else { return around };
        for dependency in &tracker.rules().dependencies {
            let Some(reference) = &dependency.service else {
                around.dependencies.push(None);
                continue;
            };
            let namespace = reference.namespace.as_ref().map_or(key.namespace.clone(), |name| name.as_str().into());
            let other = ObjectKey::new(namespace, reference.name.as_str());
            let state = self.visible_state(key, &other).map(|member| member.state);
            if state.is_none() {
                around.unresolved.push((dependency.name.to_string(), other.to_string()));
            }
            around.dependencies.push(state);
        }
        around.unresolved_agreements = self.unresolved_agreements(key, tracker.rules());
        for component in &tracker.rules().components {
            for stream in sources(&key.namespace, component) {
                let Some(state) = self.streams.get(&stream) else { continue };
                match &state.failure {
                    Some(WatchFailure::Forbidden(message)) => {
                        let remedy = "grant the verbs list and watch to the operator's service account";
                        around.forbidden.get_or_insert(format!("{}: {message}; {remedy}", stream.name()));
                    }
                    _ if state.blind_since.is_some() && state.synced => around.lost.push(stream.name().to_owned()),
                    _ => {}
                }
            }
        }
        around.lost.sort();
        around.lost.dedup();
        around
    }

    /// Since when a stream that the state of a service rests on shows nothing; none while all are live. Its critical
    /// dependencies count: their state is its own.
    pub fn lost_since(&self, service: &ObjectKey) -> Option<Instant> {
        let mut first: Option<Instant> = None;
        let mut waiting = vec![service.clone()];
        let mut visited: HashSet<ObjectKey> = HashSet::new();
        while let Some(key) = waiting.pop() {
            let Some(tracker) = self.services.get(&key).and_then(|entry| entry.tracker.as_ref()) else { continue };
            let rules = tracker.rules();
            let sources = rules.components.iter().flat_map(|component| sources(&key.namespace, component));
            let lost = sources.filter_map(|stream| {
                let state = self.streams.get(&stream)?;
                state.blind_since.filter(|_| state.synced)
            });
            first = first.into_iter().chain(lost).min();
            for (index, _) in rules.dependencies.iter().enumerate().filter(|(index, _)| rules.rests_on(*index)) {
                if let Some(other) = dependency_key(&key, &rules.dependencies[index])
                    && self.visible_state(&key, &other).is_some()
                    && visited.insert(other.clone())
                {
                    waiting.push(other);
                }
            }
        }
        first
    }

    /// Up to when the state of a service holds at `now`.
    pub fn horizon(&self, service: &ObjectKey, now: Instant) -> Instant {
        self.lost_since(service).unwrap_or(now).min(now)
    }

    /// Whether an agreement measures what `kubectl get its` shows, so that the service needs no report of its own, and
    /// the next instant at which time alone changes that.
    pub(super) fn is_covered(&self, key: &ObjectKey, now: Instant) -> (bool, Option<Instant>) {
        let mut is_covered = false;
        let mut edge: Option<Instant> = None;
        for agreement in self.uses.agreements.get(key).into_iter().flatten() {
            let record = self.agreements.get(agreement).and_then(|entry| entry.record.as_ref());
            let Some(terms) = record.map(|record| &record.terms) else { continue };
            let (Some(newest), Some(schedule)) = (terms.newest(), Schedule::of(terms)) else { continue };
            let end = Some(newest.value.end()).filter(|end| now < *end && newest.value.covers_service());
            is_covered |= end.is_some() && schedule.rules_at(now).is_month_of_utc();
            let change = schedule.next_change(now).map(|(since, _)| since);
            edge = [edge, end.filter(|end| *end < Instant::MAX), change].into_iter().flatten().min();
        }
        (is_covered, edge)
    }

    /// The versions of a calendar that is there; of one that is gone only past time may be judged.
    fn present_calendar(&self, name: &Arc<str>) -> Option<&Versions<Calendar>> {
        self.calendars.get(name).and_then(|_| self.calendar_versions.get(name))
    }

    /// What stands in the way of measuring an agreement as it asks.
    pub(super) fn obstacle(&self, terms: &Terms, service: &ObjectKey) -> Option<Obstacle> {
        let Some(entry) = self.services.get(service) else {
            let message = format!("serviceRef: Service {} was not found in this namespace; create it", service.name);
            return Some(Obstacle::ServiceNotFound(message));
        };
        if let Some(calendar) = &terms.calendar
            && self.present_calendar(calendar).is_none()
        {
            let message = format!("serviceHours.calendar: no valid ServiceCalendar {calendar} was found; create it");
            return Some(Obstacle::CalendarNotFound(message));
        }
        for (index, window) in terms.maintenance.standing().iter().enumerate() {
            let field = format!("plannedMaintenance.windows[{index}]");
            let Some(calendar) = self.present_calendar(&window.calendar).and_then(Versions::newest) else {
                let message =
                    format!("{field}.calendar: no valid ServiceCalendar {} was found; create it", window.calendar);
                return Some(Obstacle::WindowNotFound(message));
            };
            if !calendar.value.has_window(&window.name) {
                let message =
                    format!("{field}.name: ServiceCalendar {} has no window {}", window.calendar, window.name);
                return Some(Obstacle::WindowNotFound(message));
            }
        }
        let rules = entry.tracker.as_ref()?.rules();
        let missing = terms.targets.iter().flat_map(|target| target.components.iter().flat_map(|names| names.iter()));
        let missing =
            missing.into_iter().find(|name| !rules.components.iter().any(|component| component.name == **name));
        missing.map(|name| {
            let message = format!("targets: readiness.components: Service {} has no component {name}", service.name);
            Obstacle::ComponentNotFound(message)
        })
    }
}

impl World {
    /// Whether a source of a component that was listed before is being listed anew, so that its index holds a part.
    pub(super) fn is_partial(&self, namespace: &Arc<str>, component: &ComponentRules) -> bool {
        let sources = sources(namespace, component);
        sources.iter().any(|stream| self.streams.get(stream).is_some_and(|state| state.synced && state.is_partial))
    }
}

/// The streams that a component is measured by.
fn sources(namespace: &Arc<str>, component: &ComponentRules) -> Vec<Stream> {
    let mut streams: Vec<Stream> = match &component.measure {
        Measure::Endpoints(_) => vec![Stream::CoreServices, Stream::Slices],
        Measure::Pods(selector) => vec![Stream::Pods(selection(namespace, selector))],
        Measure::Workload => Vec::new(),
    };
    streams.extend(component.workload.as_ref().map(|workload| Stream::Workloads(workload.kind)));
    streams
}
