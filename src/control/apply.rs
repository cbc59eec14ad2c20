//! The one writer: carries out batches, checking leadership at each write, and tells Events afterwards.

use std::sync::Arc;

use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::{Value, json};

use crate::api::{GROUP, VERSION};
use crate::domain::conditions::{ConditionStatus, Transition};
use crate::domain::limits::shorten;
use crate::observe::facts::{Named, ObjectKey};
use crate::telemetry::labels::{WriteOutcome, Written as WrittenKind};
use crate::telemetry::metrics::Metrics;

use super::lease::Gate;
use super::subject::{Action, Batch, Outcome, Resource, Subject, Write, WriteFailure};

/// Field manager of writes.
const MANAGER: &str = "assize";
/// Field manager of conditions that are added to a closed report: applied under the other name, what is frozen would
/// have to be said again.
const CONDITIONS_MANAGER: &str = "assize-conditions";
/// Conditions whose transitions people want to be told of.
const TOLD: [&str; 6] = ["Ready", "Available", "TargetsMet", "BudgetAvailable", "TargetsSupported", "ReviewCurrent"];

/// Carries out batches.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    gate: Arc<Gate>,
    recorder: Recorder,
    metrics: Metrics,
}

impl Writer {
    /// A writer for this replica.
    pub fn new(client: Client, gate: Arc<Gate>, identity: &str, metrics: Metrics) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(identity.to_owned()) };
        let recorder = Recorder::new(client.clone(), reporter);
        Self { client, gate, recorder, metrics }
    }

    /// Carries out a batch; the first write that fails ends it.
    pub async fn carry_out(&self, batch: Batch) -> Outcome {
        let mut versions: Vec<Box<str>> = Vec::with_capacity(batch.writes.len());
        let mut failure = None;
        for write in &batch.writes {
            if !self.gate.is_open() {
                failure = Some(WriteFailure::NotLeader);
                break;
            }
            match self.write(write, versions.last().map(AsRef::as_ref)).await {
                Ok(version) => versions.push(version),
                // Without its history a version is still in force: what is measured is written all the same.
                Err(WriteFailure::Forbidden(message)) if write.resource == Resource::VersionRecord => {
                    tracing::error!(message, "failed to keep a version: grant create on controllerrevisions");
                    versions.push(Box::default());
                }
                // It must not keep back what was measured.
                Err(reason)
                    if matches!(write.action, Action::Conditions { .. }) && reason != WriteFailure::NotLeader =>
                {
                    tracing::error!(report = %write.key, ?reason, "failed to say that a report is superseded");
                    versions.push(Box::default());
                }
                Err(reason) => {
                    failure = Some(reason);
                    break;
                }
            }
        }
        if failure.is_none() {
            self.tell(&batch).await;
        }
        Outcome { batch, versions, failure }
    }

    async fn write(&self, write: &Write, before: Option<&str>) -> Result<Box<str>, WriteFailure> {
        let path = collection(write.resource, &write.key);
        let is_version_record = write.resource == Resource::VersionRecord;
        let request = kube::core::Request::new(path);
        let request = match &write.action {
            Action::Create { body } => {
                let parameters = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
                request.create(&parameters, serde_json::to_vec(body).unwrap_or_default())
            }
            Action::Conditions { version, conditions, .. } => {
                let body = status_object(write, version, &json!({"conditions": conditions}));
                let parameters = PatchParams::apply(CONDITIONS_MANAGER).force();
                request.patch_subresource("status", &write.key.name, &parameters, &Patch::Apply(body))
            }
            Action::Status { version, status, .. } => {
                let version = version.as_deref().or(before).unwrap_or_default();
                let body = status_object(write, version, status);
                let parameters = PatchParams::apply(MANAGER).force();
                request.patch_subresource("status", &write.key.name, &parameters, &Patch::Apply(body))
            }
        };
        let request = request.map_err(|error| WriteFailure::Failed(error.to_string()))?;
        let answer = self.client.request::<Named>(request).await;
        let outcome = match answer {
            Ok(object) => Ok(object.metadata.resource_version.into()),
            // The name says what it holds: whoever made it made the same.
            Err(kube::Error::Api(status)) if status.is_already_exists() && is_version_record => Ok(Box::default()),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Err(WriteFailure::Conflict)
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(WriteFailure::Gone),
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Err(WriteFailure::Forbidden(status.message.clone()))
            }
            Err(error) => Err(WriteFailure::Failed(error.to_string())),
        };
        let counted = match &outcome {
            Ok(_) => WriteOutcome::Applied,
            Err(WriteFailure::Conflict) => WriteOutcome::Conflict,
            Err(_) => WriteOutcome::Failed,
        };
        self.metrics.count_write(kind_label(write.resource), counted);
        outcome
    }

    async fn tell(&self, batch: &Batch) {
        let Some(reference) = reference(batch) else { return };
        for transition in batch.transitions.iter().filter(|transition| TOLD.contains(&transition.finding.kind)) {
            let event = event(transition);
            let outcome = match self.recorder.publish(&event, &reference).await {
                Ok(()) => WriteOutcome::Applied,
                Err(error) => {
                    tracing::warn!(%error, "failed to publish an event");
                    WriteOutcome::Failed
                }
            };
            self.metrics.count_write(WrittenKind::Event, outcome);
        }
    }
}

fn event(transition: &Transition) -> Event {
    let finding = &transition.finding;
    Event {
        type_: match finding.status {
            ConditionStatus::True => EventType::Normal,
            ConditionStatus::False | ConditionStatus::Unknown => EventType::Warning,
        },
        reason: finding.reason.to_owned(),
        note: Some(note(&finding.message)),
        action: finding.kind.to_owned(),
        secondary: None,
    }
}

/// A note has at most 1024 bytes.
fn note(message: &str) -> String {
    let mut text = shorten(message);
    while text.len() > 1024 {
        text.pop();
    }
    text
}

fn reference(batch: &Batch) -> Option<k8s_openapi::api::core::v1::ObjectReference> {
    let (kind, key) = match &batch.subject {
        Subject::Service(key) => (Resource::Service, key.clone()),
        Subject::Agreement(key) => (Resource::Agreement, key.clone()),
        Subject::Calendar(name) => (Resource::Calendar, ObjectKey::new("", name.clone())),
        // There is nothing any more that Events could be about.
        Subject::Departed(_) => return None,
    };
    if batch.transitions.is_empty() {
        return None;
    }
    Some(k8s_openapi::api::core::v1::ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(kind.kind().to_owned()),
        name: Some(key.name.to_string()),
        namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
        uid: Some(batch.uid.to_string()),
        ..Default::default()
    })
}

fn collection(resource: Resource, key: &ObjectKey) -> String {
    let (version, plural) = (resource.api_version(), resource.plural());
    if key.namespace.is_empty() {
        format!("/apis/{version}/{plural}")
    } else {
        format!("/apis/{version}/namespaces/{}/{plural}", key.namespace)
    }
}

fn status_object(write: &Write, version: &str, status: &Value) -> Value {
    let mut metadata = json!({"name": &*write.key.name, "resourceVersion": version});
    if !write.key.namespace.is_empty() {
        metadata["namespace"] = (&*write.key.namespace).into();
    }
    json!({
        "apiVersion": write.resource.api_version(),
        "kind": write.resource.kind(),
        "metadata": metadata,
        "status": status,
    })
}

fn kind_label(resource: Resource) -> WrittenKind {
    match resource {
        Resource::Service => WrittenKind::Service,
        Resource::Agreement => WrittenKind::Agreement,
        Resource::Calendar => WrittenKind::Calendar,
        Resource::Report => WrittenKind::Report,
        Resource::VersionRecord => WrittenKind::ControllerRevision,
    }
}
