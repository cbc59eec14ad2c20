//! What the per-object families are computed from, at the moment of a scrape.

use crate::api::report::Phase;
use crate::api::service::State;
use crate::domain::accounting::{ClassSums, Verdict};

use super::metrics::{Detail, Metrics};

/// The operator's view of all objects, visited once a scrape on a thread that may block.
///
/// A visit should hold locks briefly: the sink copies names and numbers, and text is written only after the visit.
pub trait Snapshot: Send + Sync + 'static {
    /// Brings the families of the process up to date that follow what is observed; of every replica.
    fn refresh(&self, _metrics: &Metrics) {}

    /// Shows every object to the sink, in any order.
    fn visit(&self, sink: &mut dyn Sink);
}

/// Takes what a snapshot shows.
pub trait Sink {
    /// Which families are exported: what the others need has not to be computed.
    fn detail(&self) -> Detail;

    /// A Service.
    fn service(&mut self, sample: &ServiceSample<'_>);

    /// A component of a Service.
    fn component(&mut self, sample: &ComponentSample<'_>);

    /// A target of an agreement: an agreement with three targets is shown three times.
    fn agreement(&mut self, sample: &AgreementSample<'_>);

    /// What is kept of an agreement besides its targets; once an agreement, with [`Detail::Full`] only.
    fn ledger(&mut self, sample: &LedgerSample<'_>);

    /// A window of maintenance of an agreement; with [`Detail::Full`] only.
    fn maintenance(&mut self, sample: &MaintenanceSample<'_>);
}

/// A Service now.
#[derive(Clone, Copy, Debug)]
pub struct ServiceSample<'a> {
    /// Its namespace.
    pub namespace: &'a str,

    /// Its name.
    pub service: &'a str,

    /// Its state.
    pub state: State,
}

/// A component of a Service now.
#[derive(Clone, Copy, Debug)]
pub struct ComponentSample<'a> {
    /// Namespace of the Service.
    pub namespace: &'a str,

    /// Name of the Service.
    pub service: &'a str,

    /// Name of the component.
    pub component: &'a str,

    /// How many are ready; none if that is not known.
    pub ready: Option<u32>,

    /// How many the service needs; none if that is not known.
    pub required: Option<u32>,
}

/// A target of an agreement. What is not known is none, and shown as `NaN`: it compares false in every alert.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgreementSample<'a> {
    /// Its namespace.
    pub namespace: &'a str,

    /// Name of the agreement.
    pub agreement: &'a str,

    /// Name of the target.
    pub target: &'a str,

    /// Availability of the period to date, 0 to 1.
    pub availability_ratio: Option<f64>,

    /// The same, if all unknown time was down.
    pub lowest_ratio: Option<f64>,

    /// The same, if all unknown time was up.
    pub highest_ratio: Option<f64>,

    /// The same, with excluded time as lost.
    pub raw_ratio: Option<f64>,

    /// Share of the service time that was observed.
    pub coverage_ratio: Option<f64>,

    /// What was agreed; none: figures without a verdict.
    pub objective_ratio: Option<f64>,

    /// Share of the budget that is left; below 0 if it is overdrawn.
    pub budget_left_ratio: Option<f64>,

    /// The whole budget of the period.
    pub budget_ms: Option<i64>,

    /// Verdict on the period to date.
    pub verdict: Option<Verdict>,

    /// Time of the period by class, of the ledger: late evidence may take time back.
    pub period: ClassSums,

    /// All time by class, live, accrued up to this scrape: no class ever shrinks while the operator leads.
    pub classes: ClassSums,

    /// Burn rates, one a window; windows of length 0 are none.
    pub burn_rates: [BurnSample; BURN_WINDOWS],
}

/// Windows of burn rates with [`Detail::Full`].
pub const BURN_WINDOWS: usize = 7;

/// The burn rate over one window.
#[derive(Clone, Copy, Debug, Default)]
pub struct BurnSample {
    /// Length of the window; 0: none.
    pub window_ms: i64,

    /// The rate; none without service time in the window.
    pub rate: Option<f64>,
}

/// A window of maintenance of an agreement now.
#[derive(Clone, Copy, Debug)]
pub struct MaintenanceSample<'a> {
    /// Namespace of the agreement.
    pub namespace: &'a str,

    /// Name of the agreement.
    pub agreement: &'a str,

    /// What was agreed or approved: `calendar/window` of a standing window.
    pub change: &'a str,

    /// Whether it is in effect.
    pub is_active: bool,
}

/// What is kept of an agreement besides its targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct LedgerSample<'a> {
    /// Its namespace.
    pub namespace: &'a str,

    /// Name of the agreement.
    pub agreement: &'a str,

    /// Ledger entries that became sums while this process leads.
    pub rolled_up_entries: u64,

    /// Its last two periods: key and phase of the report.
    pub reports: [Option<(&'a str, Phase)>; 2],
}
