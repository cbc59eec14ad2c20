//! Watches: order, selectors, bookmarks, streaming lists, and versions that are too old.
use std::{collections::BTreeSet, pin::pin, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt};
use kube::{
    Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams},
    runtime::watcher::{self, Event},
};
use serde_json::json;

use super::{Sandbox, version_of};

/// How long an event of the real server may take.
const EVENT_TIMEOUT: Duration = Duration::from_secs(30);

async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin)) -> T {
    let item = tokio::time::timeout(EVENT_TIMEOUT, stream.next()).await;
    item.expect("no event arrived").expect("the stream ended")
}

/// The kind and the name of an event; bookmarks are passed over.
async fn next_change<S>(stream: &mut S) -> (&'static str, DynamicObject)
where
    S: Stream<Item = kube::Result<WatchEvent<DynamicObject>>> + Unpin,
{
    loop {
        match next(stream).await.unwrap() {
            WatchEvent::Added(object) => return ("ADDED", object),
            WatchEvent::Modified(object) => return ("MODIFIED", object),
            WatchEvent::Deleted(object) => return ("DELETED", object),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => panic!("expected a change, got {status:?}"),
        }
    }
}

async fn relabel(sandbox: &Sandbox, name: &str, value: &str) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"tier": value}}}));
    sandbox.samples.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// A watch from a version shows every later change, in order, and a deletion under a version of its own.
pub async fn changes_come_in_order(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let first = sandbox.create("one", json!({"size": 1})).await;
    sandbox.create("two", json!({"size": 1})).await;
    relabel(&sandbox, "one", "web").await;
    sandbox.samples.delete("two", &DeleteParams::default()).await.unwrap();
    let stream = sandbox.samples.watch(&WatchParams::default(), version_of(&first)).await.unwrap();
    let mut stream = pin!(stream.into_stream());
    let mut last = version_of(&first).parse::<u64>().unwrap();
    for expected in [("ADDED", "two"), ("MODIFIED", "one"), ("DELETED", "two")] {
        let (kind, object) = next_change(&mut stream).await;
        assert_eq!((kind, object.metadata.name.as_deref().unwrap()), expected);
        let version = version_of(&object).parse().unwrap();
        assert!(version > last, "versions rise");
        last = version;
    }
}

/// Without a version a watch starts with what is there.
pub async fn a_watch_without_version_starts_with_the_state(client: Client) {
    let sandbox = Sandbox::new(client).await;
    sandbox.create("one", json!({"size": 1})).await;
    let stream = sandbox.samples.watch(&WatchParams::default(), "0").await.unwrap();
    let mut stream = pin!(stream.into_stream());
    let (kind, object) = next_change(&mut stream).await;
    assert_eq!((kind, object.metadata.name.as_deref()), ("ADDED", Some("one")));
    sandbox.create("two", json!({"size": 1})).await;
    let (kind, object) = next_change(&mut stream).await;
    assert_eq!((kind, object.metadata.name.as_deref()), ("ADDED", Some("two")));
}

/// To a watch with a selector an object that joins is added, and one that leaves is deleted.
pub async fn a_selector_watch_sees_joining_and_leaving(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let first = sandbox.create("one", json!({"size": 1})).await;
    let stream = sandbox.samples.watch(&WatchParams::default().labels("tier=web"), version_of(&first)).await.unwrap();
    let mut stream = pin!(stream.into_stream());
    for (tier, expected) in [("web", "ADDED"), ("db", "DELETED"), ("web", "ADDED")] {
        relabel(&sandbox, "one", tier).await;
        assert_eq!(next_change(&mut stream).await.0, expected);
    }
}

/// A streaming list ends with an annotated bookmark; then come the changes.
pub async fn a_streaming_list_ends_with_a_bookmark(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.create("one", json!({"size": 1})).await;
    let stream = sandbox.samples.watch(&WatchParams::streaming_lists(), "0").await.unwrap();
    let mut stream = pin!(stream.into_stream());
    let (kind, object) = next_change(&mut stream).await;
    assert_eq!((kind, object.metadata.name.as_deref()), ("ADDED", Some("one")));
    let WatchEvent::Bookmark(bookmark) = next(&mut stream).await.unwrap() else { panic!("expected a bookmark") };
    assert_eq!(bookmark.metadata.annotations["k8s.io/initial-events-end"], "true");
    let (shown, stored): (u64, u64) =
        (bookmark.metadata.resource_version.parse().unwrap(), version_of(&created).parse().unwrap());
    assert!(shown >= stored);
    sandbox.samples.delete("one", &DeleteParams::default()).await.unwrap();
    assert_eq!(next_change(&mut stream).await.0, "DELETED");
}

/// A version from before the memory of the server gets 410 as an event.
pub async fn a_version_that_is_too_old_is_gone(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let stream = sandbox.samples.watch(&WatchParams::default(), "1").await.unwrap();
    let mut stream = pin!(stream.into_stream());
    let WatchEvent::Error(status) = next(&mut stream).await.unwrap() else { panic!("expected an error") };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

async fn a_watcher_follows(client: Client, configuration: watcher::Config) {
    let sandbox = Sandbox::new(client).await;
    sandbox.create("one", json!({"size": 1})).await;
    sandbox.create("two", json!({"size": 1})).await;
    let mut stream = pin!(watcher::watcher(sandbox.samples.clone(), configuration));
    assert!(matches!(next(&mut stream).await.unwrap(), Event::Init));
    // The list may come from a cache that lags a little: what it lacks follows as a change.
    let (mut seen, mut done) = (BTreeSet::new(), false);
    while !done || seen.len() < 2 {
        match next(&mut stream).await.unwrap() {
            Event::InitApply(object) if !done => seen.insert(object.metadata.name.unwrap()),
            Event::Apply(object) if done => seen.insert(object.metadata.name.unwrap()),
            Event::InitDone if !done => std::mem::replace(&mut done, true),
            other => panic!("unexpected {other:?}"),
        };
    }
    assert_eq!(seen, ["one".to_owned(), "two".to_owned()].into());
    relabel(&sandbox, "one", "web").await;
    let Event::Apply(object) = next(&mut stream).await.unwrap() else { panic!("expected a change") };
    assert_eq!(object.metadata.labels.unwrap()["tier"], "web");
    sandbox.samples.delete("two", &DeleteParams::default()).await.unwrap();
    let Event::Delete(object) = next(&mut stream).await.unwrap() else { panic!("expected a deletion") };
    assert_eq!(object.metadata.name.as_deref(), Some("two"));
}

/// kube's watcher follows by list and watch, in pages of one.
pub async fn a_watcher_lists_and_watches(client: Client) {
    a_watcher_follows(client, watcher::Config::default().page_size(1)).await;
}

/// kube's watcher follows by streaming lists.
pub async fn a_watcher_streams_lists(client: Client) {
    a_watcher_follows(client, watcher::Config::default().streaming_lists()).await;
}
