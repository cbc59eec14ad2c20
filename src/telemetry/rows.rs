//! What one visit of the snapshot showed, in rows: names in one buffer, numbers beside them.

use crate::api::report::Phase;
use crate::api::service::State;

use super::metrics::Detail;
use super::snapshot::{AgreementSample, ComponentSample, LedgerSample, ServiceSample, Sink};

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

/// One visit, in rows.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) detail: Detail,
    names: String,
    pub(super) services: Vec<ServiceRow>,
    pub(super) components: Vec<ComponentRow>,
    pub(super) agreements: Vec<AgreementRow>,
    pub(super) ledgers: Vec<LedgerRow>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.services.clear();
        self.components.clear();
        self.agreements.clear();
        self.ledgers.clear();
    }

    fn keep(&mut self, text: &str) -> Name {
        let start = self.names.len() as u32;
        self.names.push_str(text);
        Name { start, end: self.names.len() as u32 }
    }

    pub(super) fn name(&self, name: Name) -> &str {
        self.names.get(name.start as usize..name.end as usize).unwrap_or_default()
    }

    fn agreement_key(&self, row: &AgreementRow) -> (&str, &str) {
        (self.name(row.namespace), self.name(row.agreement))
    }

    fn ledger_key(&self, row: &LedgerRow) -> (&str, &str) {
        (self.name(row.namespace), self.name(row.agreement))
    }

    /// Drops whole agreements, last names first, until the rest fits; answers how many series that were. An agreement
    /// has `per_target` series a target, and `per_ledger` besides.
    pub(super) fn cap(&mut self, per_target: usize, per_ledger: usize, series_cap: usize) -> usize {
        let all = self.agreements.len() * per_target + self.ledgers.len() * per_ledger;
        if all <= series_cap {
            return 0;
        }
        let mut agreements = std::mem::take(&mut self.agreements);
        let mut ledgers = std::mem::take(&mut self.ledgers);
        agreements.sort_by(|left, right| self.agreement_key(left).cmp(&self.agreement_key(right)));
        ledgers.sort_by(|left, right| self.ledger_key(left).cmp(&self.ledger_key(right)));
        let (mut series, mut kept, mut kept_ledgers) = (0, 0, 0);
        for rows in agreements.chunk_by(|left, right| self.agreement_key(left) == self.agreement_key(right)) {
            let key = self.agreement_key(&rows[0]);
            let its_ledgers = ledgers[kept_ledgers..].iter().take_while(|row| self.ledger_key(row) <= key).count();
            let more = rows.len() * per_target + its_ledgers * per_ledger;
            if series + more > series_cap {
                break;
            }
            series += more;
            kept += rows.len();
            kept_ledgers += its_ledgers;
        }
        agreements.truncate(kept);
        ledgers.truncate(kept_ledgers);
        (self.agreements, self.ledgers) = (agreements, ledgers);
        all - series
    }
}

impl Sink for Rows {
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
