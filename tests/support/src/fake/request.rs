//! From an HTTP request to what it asks for.
use std::collections::BTreeMap;

use http::{Method, header, request::Parts};
use serde_json::Value;

use super::{log::Verb, respond::ApiError};

/// What the path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/version`, `/readyz` and the like, and the discovery documents.
    Path(Vec<String>),
    Resource(Call),
}

/// A request for a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) user_agent: String,
    /// The client wants `PartialObjectMetadata`.
    pub(crate) metadata_only: bool,
}

impl Call {
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.query.get(name).is_some_and(|value| value == "true" || value == "1")
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The manager of a write: named, or the first part of the user agent.
    pub(crate) fn manager(&self) -> String {
        let agent = self.user_agent.split('/').next().filter(|agent| !agent.is_empty()).unwrap_or("unknown");
        self.text("fieldManager").unwrap_or(agent).to_owned()
    }
}

/// Reads method, path, query and headers.
pub(crate) fn parse(parts: &Parts) -> Result<Target, ApiError> {
    let segments: Vec<String> =
        parts.uri.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let texts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (group, version, rest) = match texts.as_slice() {
        ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
        _ => return Ok(Target::Path(segments)),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
            (Some((*namespace).to_owned()), rest)
        }
        other => (None, other),
    };
    let (resource, name, subresource) = match rest {
        [resource] => (*resource, None, None),
        [resource, name] => (*resource, Some((*name).to_owned()), None),
        [resource, name, subresource] => (*resource, Some((*name).to_owned()), Some((*subresource).to_owned())),
        _ => return Err(ApiError::no_such_resource()),
    };
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let watch = query.get("watch").is_some_and(|value| value == "true" || value == "1");
    let verb = verb_of(&parts.method, name.is_some(), watch, header(header::CONTENT_TYPE))?;
    Ok(Target::Resource(Call {
        verb,
        group: group.to_owned(),
        version: version.to_owned(),
        resource: resource.to_owned(),
        namespace,
        name,
        subresource,
        query,
        user_agent: header(header::USER_AGENT).to_owned(),
        metadata_only: header(header::ACCEPT).contains("as=PartialObjectMetadata"),
    }))
}

fn verb_of(method: &Method, named: bool, watch: bool, content_type: &str) -> Result<Verb, ApiError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match (method.as_str(), named) {
        ("GET", true) => Ok(Verb::Get),
        ("GET", false) if watch => Ok(Verb::Watch),
        ("GET", false) => Ok(Verb::List),
        ("POST", false) => Ok(Verb::Create),
        ("PUT", true) => Ok(Verb::Update),
        ("DELETE", true) => Ok(Verb::Delete),
        ("DELETE", false) => Ok(Verb::DeleteCollection),
        ("PATCH", true) => match media_type {
            "application/apply-patch+yaml" => Ok(Verb::Apply),
            "application/merge-patch+json" => Ok(Verb::Patch),
            other => Err(ApiError::new(
                415,
                "UnsupportedMediaType",
                format!(
                    "the body of the request was in an unknown format - {other} - accepted media types include: \
                     application/merge-patch+json, application/apply-patch+yaml"
                ),
            )),
        },
        _ => Err(ApiError::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

/// The body as a JSON value; YAML is read too, as an apply may carry it. No body is null.
pub(crate) fn body_value(body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).or_else(|json_error| {
        let text = std::str::from_utf8(body).map_err(ApiError::bad_request)?;
        serde_saphyr::from_str(text)
            .map_err(|_| ApiError::bad_request(format!("the object provided is unrecognized: {json_error}")))
    })
}
