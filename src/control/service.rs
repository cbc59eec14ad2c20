//! The status of a Service.

use crate::api::ServiceStatus;
use crate::api::service::{AgreementsStatus, AvailabilityStatus, ComponentStatus, DependencyStatus, State};
use crate::domain::accounting::{Figures, Verdict, classify};
use crate::domain::agreement::Terms;
use crate::domain::conditions::Finding;
use crate::domain::decimal::Fraction;
use crate::domain::limits::CYCLE_NAMES;
use crate::domain::period::rolling_window;
use crate::domain::readiness::Observation;
use crate::domain::reason::Reason;
use crate::domain::report::with_rolled_edge;
use crate::domain::service::{Composite, ServiceRules};
use crate::domain::time::{Instant, Interval};
use crate::domain::tracker::ServiceTracker;

use super::world::ServiceEntry;

/// What the status of a Service shows of others.
#[derive(Debug, Default)]
pub struct Around {
    /// States of its dependencies, in order; none where there is no such Service.
    pub dependencies: Vec<Option<State>>,
    /// Dependencies that do not resolve: names and the Service each asks for.
    pub unresolved: Vec<(String, String)>,
    /// Dependencies whose agreement does not resolve: names and the agreement each asks for.
    pub unresolved_agreements: Vec<(String, String)>,
    /// Verdicts of its agreements.
    pub verdicts: Vec<Option<Verdict>>,
    /// Sources that show nothing now, and why.
    pub lost: Vec<String>,
    /// A source that the operator may not read, if it is measured by one.
    pub forbidden: Option<String>,
}

/// The status of a Service at an instant; states hold up to `horizon`.
pub fn status(entry: &ServiceEntry, around: &Around, now: Instant, horizon: Instant) -> (ServiceStatus, Vec<Finding>) {
    let mut status = ServiceStatus {
        stage: Some(entry.stage),
        criticality: Some(entry.criticality),
        as_of: Some(now.format_utc()),
        agreements: Some(AgreementsStatus {
            count: around.verdicts.len() as u32,
            worst: around.verdicts.iter().flatten().max().map(|verdict| verdict.as_str().to_owned()),
        }),
        ..ServiceStatus::default()
    };
    let Some(tracker) = &entry.tracker else {
        return (status, findings(entry, None, around));
    };
    let composite = shown_state(tracker, horizon < now);
    status.availability = Some(availability(entry, composite, now, horizon));
    for (rules, tracked) in tracker.rules().components.iter().zip(tracker.members()) {
        let (ready, wanted) = match tracked.observation {
            Observation::Counted { ready, desired } => (Some(ready), desired),
            _ => (None, None),
        };
        status.components.push(ComponentStatus {
            name: rules.name.to_string(),
            state: tracked.member.state,
            reason: Some(tracked.member.reason.as_str().to_owned()),
            ready,
            wanted,
            since: tracked.since.map(Instant::format_utc),
        });
    }
    for (rules, state) in tracker.rules().dependencies.iter().zip(&around.dependencies) {
        status
            .dependencies
            .push(DependencyStatus { name: rules.name.to_string(), state: state.unwrap_or(State::Unknown) });
    }
    (status, findings(entry, Some((tracker, composite)), around))
}

/// While a source is lost, what is shown is Unknown: nobody knows.
fn shown_state(tracker: &ServiceTracker, lost: bool) -> Composite {
    let composite = tracker.composite();
    if lost && composite.state != State::Unknown {
        return Composite { state: State::Unknown, reason: Reason::NotObserved, member: composite.member };
    }
    composite
}

fn availability(entry: &ServiceEntry, composite: Composite, now: Instant, horizon: Instant) -> AvailabilityStatus {
    let mut status = AvailabilityStatus { state: composite.state, ..AvailabilityStatus::default() };
    let Some(line) = entry.record.lines.first() else { return status };
    status.since = line.timeline.last().map(|last| last.at.format_utc());
    let Some(first) = line.timeline.entries().first().map(|first| first.at) else { return status };
    let window = rolling_window(30, now);
    let Some(observed) = Interval::new(window.from.max(first), now) else { return status };
    let observed = with_rolled_edge(observed, &line.timeline);
    if first > window.from {
        status.history_since = Some(first.format_utc());
    }
    let sums = classify(line.timeline.segments(observed, horizon), &[observed]);
    let figures = Figures::closed(sums, Terms::implicit(&entry.record.service).targets[0].yardstick);
    status.ratio_30d = figures.availability().map(Fraction::percent);
    status.coverage_30d = figures.coverage().map(Fraction::percent);
    status.lowest_30d = figures.lowest().map(Fraction::percent);
    status.highest_30d = figures.highest().map(Fraction::percent);
    status
}

fn findings(entry: &ServiceEntry, tracked: Option<(&ServiceTracker, Composite)>, around: &Around) -> Vec<Finding> {
    vec![
        ready(entry, tracked, around),
        observed(entry, tracked, around),
        available(tracked),
        dependencies_available(tracked, around),
    ]
}

fn ready(entry: &ServiceEntry, tracked: Option<(&ServiceTracker, Composite)>, around: &Around) -> Finding {
    if !entry.problems.is_empty() {
        let used = if tracked.is_some() { "; the last valid version stays in use" } else { "" };
        return Finding::no("Ready", "InvalidSpec", format!("{}{used}", super::join(&entry.problems)));
    }
    if let Some(source) = &around.forbidden {
        return Finding::no("Ready", "PermissionMissing", source.clone());
    }
    if let Some((name, other)) = around.unresolved.first() {
        let message = format!(
            "dependencies: {name}: Service {other} was not found; create it, or let it list this namespace in sharedWith"
        );
        return Finding::no("Ready", "ReferenceNotFound", message);
    }
    if let Some((name, other)) = around.unresolved_agreements.first() {
        let what = agreement_not_found(other);
        return Finding::no("Ready", "ReferenceNotFound", format!("dependencies: {name}: {what}"));
    }
    if !entry.cycle.is_empty() {
        let mut names: Vec<&str> = entry.cycle.iter().take(CYCLE_NAMES).map(AsRef::as_ref).collect();
        names.push(if entry.cycle.len() > CYCLE_NAMES { "…" } else { names[0] });
        let message = format!("dependencies: {}; these edges decide nothing, remove one", names.join(" → "));
        return Finding::no("Ready", "DependencyCycle", message);
    }
    let Some((tracker, _)) = tracked else {
        return Finding::unknown("Ready", "Pending", "not looked at yet");
    };
    let unseen: Vec<&str> = unseen(tracker).collect();
    if unseen.len() == tracker.rules().components.len() && entry.stage.is_measured() {
        let message =
            format!("components: nothing was found for {}; create it, or correct the names", unseen.join(", "));
        return Finding::no("Ready", "NoComponentFound", message);
    }
    Finding::yes("Ready", "Active", "in use")
}

/// The same for an agreement that does not exist and for one that is not shared, so that no name leaks.
pub(super) fn agreement_not_found(other: &str) -> String {
    format!(
        "ServiceLevelAgreement {other} was not found; create it, or let its Service list this namespace in sharedWith"
    )
}

fn unseen(tracker: &ServiceTracker) -> impl Iterator<Item = &str> {
    let components = tracker.rules().components.iter().zip(tracker.members());
    components
        .filter(|(_, tracked)| tracked.observation == Observation::Unknown(Reason::NeverSeen))
        .map(|(rules, _)| &*rules.name)
}

fn observed(entry: &ServiceEntry, tracked: Option<(&ServiceTracker, Composite)>, around: &Around) -> Finding {
    let Some((tracker, _)) = tracked else {
        return Finding::unknown("Observed", "Pending", "no valid spec yet");
    };
    if !around.lost.is_empty() {
        let message = format!("not watching {}; time from then on is unknown", around.lost.join(", "));
        return Finding::no("Observed", "WatchInterrupted", message);
    }
    if !entry.stage.is_measured() {
        return Finding::unknown("Observed", "Pending", format!("stage {:?} is not measured", entry.stage));
    }
    let unseen: Vec<&str> = unseen(tracker).collect();
    if !unseen.is_empty() {
        let message = format!("nothing was found for component {}", unseen.join(", "));
        return Finding::no("Observed", "SourceMissing", message);
    }
    Finding::yes("Observed", "Watching", "every component is watched")
}

fn available(tracked: Option<(&ServiceTracker, Composite)>) -> Finding {
    let Some((tracker, composite)) = tracked else {
        return Finding::unknown("Available", "NotObserved", "no valid spec yet");
    };
    let reason = composite.reason.as_str();
    let message = explain(tracker.rules(), tracker, composite);
    match composite.state {
        State::Up | State::Degraded => Finding::yes("Available", reason, message),
        State::Down => Finding::no("Available", reason, message),
        State::Unknown => Finding::unknown("Available", reason, message),
    }
}

/// What decides the state, in words an engineer can act on.
fn explain(rules: &ServiceRules, tracker: &ServiceTracker, composite: Composite) -> String {
    let Some(index) = composite.member else {
        return match composite.reason {
            Reason::Idle => "scaled to zero on purpose".to_owned(),
            Reason::RedundancyLost => "a redundant member is down, enough others are up".to_owned(),
            Reason::StageNotMeasured => "the stage of the service is not measured".to_owned(),
            _ => "every critical component has enough ready".to_owned(),
        };
    };
    let name = rules.member_name(index).map_or("", AsRef::as_ref);
    let needed = rules.components.get(index).map(|component| component.thresholds);
    match (tracker.members()[index].observation, needed) {
        (Observation::Counted { ready, desired }, Some(thresholds)) => {
            let basis = desired.unwrap_or(ready);
            let wanted = match (composite.state, thresholds.degraded_below) {
                (State::Degraded, Some(wanted)) => format!("{} wanted", wanted.of(basis)),
                _ => format!("at least {} needed", thresholds.min_ready.of(basis)),
            };
            format!("{name}: {ready} ready, {wanted}")
        }
        _ => format!("{name}: {}", composite.reason.as_str()),
    }
}

fn dependencies_available(tracked: Option<(&ServiceTracker, Composite)>, around: &Around) -> Finding {
    const KIND: &str = "DependenciesAvailable";
    let Some((tracker, _)) = tracked else {
        return Finding::unknown(KIND, "DependencyNotObserved", "no valid spec yet");
    };
    let rules = &tracker.rules().dependencies;
    let named = |wanted: Option<State>| -> Vec<&str> {
        let known = rules.iter().zip(&around.dependencies).filter(|(rules, _)| rules.service.is_some());
        known.filter(|(_, state)| **state == wanted).map(|(rules, _)| &*rules.name).collect()
    };
    let down = named(Some(State::Down));
    let unknown = [named(Some(State::Unknown)), named(None)].concat();
    if rules.is_empty() {
        Finding::yes(KIND, "NoDependencies", "it depends on nothing")
    } else if !down.is_empty() {
        Finding::no(KIND, "DependencyDown", format!("down: {}", down.join(", ")))
    } else if !unknown.is_empty() {
        Finding::unknown(KIND, "DependencyNotObserved", format!("unknown: {}", unknown.join(", ")))
    } else {
        Finding::yes(KIND, "AllAvailable", "all dependencies are available")
    }
}
