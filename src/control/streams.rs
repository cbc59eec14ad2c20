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

/// Marks that order observation: the leader's renewals of its Lease, and a stream's own requests. One etcd numbers them
/// and what the streams show, so a message whose resourceVersion is not below a mark's proves observation up to the
/// sending of that mark.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    renewals: VecDeque<(u64, Instant)>,
}

/// Renewals that are remembered: ten minutes of one each 5 s.
const RENEWALS: usize = 128;

impl Pulse {
    /// Notes a mark: its resourceVersion, and when it was sent.
    pub fn renewed(&mut self, version: u64, sent: Instant) {
        match self.renewals.back_mut() {
            Some((last, _)) if *last > version => return,
            // Nothing was written in between: the later sending holds.
            Some((last, at)) if *last == version => {
                *at = sent.max(*at);
                return;
            }
            _ => {}
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
    /// Whether what it fills holds only a part of a list, under way or broken off.
    pub is_partial: bool,
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
    /// The newest resourceVersion that it showed, where versions are numbers.
    pub shown: Option<u64>,
    /// Its own requests: what proves it while nothing happens.
    asks: Pulse,
    /// When it was asked last.
    asked: Option<Instant>,
    /// When it was reconnected last, because nothing proved it.
    reconnected: Option<Instant>,
}

/// What is done about a stream that nothing proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// One list of one object, whose answer the stream has to reach.
    Ask,
    /// A new connection.
    Reconnect,
}

/// How long a stream may go unproved.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before it is asked for.
    pub ask_ms: i64,
    /// Before it counts as stalled.
    pub stalled_ms: i64,
}

impl Patience {
    /// Silence of `ask_ms` is asked about; of two and a half times that, it is a loss. The API server sends bookmarks
    /// about once a minute: less than 60 s would ask of streams that are well.
    pub fn of(ask_ms: i64) -> Self {
        Self { ask_ms, stalled_ms: ask_ms * 5 / 2 }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::of(60_000)
    }
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

    /// The stream showed a resourceVersion; returns up to when that proves it.
    pub fn show(&mut self, version: u64, pulse: &Pulse) -> Option<Instant> {
        self.shown = self.shown.max(Some(version));
        let until = pulse.proves(version).max(self.asks.proves(version));
        if !self.listing {
            self.prove(until);
        }
        until
    }

    /// A renewal was seen after the stream had passed it.
    pub fn renewed(&mut self, version: u64, sent: Instant) {
        if !self.listing && self.shown.is_some_and(|shown| shown >= version) {
            self.prove(Some(sent));
        }
    }

    /// A list of one object was answered with this version. What the stream showed already proves it at once.
    pub fn answered(&mut self, version: u64, sent: Instant) {
        self.asks.renewed(version, sent);
        self.renewed(version, sent);
    }

    /// Ends blindness if what is proved goes on beyond its beginning and is recent; returns whether it did.
    pub fn see_again(&mut self, within_ms: i64, now: Instant) -> bool {
        let recent = |until: &Instant| now.ms_since(*until) < within_ms;
        let Some(blind_since) = self.blind_since else { return false };
        let seen = self.proved_until.filter(recent).is_some_and(|until| until > blind_since);
        if seen {
            self.blind_since = None;
        }
        seen
    }

    /// The stream shows nothing any more, or nothing that proves anything: blind since the last proof.
    pub fn lose(&mut self, now: Instant) {
        if self.synced && self.blind_since.is_none() {
            self.blind_since = self.proved_until.or(self.heard).or(Some(now));
        }
    }

    /// What is to be done about the stream, if nothing has proved it for long.
    pub fn doubt(&mut self, patience: Patience, now: Instant) -> Option<Doubt> {
        if !self.is_live() || self.listing {
            return None;
        }
        let age_ms = |at: Option<Instant>| at.map_or(i64::MAX, |at| now.ms_since(at));
        let unproved_ms = age_ms(self.proved_until);
        if unproved_ms >= patience.stalled_ms && age_ms(self.reconnected) >= patience.stalled_ms {
            self.reconnected = Some(now);
            // The new connection is asked for at once.
            self.asked = None;
            return Some(Doubt::Reconnect);
        }
        let blind = self.blind_since.is_some() && age_ms(self.asked) >= patience.ask_ms / 4;
        if blind || unproved_ms >= patience.ask_ms && age_ms(self.asked) >= patience.ask_ms {
            self.asked = Some(now);
            return Some(Doubt::Ask);
        }
        None
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

    /// M-100 d): a silent stream is proved by its own request, once it shows what the answer says.
    #[test]
    fn m_100_a_silent_stream_is_proved_by_its_own_request() {
        let at = |second: i64| Instant::from_ms(second * 1000);
        let mut pulse = Pulse::default();
        for (version, second) in [(100, 0), (110, 5), (120, 10)] {
            pulse.renewed(version, at(second));
        }
        let mut stream = StreamState { synced: true, ..StreamState::default() };
        stream.show(115, &pulse);
        assert_eq!(stream.proved_until, Some(at(5)));
        let patience = Patience::default();
        assert_eq!(stream.doubt(patience, at(64)), None);
        assert_eq!(stream.doubt(patience, at(72)), Some(Doubt::Ask));
        assert_eq!(stream.doubt(patience, at(73)), None, "one list");
        stream.answered(400, at(72));
        assert_eq!(stream.proved_until, Some(at(5)), "not before the stream shows it");
        stream.show(399, &pulse);
        assert_eq!(stream.proved_until, Some(at(10)), "the newest renewal");
        stream.show(400, &pulse);
        assert_eq!(stream.proved_until, Some(at(72)));
        stream.answered(400, at(140));
        assert_eq!(stream.proved_until, Some(at(140)), "it had shown so much already");
    }

    /// Fault rows 11 and 85: what shows an old version proves nothing, and after 150 s the stream is blind.
    #[test]
    fn a_stream_without_proof_is_reconnected_and_blind() {
        let at = |second: i64| Instant::from_ms(second * 1000);
        let mut pulse = Pulse::default();
        pulse.renewed(100, at(0));
        let mut stream = StreamState { synced: true, ..StreamState::default() };
        stream.show(100, &pulse);
        let patience = Patience::default();
        pulse.renewed(200, at(30));
        for second in (10..150).step_by(10) {
            stream.show(100, &pulse);
            stream.doubt(patience, at(second));
        }
        assert_eq!(stream.doubt(patience, at(150)), Some(Doubt::Reconnect));
        stream.lose(at(150));
        assert_eq!(stream.blind_since, Some(at(0)));
        stream.show(100, &pulse);
        assert!(!stream.see_again(patience.stalled_ms, at(151)), "an old bookmark");
        pulse.renewed(300, at(155));
        stream.show(300, &pulse);
        assert!(stream.see_again(patience.stalled_ms, at(160)));
        assert_eq!(stream.blind_since, None);
    }
}
