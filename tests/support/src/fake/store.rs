//! The store: objects, one resourceVersion for all, and a bounded history of changes.
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    faults::{EventAction, FaultTable, Rule},
    log::{Log, Verb},
    resources::{self, ResourceType},
    respond::ApiError,
};

/// The counter starts here, so that a watch from the first versions is too old, as on any real cluster.
const FIRST_REVISION: u64 = 100;

/// Where an object is kept; versions of a kind share one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The object is new.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone.
    Deleted,
}

/// One change.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) revision: u64,
    pub(crate) key: Key,
    pub(crate) kind: EventKind,
    pub(crate) object: Arc<Value>,
    pub(crate) previous: Option<Arc<Value>>,
    pub(crate) marks: Vec<Arc<Rule<EventAction>>>,
}

/// A verb that the access rules deny.
#[derive(Debug, Clone)]
pub(crate) struct Denial {
    pub(crate) verb: Option<Verb>,
    pub(crate) group: String,
    pub(crate) resource: String,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) types: Vec<Arc<ResourceType>>,
    pub(crate) objects: BTreeMap<Key, Arc<Value>>,
    pub(crate) revision: u64,
    pub(crate) compacted: u64,
    pub(crate) history: VecDeque<Arc<Event>>,
    history_bound: usize,
    uids: u64,
    pub(crate) log: Log,
    pub(crate) faults: FaultTable,
    pub(crate) denials: Vec<Denial>,
    /// Counts the calls for bookmarks; every stream answers each once.
    pub(crate) bookmarks: u64,
    /// Streams of an older epoch end.
    pub(crate) watch_epoch: u64,
    /// Streams that are older than the last break end with an error.
    pub(crate) watch_breaks: u64,
}

impl State {
    pub(crate) fn new(history_bound: usize) -> Self {
        Self {
            types: resources::built_in().into_iter().map(Arc::new).collect(),
            objects: BTreeMap::new(),
            revision: FIRST_REVISION,
            compacted: FIRST_REVISION,
            history: VecDeque::new(),
            history_bound,
            uids: 0,
            log: Log::default(),
            faults: FaultTable::default(),
            denials: Vec::new(),
            bookmarks: 0,
            watch_epoch: 0,
            watch_breaks: 0,
        }
    }

    /// The kind that a path names.
    pub(crate) fn resource(&self, group: &str, version: &str, plural: &str) -> Option<Arc<ResourceType>> {
        let found =
            self.types.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural);
        found.cloned()
    }

    /// The kind that an object names by `apiVersion` and `kind`.
    pub(crate) fn resource_of(&self, object: &Value) -> Result<Arc<ResourceType>, ApiError> {
        let (api_version, kind) = (&object["apiVersion"], &object["kind"]);
        let found = self.types.iter().find(|known| *api_version == known.api_version() && *kind == known.kind.as_str());
        found
            .cloned()
            .ok_or_else(|| ApiError::bad_request(format!("no matches for kind {kind} in version {api_version}")))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    /// A new uid: counted, so that runs are repeatable.
    pub(crate) fn next_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// The random part of a generated name: counted as well.
    pub(crate) fn name_suffix(&mut self) -> String {
        const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
        self.uids += 1;
        let mut rest = self.uids;
        let mut suffix = String::new();
        for _ in 0..5 {
            suffix.push(char::from(LETTERS[(rest % 27) as usize]));
            rest /= 27;
        }
        suffix
    }

    /// Stores or removes an object under a new resourceVersion, and records the change.
    pub(crate) fn commit(&mut self, key: Key, mut object: Value, removed: bool) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let object = Arc::new(object);
        let previous =
            if removed { self.objects.remove(&key) } else { self.objects.insert(key.clone(), object.clone()) };
        let kind = match (&previous, removed) {
            (_, true) => EventKind::Deleted,
            (None, false) => EventKind::Added,
            (Some(_), false) => EventKind::Modified,
        };
        let marks = self.faults.marks(kind, &key);
        self.history.push_back(Arc::new(Event {
            revision: self.revision,
            key,
            kind,
            object: object.clone(),
            previous,
            marks,
        }));
        // A frozen view needs the changes since then.
        while self.history.len() > self.history_bound && self.faults.frozen.is_none() {
            if let Some(event) = self.history.pop_front() {
                self.compacted = event.revision;
            }
        }
        object
    }

    /// Forgets the history up to and including a resourceVersion.
    pub(crate) fn compact(&mut self, revision: u64) {
        let revision = revision.min(self.revision);
        self.history.retain(|event| event.revision > revision);
        self.compacted = self.compacted.max(revision);
    }

    /// The objects of a kind, now or at a past resourceVersion that the history still reaches.
    pub(crate) fn view(&self, group: &str, resource: &str, at: Option<u64>) -> BTreeMap<Key, Arc<Value>> {
        let first = Key {
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: String::new(),
            name: String::new(),
        };
        let mut view: BTreeMap<Key, Arc<Value>> = self
            .objects
            .range(first..)
            .take_while(|(key, _)| key.group == group && key.resource == resource)
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        let undone = |event: &&Arc<Event>| at.is_some_and(|at| event.revision > at);
        for event in self.history.iter().rev().take_while(undone) {
            if event.key.group == group && event.key.resource == resource {
                match &event.previous {
                    Some(previous) => view.insert(event.key.clone(), previous.clone()),
                    None => view.remove(&event.key),
                };
            }
        }
        view
    }

    /// Puts the whole store back to a past resourceVersion, counter included, as a restored backup does.
    pub(crate) fn rewind(&mut self, revision: u64) -> Result<(), ApiError> {
        if revision < self.compacted || revision > self.revision {
            return Err(ApiError::expired(format!(
                "cannot go back to resource version {revision}: the history reaches from {} to {}",
                self.compacted, self.revision
            )));
        }
        while let Some(event) = self.history.pop_back_if(|event| event.revision > revision) {
            match &event.previous {
                Some(previous) => self.objects.insert(event.key.clone(), previous.clone()),
                None => self.objects.remove(&event.key),
            };
        }
        self.revision = revision;
        self.watch_epoch += 1;
        self.reload_definitions();
        Ok(())
    }

    /// The kinds follow the stored definitions.
    pub(crate) fn reload_definitions(&mut self) {
        let mut types: Vec<Arc<ResourceType>> = resources::built_in().into_iter().map(Arc::new).collect();
        for definition in self.view("apiextensions.k8s.io", "customresourcedefinitions", None).values() {
            types.extend(resources::from_definition(definition).unwrap_or_default().into_iter().map(Arc::new));
        }
        self.types = types;
    }

    /// The namespaces every cluster starts with.
    pub(crate) fn create_first_namespaces(&mut self, now: Timestamp) {
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            self.ensure_namespace(name, now);
        }
    }

    /// Creates a namespace unless it exists.
    pub(crate) fn ensure_namespace(&mut self, name: &str, now: Timestamp) {
        let key = Key {
            group: String::new(),
            resource: "namespaces".to_owned(),
            namespace: String::new(),
            name: name.to_owned(),
        };
        if name.is_empty() || self.objects.contains_key(&key) {
            return;
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "uid": self.next_uid(),
                "creationTimestamp": time_text(now),
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        });
        self.commit(key, object, false);
    }
}

/// A time as `metav1.Time` writes it: whole seconds.
pub(crate) fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
