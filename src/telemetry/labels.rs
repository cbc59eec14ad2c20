//! Closed sets of label values: a metric never takes free text.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $( $(#[$value_doc:meta])* $value:ident => $text:literal ),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$value_doc])* $value ),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$( Self::$value ),+];

            /// The value of the label.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$value => $text ),+ }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                encoder.write_str(self.as_str())
            }
        }
    };
}

label! {
    /// Where facts come from: a watched resource, or something that is asked.
    Source {
        /// `EndpointSlices`.
        EndpointSlices => "endpointslices",
        /// Core Services.
        CoreServices => "services",
        /// Deployments.
        Deployments => "deployments",
        /// `StatefulSets`.
        StatefulSets => "statefulsets",
        /// `DaemonSets`.
        DaemonSets => "daemonsets",
        /// Pods.
        Pods => "pods",
        /// `ControllerRevisions`: versions of our kinds.
        ControllerRevisions => "controllerrevisions",
        /// Our Services.
        Services => "services.assize.dev",
        /// Agreements.
        Agreements => "servicelevelagreements.assize.dev",
        /// Reports.
        Reports => "servicereports.assize.dev",
        /// Calendars.
        Calendars => "servicecalendars.assize.dev",
        /// Probes of the operator itself.
        Probe => "probe",
        /// A Prometheus.
        Prometheus => "prometheus",
    }
}

label! {
    /// Why time was not observed; the words of conditions and ledgers.
    GapReason {
        /// The first complete list has not arrived.
        Waiting => "Waiting",
        /// No replica was observing.
        NoLeader => "NoLeader",
        /// A source gave no proof.
        SourceLost => "SourceLost",
        /// The operator may not read a source.
        PermissionMissing => "PermissionMissing",
        /// Nothing was observed, for any other reason.
        NotObserved => "NotObserved",
    }
}

label! {
    /// What is planned and written as one; reports go with what they are about.
    Controller {
        /// Our Services.
        Service => "Service",
        /// Agreements.
        Agreement => "ServiceLevelAgreement",
        /// Calendars.
        Calendar => "ServiceCalendar",
        /// Reports of what was deleted.
        Report => "ServiceReport",
    }
}

label! {
    /// What is written.
    Written {
        /// Our Services: their status.
        Service => "Service",
        /// Agreements: their status.
        Agreement => "ServiceLevelAgreement",
        /// Reports: the ledger.
        Report => "ServiceReport",
        /// Calendars: their status.
        Calendar => "ServiceCalendar",
        /// Versions of our kinds.
        ControllerRevision => "ControllerRevision",
        /// Leadership.
        Lease => "Lease",
        /// Events.
        Event => "Event",
    }
}

label! {
    /// How a write ended.
    WriteOutcome {
        /// The API server took it.
        Applied => "Applied",
        /// Somebody else wrote first; it is planned again.
        Conflict => "Conflict",
        /// Anything else.
        Failed => "Failed",
    }
}

/// Labels of families by source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BySource {
    pub source: Source,
}

/// Labels of gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByGap {
    pub source: Source,
    pub reason: GapReason,
}

/// Labels of reconciles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByController {
    pub kind: Controller,
}

/// Labels of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByWrite {
    pub kind: Written,
    pub outcome: WriteOutcome,
}
