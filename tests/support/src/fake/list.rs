//! GET and LIST.
use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{
    request::Call,
    resources::ResourceType,
    respond::ApiError,
    selectors::Selection,
    store::{Key, State},
    write::key_of,
};

/// The separator in a continue token: resourceVersion, namespace and name of the last object.
const TOKEN_SEPARATOR: char = '|';

impl State {
    /// Which past state a read shows; `None` is the present. `consistent` are reads the real server answers from etcd.
    fn frozen_at(&self, consistent: bool) -> Option<u64> {
        self.faults.frozen.filter(|view| view.consistent_reads || !consistent).map(|view| view.revision)
    }

    /// GET.
    pub(crate) fn read(
        &self,
        resource: &ResourceType,
        namespace: &str,
        name: &str,
        call: &Call,
    ) -> Result<Value, ApiError> {
        let key = key_of(resource, namespace, name);
        let found = match self.frozen_at(call.text("resourceVersion").is_none()) {
            None => self.get(&key),
            at => self.view(&resource.group, &resource.plural, at).remove(&key),
        };
        let object = found.ok_or_else(|| ApiError::not_found(resource, name))?;
        Ok(shown(&object, resource, call.metadata_only))
    }

    /// LIST.
    pub(crate) fn list(&self, resource: &ResourceType, call: &Call) -> Result<Value, ApiError> {
        let selection = Selection::parse(resource, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
        let token = call.text("continue").map(parse_token).transpose()?;
        let consistent = call.text("resourceVersion").is_none();
        let frozen = self.frozen_at(consistent && token.is_none());
        check_not_newer(call, frozen.unwrap_or(self.revision))?;
        let exact = call.text("resourceVersionMatch") == Some("Exact");
        let asked = call.text("resourceVersion").and_then(|version| version.parse().ok()).filter(|_| exact);
        let revision = match (&token, asked) {
            (Some((revision, _)), _) => *revision,
            (None, Some(revision)) => revision,
            (None, None) => frozen.unwrap_or(self.revision),
        };
        if revision < self.compacted {
            return Err(ApiError::expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new \
                 list without the continue parameter.",
            ));
        }
        let view = self.view(&resource.group, &resource.plural, Some(revision));
        let after = token.map(|(_, key)| key);
        let mut selected: Vec<(&Key, &Arc<Value>)> = view
            .iter()
            .filter(|(key, object)| {
                call.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
                    && after.as_ref().is_none_or(|(namespace, name)| (&key.namespace, &key.name) > (namespace, name))
                    && selection.matches(object)
            })
            .collect();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        // The real server ignores the limit when it lists from its cache at "any" version.
        let limit = call.text("limit").and_then(|limit| limit.parse::<usize>().ok()).filter(|limit| *limit > 0);
        if let Some(limit) = limit.filter(|limit| *limit < selected.len() && call.text("resourceVersion") != Some("0"))
        {
            metadata["remainingItemCount"] = (selected.len() - limit).into();
            selected.truncate(limit);
            if let Some((key, _)) = selected.last() {
                metadata["continue"] = token_text(revision, key).into();
            }
        }
        let items: Vec<Value> =
            selected.into_iter().map(|(_, object)| shown(object, resource, call.metadata_only)).collect();
        let (api_version, kind) = if call.metadata_only {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned())
        } else {
            (resource.api_version(), format!("{}List", resource.kind))
        };
        Ok(json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items}))
    }

    /// What a watch starts from: the view and its resourceVersion.
    pub(crate) fn initial_view(&self, resource: &ResourceType) -> (BTreeMap<Key, Arc<Value>>, u64) {
        let revision = self.frozen_at(false).unwrap_or(self.revision);
        (self.view(&resource.group, &resource.plural, Some(revision)), revision)
    }
}

/// A version from the future cannot be served.
fn check_not_newer(call: &Call, current: u64) -> Result<(), ApiError> {
    let Some(wanted) = call.text("resourceVersion") else {
        return Ok(());
    };
    let wanted: u64 =
        wanted.parse().map_err(|_| ApiError::bad_request(format!("resourceVersion: Invalid value: {wanted:?}")))?;
    if wanted <= current {
        return Ok(());
    }
    let mut error =
        ApiError::new(504, "Timeout", format!("Timeout: Too large resource version: {wanted}, current: {current}"));
    error.details = Some(json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
    }));
    error.retry_after_seconds = Some(1);
    Err(error)
}

fn token_text(revision: u64, key: &Key) -> String {
    format!("{revision}{TOKEN_SEPARATOR}{}{TOKEN_SEPARATOR}{}", key.namespace, key.name)
}

fn parse_token(token: &str) -> Result<(u64, (String, String)), ApiError> {
    let invalid = || ApiError::bad_request("continue key is not valid");
    let mut parts = token.split(TOKEN_SEPARATOR);
    let revision = parts.next().and_then(|part| part.parse().ok()).ok_or_else(invalid)?;
    let namespace = parts.next().ok_or_else(invalid)?;
    let name = parts.next().ok_or_else(invalid)?;
    Ok((revision, (namespace.to_owned(), name.to_owned())))
}

/// The object in the requested version, or its metadata alone.
pub(crate) fn shown(object: &Value, resource: &ResourceType, metadata_only: bool) -> Value {
    if metadata_only {
        return json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"],
        });
    }
    let mut copy = object.clone();
    copy["apiVersion"] = resource.api_version().into();
    copy
}
