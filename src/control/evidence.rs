//! Reading what closes a gap: what streams would have shown, and what Pods say of their past. Reads only.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::StreamExt as _;
use kube::Client;
use kube::core::WatchEvent;
use kube::core::params::{ListParams, VersionMatch, WatchParams};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::domain::limits::{EVIDENCE_PODS, REPLAYED_CHANGES};
use crate::domain::time::Instant;
use crate::observe::facts::{CoreService, Named, ObjectKey, Pod, SERVICE_NAME, Slice, Workload, hash_128};

use super::gaps::{Found, History, PodsOf, PodsSeen, ReplayRequest, Replayed, Seen, Wanted};
use super::streams::Stream;
use super::watch::Watched;

/// For how many seconds a stream is asked what it would have shown. The API server sends a bookmark two seconds before
/// the end; where that was too short, once more for longer.
const REPLAY_SECONDS: [u32; 2] = [3, 10];
/// How long the Pods of one place may take: those of others wait for them.
const LISTING: Duration = Duration::from_secs(30);
/// Places whose Pods are listed at the same time.
const AT_ONCE: usize = 8;

/// Reads what is wanted.
pub async fn find(client: Client, wanted: Wanted) -> Found {
    match wanted {
        Wanted::Replay(request) => Found::Replayed(replay(&client, request).await),
        Wanted::Pods(places) => {
            let list = places.into_iter().map(|place| {
                let client = client.clone();
                async move {
                    let seen = tokio::time::timeout(LISTING, pods(&client, &place)).await.ok().flatten()?;
                    Some((place, seen))
                }
            });
            let found: Vec<Option<(PodsOf, PodsSeen)>> =
                futures::stream::iter(list).buffer_unordered(AT_ONCE).collect().await;
            Found::Pods(found.into_iter().flatten().collect())
        }
    }
}

/// What streams would have shown; none if one of them does not go back so far.
async fn replay(client: &Client, request: ReplayRequest) -> Option<Replayed> {
    let mut replayed = Replayed::default();
    let reading = request.streams.iter().map(|(stream, from, to)| changes(client, stream, from, *to));
    let read = futures::future::join_all(reading).await;
    for ((stream, ..), changes) in request.streams.iter().zip(read) {
        for (version, change) in changes? {
            note(&mut replayed, &request, stream, version, change);
        }
    }
    for (key, history) in &mut replayed.endpoints {
        history_of(client, &request, key, history).await;
    }
    for ((kind, key), history) in &mut replayed.workloads {
        let stream = Stream::Workloads(*kind);
        let before: Option<Vec<Workload>> = match version_of(&request, &stream) {
            Some(version) => list_exactly(client, &stream, key, &by_name(key), version).await,
            None => None,
        };
        put_before(history, before.map(|list| list.into_iter().map(|object| Seen::Workload(object, false)).collect()));
    }
    Some(replayed)
}

fn note(replayed: &mut Replayed, request: &ReplayRequest, stream: &Stream, version: u64, change: Seen) {
    let history = match (&change, stream) {
        (Seen::Slice(slice, _), _) => {
            let Some(name) = slice.service_name() else { return };
            let key = ObjectKey::new(slice.metadata.namespace.as_str(), name);
            request.endpoints.contains(&key).then(|| replayed.endpoints.entry(key))
        }
        (Seen::Service(service, _), _) => {
            let key = service.metadata.key();
            request.endpoints.contains(&key).then(|| replayed.endpoints.entry(key))
        }
        (Seen::Workload(workload, _), Stream::Workloads(kind)) => {
            let key = (*kind, workload.metadata.key());
            if request.workloads.contains(&key) {
                let history = replayed.workloads.entry(key).or_insert_with(|| Some(History::default()));
                history.get_or_insert_default().changes.push((version, change));
            }
            return;
        }
        _ => None,
    };
    if let Some(history) = history {
        history.or_insert_with(|| Some(History::default())).get_or_insert_default().changes.push((version, change));
    }
}

async fn history_of(client: &Client, request: &ReplayRequest, key: &ObjectKey, history: &mut Option<History>) {
    let (slices, services) = (Stream::Slices, Stream::CoreServices);
    let (Some(of_slices), Some(of_services)) = (version_of(request, &slices), version_of(request, &services)) else {
        *history = None;
        return;
    };
    let mine = ListParams::default().labels(&format!("{SERVICE_NAME}={}", key.name));
    let list: Option<Vec<Slice>> = list_exactly(client, &slices, key, &mine, of_slices).await;
    let service: Option<Vec<CoreService>> = list_exactly(client, &services, key, &by_name(key), of_services).await;
    let before = list.zip(service).map(|(list, service)| {
        let service = service.into_iter().map(|object| Seen::Service(object, false));
        service.chain(list.into_iter().map(|object| Seen::Slice(object, false))).collect()
    });
    put_before(history, before);
}

fn put_before(history: &mut Option<History>, before: Option<Vec<Seen>>) {
    match (history.as_mut(), before) {
        (Some(history), Some(before)) => {
            history.changes.sort_by_key(|(version, _)| *version);
            history.before = before;
        }
        _ => *history = None,
    }
}

fn by_name(key: &ObjectKey) -> ListParams {
    ListParams::default().fields(&format!("metadata.name={}", key.name))
}

fn version_of<'a>(request: &'a ReplayRequest, stream: &Stream) -> Option<&'a str> {
    request.streams.iter().find(|(other, ..)| other == stream).map(|(_, from, _)| from.as_str())
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    metadata: ListMetadata,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct ListMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

/// The objects of a namespace as they were at a version; none if that cannot be read any more.
async fn list_exactly<T: DeserializeOwned>(
    client: &Client,
    stream: &Stream,
    key: &ObjectKey,
    parameters: &ListParams,
    version: &str,
) -> Option<Vec<T>> {
    let mut parameters = parameters.clone();
    parameters.resource_version = Some(version.to_owned());
    parameters.version_match = Some(VersionMatch::Exact);
    list(client, &namespaced(&stream.watched(), key), &parameters).await
}

/// A list that fits into one answer.
async fn list<T: DeserializeOwned>(client: &Client, path: &str, parameters: &ListParams) -> Option<Vec<T>> {
    let request = kube::core::Request::new(path).list(parameters).ok()?;
    let list: List<T> = client.request(request).await.ok()?;
    list.metadata.next.is_empty().then_some(list.items)
}

/// `/apis/apps/v1/deployments` in a namespace.
fn namespaced(watched: &Watched, key: &ObjectKey) -> String {
    let (group, plural) = watched.path.rsplit_once('/').unwrap_or(("", &watched.path));
    format!("{group}/namespaces/{}/{plural}", key.namespace)
}

/// The changes of a stream after one version, up to another; none if it does not go back so far, or says too much.
async fn changes(client: &Client, stream: &Stream, from: &str, to: u64) -> Option<Vec<(u64, Seen)>> {
    if from.parse::<u64>().ok()? >= to {
        return Some(Vec::new());
    }
    for seconds in REPLAY_SECONDS {
        let within = Duration::from_secs(u64::from(seconds) + 2);
        match tokio::time::timeout(within, changes_within(client, stream, from, to, seconds)).await {
            Ok(Ok(changes)) => return Some(changes),
            Ok(Err(Unread::TooShort)) | Err(_) => {}
            Ok(Err(Unread::Refused)) => return None,
        }
    }
    None
}

/// Why changes could not be read.
enum Unread {
    /// The stream ended before it had shown as much as the list.
    TooShort,
    /// It does not go back so far, says too much, or nothing that can be read.
    Refused,
}

async fn changes_within(
    client: &Client,
    stream: &Stream,
    from: &str,
    to: u64,
    seconds: u32,
) -> Result<Vec<(u64, Seen)>, Unread> {
    let watched = stream.watched();
    let parameters = WatchParams {
        label_selector: watched.labels.clone(),
        timeout: Some(seconds),
        bookmarks: true,
        ..WatchParams::default()
    };
    let request = kube::core::Request::new(&*watched.path).watch(&parameters, from).map_err(|_| Unread::Refused)?;
    let events = client.request_events::<Box<RawValue>>(request).await.map_err(|_| Unread::Refused)?;
    let mut events = std::pin::pin!(events);
    let mut changes = Vec::new();
    while let Some(event) = events.next().await {
        let (raw, gone) = match event.map_err(|_| Unread::TooShort)? {
            WatchEvent::Added(raw) | WatchEvent::Modified(raw) => (raw, false),
            WatchEvent::Deleted(raw) => (raw, true),
            WatchEvent::Bookmark(bookmark) => {
                let version: u64 = bookmark.metadata.resource_version.parse().map_err(|_| Unread::Refused)?;
                if version >= to {
                    return Ok(changes);
                }
                continue;
            }
            WatchEvent::Error(_) => return Err(Unread::Refused),
        };
        let (version, seen) = read_change(stream, &raw, gone).ok_or(Unread::Refused)?;
        if version <= to {
            changes.push((version, seen));
        }
        if version >= to {
            return Ok(changes);
        }
        if changes.len() > REPLAYED_CHANGES {
            return Err(Unread::Refused);
        }
    }
    Err(Unread::TooShort)
}

/// A change with its resourceVersion.
fn read_change(stream: &Stream, raw: &RawValue, gone: bool) -> Option<(u64, Seen)> {
    let named: Named = serde_json::from_str(raw.get()).ok()?;
    Some((named.metadata.resource_version.parse().ok()?, decode(stream, raw, gone)?))
}

fn decode(stream: &Stream, raw: &RawValue, gone: bool) -> Option<Seen> {
    match stream {
        Stream::Slices => Some(Seen::Slice(serde_json::from_str(raw.get()).ok()?, gone)),
        Stream::CoreServices => Some(Seen::Service(serde_json::from_str(raw.get()).ok()?, gone)),
        Stream::Workloads(_) => Some(Seen::Workload(serde_json::from_str(raw.get()).ok()?, gone)),
        _ => None,
    }
}

/// What is read of a core Service to find its Pods.
#[derive(Deserialize)]
struct Selecting {
    metadata: SelectingMetadata,
    #[serde(default)]
    spec: SelectingSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SelectingMetadata {
    #[serde(default)]
    managed_fields: Vec<ManagedFields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagedFields {
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    subresource: Option<String>,
    #[serde(default)]
    fields_v1: HashMap<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct SelectingSpec {
    #[serde(default)]
    selector: BTreeMap<String, String>,
}

/// The Pods of a place; none if they cannot be read, or are too many.
async fn pods(client: &Client, place: &PodsOf) -> Option<PodsSeen> {
    let (namespace, selector, spec_writes) = match place {
        PodsOf::Selection(selection) => (selection.namespace.clone(), selection.selector.to_string(), Vec::new()),
        PodsOf::Service(key) => {
            let path = namespaced(&Stream::CoreServices.watched(), key);
            let found: Vec<Selecting> = list(client, &path, &by_name(key)).await?;
            let service = found.into_iter().next()?;
            let terms: Vec<String> =
                service.spec.selector.iter().map(|(name, value)| format!("{name}={value}")).collect();
            if terms.is_empty() {
                // Its endpoints are somebody else's, and so are its Pods.
                return None;
            }
            (key.namespace.clone(), terms.join(","), spec_writes(&service.metadata.managed_fields)?)
        }
    };
    let mut parameters = ListParams::default().labels(&selector);
    parameters.limit = Some(EVIDENCE_PODS as u32);
    let found: Vec<Pod> = list(client, &format!("/api/v1/namespaces/{namespace}/pods"), &parameters).await?;
    let facts = found.iter().map(|pod| Some((hash_128(&pod.metadata.uid), pod.facts()?)));
    Some(PodsSeen { pods: facts.collect::<Option<_>>()?, spec_writes })
}

/// When the spec was written, by whom ever; none if that is not said.
fn spec_writes(fields: &[ManagedFields]) -> Option<Vec<Instant>> {
    let writes = fields.iter().filter(|fields| fields.subresource.is_none() && fields.fields_v1.contains_key("f:spec"));
    let times: Option<Vec<Instant>> = writes.map(|fields| Instant::parse(fields.time.as_deref()?).ok()).collect();
    times.filter(|times| !times.is_empty())
}
