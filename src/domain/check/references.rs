//! The references between the objects of a set.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Identity, Object, Severity, Spec};
use crate::api::agreement::MaintenanceWindow;
use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};
use crate::domain::calendar::HOLIDAYS_WINDOW;
use crate::domain::limits::CYCLE_NAMES;
use crate::domain::time::Instant;
use crate::domain::violation::Violation;

/// Checks all references; one that leads out of the set is an error only if the set is `complete`.
pub(super) fn check(objects: &[Object], complete: bool, now: Instant, findings: &mut Vec<Finding>) {
    let mut checker = Checker { objects, complete, findings };
    for (index, object) in objects.iter().enumerate() {
        let namespace = object.identity.namespace.as_deref().unwrap_or_default();
        match &object.spec {
            Some(Spec::Service(spec)) => checker.service(index, namespace, spec),
            Some(Spec::Agreement(spec)) => checker.agreement(index, namespace, spec),
            Some(Spec::Calendar(spec)) => checker.calendar(index, &object.identity.name, spec),
            None => {}
        }
    }
    checker.cycles();
    super::chain::check(&mut checker, now);
}

pub(super) struct Checker<'a> {
    pub(super) objects: &'a [Object],
    complete: bool,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Checker<'a> {
    pub(super) fn add(
        &mut self,
        object: usize,
        severity: Severity,
        field: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.findings.push(Finding { object, severity, violation: Violation::new(field, message) });
    }

    pub(super) fn missing(&mut self, object: usize, field: impl Into<String>, what: &str) {
        let severity = if self.complete { Severity::Error } else { Severity::Warning };
        self.add(object, severity, field, format!("{what} is not among the files; correct the name or add it"));
    }

    /// The object of that name, whether or not its spec can be read.
    pub(super) fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&'a Object> {
        self.objects.iter().find(|object| {
            let Identity { kind: its_kind, namespace: its_namespace, name: its_name } = &object.identity;
            its_kind == kind && its_namespace.as_deref() == namespace && its_name == name
        })
    }

    fn agreement(&mut self, index: usize, namespace: &str, spec: &ServiceLevelAgreementSpec) {
        let name = spec.service_ref.name.as_str();
        match self.find("Service", Some(namespace), name) {
            None => self.missing(index, "spec.serviceRef.name", &format!("Service {namespace}/{name}")),
            Some(Object { spec: Some(Spec::Service(service)), .. }) => self.measured(index, spec, name, service),
            Some(_) => {}
        }
        if let Some(hours) = &spec.service_hours
            && self.find("ServiceCalendar", None, hours.calendar.as_str()).is_none()
        {
            self.missing(index, "spec.serviceHours.calendar", &format!("ServiceCalendar {}", hours.calendar));
        }
        let maintenance = spec.planned_maintenance.as_ref();
        for (place, window) in maintenance.iter().flat_map(|maintenance| &maintenance.windows).enumerate() {
            self.window(index, &format!("spec.plannedMaintenance.windows[{place}]"), window);
        }
    }

    fn window(&mut self, index: usize, field: &str, window: &MaintenanceWindow) {
        let MaintenanceWindow { calendar, name } = window;
        match self.find("ServiceCalendar", None, calendar.as_str()) {
            None => self.missing(index, format!("{field}.calendar"), &format!("ServiceCalendar {calendar}")),
            Some(Object { spec: Some(Spec::Calendar(spec)), .. }) => {
                let known: Vec<&str> = spec.windows.iter().map(|window| window.name.as_str()).collect();
                if !known.contains(&name.as_str()) && name.as_str() != HOLIDAYS_WINDOW {
                    let remedy = match &known[..] {
                        [] => "add it there".to_owned(),
                        known => format!("write one of {}", known.join(", ")),
                    };
                    let message = format!("ServiceCalendar {calendar} has no window {:?}; {remedy}", name.0);
                    self.add(index, Severity::Error, format!("{field}.name"), message);
                }
            }
            Some(_) => {}
        }
    }

    fn measured(&mut self, index: usize, spec: &ServiceLevelAgreementSpec, name: &str, service: &ServiceSpec) {
        let stage = service.stage.unwrap_or_default();
        if !stage.is_measured() {
            let message = format!("Service {name} is {stage:?}, which is not measured, so all time will be unknown");
            self.add(index, Severity::Warning, "spec.serviceRef.name", message);
        }
        for (number, target) in spec.targets.iter().enumerate() {
            let components = target.readiness.iter().flat_map(|readiness| &readiness.components);
            for (place, wanted) in components.enumerate() {
                if !service.components.iter().any(|component| component.name == *wanted) {
                    let known: Vec<&str> = service.components.iter().map(|component| component.name.as_str()).collect();
                    let message =
                        format!("Service {name} has no component {:?}; write one of {}", wanted.0, known.join(", "));
                    let field = format!("spec.targets[{number}].readiness.components[{place}]");
                    self.add(index, Severity::Error, field, message);
                }
            }
        }
    }

    fn calendar(&mut self, index: usize, name: &str, spec: &ServiceCalendarSpec) {
        for (place, wanted) in spec.holidays_from.iter().enumerate() {
            let field = format!("spec.holidaysFrom[{place}]");
            if wanted.as_str() == name {
                self.add(index, Severity::Error, field, "a calendar cannot take holidays from itself; remove it");
                continue;
            }
            match self.find("ServiceCalendar", None, wanted.as_str()) {
                None => self.missing(index, field, &format!("ServiceCalendar {wanted}")),
                Some(Object { spec: Some(Spec::Calendar(other)), .. }) if !other.holidays_from.is_empty() => {
                    let message = format!(
                        "what {wanted} takes from other calendars does not come along; name those calendars here too"
                    );
                    self.add(index, Severity::Warning, field, message);
                }
                Some(_) => {}
            }
        }
    }

    fn service(&mut self, index: usize, namespace: &str, spec: &ServiceSpec) {
        for (place, dependency) in spec.dependencies.iter().enumerate() {
            let Some(wanted) = &dependency.service else { continue };
            let field = format!("spec.dependencies[{place}].service.name");
            let there = wanted.namespace.as_ref().map_or(namespace, |there| there.as_str());
            match self.find("Service", Some(there), wanted.name.as_str()) {
                None => self.missing(index, field, &format!("Service {there}/{}", wanted.name)),
                Some(Object { spec: Some(Spec::Service(other)), .. }) if there != namespace => {
                    if !other.shared_with.iter().any(|granted| granted == "*" || granted == namespace) {
                        let message = format!(
                            "Service {there}/{} is not shared with {namespace}; add {namespace} to its sharedWith",
                            wanted.name
                        );
                        self.add(index, Severity::Error, field, message);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// A cycle of critical dependencies is an error, since no state follows from it; another one is only odd.
    fn cycles(&mut self) {
        for critical_only in [true, false] {
            let graph = self.graph(critical_only);
            let mut told = BTreeSet::new();
            for &start in graph.keys() {
                let Some(cycle) = cycle_through(&graph, start) else {
                    continue;
                };
                let members: BTreeSet<usize> = cycle.iter().map(|(node, _)| *node).collect();
                let is_known = self.findings.iter().any(|finding| {
                    members.contains(&finding.object) && finding.violation.message.starts_with("a cycle")
                });
                if is_known && !critical_only || !told.insert(members) {
                    continue;
                }
                let mut names: Vec<&str> = cycle
                    .iter()
                    .take(CYCLE_NAMES)
                    .map(|(node, _)| self.objects[*node].identity.name.as_str())
                    .collect();
                names.push(if cycle.len() > CYCLE_NAMES { "…" } else { &self.objects[start].identity.name });
                let field = format!("spec.dependencies[{}]", cycle[0].1);
                let severity = if critical_only { Severity::Error } else { Severity::Warning };
                self.add(start, severity, field, format!("a cycle of dependencies: {}; remove one", names.join(" → ")));
            }
        }
    }

    /// For each Service the Services it depends on, with the place of the dependency.
    fn graph(&self, critical_only: bool) -> BTreeMap<usize, Vec<(usize, usize)>> {
        let mut graph = BTreeMap::new();
        for (index, object) in self.objects.iter().enumerate() {
            let Some(Spec::Service(spec)) = &object.spec else {
                continue;
            };
            let namespace = object.identity.namespace.as_deref().unwrap_or_default();
            let mut edges = Vec::new();
            for (place, dependency) in spec.dependencies.iter().enumerate() {
                let Some(wanted) = &dependency.service else { continue };
                if critical_only && dependency.critical != Some(true) {
                    continue;
                }
                let there = wanted.namespace.as_ref().map_or(namespace, |there| there.as_str());
                edges.extend(
                    self.objects
                        .iter()
                        .position(|other| {
                            other.identity.kind == "Service"
                                && other.identity.namespace.as_deref() == Some(there)
                                && other.identity.name == wanted.name.as_str()
                        })
                        .map(|target| (target, place)),
                );
            }
            graph.insert(index, edges);
        }
        graph
    }
}

/// The shortest cycle through a node: its nodes in order from `start`, each with the place of the edge that leaves it.
fn cycle_through(graph: &BTreeMap<usize, Vec<(usize, usize)>>, start: usize) -> Option<Vec<(usize, usize)>> {
    let mut came_from: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &(next, place) in graph.get(&node).map(Vec::as_slice).unwrap_or_default() {
            if next == start {
                let mut cycle = vec![(node, place)];
                while cycle.last().is_some_and(|(last, _)| *last != start) {
                    let (last, _) = *cycle.last()?;
                    cycle.push(*came_from.get(&last)?);
                }
                cycle.reverse();
                return Some(cycle);
            }
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                (node, place)
            });
        }
    }
    None
}
