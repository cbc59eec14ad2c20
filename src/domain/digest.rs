//! Digests: SHA-256 of the canonical JSON (RFC 8785) of what an approval, a version or a chain is bound to.

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Name of the form that is hashed; it changes when the form does.
pub const FORMAT: &str = "assize.dev/digest/v1";

/// The identity of an object that a digest covers. No uid: an object restored from Git or a backup keeps its digest.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// Kind of the object.
    pub kind: &'a str,
    /// Namespace, where there is one.
    pub namespace: Option<&'a str>,
    /// Name of the object.
    pub name: &'a str,
}

/// `sha256:` and 64 hex digits of any canonical JSON.
pub fn of_value(value: &Value) -> String {
    let bytes = canonical(value);
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in Sha256::digest(&bytes) {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The canonical bytes of a JSON value.
pub fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("a JSON value has a canonical form")
}

/// Digest of an object's spec with its group, kind, namespace and name.
pub fn of_spec(identity: Identity<'_>, spec: &impl Serialize) -> String {
    of_value(&form(identity, spec, None))
}

/// Digest of a report: spec, and status without conditions and its own digests.
pub fn of_report(identity: Identity<'_>, spec: &impl Serialize, status: &impl Serialize) -> String {
    let mut status = without_nulls(to_value(status));
    if let Some(fields) = status.as_object_mut() {
        for own in ["conditions", "digest", "shortDigest"] {
            fields.remove(own);
        }
    }
    of_value(&form(identity, spec, Some(status)))
}

/// The first 10 hex digits, for names and columns: `sha256:51c0a9e2b7`.
pub fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 10).collect()
}

/// A value without the fields that are null: what the API server stores.
pub fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            for field in fields.values_mut() {
                *field = without_nulls(field.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_nulls(item.take());
            }
        }
        _ => {}
    }
    value
}

fn form(identity: Identity<'_>, spec: &impl Serialize, status: Option<Value>) -> Value {
    let mut form = json!({
        "format": FORMAT,
        "group": crate::api::GROUP,
        "kind": identity.kind,
        "name": identity.name,
        "spec": to_value(spec),
    });
    if let Some(namespace) = identity.namespace {
        form["namespace"] = namespace.into();
    }
    if let Some(status) = status {
        form["status"] = status;
    }
    form
}

fn to_value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("API types serialise to JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity<'static> = Identity { kind: "Service", namespace: Some("shop"), name: "checkout" };

    #[test]
    fn a_digest_covers_identity_and_spec_and_not_the_order_of_keys() {
        let digest = of_spec(IDENTITY, &json!({"a": 1, "b": [true]}));
        assert_eq!(digest.len(), 71);
        assert_eq!(digest, of_spec(IDENTITY, &json!({"b": [true], "a": 1})));
        assert_ne!(digest, of_spec(Identity { name: "other", ..IDENTITY }, &json!({"a": 1, "b": [true]})));
        assert_ne!(digest, of_spec(Identity { namespace: None, ..IDENTITY }, &json!({"a": 1, "b": [true]})));
    }

    #[test]
    fn a_report_digest_leaves_conditions_and_itself_out() {
        let spec = json!({});
        let bare = of_report(IDENTITY, &spec, &json!({"phase": "Closed"}));
        let full = json!({"phase": "Closed", "conditions": [1], "digest": "x", "shortDigest": "y"});
        assert_eq!(bare, of_report(IDENTITY, &spec, &full));
        assert_ne!(bare, of_report(IDENTITY, &spec, &json!({"phase": "Open"})));
    }

    /// Computed with an independent tool: `printf '{"a":1}' | sha256sum`.
    #[test]
    fn a_known_value() {
        assert_eq!(
            of_value(&json!({"a": 1})),
            "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
        );
    }
}
