//! The watched kinds, and up to when each stream proves what it shows.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::api::service::WorkloadKind;
use crate::domain::time::Instant;
use crate::domain::version_record;
use crate::observe::pods::PodSelection;

use super::watch::{WatchFailure, Watched};

/// A watched kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Core Services.
    CoreServices,
    /// `EndpointSlices` that belong to a core Service.
    Slices,
    /// Workloads of one kind.
    Workloads(WorkloadKind),
    /// Services.
    Services,
    /// Agreements.
    Agreements,
    /// Calendars.
    Calendars,
    /// Reports.
    Reports,
    /// Versions of Services, agreements and calendars.
    Versions,
    /// The leader's Lease.
    Lease,
    /// Pods of one selection.
    Pods(PodSelection),
}

/// The streams that run all the time.
pub const ALWAYS: [Stream; 10] = [
    Stream::CoreServices,
    Stream::Slices,
    Stream::Workloads(WorkloadKind::Deployment),
    Stream::Workloads(WorkloadKind::StatefulSet),
    Stream::Workloads(WorkloadKind::DaemonSet),
    Stream::Services,
    Stream::Agreements,
    Stream::Calendars,
    Stream::Reports,
    Stream::Versions,
];

impl Stream {
    /// What to watch.
    pub fn watched(&self) -> Watched {
        let (path, labels): (Arc<str>, Option<String>) = match self {
            Self::CoreServices => ("/api/v1/services".into(), None),
            Self::Slices => {
                let label = crate::observe::facts::SERVICE_NAME.to_owned();
                ("/apis/discovery.k8s.io/v1/endpointslices".into(), Some(label))
            }
            Self::Workloads(WorkloadKind::Deployment) => ("/apis/apps/v1/deployments".into(), None),
            Self::Workloads(WorkloadKind::StatefulSet) => ("/apis/apps/v1/statefulsets".into(), None),
            Self::Workloads(WorkloadKind::DaemonSet) => ("/apis/apps/v1/daemonsets".into(), None),
            Self::Services => ("/apis/assize.dev/v1alpha1/services".into(), None),
            Self::Agreements => ("/apis/assize.dev/v1alpha1/servicelevelagreements".into(), None),
            Self::Calendars => ("/apis/assize.dev/v1alpha1/servicecalendars".into(), None),
            Self::Reports => ("/apis/assize.dev/v1alpha1/servicereports".into(), None),
            Self::Versions => {
                let label = format!("{}={}", version_record::LABEL, version_record::VERSION);
                ("/apis/apps/v1/controllerrevisions".into(), Some(label))
            }
            Self::Lease => ("/apis/coordination.k8s.io/v1/leases".into(), None),
            Self::Pods(selection) => {
                let path = format!("/api/v1/namespaces/{}/pods", selection.namespace).into();
                (path, Some(selection.selector.to_string()))
            }
        };
        Watched { path, labels }
    }

    /// Its name in metrics, logs and messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CoreServices => "services",
            Self::Slices => "endpointslices",
            Self::Workloads(WorkloadKind::Deployment) => "deployments",
            Self::Workloads(WorkloadKind::StatefulSet) => "statefulsets",
            Self::Workloads(WorkloadKind::DaemonSet) => "daemonsets",
            Self::Services => "services.assize.dev",
            Self::Agreements => "servicelevelagreements.assize.dev",
            Self::Calendars => "servicecalendars.assize.dev",
            Self::Reports => "servicereports.assize.dev",
            Self::Versions => "controllerrevisions",
            Self::Lease => "leases",
            Self::Pods(_) => "pods",
        }
    }

    /// Whether it shows what people or the operator wrote down, of which each object counts.
    pub fn is_declared(&self) -> bool {
        matches!(self, Self::Services | Self::Agreements | Self::Calendars | Self::Reports | Self::Versions)
    }

    /// Whether figures rest on it: what it does not prove is unknown.
    pub fn is_measured(&self) -> bool {
        matches!(self, Self::CoreServices | Self::Slices | Self::Workloads(_) | Self::Pods(_))
    }
}

/// The leader's renewals of its Lease: the pulse that orders observation. One etcd numbers the renewals and what the
/// streams show, so a message whose resourceVersion is not below a renewal's proves observation up to that renewal.
#[derive(Debug, Default)]
pub struct Pulse {
    renewals: VecDeque<(u64, Instant)>,
}

/// Renewals that are remembered: ten minutes of one each 5 s.
const RENEWALS: usize = 128;

impl Pulse {
    /// Notes a renewal: its resourceVersion, and when it was sent.
    pub fn renewed(&mut self, version: u64, sent: Instant) {
        if self.renewals.back().is_some_and(|(last, _)| *last >= version) {
            return;
        }
        if self.renewals.len() == RENEWALS {
            self.renewals.pop_front();
        }
        self.renewals.push_back((version, sent));
    }

    /// Up to when a message of this resourceVersion proves observation.
    pub fn proves(&self, version: u64) -> Option<Instant> {
        self.renewals.iter().rev().find(|(renewal, _)| *renewal <= version).map(|(_, sent)| *sent)
    }
}

/// State of one stream.
#[derive(Clone, Debug, Default)]
pub struct StreamState {
    /// Whether a complete list has arrived.
    pub synced: bool,
    /// Whether a list is under way.
    pub listing: bool,
    /// When the list began that is under way.
    pub list_began: Option<Instant>,
    /// Up to when observation is proved.
    pub proved_until: Option<Instant>,
    /// Since when it is not proved, while or after it failed.
    pub blind_since: Option<Instant>,
    /// Why it cannot run.
    pub failure: Option<WatchFailure>,
    /// When it showed something last.
    pub heard: Option<Instant>,
}

impl StreamState {
    /// Whether it shows what happens.
    pub fn is_live(&self) -> bool {
        self.synced && self.failure.is_none()
    }

    /// Whether the operator waits for it before it judges: neither listed nor refused.
    pub fn is_pending(&self) -> bool {
        !self.synced && !matches!(self.failure, Some(WatchFailure::Forbidden(_) | WatchFailure::NotFound(_)))
    }

    /// A message arrived that proves observation up to `until`.
    pub fn prove(&mut self, until: Option<Instant>) {
        self.proved_until = self.proved_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M-100 a) to c): which renewal a message proves.
    #[test]
    fn m_100_a_message_proves_the_newest_renewal_before_it() {
        let at = |second: i64| Instant::from_ms(second * 1000);
        let mut pulse = Pulse::default();
        for (version, second) in [(100, 0), (110, 5), (120, 10)] {
            pulse.renewed(version, at(second));
        }
        assert_eq!(pulse.proves(115), Some(at(5)), "an event");
        assert_eq!(pulse.proves(110), Some(at(5)), "a bookmark");
        assert_eq!(pulse.proves(99), None, "a bookmark with an old version");
        pulse.renewed(115, at(12));
        assert_eq!(pulse.proves(200), Some(at(10)), "renewals do not run backwards");
    }
}
