//! The generator's own watch of the agreements: when a status could be seen, not when the operator believes to have
//! written it.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::core::{NotUsed, Object};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, core::ApiResource};
use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What is read of a status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    current: Option<Current>,
    headline: Option<serde::de::IgnoredAny>,
    period: Option<serde::de::IgnoredAny>,
    open_report: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Current {
    state: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    observed_generation: Option<i64>,
}

/// Conditions of an agreement.
const CONDITIONS: usize = 7;
/// Pause between two looks; the instants that count are those at which the watch showed something.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Status {
    /// Whether every part that an agreement with a running period has is there.
    fn is_complete(&self) -> bool {
        let shown = self.headline.is_some() && self.period.is_some() && self.open_report.is_some();
        let conditions = self.conditions.iter().filter(|condition| condition.observed_generation.is_some()).count();
        shown && conditions == CONDITIONS && self.current.as_ref().is_some_and(|current| current.state != "Unknown")
    }
}

/// What was seen of one agreement.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When its first complete status was seen.
    pub complete: Option<Instant>,
    /// Its states, each with when it was seen first.
    pub states: Vec<(Instant, String)>,
}

/// Agreements by name.
pub type Agreements = HashMap<String, Seen>;

/// A running watch; dropping it ends it.
#[derive(Debug)]
pub struct AgreementWatch {
    seen: Arc<Mutex<Agreements>>,
    task: JoinHandle<()>,
}

impl AgreementWatch {
    /// Begins to watch all agreements.
    pub fn start(client: Client) -> Self {
        let seen = Arc::new(Mutex::new(Agreements::new()));
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            let resource = ApiResource {
                group: "assize.dev".to_owned(),
                version: "v1alpha1".to_owned(),
                api_version: super::objects::GROUP_VERSION.to_owned(),
                kind: "ServiceLevelAgreement".to_owned(),
                plural: "servicelevelagreements".to_owned(),
            };
            let api = Api::<Object<NotUsed, Status>>::all_with(client, &resource);
            let mut events = std::pin::pin!(watcher::watcher(api, watcher::Config::default()));
            while let Some(event) = events.next().await {
                if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
                    note(&shared, object, Instant::now());
                }
            }
        });
        Self { seen, task }
    }

    /// What is read of the agreements now.
    pub fn read<T>(&self, read: impl FnOnce(&Agreements) -> T) -> T {
        read(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a condition holds; false if it does not by `deadline`.
    pub async fn wait_until(&self, deadline: Instant, condition: impl Fn(&Agreements) -> bool) -> bool {
        while !self.read(&condition) {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }
}

impl Drop for AgreementWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(seen: &Mutex<Agreements>, object: Object<NotUsed, Status>, now: Instant) {
    let mut agreements = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let name = object.metadata.name.unwrap_or_default();
    let seen = agreements.entry(name).or_insert_with(|| Seen { complete: None, states: Vec::new() });
    let Some(status) = object.status else { return };
    if seen.complete.is_none() && status.is_complete() {
        seen.complete = Some(now);
    }
    let state = status.current.map(|current| current.state).unwrap_or_default();
    if seen.states.last().is_none_or(|(_, last)| *last != state) {
        seen.states.push((now, state));
    }
}
