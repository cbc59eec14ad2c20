//! Watches: a stream walks the history with a cursor, so that nothing can be lost but by an injected fault.
use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::{sync::watch, time::Sleep};

use super::{
    Inner,
    faults::{EventAction, Rule},
    list::shown,
    request::Call,
    resources::ResourceType,
    respond::{ApiError, Cause, ReplyBody, broken_connection},
    selectors::Selection,
    store::{Event, EventKind, Key, State},
};

/// Whether and how a stream ends once what is ready has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Broken,
}

/// One open watch.
pub(crate) struct WatchStream {
    inner: Arc<Inner>,
    signal: watch::Receiver<u64>,
    resource: Arc<ResourceType>,
    namespace: Option<String>,
    selection: Selection,
    user_agent: String,
    metadata_only: bool,
    wants_bookmarks: bool,
    bookmarks_seen: u64,
    epoch: u64,
    breaks_seen: u64,
    cursor: u64,
    ready: VecDeque<Bytes>,
    held: Vec<(Arc<Rule<EventAction>>, Bytes)>,
    /// Events that wait to be merged into the next one of their object.
    merging: HashMap<Key, EventKind>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// When the bookmark before the deadline is due.
    last_bookmark: Option<Pin<Box<Sleep>>>,
    end: End,
}

/// So long before the end of a watch the real server sends a bookmark.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);

impl WatchStream {
    /// Opens a watch; what it starts with is ready at once.
    pub(crate) fn open(
        inner: &Arc<Inner>,
        state: &State,
        resource: &Arc<ResourceType>,
        call: &Call,
    ) -> Result<Self, ApiError> {
        let selection = Selection::parse(resource, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
        let streams_list = call.flag("sendInitialEvents");
        if streams_list && call.text("resourceVersionMatch") != Some("NotOlderThan") {
            let cause = Cause {
                reason: "FieldValueForbidden",
                message: "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
                    .to_owned(),
                field: "resourceVersionMatch".to_owned(),
            };
            return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", &[cause]));
        }
        let start = match call.text("resourceVersion") {
            None => 0,
            Some(version) => version
                .parse::<u64>()
                .map_err(|_| ApiError::bad_request(format!("resourceVersion: Invalid value: {version:?}")))?,
        };
        let timeout = call.text("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).filter(|s| *s > 0);
        let mut stream = Self {
            inner: inner.clone(),
            signal: inner.signal.subscribe(),
            resource: resource.clone(),
            namespace: call.namespace.clone(),
            selection,
            user_agent: call.user_agent.clone(),
            metadata_only: call.metadata_only,
            wants_bookmarks: call.flag("allowWatchBookmarks"),
            bookmarks_seen: state.bookmarks,
            epoch: state.watch_epoch,
            breaks_seen: state.watch_breaks,
            cursor: start,
            ready: VecDeque::new(),
            held: Vec::new(),
            merging: HashMap::new(),
            deadline: timeout.map(|seconds| Box::pin(tokio::time::sleep(Duration::from_secs(seconds)))),
            last_bookmark: timeout
                .map(|seconds| Duration::from_secs(seconds).saturating_sub(BOOKMARK_BEFORE_END))
                .filter(|length| !length.is_zero() && call.flag("allowWatchBookmarks"))
                .map(|length| Box::pin(tokio::time::sleep(length))),
            end: End::Open,
        };
        if streams_list || start == 0 {
            stream.send_initial_view(state, streams_list);
        }
        Ok(stream)
    }

    fn send_initial_view(&mut self, state: &State, marks_end: bool) {
        let (view, revision) = state.initial_view(&self.resource);
        for (key, object) in &view {
            if self.covers(key) && self.selection.matches(object) {
                let frame = self.frame("ADDED", object);
                self.ready.push_back(frame);
            }
        }
        self.cursor = revision;
        if marks_end && self.wants_bookmarks {
            self.ready.push_back(self.bookmark(true));
        }
    }

    /// The answer's body.
    pub(crate) fn into_body(self) -> ReplyBody {
        BodyExt::boxed_unsync(StreamBody::new(self.into_frames()))
    }

    fn into_frames(self) -> impl Stream<Item = Result<Frame<Bytes>, std::io::Error>> {
        stream::unfold(self, |mut stream| async move {
            let frame = stream.next().await?;
            Some((frame.map(Frame::data), stream))
        })
    }

    async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(bytes));
            }
            match self.end {
                End::Open => {}
                End::Closed => return None,
                End::Broken => {
                    self.end = End::Closed;
                    return Some(Err(broken_connection()));
                }
            }
            self.signal.mark_unchanged();
            let inner = self.inner.clone();
            let stalled = {
                let state = inner.lock();
                let stalled = state.faults.is_stalled(&self.resource.group, &self.resource.plural, &self.user_agent);
                self.fill(&state, stalled);
                stalled
            };
            if !self.ready.is_empty() || self.end != End::Open {
                continue;
            }
            match (&mut self.deadline, &mut self.last_bookmark) {
                // A silent server does not end its streams either.
                (Some(_), Some(due)) if !stalled => tokio::select! {
                    changed = self.signal.changed() => changed.ok()?,
                    () = due => {
                        self.last_bookmark = None;
                        let bookmark = self.bookmark(false);
                        self.ready.push_back(bookmark);
                    }
                },
                (Some(deadline), None) if !stalled => tokio::select! {
                    changed = self.signal.changed() => changed.ok()?,
                    () = deadline => return None,
                },
                _ => self.signal.changed().await.ok()?,
            }
        }
    }

    fn fill(&mut self, state: &State, stalled: bool) {
        let resource = &self.resource;
        let is_served = state.resource(&resource.group, &resource.version, &resource.plural).is_some();
        if state.watch_epoch != self.epoch || !is_served {
            self.end = End::Closed;
            return;
        }
        if state.watch_breaks != self.breaks_seen {
            self.end = End::Broken;
            return;
        }
        if stalled {
            return;
        }
        let (free, held): (Vec<_>, Vec<_>) = self.held.drain(..).partition(|(rule, _)| rule.is_released());
        self.held = held;
        self.ready.extend(free.into_iter().map(|(_, bytes)| bytes));
        if self.cursor < state.compacted {
            self.expire(format!("too old resource version: {} ({})", self.cursor, state.compacted));
            return;
        }
        let limit = state.faults.frozen.map_or(state.revision, |view| view.revision.min(state.revision));
        let first = state.history.partition_point(|event| event.revision <= self.cursor);
        for event in state.history.range(first..).take_while(|event| event.revision <= limit) {
            let before = self.cursor;
            self.cursor = event.revision;
            self.deliver(event);
            if self.end != End::Open {
                self.cursor = before;
                return;
            }
        }
        self.cursor = self.cursor.max(limit);
        if self.bookmarks_seen != state.bookmarks {
            self.bookmarks_seen = state.bookmarks;
            if self.wants_bookmarks && self.cursor <= limit {
                self.ready.push_back(self.bookmark(false));
            }
        }
    }

    fn covers(&self, key: &Key) -> bool {
        key.group == self.resource.group
            && key.resource == self.resource.plural
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
    }

    fn deliver(&mut self, event: &Event) {
        if !self.covers(&event.key) {
            return;
        }
        let selects =
            |object: &Option<Arc<Value>>| object.as_ref().is_some_and(|object| self.selection.matches(object));
        let was_selected = selects(&event.previous);
        let is_selected = event.kind != EventKind::Deleted && self.selection.matches(&event.object);
        let kind = match (was_selected, is_selected) {
            (false, false) => return,
            (false, true) => EventKind::Added,
            (true, true) => EventKind::Modified,
            (true, false) => EventKind::Deleted,
        };
        let kind = match self.merging.remove(&event.key) {
            None => kind,
            Some(earlier) => match (earlier, kind) {
                (EventKind::Added, EventKind::Deleted) => return,
                (EventKind::Added, _) => EventKind::Added,
                (EventKind::Deleted, EventKind::Added) => EventKind::Modified,
                (_, later) => later,
            },
        };
        let frame = self.event_frame(kind, event);
        let mark = event.marks.iter().find(|rule| rule.is_active() && rule.is_client(&self.user_agent));
        match mark.map(|rule| (rule, rule.action)) {
            Some((_, EventAction::Drop)) => {}
            Some((_, EventAction::Duplicate)) => self.ready.extend([frame.clone(), frame]),
            Some((rule, EventAction::Hold)) if !rule.is_released() => self.held.push((rule.clone(), frame)),
            Some((_, EventAction::Coalesce)) => {
                self.merging.insert(event.key.clone(), kind);
            }
            Some((rule, EventAction::Close)) if rule.spend() => self.end = End::Closed,
            Some((rule, EventAction::Expire)) if rule.spend() => {
                self.expire(format!("too old resource version: {} ({})", self.cursor, self.cursor + 1));
            }
            None | Some(_) => self.ready.push_back(frame),
        }
    }

    fn event_frame(&self, kind: EventKind, event: &Event) -> Bytes {
        match (kind, &event.previous) {
            (EventKind::Added, _) => self.frame("ADDED", &event.object),
            (EventKind::Modified, _) => self.frame("MODIFIED", &event.object),
            // An object that is no longer selected is shown as it was, under the new resourceVersion.
            (EventKind::Deleted, Some(previous)) if event.kind != EventKind::Deleted => {
                let mut object = (**previous).clone();
                object["metadata"]["resourceVersion"] = event.revision.to_string().into();
                self.frame("DELETED", &object)
            }
            (EventKind::Deleted, _) => self.frame("DELETED", &event.object),
        }
    }

    fn expire(&mut self, message: String) {
        self.ready.push_back(line("ERROR", &ApiError::expired(message).to_status()));
        self.end = End::Closed;
    }

    fn frame(&self, kind: &str, object: &Value) -> Bytes {
        line(kind, &shown(object, &self.resource, self.metadata_only))
    }

    fn bookmark(&self, marks_end: bool) -> Bytes {
        let (api_version, kind) = if self.metadata_only {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata")
        } else {
            (self.resource.api_version(), self.resource.kind.as_str())
        };
        let mut object = json!({
            "kind": kind,
            "apiVersion": api_version,
            "metadata": {"resourceVersion": self.cursor.to_string(), "creationTimestamp": null},
        });
        if marks_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        line("BOOKMARK", &object)
    }
}

/// The type comes first, as the real server writes it: clients that keep an object's text depend on it.
fn line(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"))
}
