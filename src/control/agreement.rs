//! The status of an agreement.

use crate::api::ServiceLevelAgreementStatus;
use crate::api::agreement::{ClassTimes, CurrentState, InForce, LastReport, PeriodStatus, TargetStatus};
use crate::api::service::State;
use crate::domain::accounting::Verdict;
use crate::domain::agreement::{Schedule, TargetTerms, Terms};
use crate::domain::budget::budget_available;
use crate::domain::chain::Chain;
use crate::domain::conditions::Finding;
use crate::domain::decimal::Fraction;
use crate::domain::period::Period;
use crate::domain::report::{Judged, JudgedTarget, headline};
use crate::domain::term::review_current;
use crate::domain::time::Instant;
use crate::domain::timeline::Entry;
use crate::domain::version::Version;

use super::service::agreement_not_found;
use super::world::AgreementEntry;

/// Why an agreement cannot be measured as it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its Service does not exist.
    ServiceNotFound(String),
    /// Its calendar does not exist or was never valid.
    CalendarNotFound(String),
    /// A calendar has no window of the name; the agreement is measured without it.
    WindowNotFound(String),
    /// A target names components that the Service does not have.
    ComponentNotFound(String),
}

/// What the status of an agreement shows.
pub struct Shown<'a> {
    /// The version in force.
    pub version: &'a Version<Terms>,
    /// The running period.
    pub period: &'a Period,
    /// The periods of the agreement.
    pub schedule: &'a Schedule<'a>,
    /// The period judged so far; none where an obstacle forbids figures.
    pub judged: Option<&'a Judged>,
    /// The state of the headline line now.
    pub current: Option<&'a Entry>,
    /// Name of the open report.
    pub open_report: String,
    /// The report closed last: its name and verdict.
    pub last_report: Option<(String, String)>,
    /// What stands in the way.
    pub obstacle: Option<Obstacle>,
    /// Since when a source is lost.
    pub lost_since: Option<Instant>,
    /// What it rests on.
    pub chain: &'a Chain,
    /// When the parties have to have reviewed it.
    pub review_due: Option<Instant>,
}

/// The status of an agreement at an instant.
pub fn status(entry: &AgreementEntry, shown: &Shown<'_>, now: Instant) -> (ServiceLevelAgreementStatus, Vec<Finding>) {
    let zone = &shown.schedule.rules_at(now).zone;
    let mut status = ServiceLevelAgreementStatus {
        kind: Some(entry.kind),
        in_force: Some(InForce { digest: shown.version.digest.to_string(), since: shown.version.since.format_utc() }),
        period: Some(PeriodStatus {
            key: shown.period.key.to_string(),
            start: shown.period.start.format_in(zone),
            end: shown.period.end.format_in(zone),
        }),
        as_of: Some(now.format_utc()),
        proved_until: shown.lost_since.map(Instant::format_utc),
        open_report: Some(shown.open_report.clone()),
        last_report: shown.last_report.clone().map(|(name, verdict)| LastReport { name, verdict }),
        current: shown.current.map(|current| CurrentState {
            state: if shown.lost_since.is_some() { State::Unknown } else { current.state },
            since: current.at.format_utc(),
            component: current.component.as_deref().map(str::to_owned),
            reason: current.reason.map(|reason| reason.as_str().to_owned()),
        }),
        ..ServiceLevelAgreementStatus::default()
    };
    let verdict = shown.judged.and_then(|judged| judged.verdict);
    status.state = Some(verdict.unwrap_or(Verdict::Indeterminate).as_str().to_owned());
    if let Some(target) = shown.judged.and_then(Judged::headline) {
        let mut figures = headline(target);
        figures.down = None;
        figures.excluded = None;
        status.coverage = figures.coverage.take();
        status.headline = Some(figures);
        let sums = target.figures.sums();
        status.ms = Some(ClassTimes {
            elapsed: sums.elapsed(),
            out_of_hours: sums.out_of_hours,
            service: sums.service(),
            excluded: sums.excluded,
            unknown: sums.unknown,
            down: sums.down,
            degraded: sums.degraded,
            up: sums.up,
        });
    }
    if let Some(part) = shown.judged.and_then(|judged| judged.parts.last()) {
        status.targets = part.targets.iter().map(target_status).collect();
    }
    let support = shown.chain.judge();
    status.weakest_link = support.weakest;
    let mut findings = findings(entry, shown, now);
    findings.push(support.finding);
    findings.push(review_current(shown.review_due, zone, now).0);
    (status, findings)
}

fn target_status(target: &JudgedTarget) -> TargetStatus {
    let figures = &target.figures;
    // A Reliability target is about outages, not about a share of time.
    let share = |fraction: Option<Fraction>| fraction.filter(|_| target.reliability.is_none()).map(Fraction::percent);
    TargetStatus {
        name: target.terms.name.to_string(),
        objective: target.terms.yardstick.objective.map(|objective| objective.to_string()),
        actual: share(figures.availability()),
        lowest: share(figures.lowest()),
        highest: share(figures.highest()),
        raw: share(figures.raw()),
        verdict: target.judgement.map_or("Indeterminate", |judgement| judgement.verdict.as_str()).to_owned(),
        certain: target.judgement.is_some_and(|judgement| judgement.certain),
        budget_ms: figures.budget_ms(),
        budget_left_ms: figures.budget_left_ms(),
        budget_left: figures.budget_left().map(Fraction::percent_tenths),
        reason: target.judgement.and_then(|judgement| judgement.reason).map(str::to_owned),
        reliability: target.reliability.clone(),
    }
}

/// What is said of an agreement whose spec was never valid.
pub fn invalid(entry: &AgreementEntry) -> (ServiceLevelAgreementStatus, Vec<Finding>) {
    let status = ServiceLevelAgreementStatus { kind: Some(entry.kind), ..ServiceLevelAgreementStatus::default() };
    let pending = |kind| Finding::unknown(kind, "Pending", "no valid spec yet");
    let findings = vec![
        Finding::no("Ready", "InvalidSpec", super::join(&entry.problems)),
        pending("Agreed"),
        pending("Measured"),
        pending("TargetsMet"),
        Finding::unknown("BudgetAvailable", "Indeterminate", "no valid spec yet"),
        Finding::unknown("TargetsSupported", "NoObjective", "no valid spec yet"),
        pending("ReviewCurrent"),
    ];
    (status, findings)
}

fn findings(entry: &AgreementEntry, shown: &Shown<'_>, now: Instant) -> Vec<Finding> {
    vec![ready(entry, shown), agreed(shown, now), measured(shown), targets_met(shown), budget(shown)]
}

fn ready(entry: &AgreementEntry, shown: &Shown<'_>) -> Finding {
    if !entry.problems.is_empty() {
        let message = format!("{}; the last valid version stays in use", super::join(&entry.problems));
        return Finding::no("Ready", "InvalidSpec", message);
    }
    match &shown.obstacle {
        Some(
            Obstacle::ServiceNotFound(message)
            | Obstacle::CalendarNotFound(message)
            | Obstacle::WindowNotFound(message)
            | Obstacle::ComponentNotFound(message),
        ) => Finding::no("Ready", "ReferenceNotFound", message.clone()),
        None => match shown.chain.unresolved.first() {
            Some((place, other)) => {
                let what = agreement_not_found(&format!("{}/{}", other.namespace, other.name));
                Finding::no("Ready", "ReferenceNotFound", format!("underpinnedBy[{place}]: {what}"))
            }
            None => Finding::yes("Ready", "Active", "in use"),
        },
    }
}

fn agreed(shown: &Shown<'_>, now: Instant) -> Finding {
    let terms = &shown.version.value;
    if now >= terms.end() {
        return Finding::no("Agreed", "Expired", format!("expired at {}", terms.end().format_in(&terms.period.zone)));
    }
    match terms.begins() {
        Some(begins) if now < begins => {
            let message = format!("begins at {}", begins.format_in(&terms.period.zone));
            Finding::no("Agreed", "NotYetStarted", message)
        }
        _ => {
            let mut message = "in force since the API server accepted it".to_owned();
            if let Some((since, rules)) = shown.schedule.next_change(now) {
                let (since, zone) = (since.format_in(&shown.schedule.rules_at(now).zone), rules.zone_name());
                let kind = rules.kind.as_str();
                message += &format!("; periods become {kind} in {zone} when the running one ends, at {since}");
            }
            Finding::yes("Agreed", "SignaturesNotRequired", message)
        }
    }
}

fn measured(shown: &Shown<'_>) -> Finding {
    if shown.lost_since.is_some() {
        return Finding::no("Measured", "SourceMissing", "a source shows nothing; time from then on is unknown");
    }
    let is_probed = |target: &&TargetTerms| target.probe.is_some();
    let probed: Vec<&str> = shown.version.value.targets.iter().filter(is_probed).map(|target| &*target.name).collect();
    if !probed.is_empty() {
        let message = format!(
            "targets: {}: method Probe: this version of the operator tries no addresses, so the time of these targets is \
             unknown; assize replay judges tries of a log",
            probed.join(", ")
        );
        return Finding::no("Measured", "NotMeasurable", message);
    }
    let Some(judged) = shown.judged else {
        return Finding::unknown("Measured", "Pending", "no figures yet");
    };
    let targets = || judged.parts.iter().flat_map(|part| &part.targets);
    if targets().any(|target| target.judgement.is_some_and(|judgement| judgement.reason == Some("LowCoverage"))) {
        let message = "too little of the service time was observed for a verdict";
        return Finding::no("Measured", "LowCoverage", message);
    }
    match shown.current {
        Some(current) if current.state == State::Unknown => {
            let reason = current.reason.map_or("NotObserved", |reason| reason.as_str());
            Finding::no("Measured", "NoData", format!("nothing is observed now: {reason}"))
        }
        None => Finding::unknown("Measured", "Pending", "nothing was observed yet"),
        Some(_) => Finding::yes("Measured", "AllTargetsMeasured", "every target is measured"),
    }
}

fn targets_met(shown: &Shown<'_>) -> Finding {
    const KIND: &str = "TargetsMet";
    match shown.judged.and_then(|judged| judged.verdict) {
        None => Finding::unknown(KIND, "Pending", "no verdict yet"),
        Some(verdict @ (Verdict::OnTrack | Verdict::Met)) => Finding::yes(KIND, "OnTrack", worst(shown, verdict)),
        Some(verdict @ Verdict::AtRisk) => Finding::yes(KIND, "AtRisk", worst(shown, verdict)),
        Some(verdict @ (Verdict::Breached | Verdict::Missed)) => Finding::no(KIND, "Breached", worst(shown, verdict)),
        Some(verdict @ Verdict::Indeterminate) => Finding::unknown(KIND, "Indeterminate", worst(shown, verdict)),
    }
}

/// Which targets have this verdict.
fn worst(shown: &Shown<'_>, verdict: Verdict) -> String {
    let targets = shown.judged.into_iter().flat_map(|judged| &judged.parts).flat_map(|part| &part.targets);
    let mut names: Vec<&str> = targets
        .filter(|target| target.judgement.is_some_and(|judgement| judgement.verdict == verdict))
        .map(|target| &*target.terms.name)
        .collect();
    names.dedup();
    format!("{}: {}", verdict.as_str(), names.join(", "))
}

fn budget(shown: &Shown<'_>) -> Finding {
    let Some(target) = shown.judged.and_then(Judged::headline) else {
        return Finding::unknown("BudgetAvailable", "Indeterminate", "no figures yet");
    };
    if target.reliability.is_some() {
        let message = "no target has an objective, so there is no error budget";
        return Finding::unknown("BudgetAvailable", "Indeterminate", message);
    }
    budget_available(target, shown.version.value.spent_at)
}
