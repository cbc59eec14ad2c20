//! The server as tests see it.
use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::{
    Inner,
    clock::{Clock, ManualClock},
    control::Faults,
    listener::Listener,
    log::{CountKey, Entry, Verb},
    resources::ResourceType,
    respond::ApiError,
    service::FakeService,
    store::{Denial, EventKind, State},
    write::{WriteOptions, key_of},
};

/// How many changes the history keeps unless told otherwise.
const HISTORY_BOUND: usize = 100_000;

/// What a direct access was refused for: the same refusal as over HTTP.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} (code {code}, reason {reason:?})")]
pub struct FakeError {
    /// The status code.
    pub code: u16,

    /// The machine-readable reason, such as `NotFound`.
    pub reason: String,

    /// The server's message.
    pub message: String,
}

impl From<ApiError> for FakeError {
    fn from(error: ApiError) -> Self {
        Self { code: error.code, reason: error.reason.to_owned(), message: error.message }
    }
}

/// One change in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The resourceVersion it led to.
    pub resource_version: u64,

    /// What happened.
    pub kind: EventKind,

    /// API group, empty for the core group.
    pub group: String,

    /// Plural name of the kind.
    pub resource: String,

    /// Namespace, empty for kinds without one.
    pub namespace: String,

    /// Object name.
    pub name: String,
}

/// Settings of a new server.
pub struct Builder {
    clock: Clock,
    history_bound: usize,
    definitions: Vec<String>,
}

impl Builder {
    /// The clock behind `creationTimestamp`, `managedFields` and the `Date` header.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// How many changes the history keeps; a watch that starts before them gets 410.
    #[must_use]
    pub fn history_bound(self, changes: usize) -> Self {
        Self { history_bound: changes, ..self }
    }

    /// Adds `CustomResourceDefinitions`: YAML, one or more documents, or JSON.
    #[must_use]
    pub fn definitions(mut self, text: &str) -> Self {
        self.definitions.push(text.to_owned());
        self
    }

    /// Starts the server.
    pub fn build(self) -> Result<FakeApiServer, FakeError> {
        let (signal, _) = tokio::sync::watch::channel(0);
        let mut state = State::new(self.history_bound);
        state.create_first_namespaces((self.clock)());
        let inner = Inner { state: std::sync::Mutex::new(state), signal, clock: self.clock };
        let server = FakeApiServer { inner: Arc::new(inner) };
        for text in &self.definitions {
            server.install_definitions(text)?;
        }
        Ok(server)
    }
}

/// An API server in this process. Clones are the same server.
#[derive(Clone)]
pub struct FakeApiServer {
    inner: Arc<Inner>,
}

impl FakeApiServer {
    /// Settings for a new server; by default its clock stands still at 2026-01-01T00:00:00Z.
    pub fn builder() -> Builder {
        Builder { clock: ManualClock::default().clock(), history_bound: HISTORY_BOUND, definitions: Vec::new() }
    }

    /// A client without sockets and without retries, under a user agent that rules and the log tell apart.
    pub fn client(&self, user_agent: &str) -> Client {
        Client::new(self.service(user_agent), "default")
    }

    /// The service behind [`Self::client`], to put layers around it.
    pub fn service(&self, user_agent: &str) -> FakeService {
        FakeService::new(self.inner.clone(), user_agent)
    }

    /// Opens a port on 127.0.0.1; port 0 takes a free one.
    pub async fn listen(&self, port: u16) -> std::io::Result<Listener> {
        Listener::open(self.inner.clone(), port).await
    }

    /// The injected faults.
    pub fn faults(&self) -> Faults {
        Faults { inner: self.inner.clone() }
    }

    /// Adds `CustomResourceDefinitions`, or replaces them: YAML, one or more documents, or JSON.
    pub fn install_definitions(&self, text: &str) -> Result<(), FakeError> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text)
            .map_err(|error| ApiError::bad_request(format!("failed to read the definitions: {error}")))?;
        for document in documents.into_iter().filter(|document| !document.is_null()) {
            self.apply_object(document)?;
        }
        Ok(())
    }

    fn options(&self, subresource: Option<&str>) -> WriteOptions {
        WriteOptions {
            manager: "fixture".to_owned(),
            subresource: subresource.map(str::to_owned),
            force: true,
            dry_run: false,
            strict: false,
            now: self.inner.now(),
        }
    }

    /// Creates or replaces an object, and its status if it has one, past faults and log. A missing namespace is created.
    pub fn apply_object(&self, mut object: Value) -> Result<Value, FakeError> {
        let mut state = self.inner.lock();
        let resource = state.resource_of(&object)?;
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let mut namespace = text("namespace");
        if namespace.is_empty() && resource.namespaced {
            "default".clone_into(&mut namespace);
        }
        if resource.namespaced {
            state.ensure_namespace(&namespace, self.inner.now());
        }
        let key = key_of(&resource, &namespace, &text("name"));
        let status = object.get("status").cloned().filter(|_| resource.status);
        let options = self.options(None);
        let (mut stored, _) = match state.get(&key) {
            Some(old) => {
                object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
                state.replace(&resource, &key, object, &options)?
            }
            None => state.create(&resource, &namespace, object, &options)?,
        };
        let is_definition = resource.plural == "customresourcedefinitions";
        if let Some(status) = status.filter(|_| !is_definition) {
            let patch = serde_json::json!({"status": status});
            let key = key_of(&resource, &namespace, stored["metadata"]["name"].as_str().unwrap_or_default());
            (stored, _) = state.merge_patch(&resource, &key, &patch, &self.options(Some("status")))?;
        }
        drop(state);
        self.inner.wake();
        Ok((*stored).clone())
    }

    /// Replaces the status of an object past faults and log. `resource` is `plural` or `plural.group`.
    pub fn update_status(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        status: Value,
    ) -> Result<Value, FakeError> {
        let mut state = self.inner.lock();
        let resource = find_type(&state, resource)?;
        let key = key_of(&resource, namespace, name);
        let old = state.get(&key).ok_or_else(|| ApiError::not_found(&resource, name))?;
        let mut object = (*old).clone();
        object["status"] = status;
        let (stored, _) = state.replace(&resource, &key, object, &self.options(Some("status")))?;
        drop(state);
        self.inner.wake();
        Ok((*stored).clone())
    }

    /// An object, past faults and log. `resource` is `plural` or `plural.group`.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let state = self.inner.lock();
        let resource = find_type(&state, resource).ok()?;
        let found = state.get(&key_of(&resource, namespace, name));
        found.map(|object| (*object).clone())
    }

    /// All objects of a kind, in all namespaces or in one, past faults and log.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> Vec<Value> {
        let state = self.inner.lock();
        let Ok(resource) = find_type(&state, resource) else {
            return Vec::new();
        };
        let view = state.view(&resource.group, &resource.plural, None);
        let wanted = |place: &str| namespace.is_none_or(|namespace| namespace == place);
        view.iter().filter(|(key, _)| wanted(&key.namespace)).map(|(_, object)| (**object).clone()).collect()
    }

    /// Every object of every kind, by kind, namespace and name: the end state that a sweep compares.
    pub fn dump(&self) -> BTreeMap<(String, String, String), Value> {
        let state = self.inner.lock();
        let objects = state.objects.iter();
        objects
            .map(|(key, object)| {
                let kind =
                    if key.group.is_empty() { key.resource.clone() } else { format!("{}.{}", key.resource, key.group) };
                ((kind, key.namespace.clone(), key.name.clone()), (**object).clone())
            })
            .collect()
    }

    /// Deletes an object past faults and log; finalizers count.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) -> Result<(), FakeError> {
        let mut state = self.inner.lock();
        let resource = find_type(&state, resource)?;
        state.delete(&resource, &key_of(&resource, namespace, name), &Value::Null, &self.options(None))?;
        drop(state);
        self.inner.wake();
        Ok(())
    }

    /// The resourceVersion of the last change.
    pub fn resource_version(&self) -> u64 {
        self.inner.lock().revision
    }

    /// The changes that the history holds, oldest first: what a learning run makes its plans from.
    pub fn changes(&self) -> Vec<Change> {
        let state = self.inner.lock();
        let events = state.history.iter();
        events
            .map(|event| Change {
                resource_version: event.revision,
                kind: event.kind,
                group: event.key.group.clone(),
                resource: event.key.resource.clone(),
                namespace: event.key.namespace.clone(),
                name: event.key.name.clone(),
            })
            .collect()
    }

    /// Forgets the history so far: every watch and continued list from before gets 410.
    pub fn compact(&self) {
        let mut state = self.inner.lock();
        let revision = state.faults.frozen.map_or(state.revision, |view| view.revision);
        state.compact(revision);
    }

    /// Puts the whole store back to a past resourceVersion, the counter included, as a restored backup of etcd does.
    pub fn rewind_to(&self, resource_version: u64) -> Result<(), FakeError> {
        self.inner.lock().rewind(resource_version)?;
        self.inner.wake();
        Ok(())
    }

    /// Sends a bookmark to every watch that asked for them, once it has caught up.
    pub fn send_bookmarks(&self) {
        self.inner.lock().bookmarks += 1;
        self.inner.wake();
    }

    /// Denies a verb (or all) on a kind: requests get 403, and access reviews say so.
    pub fn deny(&self, verb: Option<Verb>, group: &str, resource: &str) {
        let denial = Denial { verb, group: group.to_owned(), resource: resource.to_owned() };
        self.inner.lock().denials.push(denial);
    }

    /// Takes all denials back.
    pub fn allow_all(&self) {
        self.inner.lock().denials.clear();
    }

    /// Every request since the last clear.
    pub fn requests(&self) -> Vec<Entry> {
        self.inner.lock().log.entries()
    }

    /// The requests with a writing verb since the last clear.
    pub fn writes(&self) -> Vec<Entry> {
        self.requests().into_iter().filter(|entry| entry.verb.is_write()).collect()
    }

    /// Committed writes since the last clear, by object, subresource and verb.
    pub fn write_counts(&self) -> BTreeMap<CountKey, usize> {
        self.inner.lock().log.counts()
    }

    /// Empties the request log; indexes go on.
    pub fn clear_log(&self) {
        self.inner.lock().log.clear();
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        self.inner.now()
    }
}

fn find_type(state: &State, name: &str) -> Result<Arc<ResourceType>, ApiError> {
    let by_plural = || state.types.iter().find(|kind| kind.plural == name);
    let found = state.types.iter().find(|kind| kind.qualified() == name).or_else(by_plural);
    found.cloned().ok_or_else(ApiError::no_such_resource)
}
