//! The families per object, computed at each scrape from one visit of the snapshot.
//!
//! A visit copies names into one buffer and numbers into rows; then the families are written one after the other,
//! as the format wants it. Buffers are kept between scrapes, and no lock is held while text is written.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, GaugeValueEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use crate::api::report::Phase;
use crate::api::service::State;
use crate::domain::accounting::{ClassSums, Verdict};
use crate::domain::duration::format_exact;

use super::limits::KEPT_BUFFERS;
use super::metrics::Detail;
use super::rows::{AgreementRow, ComponentRow, Rows};
use super::snapshot::{AgreementSample, BURN_WINDOWS, Snapshot};

/// Series of an agreement's target: six gauges, the counter of six classes, and the burn rates of four windows.
const SERIES: usize = 6 + 6 + 4;
/// What [`Detail::Full`] adds: raw, coverage, budget, the period by six classes, and the other windows.
const FULL_SERIES: usize = SERIES + 3 + 6 + BURN_WINDOWS - 4;
/// Series of an agreement with [`Detail::Full`]: three phases of two reports, and what was rolled up.
const LEDGER_SERIES: usize = 3 * 2 + 1;

const PHASES: [Phase; 3] = [Phase::Open, Phase::Provisional, Phase::Closed];

const STATES: [State; 4] = [State::Up, State::Degraded, State::Down, State::Unknown];

/// Value of the label `class`, and the time of the class.
type Class = (&'static str, fn(&ClassSums) -> i64);

const CLASSES: [Class; 6] = [
    ("up", |sums| sums.up),
    ("degraded", |sums| sums.degraded),
    ("down", |sums| sums.down),
    ("unknown", |sums| sums.unknown),
    ("excluded", |sums| sums.excluded),
    ("out_of_hours", |sums| sums.out_of_hours),
];

/// The snapshot that is scraped, once there is one.
pub(super) type Attached = Arc<RwLock<Option<Arc<dyn Snapshot>>>>;

/// Writes the families per object.
pub(super) struct Objects {
    attached: Attached,
    detail: Detail,
    series_cap: usize,
    buffers: Mutex<Vec<Rows>>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Objects").field("detail", &self.detail).finish_non_exhaustive()
    }
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut rows = self.buffers().pop().unwrap_or_default();
        rows.clear();
        rows.detail = self.detail;
        if let Some(snapshot) = attached {
            snapshot.visit(&mut rows);
        }
        let full = self.detail == Detail::Full;
        let dropped = rows.cap(if full { FULL_SERIES } else { SERIES }, LEDGER_SERIES, self.series_cap);
        let written = write_services(&mut encoder, &rows)
            .and_then(|()| write_agreements(&mut encoder, &rows, full))
            .and_then(|()| if full { write_ledgers(&mut encoder, &rows) } else { Ok(()) })
            .and_then(|()| write_dropped(&mut encoder, dropped));
        let mut buffers = self.buffers();
        if buffers.len() < KEPT_BUFFERS {
            buffers.push(rows);
        }
        written
    }
}

impl Objects {
    pub(super) fn new(attached: Attached, detail: Detail, series_cap: usize) -> Self {
        Self { attached, detail, series_cap, buffers: Mutex::default() }
    }

    fn buffers(&self) -> std::sync::MutexGuard<'_, Vec<Rows>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that may not be known.
struct Known<T>(Option<T>);

impl<T: EncodeGaugeValue> EncodeGaugeValue for Known<T> {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match &self.0 {
            Some(number) => number.encode(encoder),
            None => EncodeGaugeValue::encode(&f64::NAN, encoder),
        }
    }
}

fn seconds(length_ms: i64) -> f64 {
    length_ms as f64 / 1000.0
}

/// A gauge from a ratio: the format knows `NaN`, but an infinite ratio would be a mistake of ours, not a figure.
fn finite(ratio: Option<f64>) -> Known<f64> {
    Known(ratio.filter(|number| number.is_finite()))
}

const fn severity(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::OnTrack | Verdict::Met => 0,
        Verdict::AtRisk => 1,
        Verdict::Indeterminate => 2,
        Verdict::Breached | Verdict::Missed => 3,
    }
}

fn gauge<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: [(&str, &str); N],
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    family.encode_family(&labels)?.encode_gauge(value)
}

fn counter<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: [(&str, &str); N],
    value: &impl EncodeCounterValue,
) -> fmt::Result {
    family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)
}

fn write_services(encoder: &mut DescriptorEncoder<'_>, rows: &Rows) -> fmt::Result {
    let mut family = encoder.encode_descriptor(
        "service_state",
        "State of the Service, 1 for the one it has.",
        None,
        MetricType::Gauge,
    )?;
    for row in &rows.services {
        for state in STATES {
            let labels = [
                ("namespace", rows.name(row.namespace)),
                ("service", rows.name(row.service)),
                ("state", state.as_str()),
            ];
            gauge(&mut family, labels, &u32::from(row.state == state))?;
        }
    }
    write_components(encoder, rows, "component_ready", "How many of the component are ready.", |row| row.ready)?;
    write_components(encoder, rows, "component_required", "How many of the component the Service needs.", |row| {
        row.required
    })
}

fn write_components(
    encoder: &mut DescriptorEncoder<'_>,
    rows: &Rows,
    name: &str,
    help: &str,
    count: impl Fn(&ComponentRow) -> Option<u32>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for row in &rows.components {
        let labels = [
            ("namespace", rows.name(row.namespace)),
            ("service", rows.name(row.service)),
            ("component", rows.name(row.component)),
        ];
        gauge(&mut family, labels, &Known(count(row)))?;
    }
    Ok(())
}

/// Name, help, and the number of a family with one series a target.
type Figure = (&'static str, &'static str, fn(&AgreementSample<'_>) -> Option<f64>);

const FIGURES: [Figure; 6] = [
    ("agreement_availability_ratio", "Availability of the period to date.", |row| row.availability_ratio),
    ("agreement_lowest_ratio", "Availability if all unknown time was down.", |row| row.lowest_ratio),
    ("agreement_highest_ratio", "Availability if all unknown time was up.", |row| row.highest_ratio),
    ("agreement_objective_ratio", "Availability that was agreed.", |row| row.objective_ratio),
    ("agreement_budget_left_ratio", "Share of the budget of the period that is left.", |row| row.budget_left_ratio),
    (
        "agreement_verdict",
        "Verdict to date: 0 OnTrack or Met, 1 AtRisk, 2 Indeterminate, 3 Breached or Missed.",
        |row| row.verdict.map(|verdict| f64::from(severity(verdict))),
    ),
];

const FULL_FIGURES: [Figure; 3] = [
    ("agreement_raw_ratio", "Availability with excluded time as lost.", |row| row.raw_ratio),
    ("agreement_coverage_ratio", "Share of the service time that was observed.", |row| row.coverage_ratio),
    ("agreement_budget_seconds", "Budget of the period.", |row| row.budget_ms.map(seconds)),
];

fn write_agreements(encoder: &mut DescriptorEncoder<'_>, rows: &Rows, full: bool) -> fmt::Result {
    for figure in FIGURES.iter().chain(FULL_FIGURES.iter().filter(|_| full)) {
        write_figure(encoder, rows, figure)?;
    }
    if full {
        let mut family = encoder.encode_descriptor(
            "agreement_period_seconds",
            "Time of the period by class, as in the ledger.",
            None,
            MetricType::Gauge,
        )?;
        for row in &rows.agreements {
            for (class, of) in CLASSES {
                gauge(&mut family, by_class(rows, row, class), &seconds(of(&row.numbers.period)))?;
            }
        }
    }
    let mut family =
        encoder.encode_descriptor("agreement_class_seconds", "Time by class, live.", None, MetricType::Counter)?;
    for row in &rows.agreements {
        for (class, of) in CLASSES {
            counter(&mut family, by_class(rows, row, class), &seconds(of(&row.numbers.classes)))?;
        }
    }
    write_burn_rates(encoder, rows)
}

fn write_burn_rates(encoder: &mut DescriptorEncoder<'_>, rows: &Rows) -> fmt::Result {
    let mut family = encoder.encode_descriptor(
        "agreement_burn_rate",
        "How fast the budget is spent over a window that ends now; 1 spends it exactly at the end of the period.",
        None,
        MetricType::Gauge,
    )?;
    // A handful of windows in all: their names are made once.
    let mut names: Vec<(i64, String)> = Vec::new();
    for row in &rows.agreements {
        for burn in row.numbers.burn_rates.iter().filter(|burn| burn.window_ms > 0) {
            let known = names.iter().position(|(window_ms, _)| *window_ms == burn.window_ms);
            let place = known.unwrap_or_else(|| {
                names.push((burn.window_ms, format_exact(burn.window_ms)));
                names.len() - 1
            });
            let labels = [
                ("namespace", rows.name(row.namespace)),
                ("agreement", rows.name(row.agreement)),
                ("target", rows.name(row.target)),
                ("window", names[place].1.as_str()),
            ];
            gauge(&mut family, labels, &finite(burn.rate))?;
        }
    }
    Ok(())
}

fn write_ledgers(encoder: &mut DescriptorEncoder<'_>, rows: &Rows) -> fmt::Result {
    let mut family = encoder.encode_descriptor(
        "report_phase",
        "Phase of the report of a period, 1 for the one it has; the last two periods.",
        None,
        MetricType::Gauge,
    )?;
    for row in &rows.ledgers {
        for (period, phase) in row.reports.iter().flatten() {
            for other in PHASES {
                let labels = [
                    ("namespace", rows.name(row.namespace)),
                    ("agreement", rows.name(row.agreement)),
                    ("period", rows.name(*period)),
                    ("phase", other.as_str()),
                ];
                gauge(&mut family, labels, &u32::from(*phase == other))?;
            }
        }
    }
    let mut family = encoder.encode_descriptor(
        "maintenance_active",
        "Whether a window of maintenance is in effect.",
        None,
        MetricType::Gauge,
    )?;
    for row in &rows.maintenance {
        let labels = [
            ("namespace", rows.name(row.namespace)),
            ("agreement", rows.name(row.agreement)),
            ("change", rows.name(row.change)),
        ];
        gauge(&mut family, labels, &u32::from(row.is_active))?;
    }
    let mut family = encoder.encode_descriptor(
        "ledger_rolled_up_entries",
        "Entries of the ledger that became sums.",
        None,
        MetricType::Counter,
    )?;
    for row in &rows.ledgers {
        let labels = [("namespace", rows.name(row.namespace)), ("agreement", rows.name(row.agreement))];
        counter(&mut family, labels, &row.rolled_up_entries)?;
    }
    Ok(())
}

fn write_figure(encoder: &mut DescriptorEncoder<'_>, rows: &Rows, (name, help, of): &Figure) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for row in &rows.agreements {
        let labels = [
            ("namespace", rows.name(row.namespace)),
            ("agreement", rows.name(row.agreement)),
            ("target", rows.name(row.target)),
        ];
        gauge(&mut family, labels, &finite(of(&row.numbers)))?;
    }
    Ok(())
}

fn by_class<'r>(rows: &'r Rows, row: &AgreementRow, class: &'static str) -> [(&'static str, &'r str); 4] {
    [
        ("namespace", rows.name(row.namespace)),
        ("agreement", rows.name(row.agreement)),
        ("target", rows.name(row.target)),
        ("class", class),
    ]
}

fn write_dropped(encoder: &mut DescriptorEncoder<'_>, dropped: usize) -> fmt::Result {
    encoder
        .encode_descriptor(
            "metrics_dropped_series",
            "Series of agreements beyond the cap, which are not exported.",
            None,
            MetricType::Gauge,
        )?
        .encode_gauge(&(dropped as u64))
}
