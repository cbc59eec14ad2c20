//! Lists, selectors, pages, discovery, reviews and events.
use std::time::Duration;

use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::{ConfigMap, ObjectReference},
    events::v1::Event as StoredEvent,
};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    discovery,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde_json::json;

use super::{SERVED_ATTEMPTS, Sandbox, refusal, sample_resource, version_of};

fn names(list: &kube::core::ObjectList<DynamicObject>) -> Vec<&str> {
    list.items.iter().map(|object| object.metadata.name.as_deref().unwrap()).collect()
}

/// Label and field selectors select; a field without an index is refused.
pub async fn selectors_select(client: Client) {
    let sandbox = Sandbox::new(client).await;
    for (name, color, tier) in [("a", "red", "web"), ("b", "blue", "web"), ("c", "red", "db")] {
        sandbox.create(name, json!({"size": 1, "color": color})).await;
        let labels = Patch::Merge(json!({"metadata": {"labels": {"tier": tier}}}));
        sandbox.samples.patch(name, &PatchParams::default(), &labels).await.unwrap();
    }
    sandbox.create("d", json!({"size": 1})).await;
    let by_label = async |text: &str| sandbox.samples.list(&ListParams::default().labels(text)).await.unwrap();
    let by_field = async |text: &str| sandbox.samples.list(&ListParams::default().fields(text)).await.unwrap();
    assert_eq!(names(&by_label("tier=web").await), ["a", "b"]);
    assert_eq!(names(&by_label("tier!=web").await), ["c", "d"]);
    assert_eq!(names(&by_label("tier in (db, other)").await), ["c"]);
    assert_eq!(names(&by_label("tier").await), ["a", "b", "c"]);
    assert_eq!(names(&by_label("!tier").await), ["d"]);
    assert_eq!(names(&by_field("metadata.name=b").await), ["b"]);
    assert_eq!(names(&by_field("spec.color=red").await), ["a", "c"]);
    assert_eq!(names(&by_field("spec.color!=red").await), ["b", "d"]);
    let refused = sandbox.samples.list(&ListParams::default().fields("spec.size=1")).await;
    assert_eq!(refusal(refused).code, 400);
    let everywhere: Api<DynamicObject> = Api::all_with(sandbox.client.clone(), &sample_resource());
    let parameters = ListParams::default().fields(&format!("metadata.namespace={}", sandbox.namespace));
    assert_eq!(names(&everywhere.list(&parameters).await.unwrap()), ["a", "b", "c", "d"]);
}

/// Pages together show the state of the first page.
pub async fn pages_show_one_state(client: Client) {
    let sandbox = Sandbox::new(client).await;
    for name in ["a", "b", "c"] {
        sandbox.create(name, json!({"size": 1})).await;
    }
    let first = sandbox.samples.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    let token = first.metadata.continue_.clone().expect("there is more");
    sandbox.create("d", json!({"size": 1})).await;
    let second = sandbox.samples.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    assert_eq!(names(&second), ["c"], "what came later is not shown");
    assert!(second.metadata.continue_.is_none_or(|token| token.is_empty()));
    assert_eq!(first.metadata.resource_version, second.metadata.resource_version);
    let all = sandbox.samples.list(&ListParams::default().match_any()).await.unwrap();
    assert!(all.metadata.resource_version.is_some_and(|version| version != "0"));
}

/// Who asks for metadata gets no more.
pub async fn metadata_comes_alone(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let created = sandbox.create("one", json!({"size": 1})).await;
    let list = sandbox.samples.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items[0].metadata.uid, created.metadata.uid);
    let one = sandbox.samples.get_metadata("one").await.unwrap();
    assert_eq!(one.metadata.resource_version.as_deref(), Some(version_of(&created)));
}

/// Discovery names the kind and its subresource.
pub async fn discovery_finds_the_kind(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let mut found = discovery::group(&sandbox.client, "conformance.example.com").await;
    for _ in 0..SERVED_ATTEMPTS {
        if found.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        found = discovery::group(&sandbox.client, "conformance.example.com").await;
    }
    let group = found.unwrap();
    let (resource, capabilities) = group.recommended_kind("Sample").expect("the kind is discovered");
    assert_eq!(resource.plural, "samples");
    assert!(capabilities.subresources.iter().any(|(subresource, _)| subresource.plural == "status"));
    assert!(!sandbox.client.apiserver_version().await.unwrap().git_version.is_empty());
}

/// An administrator may do all.
pub async fn reviews_are_answered(client: Client) {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    let attributes = ResourceAttributes {
        verb: Some("list".to_owned()),
        resource: Some("pods".to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    assert!(answer.status.unwrap().allowed);
}

/// Events are published, and repeated ones become a series.
pub async fn events_are_recorded(client: Client) {
    let sandbox = Sandbox::new(client).await;
    let maps: Api<ConfigMap> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let map = ConfigMap {
        metadata: kube::api::ObjectMeta { name: Some("one".to_owned()), ..Default::default() },
        ..ConfigMap::default()
    };
    let map = maps.create(&PostParams::default(), &map).await.unwrap();
    let reference = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        name: map.metadata.name,
        namespace: map.metadata.namespace,
        uid: map.metadata.uid,
        ..ObjectReference::default()
    };
    let reporter = Reporter { controller: "conformance".to_owned(), instance: Some("one".to_owned()) };
    let recorder = Recorder::new(sandbox.client.clone(), reporter);
    let event = Event {
        type_: EventType::Normal,
        reason: "Checked".to_owned(),
        note: Some("the event recorder works".to_owned()),
        action: "Check".to_owned(),
        secondary: None,
    };
    for _ in 0..3 {
        recorder.publish(&event, &reference).await.unwrap();
    }
    let events: Api<StoredEvent> = Api::namespaced(sandbox.client.clone(), &sandbox.namespace);
    let stored = events.list(&ListParams::default()).await.unwrap();
    let found: Vec<&StoredEvent> =
        stored.items.iter().filter(|event| event.reason.as_deref() == Some("Checked")).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].series.as_ref().map(|series| series.count), Some(3));
}
