//! One operator, or several, over a namespace of its own, on the fake API server or on the real one.
//!
//! The operator measures a whole cluster, so on the real server one scenario runs at a time.

use std::path::PathBuf;
use std::time::Duration;

use assize::config::OperatorSettings;
use assize::control::operator::{OperatorError, run};
use assize_testkit::controlplane::ADMINISTRATORS;
use assize_testkit::fake::{Clock, FakeApiServer, Faults};
use clap::Parser;
use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, watch_object, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cluster::{self, TestCluster};

/// Name under which the tests apply objects.
const MANAGER: &str = "assize-tests";
/// How long anything may take that is not said to be faster.
pub const LIMIT: Duration = Duration::from_secs(30);
/// Longer than the pause between two writes of one object: without a write for so long, none is under way.
const QUIET: Duration = Duration::from_millis(1600);

static TURN: Mutex<()> = Mutex::const_new(());

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: OperatorSettings,
}

/// Settings as the command line gives them.
pub fn settings(flags: &[&str]) -> OperatorSettings {
    Flags::parse_from(std::iter::once(&"assize").chain(flags)).settings
}

/// The present, by the clock that the operator reads.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

enum Server {
    Fake(FakeApiServer),
    Real(&'static TestCluster),
}

/// A request that changed something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteSeen {
    pub verb: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
    pub code: u16,
}

/// A namespace on one of the servers, and what runs over it.
pub struct Rig {
    server: Server,
    client: Client,
    pub namespace: String,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// A running operator; dropping it ends it at once.
pub struct Operator {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), OperatorError>>,
}

impl Operator {
    /// Stops it as a signal would, and waits for its end.
    pub async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        let ended = timeout(LIMIT, &mut self.task).await.expect("the operator does not stop");
        ended.unwrap().unwrap();
    }

    /// Ends it without a last word.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rig {
    /// On the fake server, whose clock is the real one.
    pub async fn fake() -> Self {
        Self::fake_by(std::sync::Arc::new(now)).await
    }

    /// On the fake server, with a clock of its own.
    #[allow(clippy::unused_async)]
    pub async fn fake_by(clock: Clock) -> Self {
        let mut builder = FakeApiServer::builder().clock(clock);
        for definition in assize::api::all() {
            builder = builder.definitions(&serde_json::to_string(&definition).unwrap());
        }
        let server = builder.build().unwrap();
        let client = server.client("tests");
        let rig = Self { server: Server::Fake(server), client, namespace: "shop".to_owned(), _turn: None };
        rig.make_namespace(&rig.namespace).await;
        rig
    }

    /// On the real server, once it is this scenario's turn. What scenarios before left there is removed.
    pub async fn real() -> Self {
        let turn = TURN.lock().await;
        let cluster = cluster::shared().await;
        let namespace = format!("shop-{:x}", now().as_nanosecond() & 0xff_ffff_ffff);
        let rig = Self { server: Server::Real(cluster), client: cluster.client(), namespace, _turn: Some(turn) };
        for kind in ["Agreement", "ItService", "Report", "Calendar"] {
            rig.remove_all(kind).await;
        }
        rig.make_namespace(&rig.namespace).await;
        rig
    }

    async fn remove_all(&self, kind: &str) {
        let (resource, _) = resource(kind);
        let objects = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        for object in objects.list(&ListParams::default()).await.unwrap() {
            let one = match object.namespace() {
                Some(namespace) => Api::<DynamicObject>::namespaced_with(self.client.clone(), &namespace, &resource),
                None => objects.clone(),
            };
            one.delete(&object.name_any(), &DeleteParams::default()).await.unwrap();
        }
    }

    pub async fn make_namespace(&self, name: &str) {
        self.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
    }

    /// The fake server; scenarios that inject faults run on it alone.
    pub fn fake_server(&self) -> &FakeApiServer {
        match &self.server {
            Server::Fake(server) => server,
            Server::Real(_) => panic!("this scenario needs the fake server"),
        }
    }

    pub fn faults(&self) -> Faults {
        self.fake_server().faults()
    }

    /// Whether bookmarks come by themselves, about once a minute.
    pub fn is_fake(&self) -> bool {
        matches!(self.server, Server::Fake(_))
    }

    /// Starts an operator of this name in this process.
    pub fn start(&self, name: &str) -> Operator {
        self.start_with(name, &[])
    }

    /// Starts an operator of this name with further flags.
    pub fn start_with(&self, name: &str, flags: &[&str]) -> Operator {
        let client = match &self.server {
            Server::Fake(server) => server.client(name),
            Server::Real(cluster) => cluster.plane().client_for(&self.user(name), &[ADMINISTRATORS]).unwrap(),
        };
        self.start_as(client, name, flags)
    }

    /// Starts an operator of this name with the rights of a client.
    pub fn start_as(&self, client: Client, name: &str, flags: &[&str]) -> Operator {
        let lease = format!("assize-{}", self.namespace);
        let is_served = flags.iter().any(|flag| flag.starts_with("--metrics-address="));
        let common = [
            "--lease-duration=3s",
            &format!("--lease-name={lease}"),
            &format!("--namespace={}", self.namespace),
            &format!("--identity={name}"),
        ];
        let any_port: &[&str] = if is_served { &[] } else { &["--metrics-address=127.0.0.1:0"] };
        let settings = settings(&[&common, any_port, flags].concat());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = run(client, settings, async move {
            // A sender that is dropped belongs to a test that ends the task itself.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        let task = tokio::spawn(async move {
            let ended = running.await;
            if let Err(error) = &ended {
                eprintln!("the operator ended: {error}");
            }
            ended
        });
        Operator { stop: Some(stop), task }
    }

    fn user(&self, operator: &str) -> String {
        format!("{operator}.{}", self.namespace)
    }

    /// A kubeconfig for an operator of this name as a process; the real server only.
    pub fn kubeconfig(&self, operator: &str) -> String {
        match &self.server {
            Server::Real(cluster) => cluster.plane().kubeconfig_for(&self.user(operator), &[ADMINISTRATORS]).unwrap(),
            Server::Fake(_) => panic!("a process needs the real server"),
        }
    }

    /// A client of an administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client of somebody with no rights but those that are bound; the real server only.
    pub fn client_for(&self, user: &str) -> Client {
        match &self.server {
            Server::Real(cluster) => cluster.plane().client_for(user, &[]).unwrap(),
            Server::Fake(_) => panic!("people need the real server"),
        }
    }

    pub fn lease_name(&self) -> String {
        format!("assize-{}", self.namespace)
    }

    fn api(&self, kind: &str) -> Api<DynamicObject> {
        self.api_in(&self.namespace, kind)
    }

    fn api_in(&self, namespace: &str, kind: &str) -> Api<DynamicObject> {
        let (resource, namespaced) = resource(kind);
        if namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        }
    }

    /// Applies an object, into this rig's namespace unless it names one.
    pub async fn put(&self, object: Value) -> Value {
        self.try_put(object).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Applies an object that may be refused.
    pub async fn try_put(&self, mut object: Value) -> kube::Result<Value> {
        let kind = kind_of(&object).to_owned();
        let kind = kind.as_str();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or(&self.namespace).to_owned();
        if resource(kind).1 {
            object["metadata"]["namespace"] = namespace.as_str().into();
        }
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let parameters = PatchParams::apply(MANAGER).force();
        let stored = self.api_in(&namespace, kind).patch(&name, &parameters, &Patch::Apply(&object)).await?;
        Ok(serde_json::to_value(stored).unwrap())
    }

    /// Merges into the status of an object.
    pub async fn patch_status(&self, kind: &str, name: &str, status: Value) {
        let patch = json!({"status": status});
        let patched = self.api(kind).patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.unwrap_or_else(|error| panic!("status of {kind} {name}: {error}"));
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        let parameters = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.api(kind).delete(name, &parameters).await.unwrap();
    }

    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.api(kind).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let list = self.api(kind).list(&ListParams::default()).await.unwrap();
        list.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Waits until an object is as `wanted` says, and returns it so.
    pub async fn wait(&self, kind: &str, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_within(LIMIT, kind, name, what, wanted).await
    }

    /// Waits for at most so long.
    pub async fn wait_within(
        &self,
        limit: Duration,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let found = timeout(limit, async {
            let mut objects = std::pin::pin!(watch_object(self.api(kind), name));
            while let Some(seen) = objects.next().await {
                let Ok(Some(object)) = seen else { continue };
                last = serde_json::to_value(object).unwrap();
                if wanted(&last) {
                    return;
                }
            }
        })
        .await;
        assert!(found.is_ok(), "{kind} {name} not within {limit:?}: {what}\nlast: {}", shown(&last));
        last
    }

    /// Waits for an Event about the object of this name with this reason.
    pub async fn wait_event(&self, about: &str, reason: &str) -> Value {
        let mut seen = Vec::new();
        let found = timeout(LIMIT, async {
            let mut events = std::pin::pin!(watcher(self.api("Event"), watcher::Config::default()));
            while let Some(event) = events.next().await {
                let Ok(watcher::Event::Apply(event) | watcher::Event::InitApply(event)) = event else { continue };
                let event = serde_json::to_value(event).unwrap();
                if event["regarding"]["name"] == about && event["reason"] == reason {
                    return Some(event);
                }
                seen.push(format!("{} {}", event["regarding"]["name"], event["reason"]));
            }
            None
        })
        .await;
        match found {
            Ok(Some(event)) => event,
            _ => panic!("no event {reason} about {about} within {LIMIT:?}: {seen:?}"),
        }
    }

    /// Every write of an operator since the start, in order; renewals of Leases apart.
    pub fn writes_of(&self, operator: &str) -> Vec<WriteSeen> {
        let writes = match &self.server {
            Server::Fake(server) => server
                .writes()
                .into_iter()
                .filter(|entry| entry.user_agent == operator)
                .map(|entry| WriteSeen {
                    verb: entry.verb.as_str().to_owned(),
                    resource: entry.resource,
                    subresource: entry.subresource.unwrap_or_default(),
                    namespace: entry.namespace.unwrap_or_default(),
                    name: entry.name.unwrap_or_default(),
                    code: entry.code.unwrap_or(0),
                })
                .collect(),
            Server::Real(cluster) => audited(&cluster.plane().audit_log(), &self.user(operator)),
        };
        writes.into_iter().filter(|write| write.resource != "leases").collect()
    }

    /// Waits until an operator writes nothing any more, and returns how many writes it took. That nothing happens can
    /// only be seen by letting time pass.
    pub async fn settle(&self, operator: &str) -> usize {
        let mut before = usize::MAX;
        for _ in 0..20 {
            let count = self.writes_of(operator).len();
            if count == before {
                return count;
            }
            before = count;
            tokio::time::sleep(QUIET).await;
        }
        let last: Vec<WriteSeen> = self.writes_of(operator).into_iter().rev().take(12).collect();
        panic!("{operator} goes on writing: {last:#?}");
    }
}

/// Writes of a user in the audit log, renewals of Leases included.
fn audited(log: &PathBuf, user: &str) -> Vec<WriteSeen> {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text.lines().filter(|line| line.contains(user));
    let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter(|event| event["stage"] == "ResponseComplete" && event["user"]["username"] == user)
        .filter(|event| !["get", "list", "watch"].contains(&event["verb"].as_str().unwrap_or_default()))
        .map(|event| {
            let text = |field: &str| event["objectRef"][field].as_str().unwrap_or_default().to_owned();
            WriteSeen {
                verb: event["verb"].as_str().unwrap_or_default().to_owned(),
                resource: text("resource"),
                subresource: text("subresource"),
                namespace: text("namespace"),
                name: text("name"),
                code: event["responseStatus"]["code"].as_u64().unwrap_or(0) as u16,
            }
        })
        .collect()
}

/// How objects of a kind are addressed, and whether they live in a namespace. `ItService` is ours, `Service` the core's.
fn resource(kind: &str) -> (ApiResource, bool) {
    let (group, version, name, plural) = match kind {
        "Namespace" => ("", "v1", kind, "namespaces"),
        "Service" => ("", "v1", kind, "services"),
        "Pod" => ("", "v1", kind, "pods"),
        "ServiceAccount" => ("", "v1", kind, "serviceaccounts"),
        "EndpointSlice" => ("discovery.k8s.io", "v1", kind, "endpointslices"),
        "Deployment" => ("apps", "v1", kind, "deployments"),
        "StatefulSet" => ("apps", "v1", kind, "statefulsets"),
        "DaemonSet" => ("apps", "v1", kind, "daemonsets"),
        "ControllerRevision" => ("apps", "v1", kind, "controllerrevisions"),
        "Event" => ("events.k8s.io", "v1", kind, "events"),
        "Lease" => ("coordination.k8s.io", "v1", kind, "leases"),
        "ItService" => ("assize.dev", "v1alpha1", "Service", "services"),
        "Agreement" => ("assize.dev", "v1alpha1", "ServiceLevelAgreement", "servicelevelagreements"),
        "Report" => ("assize.dev", "v1alpha1", "ServiceReport", "servicereports"),
        "Calendar" => ("assize.dev", "v1alpha1", "ServiceCalendar", "servicecalendars"),
        other => panic!("unknown kind {other}"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural);
    (resource, !["Namespace", "Calendar"].contains(&kind))
}

fn kind_of(object: &Value) -> &str {
    let kind = object["kind"].as_str().unwrap();
    match (object["apiVersion"].as_str().unwrap(), kind) {
        ("assize.dev/v1alpha1", "Service") => "ItService",
        (_, "ServiceLevelAgreement") => "Agreement",
        (_, "ServiceReport") => "Report",
        (_, "ServiceCalendar") => "Calendar",
        _ => kind,
    }
}

/// An object without what only fills the screen.
fn shown(object: &Value) -> String {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    serde_json::to_string_pretty(&object).unwrap()
}
