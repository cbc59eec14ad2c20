//! What an agreement says about maintenance and exclusions, with the defaults applied.

use std::sync::Arc;

use crate::api::ServiceLevelAgreementSpec;
use crate::api::agreement::ExclusionCause;
use crate::api::values::DurationText;
use crate::domain::duration::parse_duration_ms;
use crate::domain::time::HOUR_MS;
use crate::domain::violation::Violation;

/// Default of `plannedMaintenance.minNotice`.
const MIN_NOTICE_MS: i64 = 72 * HOUR_MS;
/// Default of `plannedMaintenance.maxPerPeriod`.
const MAX_PER_PERIOD_MS: i64 = 4 * HOUR_MS;

/// A named window of a calendar that counts as announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingWindow {
    /// Name of the calendar.
    pub calendar: Arc<str>,
    /// Name of the window in it.
    pub name: Arc<str>,
}

/// What an agreement says about maintenance and exclusions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceTerms {
    /// Whether loss in announced maintenance is excluded.
    pub exclude: bool,
    /// How long before its start a change must be approved and told.
    pub min_notice_ms: i64,
    /// Most loss that maintenance excludes in one period.
    pub cap_ms: i64,
    /// The standing windows.
    pub windows: Vec<StandingWindow>,
    /// Causes that both parties may agree to exclude.
    pub causes: Vec<ExclusionCause>,
}

impl MaintenanceTerms {
    /// Nothing is excluded: of a Service without agreement.
    pub fn nothing() -> Self {
        Self { exclude: false, min_notice_ms: 0, cap_ms: 0, windows: Vec::new(), causes: Vec::new() }
    }

    /// Reads a spec; what is wrong is added to `found`.
    pub fn from_spec(spec: &ServiceLevelAgreementSpec, found: &mut Vec<Violation>) -> Self {
        let written = spec.planned_maintenance.clone().unwrap_or_default();
        let mut windows: Vec<StandingWindow> = Vec::with_capacity(written.windows.len());
        for (index, window) in written.windows.iter().enumerate() {
            let read = StandingWindow { calendar: window.calendar.as_str().into(), name: window.name.as_str().into() };
            if windows.contains(&read) {
                let message = format!("{} of calendar {} occurs twice; remove one", read.name, read.calendar);
                found.push(Violation::new(format!("spec.plannedMaintenance.windows[{index}]"), message));
            }
            windows.push(read);
        }
        for (index, cause) in spec.exclusions.iter().enumerate() {
            if spec.exclusions[..index].contains(cause) {
                found.push(Violation::new(format!("spec.exclusions[{index}]"), "occurs twice; remove one"));
            }
        }
        Self {
            exclude: written.exclude.unwrap_or(true),
            min_notice_ms: read_duration(written.min_notice.as_ref(), MIN_NOTICE_MS, "minNotice", found),
            cap_ms: read_duration(written.max_per_period.as_ref(), MAX_PER_PERIOD_MS, "maxPerPeriod", found),
            windows,
            causes: spec.exclusions.clone(),
        }
    }

    /// The standing windows that count; none where nothing is excluded.
    pub fn standing(&self) -> &[StandingWindow] {
        if self.exclude { &self.windows } else { &[] }
    }
}

fn read_duration(text: Option<&DurationText>, default_ms: i64, name: &str, found: &mut Vec<Violation>) -> i64 {
    let Some(text) = text else { return default_ms };
    parse_duration_ms(text.as_str()).unwrap_or_else(|error| {
        found.push(Violation::new(format!("spec.plannedMaintenance.{name}"), error.to_string()));
        default_ms
    })
}
