//! What one visit of the snapshot showed, in rows: names in one buffer, numbers beside them.

use crate::api::service::State;

use super::snapshot::{AgreementSample, ComponentSample, ServiceSample, Sink};

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

/// One visit, in rows.
#[derive(Default)]
pub(super) struct Rows {
    names: String,
    pub(super) services: Vec<ServiceRow>,
    pub(super) components: Vec<ComponentRow>,
    pub(super) agreements: Vec<AgreementRow>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.services.clear();
        self.components.clear();
        self.agreements.clear();
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

    /// Drops whole agreements, last names first, until the rest fits; answers how many series that were.
    pub(super) fn cap(&mut self, series_per_row: usize, series_cap: usize) -> usize {
        let rows_cap = series_cap / series_per_row;
        if self.agreements.len() <= rows_cap {
            return 0;
        }
        let mut agreements = std::mem::take(&mut self.agreements);
        agreements.sort_by(|left, right| self.agreement_key(left).cmp(&self.agreement_key(right)));
        let mut kept = rows_cap;
        while kept > 0 && self.agreement_key(&agreements[kept - 1]) == self.agreement_key(&agreements[kept]) {
            kept -= 1;
        }
        let dropped = agreements.len() - kept;
        agreements.truncate(kept);
        self.agreements = agreements;
        dropped * series_per_row
    }
}

impl Sink for Rows {
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
