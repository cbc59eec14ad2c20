//! Ready Pods of `selector` components, one watch a selector.

use std::collections::HashMap;
use std::sync::Arc;

use super::facts::Pod;

/// A watched set of Pods: the namespace and the label selector as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodSelection {
    /// Namespace of the Pods.
    pub namespace: Arc<str>,
    /// Label selector in the form of the API.
    pub selector: Arc<str>,
}

/// Ready Pods by selection.
#[derive(Debug, Default)]
pub struct PodIndex {
    selections: HashMap<PodSelection, Selected>,
}

#[derive(Debug, Default)]
struct Selected {
    pods: HashMap<Box<str>, bool>,
    synced: bool,
}

impl PodIndex {
    /// Takes in a Pod; returns whether the ready count may have changed.
    pub fn apply(&mut self, selection: &PodSelection, pod: &Pod) -> bool {
        let ready = pod.is_ready();
        let selected = self.selections.entry(selection.clone()).or_default();
        selected.pods.insert(pod.metadata.name.as_str().into(), ready) != Some(ready)
    }

    /// Forgets a Pod.
    pub fn delete(&mut self, selection: &PodSelection, pod: &Pod) -> bool {
        self.selections.get_mut(selection).is_some_and(|selected| selected.pods.remove(&*pod.metadata.name).is_some())
    }

    /// Forgets all Pods of a selection, before a complete list.
    pub fn reset(&mut self, selection: &PodSelection) {
        self.selections.entry(selection.clone()).or_default().pods.clear();
    }

    /// Notes that a selection is listed completely.
    pub fn complete(&mut self, selection: &PodSelection) {
        self.selections.entry(selection.clone()).or_default().synced = true;
    }

    /// Forgets a selection that nothing asks for any more.
    pub fn forget(&mut self, selection: &PodSelection) {
        self.selections.remove(selection);
    }

    /// Ready Pods of a selection; none before the first complete list.
    pub fn ready(&self, selection: &PodSelection) -> Option<u32> {
        let selected = self.selections.get(selection).filter(|selected| selected.synced)?;
        Some(selected.pods.values().filter(|ready| **ready).count() as u32)
    }
}
