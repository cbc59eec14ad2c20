//! Answers in the form of the real API server: objects, `metav1.Status` and streams.
use std::fmt::Display;

use bytes::Bytes;
use http::{Response, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::{Value, json};

use super::resources::ResourceType;

/// The body of every answer.
pub type ReplyBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// A refusal, which becomes a `metav1.Status`.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Display) -> Self {
        Self { code, reason, message: message.to_string(), details: None, retry_after_seconds: None }
    }

    fn about(mut self, resource: &ResourceType, name: &str) -> Self {
        self.details = Some(details(&resource.group, &resource.plural, name));
        self
    }

    pub(crate) fn not_found(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message).about(resource, name)
    }

    pub(crate) fn no_such_resource() -> Self {
        let mut error = Self::new(404, "NotFound", "the server could not find the requested resource");
        error.details = Some(json!({}));
        error
    }

    pub(crate) fn already_exists(resource: &ResourceType, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    pub(crate) fn conflict(resource: &ResourceType, name: &str, cause: impl Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {cause}", resource.qualified());
        Self::new(409, "Conflict", message).about(resource, name)
    }

    pub(crate) fn stale(resource: &ResourceType, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn forbidden(resource: &ResourceType, name: &str, cause: impl Display) -> Self {
        let name_text = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let message = format!("{}{name_text} is forbidden: {cause}", resource.qualified());
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    pub(crate) fn bad_request(message: impl Display) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn expired(message: impl Display) -> Self {
        Self::new(410, "Expired", message)
    }

    /// A 422; the details name the kind here, not the plural, as the real server does.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let texts: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let text = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let mut error = Self::new(422, "Invalid", format!("{qualified} \"{name}\" is invalid: {text}"));
        let mut details = details(group, kind, name);
        details["causes"] = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        error.details = Some(details);
        error
    }

    /// What a strict server says of a patch that leads to an object it cannot read.
    pub(crate) fn invalid_patch(cause: &ApiError) -> Self {
        let text = format!("Invalid value: \"patch\": {}", cause.message);
        let mut error = Self::new(422, "Invalid", format!("The request is invalid: patch: {text}"));
        error.details = Some(json!({"causes": [{"reason": "FieldValueInvalid", "message": text, "field": "patch"}]}));
        error
    }

    /// The `metav1.Status` of this refusal.
    pub(crate) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        if let Some(seconds) = self.retry_after_seconds {
            status["details"]["retryAfterSeconds"] = seconds.into();
        }
        status
    }
}

fn details(group: &str, kind: &str, name: &str) -> Value {
    let mut details = json!({"kind": kind});
    if !name.is_empty() {
        details["name"] = name.into();
    }
    if !group.is_empty() {
        details["group"] = group.into();
    }
    details
}

/// One reason why an object is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) field: String,
}

impl Cause {
    pub(crate) fn invalid(field: &str, value: &Value, message: impl Display) -> Self {
        let shown = match value {
            Value::Object(_) | Value::Array(_) => kind_of(value).to_owned(),
            other => other.to_string(),
        };
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {shown}: {message}"),
            field: field.to_owned(),
        }
    }

    pub(crate) fn required(field: &str) -> Self {
        Self { reason: "FieldValueRequired", message: "Required value".to_owned(), field: field.to_owned() }
    }
}

/// The JSON type name as the real server's messages show it.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A refusal with only a status code, for injected faults.
pub(crate) fn injected(code: u16, retry_after_seconds: Option<u64>) -> ApiError {
    let (reason, message) = match code {
        403 => ("Forbidden", "injected: forbidden"),
        404 => ("NotFound", "injected: not found"),
        409 => (
            "Conflict",
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest \
             version and try again",
        ),
        410 => ("Expired", "The resourceVersion for the provided list is too old."),
        429 => ("TooManyRequests", "too many requests, please try again later"),
        500 => ("InternalError", "Internal error occurred: injected"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
        _ => ("", "injected fault"),
    };
    let mut error = ApiError::new(code, reason, message);
    error.retry_after_seconds = retry_after_seconds;
    error
}

/// What a client sees of a connection that a fault breaks.
pub(crate) fn broken_connection() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "connection reset by an injected fault")
}

/// A whole JSON answer.
pub(crate) fn json_reply(code: u16, value: &Value, now: Timestamp) -> Response<ReplyBody> {
    let body = Full::new(Bytes::from(value.to_string())).map_err(|never| match never {});
    reply(code, body.boxed_unsync(), now)
}

/// A plain text answer.
pub(crate) fn text_reply(text: &'static str, now: Timestamp) -> Response<ReplyBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {});
    let mut response = reply(200, body.boxed_unsync(), now);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The answer to a refused request.
pub(crate) fn error_reply(error: &ApiError, now: Timestamp) -> Response<ReplyBody> {
    let mut response = json_reply(error.code, &error.to_status(), now);
    if let Some(seconds) = error.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// An answer with any body; `Date` comes from the injected clock.
pub(crate) fn reply(code: u16, body: ReplyBody, now: Timestamp) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if let Some(date) = http_date(now) {
        headers.insert(header::DATE, date);
    }
    response
}

fn http_date(now: Timestamp) -> Option<header::HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
    header::HeaderValue::from_str(&text).ok()
}
