//! Reading the targets of an agreement.

use std::sync::Arc;

use crate::api::agreement::{ErrorBudget, Method, Probe, Target, TargetKind, Unmeasured};
use crate::api::values::DurationText;
use crate::domain::accounting::Yardstick;
use crate::domain::decimal::Decimal;
use crate::domain::probe::{Address, ProbeRules, ProbeTerms};
use crate::domain::reliability;
use crate::domain::time::{HOUR_MS, SECOND_MS};
use crate::domain::violation::Violation;

use super::{TargetTerms, read_duration, read_percent};

/// From one try to the next, unless the target says otherwise.
const PROBE_INTERVAL_MS: i64 = 30 * SECOND_MS;
/// How long a try waits for its answer, unless the target says otherwise.
const PROBE_TIMEOUT_MS: i64 = 5 * SECOND_MS;
/// Most tries in a row that a decision may ask for.
const PROBE_ROW: u32 = 100;

/// Reads an objective: above 0 and below 100.
pub fn read_objective(text: &str) -> Result<Decimal, String> {
    match Decimal::parse(text) {
        Err(error) => Err(error.to_string()),
        Ok(Decimal::ZERO) => Err("an objective is above 0; try \"99.9\"".to_owned()),
        Ok(objective) if objective >= Decimal::HUNDRED => {
            Err("100 leaves no error budget; 99.99 allows 4 min 19 s in 30 days".to_owned())
        }
        Ok(objective) => Ok(objective),
    }
}

/// Reads the targets; what is wrong is added to `found`.
pub(super) fn read_targets(
    targets: &[Target],
    unmeasured: &Unmeasured,
    warn_at: Decimal,
    found: &mut Vec<Violation>,
) -> Vec<TargetTerms> {
    if targets.is_empty() {
        found.push(Violation::new("spec.targets", "agree on at least one target"));
    }
    let min_coverage = read_percent(unmeasured.min_coverage.as_ref(), "99", "spec.unmeasured.minCoverage", found);
    let mut read: Vec<TargetTerms> = Vec::with_capacity(targets.len());
    for (index, target) in targets.iter().enumerate() {
        let field = format!("spec.targets[{index}]");
        if read.iter().any(|other| *other.name == *target.name.as_str()) {
            found
                .push(Violation::new(format!("{field}.name"), format!("{:?} occurs twice; rename one", target.name.0)));
        }
        let yardstick = Yardstick {
            objective: None,
            degraded_counts: Decimal::ZERO,
            treat_as: unmeasured.treat_as.unwrap_or_default(),
            min_coverage,
            warn_at,
        };
        read.push(match target.kind {
            TargetKind::Availability => read_availability(target, &field, yardstick, found),
            TargetKind::Reliability => reliability::read_target(target, &field, yardstick, found),
        });
    }
    reliability::share_outages(&mut read);
    read
}

fn read_availability(target: &Target, field: &str, yardstick: Yardstick, found: &mut Vec<Violation>) -> TargetTerms {
    reliability::refuse_limits(target, field, found);
    let objective = match &target.objective {
        Some(text) => read_objective(text.as_str()),
        None => Err("an Availability target needs one, such as \"99.9\"".to_owned()),
    };
    let objective = objective.map_err(|message| found.push(Violation::new(format!("{field}.objective"), message))).ok();
    if target.method.is_none() {
        found.push(Violation::new(format!("{field}.method"), "say how availability is measured, such as Readiness"));
    }
    refuse_other_details(target, field, found);
    let readiness = target.readiness.clone().unwrap_or_default();
    let degraded_counts = readiness.degraded_counts.as_ref().map_or(Decimal::ZERO, |share| {
        Decimal::parse(share.as_str()).ok().filter(|share| *share <= Decimal::ONE).unwrap_or_else(|| {
            found.push(Violation::new(
                format!("{field}.readiness.degradedCounts"),
                format!("{:?} is not a decimal from \"0\" to \"1\" with at most 4 decimals", share.0),
            ));
            Decimal::ZERO
        })
    });
    let min_outage_ms = readiness
        .min_outage
        .as_ref()
        .map_or(0, |text| read_duration(text, &format!("{field}.readiness.minOutage"), found));
    TargetTerms {
        name: target.name.as_str().into(),
        kind: target.kind,
        method: target.method.unwrap_or_default(),
        contractual: target.contractual.unwrap_or(true),
        yardstick: Yardstick { objective, degraded_counts, ..yardstick },
        components: (!readiness.components.is_empty())
            .then(|| readiness.components.iter().map(|name| Arc::from(name.as_str())).collect()),
        probe: target
            .probe
            .as_ref()
            .and_then(|probe| read_probe(probe, &format!("{field}.probe"), found))
            .map(Arc::new),
        min_outage_ms,
        limits: None,
    }
}

/// Each method has its own details.
fn refuse_other_details(target: &Target, field: &str, found: &mut Vec<Violation>) {
    let Some(method) = target.method else { return };
    if method == Method::Probe && target.probe.is_none() {
        found.push(Violation::new(format!("{field}.probe"), "method Probe needs it; write probe.url"));
    }
    if method != Method::Probe && target.probe.is_some() {
        let message = "only method Probe has it; remove it, or write method Probe";
        found.push(Violation::new(format!("{field}.probe"), message));
    }
    if method != Method::Readiness && target.readiness.is_some() {
        found.push(Violation::new(format!("{field}.readiness"), "only method Readiness has it; remove it"));
    }
}

fn read_probe(probe: &Probe, field: &str, found: &mut Vec<Violation>) -> Option<ProbeTerms> {
    let mut read = |text: &Option<DurationText>, name: &str, default_ms: i64| {
        text.as_ref().map_or(default_ms, |text| read_duration(text, &format!("{field}.{name}"), found))
    };
    let interval_ms = read(&probe.interval, "interval", PROBE_INTERVAL_MS);
    let timeout_ms = read(&probe.timeout, "timeout", PROBE_TIMEOUT_MS.min(interval_ms));
    if !(SECOND_MS..=HOUR_MS).contains(&interval_ms) {
        found.push(Violation::new(format!("{field}.interval"), "an address is tried each 1s to 1h; write such as 30s"));
    }
    if timeout_ms < 1 || timeout_ms > interval_ms {
        let message = "a try ends before the next begins; write at least 1ms and at most the interval";
        found.push(Violation::new(format!("{field}.timeout"), message));
    }
    let mut count = |given: Option<u32>, name: &str, default: u32| {
        let count = given.unwrap_or(default);
        if !(1..=PROBE_ROW).contains(&count) {
            found.push(Violation::new(format!("{field}.{name}"), format!("write 1 to {PROBE_ROW} tries in a row")));
        }
        count
    };
    let rules = ProbeRules {
        interval_ms,
        fail_after: count(probe.fail_after, "failAfter", 2),
        recover_after: count(probe.recover_after, "recoverAfter", 1),
    };
    let address = Address::parse(probe.url.as_str());
    let address = address.map_err(|message| found.push(Violation::new(format!("{field}.url"), message))).ok()?;
    Some(ProbeTerms { address, timeout_ms, rules })
}

/// Index of the target whose error budget is shown.
pub(super) fn read_headline(budget: &ErrorBudget, targets: &[TargetTerms], found: &mut Vec<Violation>) -> usize {
    let Some(name) = &budget.target else {
        let first = |contractual: bool| {
            targets.iter().position(|target| target.limits.is_none() && (target.contractual || !contractual))
        };
        return first(true).or_else(|| first(false)).unwrap_or(0);
    };
    let Some(index) = targets.iter().position(|target| *target.name == *name.as_str()) else {
        found.push(Violation::new("spec.errorBudget.target", format!("no target is named {:?}", name.0)));
        return 0;
    };
    if targets[index].limits.is_some() {
        let message = format!("{name} has no error budget; name a target with an objective");
        found.push(Violation::new("spec.errorBudget.target", message));
    }
    index
}
