//! The request log: what every client asked for, and what it got.
use std::collections::BTreeMap;

/// What a request does, in the words of RBAC; an apply is told apart from other patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads a collection.
    List,
    /// Streams changes of a collection.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
    /// Patches an object by merge patch.
    Patch,
    /// Patches an object by server-side apply.
    Apply,
    /// Deletes an object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
}

impl Verb {
    /// Whether the verb can change the store.
    pub fn is_write(self) -> bool {
        !matches!(self, Verb::Get | Verb::List | Verb::Watch)
    }

    /// The verb as RBAC names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch | Verb::Apply => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Position among all requests since the start, from 1.
    pub index: u64,

    /// Position among the requests with a writing verb since the start, from 1; `None` for reads.
    pub write_index: Option<u64>,

    /// What was asked for.
    pub verb: Verb,

    /// API group, empty for the core group.
    pub group: String,

    /// Plural name of the kind.
    pub resource: String,

    /// Namespace, unless the request spans all or the kind has none.
    pub namespace: Option<String>,

    /// Object name; for a create the name the object got.
    pub name: Option<String>,

    /// Subresource, such as `status`.
    pub subresource: Option<String>,

    /// The client's `User-Agent`.
    pub user_agent: String,

    /// The code of the answer; `None` while it is outstanding, and for ever if it was never sent.
    pub code: Option<u16>,

    /// Whether the request changed the store, even if the answer was lost.
    pub committed: bool,
}

/// What tells objects and writes apart when they are counted: group, resource, namespace, name, subresource, verb.
pub type CountKey = (String, String, String, String, String, Verb);

/// The entries since the last clear; the counters go on.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    requests: u64,
    writes: u64,
}

impl Log {
    /// Notes a request and returns its index.
    pub(crate) fn start(&mut self, mut entry: Entry) -> u64 {
        self.requests += 1;
        entry.index = self.requests;
        if entry.verb.is_write() {
            self.writes += 1;
            entry.write_index = Some(self.writes);
        }
        self.entries.push(entry);
        self.requests
    }

    /// The entry with this index, unless it was cleared.
    pub(crate) fn entry(&mut self, index: u64) -> Option<&mut Entry> {
        let position = self.entries.binary_search_by_key(&index, |entry| entry.index).ok()?;
        self.entries.get_mut(position)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Committed writes by object, subresource and verb.
    pub(crate) fn counts(&self) -> BTreeMap<CountKey, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.committed) {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            let key = (
                entry.group.clone(),
                entry.resource.clone(),
                text(&entry.namespace),
                text(&entry.name),
                text(&entry.subresource),
                entry.verb,
            );
            *counts.entry(key).or_default() += 1;
        }
        counts
    }
}
