//! The sentences of a report: what a verdict means, and what its figures rest on.

use serde::Serialize;

use super::Document;
use crate::api::ServiceLevelAgreementSpec;
use crate::api::report::{Phase, TargetFigures, TargetTimes};

/// Who agreed, in the words of the agreement; a report itself holds only its name and digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parties {
    /// Who receives the service.
    pub customer: Option<String>,
    /// Who delivers it.
    pub provider: Option<String>,
}

impl Parties {
    /// The parties of an agreement.
    pub fn of(spec: &ServiceLevelAgreementSpec) -> Self {
        Self {
            customer: spec.customer.as_ref().map(|party| party.name.clone()),
            provider: spec.provider.as_ref().map(|party| party.name.clone()),
        }
    }
}

/// What the verdict of a report means, in one sentence.
pub fn verdict_sentence(document: &Document) -> &'static str {
    match document.result.as_deref() {
        Some("Met") => "Every contractual target reached its objective in this period.",
        Some("Missed") => "At least one contractual target did not reach its objective in this period.",
        Some("OnTrack") => "The period still runs; so far every contractual target keeps to its error budget.",
        Some("AtRisk") => {
            "The period still runs; the error budget of at least one contractual target is nearly used, or unknown time \
             may have used it."
        }
        Some("Breached") => {
            "The period still runs, but at least one contractual target cannot reach its objective any more."
        }
        Some("Indeterminate") => {
            "Too little is known for a verdict: at least one contractual target has no service time or was observed for \
             less of it than the agreement asks."
        }
        Some(_) => "This program does not know the verdict.",
        None => "Nothing was agreed that could be reached or missed, so there is no verdict.",
    }
}

/// What the phase means for the figures.
pub fn phase_sentence(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "the period runs, the figures still change",
        Phase::Provisional => "the period is over, late facts may still change the figures",
        Phase::Closed => "final",
    }
}

/// How time without observation took part in a figure. It is seen from the figure itself: what availability is a share
/// of either contains unknown time or does not.
pub fn unknown_sentence(times: &TargetTimes) -> &'static str {
    if times.unknown == 0 {
        "all of its service time was observed"
    } else if times.base == times.service - times.excluded {
        "time without observation counts as lost, as agreed"
    } else {
        "time without observation is left out of the figure, as agreed; the bounds show what it could change"
    }
}

/// Why a verdict is Indeterminate, or that a missing fact could change it.
pub fn certainty_sentence(target: &TargetFigures) -> Option<String> {
    match (target.reason.as_deref(), &target.result) {
        (Some("NoServiceTime"), _) => Some("no verdict: the part has no service time".to_owned()),
        (Some("LowCoverage"), _) => Some("no verdict: less was observed than the agreement asks".to_owned()),
        (Some(reason), _) => Some(format!("no verdict: {reason}")),
        (None, Some(_)) if !target.certain => {
            Some("the verdict could be another if all unknown time were up, or all of it down".to_owned())
        }
        _ => None,
    }
}
