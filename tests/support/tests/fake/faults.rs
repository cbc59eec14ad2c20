//! Faults of requests.
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use assize_testkit::{
    conformance::{Sandbox, refusal, sample},
    fake::{Action, Match, Verb},
};
use kube::{
    Api, Client, Error,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use super::{map, maps, put, server};

#[tokio::test]
async fn requests_are_refused_with_any_code() {
    let server = server();
    let maps = maps(&server.client("operator"));
    for code in [403, 404, 409, 410, 429, 500, 503, 504] {
        let action = Action::Answer { code, retry_after_seconds: (code == 429).then_some(7) };
        let fault = server.faults().on_request(Match::writes().resource("configmaps").nth(1), action);
        let status = refusal(maps.create(&PostParams::default(), &map("one", "1")).await);
        assert_eq!(status.code, code);
        assert_eq!(status.details.map_or(0, |details| details.retry_after_seconds), if code == 429 { 7 } else { 0 });
        assert_eq!(fault.fired(), 1);
    }
    maps.create(&PostParams::default(), &map("one", "1")).await.unwrap();
    assert_eq!(server.write_counts().values().sum::<usize>(), 1);
    assert_eq!(server.writes().len(), 9);
}

#[tokio::test]
async fn rules_tell_clients_verbs_and_objects_apart() {
    let server = server();
    let rule = Match::any().verb(Verb::Get).name("one").user_agent("operator");
    let fault = server.faults().on_request(rule, Action::answer(500));
    put(&server, "one", "1");
    put(&server, "two", "1");
    assert_eq!(refusal(maps(&server.client("operator/1")).get("one").await).code, 500);
    maps(&server.client("operator/1")).get("two").await.unwrap();
    maps(&server.client("test")).get("one").await.unwrap();
    maps(&server.client("operator/1")).list(&ListParams::default()).await.unwrap();
    fault.remove();
    maps(&server.client("operator/1")).get("one").await.unwrap();
}

#[tokio::test]
async fn rules_tell_groups_with_one_plural_name_apart() {
    let server = server();
    let namespaced = |name: &str| Match::any().resource(name);
    let (events, core) = (namespaced("events.events.k8s.io"), namespaced("events").group(""));
    server.faults().on_request(events, Action::answer(500));
    let client = server.client("operator");
    let core_events: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(client.clone(), "default");
    let new_events: Api<k8s_openapi::api::events::v1::Event> = Api::namespaced(client, "default");
    core_events.list(&ListParams::default()).await.unwrap();
    assert_eq!(refusal(new_events.list(&ListParams::default()).await).code, 500);
    server.faults().clear();
    server.faults().on_request(core, Action::answer(500));
    new_events.list(&ListParams::default()).await.unwrap();
    assert_eq!(refusal(core_events.list(&ListParams::default()).await).code, 500);
}

#[tokio::test]
async fn a_lost_reply_is_a_committed_write() {
    let server = server();
    let listener = server.listen(0).await.unwrap();
    let over_http = super::conformance::http_client(&listener.kubeconfig()).await;
    for (number, client) in [server.client("operator"), over_http].iter().enumerate() {
        let (lost, kept, failed) = (format!("lost-{number}"), format!("kept-{number}"), format!("failed-{number}"));
        server.faults().on_request(Match::writes().nth(1), Action::DropRequest);
        let result = maps(client).create(&PostParams::default(), &map(&lost, "1")).await;
        assert!(!matches!(result, Ok(_) | Err(Error::Api(_))), "the connection breaks");
        assert!(server.get("configmaps", "default", &lost).is_none());

        server.faults().on_request(Match::writes().nth(1), Action::DropReply);
        let result = maps(client).create(&PostParams::default(), &map(&kept, "1")).await;
        assert!(!matches!(result, Ok(_) | Err(Error::Api(_))), "the connection breaks");
        assert!(server.get("configmaps", "default", &kept).is_some());
        let entry = server.writes().pop().unwrap();
        assert_eq!((entry.committed, entry.code), (true, None));

        server.faults().on_request(Match::writes().nth(1), Action::AnswerAfter { code: 500 });
        assert_eq!(refusal(maps(client).create(&PostParams::default(), &map(&failed, "1")).await).code, 500);
        assert!(server.get("configmaps", "default", &failed).is_some());
    }
}

/// A controller of three writes.
async fn controller(client: Client) {
    for name in ["one", "two", "three"] {
        let parameters = PatchParams::apply("controller");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        maps(&client).patch(name, &parameters, &Patch::Apply(object)).await.unwrap();
    }
}

#[tokio::test]
async fn a_controller_is_stopped_before_and_after_every_write() {
    for write in 1..=3 {
        for (action, committed) in [(Action::Hang, write - 1), (Action::HangReply, write)] {
            let server = server();
            let point = Match::writes().user_agent("controller").nth(write);
            let fault = server.faults().on_request(point, action);
            let task = tokio::spawn(controller(server.client("controller")));
            fault.reached().await;
            tokio::task::yield_now().await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            fault.release();
            assert_eq!(server.list("configmaps", Some("default")).len() as u64, committed);
            controller(server.client("controller")).await;
            assert_eq!(server.list("configmaps", Some("default")).len(), 3);
            assert!(server.write_counts().values().all(|count| *count == 1), "the second run repeats nothing");
        }
    }
}

#[tokio::test]
async fn a_held_request_goes_on_when_released() {
    let server = server();
    let fault = server.faults().on_request(Match::writes().nth(1), Action::Hang);
    let client = server.client("controller");
    let task = tokio::spawn(async move { maps(&client).create(&PostParams::default(), &map("one", "1")).await });
    fault.reached().await;
    assert!(server.get("configmaps", "default", "one").is_none());
    fault.release();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn delays_and_hooks_run() {
    let server = server();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let hook = Action::RunAfter(Arc::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    server.faults().on_request(Match::writes().nth(2), hook);
    server.faults().on_request(Match::any().verb(Verb::Get), Action::Delay(Duration::from_hours(1)));
    let maps = maps(&server.client("operator"));
    for name in ["one", "two", "three"] {
        maps.create(&PostParams::default(), &map(name, "1")).await.unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let before = tokio::time::Instant::now();
    maps.get("one").await.unwrap();
    assert!(before.elapsed() >= Duration::from_hours(1));
}

#[tokio::test]
async fn denied_verbs_are_forbidden() {
    let server = server();
    server.deny(Some(Verb::List), "", "configmaps");
    let maps = maps(&server.client("operator"));
    assert!(refusal(maps.list(&ListParams::default()).await).is_forbidden());
    maps.create(&PostParams::default(), &map("one", "1")).await.unwrap();
    server.allow_all();
    maps.list(&ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn a_third_of_all_calls_can_fail_and_the_work_still_ends() {
    let server = server();
    let sandbox = Sandbox::new(server.client("operator")).await;
    server.faults().on_request(Match::any().every(3), Action::answer(500));
    let mut attempts = 0;
    for number in 0..20 {
        let object: DynamicObject = sample(&format!("sample-{number}"), &json!({"size": 1}));
        while sandbox.samples.create(&PostParams::default(), &object).await.is_err() {
            attempts += 1;
        }
    }
    assert_eq!(attempts, 10, "every third of thirty calls fails");
    server.faults().clear();
    assert_eq!(server.list("samples", Some(&sandbox.namespace)).len(), 20);
}
