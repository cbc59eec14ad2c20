//! The real control plane: what runs in it works, and nothing of it stays behind.
#![allow(clippy::unwrap_used)]
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use assize_testkit::controlplane::{Component, ControlPlane, Error, Options};
use k8s_openapi::api::{
    apps::v1::Deployment,
    authentication::v1::SelfSubjectReview,
    core::v1::{ConfigMap, Namespace, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(30);

fn object<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

async fn eventually<F: Future<Output = bool>>(what: &str, probe: impl Fn() -> F) {
    let deadline = Instant::now() + LIMIT;
    while !probe().await {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_deployment_becomes_available_and_its_service_gets_endpoints() {
    let options = Options { controller_accounts: true, ..Options::with_nodes(1) };
    let plane = ControlPlane::start(options).await.unwrap();
    let client = plane.client();
    let deployments = Api::<Deployment>::namespaced(client.clone(), "default");
    let deployment = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            },
        },
    });
    deployments.create(&PostParams::default(), &object(deployment)).await.unwrap();
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let services = Api::<Service>::namespaced(client.clone(), "default");
    services.create(&PostParams::default(), &object(service)).await.unwrap();

    eventually("the deployment is available", async || {
        deployments.get("web").await.unwrap().status.and_then(|status| status.available_replicas) == Some(2)
    })
    .await;
    let slices = Api::<EndpointSlice>::namespaced(client, "default");
    eventually("the service has two ready endpoints", async || {
        let list = slices.list(&ListParams::default().labels("kubernetes.io/service-name=web")).await.unwrap();
        let endpoints = list.items.iter().flat_map(|slice| &slice.endpoints);
        endpoints.filter(|endpoint| endpoint.conditions.as_ref().and_then(|all| all.ready) == Some(true)).count() == 2
    })
    .await;

    versions_are_those_of_the_release(&plane);
    assert_eq!(creator_in_audit_log(&plane, "deployments"), "admin");
    assert_eq!(creator_in_audit_log(&plane, "replicasets"), "system:serviceaccount:kube-system:deployment-controller");
}

/// Who created the first object of `resource`, after the audit log.
fn creator_in_audit_log(plane: &ControlPlane, resource: &str) -> String {
    let audit = fs::read_to_string(plane.audit_log()).unwrap();
    let events = audit.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let created = events
        .filter(|event| event["verb"] == "create" && event["level"] == "Metadata")
        .find(|event| event["objectRef"]["resource"] == resource);
    created.unwrap()["user"]["username"].as_str().unwrap().to_owned()
}

fn versions_are_those_of_the_release(plane: &ControlPlane) {
    let output = Command::new(plane.kubectl())
        .args(["version", "-o", "json", "--kubeconfig"])
        .arg(plane.kubeconfig())
        .output()
        .unwrap();
    let version: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (client, server) = (&version["clientVersion"]["gitVersion"], &version["serverVersion"]["gitVersion"]);
    // Binaries that are given from outside may be of any release.
    if std::env::var_os("KUBEBUILDER_ASSETS").is_none() {
        assert_eq!((client, server), (&json!("v1.36.3"), &json!("v1.36.3")));
    }
}

#[tokio::test]
async fn users_have_their_groups_and_no_more_rights_than_rbac_gives() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let jane = plane.client_for("jane", &["auditors", "owners", "readers"]).unwrap();
    let review = Api::<SelfSubjectReview>::all(jane.clone())
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .unwrap();
    let user = review.status.unwrap().user_info.unwrap();
    assert_eq!(user.username.as_deref(), Some("jane"));
    assert_eq!(user.groups.unwrap(), ["auditors", "owners", "readers", "system:authenticated"]);
    let refused = Api::<Namespace>::all(jane).list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.is_forbidden()), "{refused}");

    // What an aggregated API server reads to trust the API server.
    let settings = Api::<ConfigMap>::namespaced(plane.client(), "kube-system");
    let settings = settings.get("extension-apiserver-authentication").await.unwrap().data.unwrap();
    assert_eq!(settings["requestheader-allowed-names"], r#"["front-proxy-client"]"#);
    assert!(settings["requestheader-client-ca-file"].contains("BEGIN CERTIFICATE"));
}

#[tokio::test]
async fn the_api_server_can_be_frozen_and_stopped_and_comes_back_with_its_data() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    create_namespace(plane.client(), "kept").await;
    let mut config = plane.config_for("admin", &["system:masters"]).unwrap();
    config.default_retry = false;
    config.read_timeout = Some(Duration::from_secs(1));
    // The handshake with a frozen server counts as connecting, for 30 s if nothing is said.
    config.connect_timeout = Some(Duration::from_secs(1));
    let namespaces = Api::<Namespace>::all(Client::try_from(config).unwrap());

    plane.pause_api_server().unwrap();
    namespaces.get("kept").await.unwrap_err();
    plane.resume_api_server().unwrap();
    namespaces.get("kept").await.unwrap();

    let address = plane.url().to_owned();
    plane.stop_api_server().unwrap();
    assert!(plane.process_id(Component::ApiServer).is_none());
    namespaces.get("kept").await.unwrap_err();
    assert!(matches!(plane.pause_api_server(), Err(Error::Stopped(Component::ApiServer))));
    plane.start_api_server().await.unwrap();
    assert_eq!(plane.url(), address);
    namespaces.get("kept").await.unwrap();
    assert!(matches!(plane.stop(Component::Kwok), Err(Error::Absent(Component::Kwok))));
}

#[tokio::test]
async fn two_control_planes_do_not_see_each_other() {
    let (one, other) = tokio::join!(ControlPlane::start(Options::default()), ControlPlane::start(Options::default()));
    let (one, other) = (one.unwrap(), other.unwrap());
    create_namespace(one.client(), "only-here").await;
    assert!(Api::<Namespace>::all(one.client()).get_opt("only-here").await.unwrap().is_some());
    assert!(Api::<Namespace>::all(other.client()).get_opt("only-here").await.unwrap().is_none());
}

async fn create_namespace(client: Client, name: &str) {
    let namespace = object(json!({"metadata": {"name": name}}));
    Api::<Namespace>::all(client).create(&PostParams::default(), &namespace).await.unwrap();
}

#[tokio::test]
async fn a_failed_start_quotes_the_log_and_leaves_nothing() {
    let options = Options { api_server_flags: vec!["--no-such-flag".to_owned()], ..Options::default() };
    let error = ControlPlane::start(options).await.unwrap_err();
    assert!(error.to_string().contains("unknown flag: --no-such-flag"), "{error}");
    let Error::Ended { component: Component::ApiServer, log, .. } = error else { unreachable!("{error}") };
    nothing_is_left(log.parent().unwrap()).await;
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let folder = plane.directory().to_path_buf();
    assert!(!processes(&folder).is_empty());
    let outcome = tokio::spawn(async move {
        let _held = plane;
        unreachable!("a test fails while it holds a control plane");
    })
    .await;
    assert!(outcome.unwrap_err().is_panic());
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn killing_the_holder_leaves_nothing_behind() {
    let mut holder = Holder(
        Command::new(env!("CARGO_BIN_EXE_controlplane")).args(["--nodes", "1"]).stdout(Stdio::piped()).spawn().unwrap(),
    );
    // Its pipe stays open to the end: a holder that cannot print would panic, and so not die by the signal alone.
    let mut lines = BufReader::new(holder.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let kubeconfig = lines.find_map(|line| Some(line.strip_prefix("export KUBECONFIG=")?.to_owned()));
    let folder = PathBuf::from(kubeconfig.unwrap()).parent().unwrap().to_path_buf();
    let running = processes(&folder);
    let api_server = running.iter().find(|(_, command)| command.contains("kube-apiserver")).unwrap().0;
    // etcd, API server, controllers, scheduler and kwok, a watchdog beside each, and the janitor
    assert_eq!(running.len(), 11, "{running:?}");

    // A frozen component is the hardest to end: it heeds no other signal.
    let frozen = Command::new("sh").args(["-c", &format!("kill -s STOP {api_server}")]).status().unwrap();
    assert!(frozen.success());
    holder.0.kill().unwrap();
    assert_eq!(holder.0.wait().unwrap().signal(), Some(9));
    nothing_is_left(&folder).await;
}

/// A process that holds a control plane; dropped, it gets a `kill -9`, also when the test fails before its end.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until no process names the folder and the folder is gone.
async fn nothing_is_left(folder: &Path) {
    eventually("processes and folder are gone", async || processes(folder).is_empty() && !folder.exists()).await;
}

/// Numbers and command lines of the processes that name `folder`, as all of a control plane do.
fn processes(folder: &Path) -> Vec<(u32, String)> {
    let folder = folder.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter_map(|number| {
            let command = fs::read(format!("/proc/{number}/cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            command.contains(folder).then_some((number, command))
        })
        .collect()
}
