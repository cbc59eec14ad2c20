//! Watch loops: one a kind, from a streaming list over resumed watches to a new list, with back-off.
//!
//! Objects are handed on as their raw JSON: each source decodes the few fields it reads, and an object that cannot be
//! decoded is told of and passed over, so that it never stops a watch.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::Client;
use kube::core::WatchEvent;
use kube::core::params::{ListParams, WatchParams};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};

/// What a watch shows.
#[derive(Debug)]
pub enum Change {
    /// A complete list begins: what is not in it is gone.
    Restarted,
    /// An object is there, or changed.
    Applied(Box<RawValue>),
    /// An object is gone.
    Deleted(Box<RawValue>),
    /// The list is complete.
    Complete,
    /// The stream goes on where it broke off.
    Resumed,
    /// Nothing changed up to this resourceVersion.
    Progress(String),
    /// The watch cannot run.
    Failed(WatchFailure),
}

/// Why a watch cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchFailure {
    /// The operator may not list or watch the resource.
    Forbidden(String),
    /// The API server does not know the resource.
    NotFound(String),
    /// The API server does not answer, or not as it should.
    Unreachable(String),
}

impl WatchFailure {
    /// Tells of it in the log, with the remedy.
    pub fn tell(&self, stream: &'static str) {
        match self {
            Self::Forbidden(message) => tracing::error!(
                stream,
                message,
                "the operator may not watch this: grant the verbs list and watch to its service account"
            ),
            Self::NotFound(message) => {
                tracing::error!(
                    stream,
                    message,
                    "the API server does not know this: apply the output of `assize crds`"
                );
            }
            Self::Unreachable(message) => tracing::warn!(stream, message, "the watch was interrupted"),
        }
    }
}

/// What is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Path of the collection, such as `/apis/apps/v1/deployments`.
    pub path: Arc<str>,
    /// Label selector.
    pub labels: Option<String>,
}

/// The resourceVersion of a list of one object, without a version of its own: the API server answers after its cache
/// has reached what its etcd says now, so a watch that shows this version has shown all before.
pub async fn ask(client: &Client, watched: &Watched) -> Option<u64> {
    let parameters = ListParams { label_selector: watched.labels.clone(), limit: Some(1), ..ListParams::default() };
    let request = kube::core::Request::new(&*watched.path).list(&parameters).ok()?;
    let page: Page = tokio::time::timeout(ASK_WITHIN, client.request(request)).await.ok()?.ok()?;
    page.metadata.resource_version.parse().ok()
}

/// Shortest and longest pause between tries.
const BACKOFF_MS: (u64, u64) = (500, 30_000);
/// A watch that shows nothing for so long, not even a bookmark, is reconnected.
const STALLED: Duration = Duration::from_secs(150);
/// The API server ends a watch after this; shorter than its own limit, so that load spreads.
const WATCH_SECONDS: u32 = 290;
/// Objects a page, where streaming lists are not to be had.
const PAGE: u32 = 500;

/// How long such a list may take.
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// How long the first connection after a failure lasts. Before its end the API server sends a bookmark, which proves
/// what was not seen meanwhile; the one of a long watch may take a minute.
const PROVING_SECONDS: u32 = 3;

/// Runs one watch until the receiver is gone. `stalled` tells it that nothing proves what it shows: it connects anew.
pub async fn run<T>(client: Client, watched: Watched, tag: T, sender: mpsc::Sender<(T, Change)>, stalled: Arc<Notify>)
where
    T: Clone + Send,
{
    let mut watch =
        Watch { client, watched, tag, sender, stalled, version: None, streaming: true, failures: 0, proving: false };
    while !watch.sender.is_closed() {
        match watch.turn().await {
            Ok(()) | Err(Stop::Again) => {
                watch.failures = 0;
                watch.proving = false;
            }
            Err(Stop::Closed) => return,
            Err(Stop::Failed(failure)) => {
                watch.proving = true;
                let _ = watch.send(Change::Failed(failure)).await;
                watch.failures += 1;
                tokio::time::sleep(watch.pause()).await;
            }
        }
    }
}

struct Watch<T> {
    client: Client,
    watched: Watched,
    tag: T,
    sender: mpsc::Sender<(T, Change)>,
    version: Option<String>,
    /// Whether the API server offers streaming lists.
    streaming: bool,
    failures: u32,
    stalled: Arc<Notify>,
    /// Whether the last connection failed.
    proving: bool,
}

enum Stop {
    Closed,
    /// Connect anew at once.
    Again,
    Failed(WatchFailure),
}

/// The little that the loop itself reads of an object.
#[derive(Deserialize)]
struct Versioned {
    metadata: VersionMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionMetadata {
    #[serde(default)]
    resource_version: String,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    metadata: PageMetadata,
    #[serde(default)]
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: String,
}

impl<T: Clone + Send> Watch<T> {
    /// One connection: a list if nothing is known yet, then events until the API server ends it.
    async fn turn(&mut self) -> Result<(), Stop> {
        if self.version.is_none() && !self.streaming {
            self.list().await?;
        }
        let initial = self.version.is_none();
        let parameters = WatchParams {
            label_selector: self.watched.labels.clone(),
            timeout: Some(if self.proving && !initial { PROVING_SECONDS } else { WATCH_SECONDS }),
            bookmarks: true,
            send_initial_events: initial,
            ..WatchParams::default()
        };
        let version = self.version.clone().unwrap_or_default();
        let request = kube::core::Request::new(&*self.watched.path)
            .watch(&parameters, &version)
            .map_err(|error| Stop::Failed(WatchFailure::Unreachable(error.to_string())))?;
        let connect = self.client.request_events::<Box<RawValue>>(request);
        let stream = tokio::time::timeout(STALLED, connect).await.map_err(|_| stalled())?;
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return self.refused(&error, initial),
        };
        let mut stream = std::pin::pin!(stream);
        self.send(if initial { Change::Restarted } else { Change::Resumed }).await?;
        loop {
            let unproved = self.stalled.clone();
            let next = tokio::select! {
                next = tokio::time::timeout(STALLED, stream.next()) => next.map_err(|_| stalled())?,
                () = unproved.notified() => return Err(stalled()),
            };
            match next {
                None if self.version.is_none() => {
                    return Err(Stop::Failed(WatchFailure::Unreachable("the list ended early".to_owned())));
                }
                None => return Ok(()),
                Some(Ok(event)) => self.event(event).await?,
                Some(Err(error)) => return self.refused(&error, false),
            }
        }
    }

    async fn event(&mut self, event: WatchEvent<Box<RawValue>>) -> Result<(), Stop> {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.advance(&object);
                self.send(Change::Applied(object)).await
            }
            WatchEvent::Deleted(object) => {
                self.advance(&object);
                self.send(Change::Deleted(object)).await
            }
            WatchEvent::Bookmark(bookmark) => {
                let listed = bookmark.metadata.annotations.contains_key("k8s.io/initial-events-end");
                let version = bookmark.metadata.resource_version;
                if listed {
                    self.version = Some(version.clone());
                    self.failures = 0;
                    self.send(Change::Complete).await?;
                } else if self.version.is_some() {
                    self.version = Some(version.clone());
                }
                self.send(Change::Progress(version)).await
            }
            WatchEvent::Error(status) => {
                if status.code == 410 {
                    // The history is gone: a new list follows at once.
                    self.version = None;
                    return Err(Stop::Again);
                }
                Err(Stop::Failed(WatchFailure::Unreachable(status.message)))
            }
        }
    }

    /// A list in pages, for API servers without streaming lists.
    async fn list(&mut self) -> Result<(), Stop> {
        let mut parameters = ListParams { label_selector: self.watched.labels.clone(), ..ListParams::default() };
        parameters.limit = Some(PAGE);
        let mut begun = false;
        loop {
            let request = kube::core::Request::new(&*self.watched.path)
                .list(&parameters)
                .map_err(|error| Stop::Failed(WatchFailure::Unreachable(error.to_string())))?;
            let page: Page = match self.client.request(request).await {
                Ok(page) => page,
                Err(error) => return self.refused(&error, false),
            };
            if !begun {
                self.send(Change::Restarted).await?;
                begun = true;
            }
            for object in page.items {
                self.send(Change::Applied(object)).await?;
            }
            if page.metadata.next.is_empty() {
                self.version = Some(page.metadata.resource_version.clone());
                self.send(Change::Complete).await?;
                return self.send(Change::Progress(page.metadata.resource_version)).await;
            }
            parameters.continue_token = Some(page.metadata.next);
        }
    }

    fn refused(&mut self, error: &kube::Error, initial: bool) -> Result<(), Stop> {
        let kube::Error::Api(status) = error else {
            return Err(Stop::Failed(WatchFailure::Unreachable(error.to_string())));
        };
        match status.code {
            410 => {
                self.version = None;
                Err(Stop::Again)
            }
            400 | 422 if initial => {
                self.streaming = false;
                Err(Stop::Again)
            }
            401 | 403 => Err(Stop::Failed(WatchFailure::Forbidden(status.message.clone()))),
            404 => {
                self.version = None;
                Err(Stop::Failed(WatchFailure::NotFound(status.message.clone())))
            }
            _ => Err(Stop::Failed(WatchFailure::Unreachable(status.message.clone()))),
        }
    }

    fn advance(&mut self, object: &RawValue) {
        // Within a list the version of one object is not the version of the list.
        if self.version.is_some()
            && let Ok(versioned) = serde_json::from_str::<Versioned>(object.get())
            && !versioned.metadata.resource_version.is_empty()
        {
            self.version = Some(versioned.metadata.resource_version);
        }
    }

    async fn send(&self, change: Change) -> Result<(), Stop> {
        self.sender.send((self.tag.clone(), change)).await.map_err(|_| Stop::Closed)
    }

    /// Doubles with each failure, and differs from replica to replica and kind to kind.
    fn pause(&self) -> Duration {
        let (shortest, longest) = BACKOFF_MS;
        let full = shortest.saturating_mul(1 << self.failures.saturating_sub(1).min(10)).min(longest);
        Duration::from_millis(full / 2 + super::jitter(full / 2))
    }
}

fn stalled() -> Stop {
    Stop::Failed(WatchFailure::Unreachable("nothing proves what the watch shows".to_owned()))
}
