//! One handler behind both doors: faults, the log, and the dispatch by verb.
use std::{io, sync::Arc};

use bytes::Bytes;
use http::{Response, request::Parts};
use serde_json::{Value, json};

use super::{
    Inner,
    discovery::Document,
    faults::{Action, Rule},
    log::{Entry, Verb},
    request::{self, Call, Target},
    resources::ResourceType,
    respond::{self, ApiError, ReplyBody},
    store::{Denial, Key, State},
    watch::WatchStream,
    write::{WriteOptions, key_of},
};

enum Outcome {
    Json(u16, Value),
    Watch(Box<WatchStream>),
}

/// Answers one request; the error is a broken connection.
pub(crate) async fn handle(inner: Arc<Inner>, parts: Parts, body: Bytes) -> io::Result<Response<ReplyBody>> {
    let call = match request::parse(&parts) {
        Ok(Target::Resource(call)) => call,
        Ok(Target::Path(segments)) => {
            let document = inner.lock().document(&segments);
            let now = inner.now();
            return Ok(match document {
                Ok(Document::Json(value)) => respond::json_reply(200, &value, now),
                Ok(Document::Text(text)) => respond::text_reply(text, now),
                Err(error) => respond::error_reply(&error, now),
            });
        }
        Err(error) => return Ok(respond::error_reply(&error, inner.now())),
    };
    let (index, fault) = inner.begin(&call);
    let fault = fault.as_deref();
    before(fault).await?;
    if let Some(Rule { action: Action::Answer { code, retry_after_seconds }, .. }) = fault {
        inner.finish(index, *code);
        return Ok(respond::error_reply(&respond::injected(*code, *retry_after_seconds), inner.now()));
    }
    let outcome = inner.process(index, &call, &body);
    let code = match &outcome {
        Ok(Outcome::Json(code, _)) => *code,
        Ok(Outcome::Watch(_)) => 200,
        Err(error) => error.code,
    };
    match fault.map(|rule| (rule, &rule.action)) {
        Some((_, Action::DropReply)) => return Err(respond::broken_connection()),
        Some((rule, Action::HangReply)) => rule.released().await,
        Some((_, Action::RunAfter(hook))) => hook(),
        Some((_, Action::AnswerAfter { code })) => {
            inner.finish(index, *code);
            return Ok(respond::error_reply(&respond::injected(*code, None), inner.now()));
        }
        _ => {}
    }
    inner.finish(index, code);
    let now = inner.now();
    Ok(match outcome {
        Ok(Outcome::Json(code, value)) => respond::json_reply(code, &value, now),
        Ok(Outcome::Watch(stream)) => respond::reply(200, stream.into_body(), now),
        Err(error) => respond::error_reply(&error, now),
    })
}

async fn before(fault: Option<&Rule<Action>>) -> io::Result<()> {
    match fault.map(|rule| (rule, &rule.action)) {
        Some((_, Action::DropRequest)) => Err(respond::broken_connection()),
        Some((rule, Action::Hang)) => {
            rule.released().await;
            Ok(())
        }
        Some((_, Action::Delay(length))) => {
            tokio::time::sleep(*length).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Inner {
    fn begin(&self, call: &Call) -> (u64, Option<Arc<Rule<Action>>>) {
        let entry = Entry {
            index: 0,
            write_index: None,
            verb: call.verb,
            group: call.group.clone(),
            resource: call.resource.clone(),
            namespace: call.namespace.clone(),
            name: call.name.clone(),
            subresource: call.subresource.clone(),
            user_agent: call.user_agent.clone(),
            code: None,
            committed: false,
        };
        let mut state = self.lock();
        let fault = state.faults.pick(&entry);
        (state.log.start(entry), fault)
    }

    fn finish(&self, index: u64, code: u16) {
        if let Some(entry) = self.lock().log.entry(index) {
            entry.code = Some(code);
        }
    }

    /// Processes under the lock, so that a request is one step for everybody else.
    fn process(self: &Arc<Self>, index: u64, call: &Call, body: &[u8]) -> Result<Outcome, ApiError> {
        let mut state = self.lock();
        let before = state.revision;
        let outcome = self.dispatch(&mut state, call, body);
        let committed = state.revision != before;
        if let Some(entry) = state.log.entry(index) {
            entry.committed = committed;
            if let (Verb::Create, Ok(Outcome::Json(_, object))) = (entry.verb, &outcome) {
                entry.name = object["metadata"]["name"].as_str().map(str::to_owned);
            }
        }
        drop(state);
        if committed {
            self.wake();
        }
        outcome
    }

    fn dispatch(self: &Arc<Self>, state: &mut State, call: &Call, body: &[u8]) -> Result<Outcome, ApiError> {
        let resource =
            state.resource(&call.group, &call.version, &call.resource).ok_or_else(ApiError::no_such_resource)?;
        check_subresource(&resource, call)?;
        let name = call.name.as_deref().unwrap_or_default();
        if let Some(cause) = denied(&state.denials, call) {
            return Err(ApiError::forbidden(&resource, name, cause));
        }
        if resource.virtual_review {
            return review(&state.denials, call, &request::body_value(body)?);
        }
        if resource.namespaced && call.namespace.is_none() && (call.name.is_some() || call.verb == Verb::Create) {
            return Err(ApiError::no_such_resource());
        }
        let namespace = call.namespace.clone().unwrap_or_default();
        match call.verb {
            Verb::Get => Ok(Outcome::Json(200, state.read(&resource, &namespace, name, call)?)),
            Verb::List => Ok(Outcome::Json(200, state.list(&resource, call)?)),
            Verb::Watch => Ok(Outcome::Watch(Box::new(WatchStream::open(self, state, &resource, call)?))),
            _ => {
                let key = key_of(&resource, &namespace, name);
                write(state, &resource, &key, call, request::body_value(body)?, self.now())
            }
        }
    }
}

fn check_subresource(resource: &ResourceType, call: &Call) -> Result<(), ApiError> {
    match call.subresource.as_deref() {
        None => Ok(()),
        Some("status") if resource.status && !matches!(call.verb, Verb::Create | Verb::Delete) => Ok(()),
        Some(_) => Err(ApiError::no_such_resource()),
    }
}

fn write(
    state: &mut State,
    resource: &ResourceType,
    key: &Key,
    call: &Call,
    body: Value,
    now: jiff::Timestamp,
) -> Result<Outcome, ApiError> {
    let options = WriteOptions {
        manager: call.manager(),
        subresource: call.subresource.clone(),
        force: call.flag("force"),
        dry_run: call.text("dryRun") == Some("All") || body["dryRun"][0] == "All",
        strict: call.text("fieldValidation") == Some("Strict"),
        now,
    };
    check_patch_options(call)?;
    let (object, created) = match call.verb {
        Verb::Create => state.create(resource, &key.namespace, body, &options)?,
        Verb::Update => state.replace(resource, key, body, &options)?,
        Verb::Patch => state.merge_patch(resource, key, &body, &options)?,
        Verb::Apply => state.apply(resource, key, body, &options)?,
        Verb::Delete => {
            let answer = state.delete(resource, key, &body["preconditions"], &options)?;
            return Ok(Outcome::Json(200, answer));
        }
        _ => {
            for found in collection(state, resource, call)? {
                state.delete(resource, &found, &Value::Null, &options)?;
            }
            return Ok(Outcome::Json(
                200,
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}),
            ));
        }
    };
    let code = if created { 201 } else { 200 };
    Ok(Outcome::Json(code, super::list::shown(&object, resource, call.metadata_only)))
}

fn collection(state: &State, resource: &ResourceType, call: &Call) -> Result<Vec<Key>, ApiError> {
    let list = state.list(resource, call)?;
    let text = |item: &Value, field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items.map(|item| key_of(resource, &text(item, "namespace"), &text(item, "name"))).collect())
}

fn check_patch_options(call: &Call) -> Result<(), ApiError> {
    let cause = match call.verb {
        Verb::Apply if call.text("fieldManager").is_none() => respond::Cause {
            message: "Required value: is required for apply patch".to_owned(),
            ..respond::Cause::required("fieldManager")
        },
        Verb::Patch if call.flag("force") => respond::Cause {
            reason: "FieldValueForbidden",
            message: "Forbidden: may not be specified for non-apply patch".to_owned(),
            field: "force".to_owned(),
        },
        _ => return Ok(()),
    };
    Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &[cause]))
}

fn denied(denials: &[Denial], call: &Call) -> Option<String> {
    is_denied(denials, call.verb.as_str(), &call.group, &call.resource).then(|| {
        let place = match &call.namespace {
            Some(namespace) => format!("in the namespace {namespace:?}"),
            None => "at the cluster scope".to_owned(),
        };
        format!(
            "User \"test\" cannot {} resource {:?} in API group {:?} {place}",
            call.verb.as_str(),
            call.resource,
            call.group
        )
    })
}

fn is_denied(denials: &[Denial], verb: &str, group: &str, resource: &str) -> bool {
    denials.iter().any(|denial| {
        denial.group == group && denial.resource == resource && denial.verb.is_none_or(|denied| denied.as_str() == verb)
    })
}

/// A `SelfSubjectAccessReview`, answered by the same rules that are enforced.
fn review(denials: &[Denial], call: &Call, body: &Value) -> Result<Outcome, ApiError> {
    if call.verb != Verb::Create {
        return Err(ApiError::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ));
    }
    let attributes = &body["spec"]["resourceAttributes"];
    let text = |field: &str| attributes[field].as_str().unwrap_or_default();
    let allowed = !is_denied(denials, text("verb"), text("group"), text("resource"));
    let mut answer = body.clone();
    answer["status"] = json!({"allowed": allowed});
    Ok(Outcome::Json(201, answer))
}
