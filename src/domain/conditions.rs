//! Conditions: every type of a kind on the first visit, `observedGeneration` on each, and a transition time that moves
//! only when the status does.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::limits::shorten;
use super::time::Instant;

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// The wanted state.
    True,
    /// Not the wanted state.
    False,
    /// Not known.
    Unknown,
}

impl ConditionStatus {
    /// The word of the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What is said of one condition type now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Type of the condition.
    pub kind: &'static str,
    /// Its status.
    pub status: ConditionStatus,
    /// One word why.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl Finding {
    /// The wanted state.
    pub fn yes(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status: ConditionStatus::True, reason, message: message.into() }
    }

    /// Not the wanted state.
    pub fn no(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status: ConditionStatus::False, reason, message: message.into() }
    }

    /// Not known.
    pub fn unknown(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { kind, status: ConditionStatus::Unknown, reason, message: message.into() }
    }
}

/// What is remembered of a written condition: enough to keep its transition time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    kind: Box<str>,
    status: ConditionStatus,
    reason: Box<str>,
    since: Instant,
}

impl Remembered {
    /// Whether it is the condition of this type, and true.
    pub fn is_true(&self, kind: &str) -> bool {
        *self.kind == *kind && self.status == ConditionStatus::True
    }

    /// What is remembered of the conditions of an object.
    pub fn from_conditions(conditions: &[Condition]) -> Vec<Self> {
        conditions
            .iter()
            .map(|condition| Self {
                kind: condition.type_.as_str().into(),
                status: match condition.status.as_str() {
                    "True" => ConditionStatus::True,
                    "False" => ConditionStatus::False,
                    _ => ConditionStatus::Unknown,
                },
                reason: condition.reason.as_str().into(),
                since: Instant::from_ms(condition.last_transition_time.0.as_millisecond()),
            })
            .collect()
    }
}

/// A condition whose status or reason changed; what an Event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What is said now.
    pub finding: Finding,
    /// The status before.
    pub before: ConditionStatus,
}

/// Writes findings down as conditions, and names those that changed since they were last written.
pub fn write(
    findings: Vec<Finding>,
    remembered: &[Remembered],
    generation: i64,
    now: Instant,
) -> (Vec<Condition>, Vec<Transition>) {
    let mut transitions = Vec::new();
    let conditions = findings
        .into_iter()
        .map(|finding| {
            let before = remembered.iter().find(|before| *before.kind == *finding.kind);
            let since = before.filter(|before| before.status == finding.status).map_or(now, |before| before.since);
            if let Some(before) = before
                && (before.status != finding.status || *before.reason != *finding.reason)
            {
                transitions.push(Transition { finding: finding.clone(), before: before.status });
            }
            Condition {
                type_: finding.kind.to_owned(),
                status: finding.status.as_str().to_owned(),
                reason: finding.reason.to_owned(),
                message: shorten(&finding.message),
                observed_generation: Some(generation),
                // Conditions have whole seconds; a fraction would come back cut and look like a change.
                last_transition_time: Time(whole_second(since)),
            }
        })
        .collect();
    (conditions, transitions)
}

fn whole_second(at: Instant) -> k8s_openapi::jiff::Timestamp {
    k8s_openapi::jiff::Timestamp::from_second(at.as_ms().div_euclid(1000)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let at = |s: i64| Instant::from_ms(s * 1000);
        let (first, none) = write(vec![Finding::yes("Ready", "Active", "")], &[], 1, at(10));
        assert!(none.is_empty(), "the first visit is no transition");
        let remembered = Remembered::from_conditions(&first);
        let (second, moved) = write(vec![Finding::yes("Ready", "Finished", "")], &remembered, 2, at(20));
        assert_eq!(second[0].last_transition_time, first[0].last_transition_time);
        assert_eq!(second[0].observed_generation, Some(2));
        assert_eq!(moved.len(), 1, "another reason is told");
        let (third, moved) = write(vec![Finding::no("Ready", "Conflict", "")], &remembered, 2, at(30));
        assert_ne!(third[0].last_transition_time, first[0].last_transition_time);
        assert_eq!(moved[0].before, ConditionStatus::True);
    }
}
