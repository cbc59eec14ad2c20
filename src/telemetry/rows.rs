//! What one visit of the snapshot showed, in rows: names in one buffer, numbers beside them.

use std::collections::BTreeMap;

use crate::api::report::Phase;
use crate::api::service::State;

use super::metrics::Detail;
use super::snapshot::{AgreementSample, ComponentSample, LedgerSample, MaintenanceSample, ServiceSample, Sink};

/// A name in the buffer of names.
#[derive(Clone, Copy)]
pub(super) struct Name {
    start: u32,
    end: u32,
}

/// A Service.
pub(super) struct ServiceRow {
    pub(super) namespace: Name,
    pub(super) service: Name,
    pub(super) state: State,
}

/// A component of a Service.
pub(super) struct ComponentRow {
    pub(super) namespace: Name,
    pub(super) service: Name,
    pub(super) component: Name,
    pub(super) ready: Option<u32>,
    pub(super) required: Option<u32>,
}

/// A target of an agreement; its numbers carry no names.
pub(super) struct AgreementRow {
    pub(super) namespace: Name,
    pub(super) agreement: Name,
    pub(super) target: Name,
    pub(super) numbers: AgreementSample<'static>,
}

/// What is kept of an agreement besides its targets.
pub(super) struct LedgerRow {
    pub(super) namespace: Name,
    pub(super) agreement: Name,
    pub(super) rolled_up_entries: u64,
    pub(super) reports: [Option<(Name, Phase)>; 2],
}

/// A window of maintenance of an agreement.
pub(super) struct MaintenanceRow {
    pub(super) namespace: Name,
    pub(super) agreement: Name,
    pub(super) change: Name,
    pub(super) is_active: bool,
}

/// One visit, in rows.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) detail: Detail,
    names: String,
    pub(super) services: Vec<ServiceRow>,
    pub(super) components: Vec<ComponentRow>,
    pub(super) agreements: Vec<AgreementRow>,
    pub(super) ledgers: Vec<LedgerRow>,
    pub(super) maintenance: Vec<MaintenanceRow>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.services.clear();
        self.components.clear();
        self.agreements.clear();
        self.ledgers.clear();
        self.maintenance.clear();
    }

    fn keep(&mut self, text: &str) -> Name {
        let start = self.names.len() as u32;
        self.names.push_str(text);
        Name { start, end: self.names.len() as u32 }
    }

    pub(super) fn name(&self, name: Name) -> &str {
        self.names.get(name.start as usize..name.end as usize).unwrap_or_default()
    }

    /// Drops whole agreements, last names first, until the rest fits; answers how many series that were. An agreement
    /// has `per_target` series a target, `per_ledger` besides, and one a window of maintenance.
    pub(super) fn cap(&mut self, per_target: usize, per_ledger: usize, series_cap: usize) -> usize {
        let all = self.agreements.len() * per_target + self.ledgers.len() * per_ledger + self.maintenance.len();
        if all <= series_cap {
            return 0;
        }
        let mut series: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for row in &self.agreements {
            *series.entry((self.name(row.namespace), self.name(row.agreement))).or_default() += per_target;
        }
        for row in &self.ledgers {
            *series.entry((self.name(row.namespace), self.name(row.agreement))).or_default() += per_ledger;
        }
        for row in &self.maintenance {
            *series.entry((self.name(row.namespace), self.name(row.agreement))).or_default() += 1;
        }
        let mut left = series_cap;
        let fits = |(key, count): (&(&str, &str), &usize)| {
            left = left.checked_sub(*count)?;
            Some((key.0.to_owned(), key.1.to_owned()))
        };
        let last = series.iter().map_while(fits).last();
        // Names are ordered as they are dropped: what comes after the last that fits goes.
        let is_kept = |names: &str, namespace: Name, agreement: Name| {
            let text = |name: Name| names.get(name.start as usize..name.end as usize).unwrap_or_default();
            let key = (text(namespace), text(agreement));
            last.as_ref().is_some_and(|last| key <= (last.0.as_str(), last.1.as_str()))
        };
        let names = &self.names;
        self.agreements.retain(|row| is_kept(names, row.namespace, row.agreement));
        self.ledgers.retain(|row| is_kept(names, row.namespace, row.agreement));
        self.maintenance.retain(|row| is_kept(names, row.namespace, row.agreement));
        all - (self.agreements.len() * per_target + self.ledgers.len() * per_ledger + self.maintenance.len())
    }
}

impl Sink for Rows {
    fn maintenance(&mut self, sample: &MaintenanceSample<'_>) {
        let row = MaintenanceRow {
            namespace: self.keep(sample.namespace),
            agreement: self.keep(sample.agreement),
            change: self.keep(sample.change),
            is_active: sample.is_active,
        };
        self.maintenance.push(row);
    }

    fn detail(&self) -> Detail {
        self.detail
    }

    fn ledger(&mut self, sample: &LedgerSample<'_>) {
        let row = LedgerRow {
            namespace: self.keep(sample.namespace),
            agreement: self.keep(sample.agreement),
            rolled_up_entries: sample.rolled_up_entries,
            reports: sample.reports.map(|report| report.map(|(period, phase)| (self.keep(period), phase))),
        };
        self.ledgers.push(row);
    }

    fn service(&mut self, sample: &ServiceSample<'_>) {
        let row = ServiceRow {
            namespace: self.keep(sample.namespace),
            service: self.keep(sample.service),
            state: sample.state,
        };
        self.services.push(row);
    }

    fn component(&mut self, sample: &ComponentSample<'_>) {
        let row = ComponentRow {
            namespace: self.keep(sample.namespace),
            service: self.keep(sample.service),
            component: self.keep(sample.component),
            ready: sample.ready,
            required: sample.required,
        };
        self.components.push(row);
    }

    fn agreement(&mut self, sample: &AgreementSample<'_>) {
        let row = AgreementRow {
            namespace: self.keep(sample.namespace),
            agreement: self.keep(sample.agreement),
            target: self.keep(sample.target),
            numbers: AgreementSample { namespace: "", agreement: "", target: "", ..*sample },
        };
        self.agreements.push(row);
    }
}
