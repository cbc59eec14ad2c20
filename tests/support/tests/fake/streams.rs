//! Faults of watches, and views of the past.
use assize_testkit::{
    conformance::refusal,
    fake::{EventAction, EventKind, FakeApiServer, Match},
};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    api::{ListParams, PostParams, WatchEvent, WatchParams},
    runtime::watcher,
};

use super::{maps, put, server};

type Changes = std::pin::Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Send>>;

async fn watch(server: &FakeApiServer) -> Changes {
    let parameters = WatchParams { bookmarks: true, ..WatchParams::default() };
    let version = server.resource_version().to_string();
    let stream = maps(&server.client("operator")).watch(&parameters, &version).await.unwrap();
    stream.into_stream().boxed()
}

fn text(event: WatchEvent<ConfigMap>) -> String {
    let show = |kind: &str, map: ConfigMap| {
        let value = map.data.unwrap_or_default().remove("value").unwrap_or_default();
        format!("{kind} {} {value}", map.metadata.name.unwrap())
    };
    match event {
        WatchEvent::Added(map) => show("added", map),
        WatchEvent::Modified(map) => show("modified", map),
        WatchEvent::Deleted(map) => show("deleted", map),
        WatchEvent::Bookmark(bookmark) => format!("bookmark {}", bookmark.metadata.resource_version),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

/// What has arrived; the end of the stream shows as "end".
fn arrived(stream: &mut Changes) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(item) = stream.next().now_or_never() {
        let Some(event) = item else {
            texts.push("end".to_owned());
            break;
        };
        texts.push(event.map_or_else(|_| "broken".to_owned(), text));
    }
    texts
}

#[tokio::test]
async fn events_are_dropped_doubled_held_and_coalesced() {
    let one = || Match::any().resource("configmaps").name("one");
    let cases = [
        (EventAction::Drop, vec!["added one 1", "added two 1", "modified one 3"], vec![]),
        (
            EventAction::Duplicate,
            vec!["added one 1", "modified one 2", "modified one 2", "added two 1", "modified one 3"],
            vec![],
        ),
        (EventAction::Hold, vec!["added one 1", "added two 1", "modified one 3"], vec!["modified one 2"]),
        (EventAction::Coalesce, vec!["added one 1", "added two 1", "modified one 3"], vec![]),
        (EventAction::Close, vec!["added one 1", "end"], vec!["end"]),
        (EventAction::Expire, vec!["added one 1", "error 410", "end"], vec!["end"]),
    ];
    for (action, expected, released) in cases {
        let server = server();
        let mut stream = watch(&server).await;
        let fault = server.faults().on_event(one().nth(2), action);
        for (name, value) in [("one", "1"), ("one", "2"), ("two", "1"), ("one", "3")] {
            put(&server, name, value);
        }
        assert_eq!(arrived(&mut stream), expected, "{action:?}");
        fault.release();
        assert_eq!(arrived(&mut stream), released, "{action:?} after the release");
        assert_eq!(fault.fired(), 1);
    }
}

#[tokio::test]
async fn a_created_object_that_is_coalesced_into_its_deletion_is_never_seen() {
    let server = server();
    let mut stream = watch(&server).await;
    server.faults().on_event(Match::any().event(EventKind::Added).nth(1), EventAction::Coalesce);
    put(&server, "one", "1");
    server.delete("configmaps", "default", "one").unwrap();
    put(&server, "two", "1");
    assert_eq!(arrived(&mut stream), ["added two 1"]);
}

#[tokio::test]
async fn watches_fall_silent_and_end() {
    let server = server();
    let mut stream = watch(&server).await;
    let stall = server.faults().stall_watches(Match::any().resource("configmaps").user_agent("operator"));
    put(&server, "one", "1");
    server.send_bookmarks();
    assert!(arrived(&mut stream).is_empty());
    stall.release();
    let version = server.resource_version();
    assert_eq!(arrived(&mut stream), ["added one 1".to_owned(), format!("bookmark {version}")]);
    server.send_bookmarks();
    assert_eq!(arrived(&mut stream), [format!("bookmark {version}")]);
    server.faults().close_watches();
    assert_eq!(arrived(&mut stream), ["end"]);
    let mut stream = watch(&server).await;
    put(&server, "two", "1");
    server.faults().break_watches();
    put(&server, "three", "1");
    assert_eq!(arrived(&mut stream), ["broken", "end"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_at_its_timeout() {
    let server = server();
    let maps = maps(&server.client("operator"));
    let parameters = WatchParams::default().timeout(60);
    let mut stream = maps.watch(&parameters, "0").await.unwrap().into_stream().boxed();
    assert!(
        matches!(stream.next().await, Some(Ok(WatchEvent::Bookmark(_)))),
        "what was shown is proved before the end"
    );
    assert!(stream.next().await.is_none());
    let silent = WatchParams { bookmarks: false, ..parameters };
    assert!(maps.watch(&silent, "0").await.unwrap().into_stream().boxed().next().await.is_none());
}

#[tokio::test]
async fn a_frozen_view_shows_the_past_until_it_thaws() {
    let server = server();
    put(&server, "one", "1");
    let past = server.resource_version();
    put(&server, "one", "2");
    put(&server, "two", "1");
    let maps = maps(&server.client("operator"));
    let names = async |parameters: &ListParams| maps.list(parameters).await.unwrap().items.len();
    server.faults().freeze_cache_at(past).unwrap();
    assert_eq!(names(&ListParams::default().match_any()).await, 1);
    assert_eq!(names(&ListParams::default()).await, 2, "a consistent list sees the present");
    server.faults().freeze_reads_at(past).unwrap();
    assert_eq!(names(&ListParams::default()).await, 1);
    assert_eq!(maps.get("one").await.unwrap().data.unwrap()["value"], "1");
    let mut stream = maps.watch(&WatchParams::default(), "0").await.unwrap().into_stream().boxed();
    assert_eq!(arrived(&mut stream), ["added one 1"]);
    let stale = maps.get("one").await.unwrap();
    assert_eq!(refusal(maps.replace("one", &PostParams::default(), &stale).await).code, 409, "writes see the present");
    server.faults().thaw();
    assert_eq!(arrived(&mut stream), ["modified one 2", "added two 1"]);
}

#[tokio::test]
async fn a_compacted_history_expires_watches_and_pages() {
    let server = server();
    put(&server, "one", "1");
    put(&server, "two", "1");
    let maps = maps(&server.client("operator"));
    let page = maps.list(&ListParams::default().limit(1)).await.unwrap();
    let version = page.metadata.resource_version.unwrap();
    put(&server, "three", "1");
    server.compact();
    let mut stream = maps.watch(&WatchParams::default(), &version).await.unwrap().into_stream().boxed();
    assert_eq!(arrived(&mut stream), ["error 410", "end"]);
    let token = page.metadata.continue_.unwrap();
    let status = refusal(maps.list(&ListParams::default().limit(1).continue_token(&token)).await);
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn a_watcher_lists_again_after_410() {
    let server = FakeApiServer::builder().history_bound(3).build().unwrap();
    put(&server, "one", "1");
    let mut events = Box::pin(watcher::watcher(maps(&server.client("operator")), watcher::Config::default()));
    while !matches!(events.next().await.unwrap().unwrap(), watcher::Event::InitDone) {}
    for value in ["2", "3", "4", "5", "6"] {
        put(&server, "one", value);
    }
    assert!(events.next().await.unwrap().is_err(), "the gap shows as an error");
    assert!(matches!(events.next().await.unwrap().unwrap(), watcher::Event::Init));
    let watcher::Event::InitApply(map) = events.next().await.unwrap().unwrap() else { panic!("expected a list") };
    assert_eq!(map.data.unwrap()["value"], "6");
}

#[tokio::test]
async fn a_restored_backup_turns_versions_back() {
    let server = server();
    put(&server, "one", "1");
    let past = server.resource_version();
    put(&server, "one", "2");
    put(&server, "two", "1");
    server.rewind_to(past).unwrap();
    assert_eq!(server.resource_version(), past);
    assert_eq!(server.get("configmaps", "default", "one").unwrap()["data"]["value"], "1");
    assert!(server.get("configmaps", "default", "two").is_none());
    assert!(server.rewind_to(past + 1).is_err());
}

/// What a workload of two objects leads to, as a reader with a cache sees it at the end.
async fn cached_after_workload(server: &FakeApiServer) -> Vec<String> {
    let mut stream = watch(server).await;
    for (name, value) in [("one", "1"), ("two", "1"), ("one", "2")] {
        put(server, name, value);
    }
    server.delete("configmaps", "default", "two").unwrap();
    arrived(&mut stream)
}

#[tokio::test]
async fn a_learning_run_numbers_the_events_for_a_sweep() {
    let learning = server();
    let start = learning.resource_version();
    let all = cached_after_workload(&learning).await;
    let changes: Vec<_> = learning.changes().into_iter().filter(|change| change.resource_version > start).collect();
    assert_eq!(changes.len(), all.len());
    assert_eq!((changes[3].kind, changes[3].name.as_str()), (EventKind::Deleted, "two"));
    for missed in 1..=changes.len() {
        let server = server();
        server.faults().on_event(Match::any().nth(missed as u64), EventAction::Drop);
        let mut expected = all.clone();
        expected.remove(missed - 1);
        assert_eq!(cached_after_workload(&server).await, expected);
    }
    for change in changes {
        learning.faults().freeze_reads_at(change.resource_version).unwrap();
        let shown = maps(&learning.client("operator")).list(&ListParams::default()).await.unwrap();
        assert_eq!(shown.metadata.resource_version, Some(change.resource_version.to_string()));
    }
}
