//! A real control plane (etcd, API server and, if asked for, controllers, scheduler and simulated nodes), started and
//! stopped as a whole by tests, benches and the demo.
//!
//! Any number of them run side by side, each with its own ports, certificates and temporary folder. Whatever ends the
//! process that holds one, a panic or a `kill -9` included, ends its components too.
pub mod binaries;
mod certificates;
mod error;
mod flags;
mod ports;
mod process;
mod start;
mod users;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{Client, Config};
use tempfile::TempDir;

pub use error::Error;
use process::{Launch, Process, tail};
use users::Users;

/// The group that may do everything, bound before RBAC is asked.
pub const ADMINISTRATORS: &str = "system:masters";

/// What a control plane consists of and how it behaves. RBAC and the audit log (every request, no bodies) are always on.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a test harness")]
pub struct Options {
    /// Run the controller manager: deployments, endpoint slices, service accounts, garbage collection and the rest.
    pub controllers: bool,
    /// Let each controller act as its own service account (`system:serviceaccount:kube-system:deployment-controller`),
    /// as real clusters do, for tests that tell users apart. The start takes 5 s longer, spent on the accounts.
    /// Without it all controllers are the user `system:kube-controller-manager`.
    pub controller_accounts: bool,
    /// Run the scheduler, which gives pods to nodes.
    pub scheduler: bool,
    /// How many nodes kwok simulates; their pods become ready at once. 0 runs no kwok.
    pub kwok_nodes: usize,
    /// Let etcd wait for the disk at every write, as in production. Off saves time where no machine will crash.
    pub durable: bool,
    /// Serve `/debug/pprof` in the API server.
    pub profiling: bool,
    /// How large the database may grow; etcd's own default of 2 GiB is small for load tests.
    pub etcd_quota_bytes: u64,
    /// Further flags of the API server, such as `--feature-gates=...`; they come last.
    pub api_server_flags: Vec<String>,
    /// Keep the folder with logs, audit log and data after the end.
    pub keep: bool,
    /// How long each step of the start may take.
    pub ready_timeout: Duration,
}

impl Default for Options {
    /// An API server with its etcd, nothing else.
    fn default() -> Self {
        Self {
            controllers: false,
            controller_accounts: false,
            scheduler: false,
            kwok_nodes: 0,
            durable: false,
            profiling: false,
            etcd_quota_bytes: 8 << 30,
            api_server_flags: Vec::new(),
            keep: false,
            ready_timeout: Duration::from_mins(2),
        }
    }
}

impl Options {
    /// Everything that workloads need: controllers, scheduler and `nodes` simulated nodes.
    pub fn with_nodes(nodes: usize) -> Self {
        Self { controllers: true, scheduler: true, kwok_nodes: nodes, ..Self::default() }
    }

    fn components(&self) -> Vec<Component> {
        let optional = [
            (self.controllers, Component::ControllerManager),
            (self.scheduler, Component::Scheduler),
            (self.kwok_nodes > 0, Component::Kwok),
        ];
        let chosen = optional.into_iter().filter_map(|(wanted, component)| wanted.then_some(component));
        [Component::Etcd, Component::ApiServer].into_iter().chain(chosen).collect()
    }
}

/// A process of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controller manager.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// What simulates nodes and their pods.
    Kwok,
}

impl Component {
    /// The name of the component's binary and of its log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

struct Slot {
    launch: Launch,
    process: Option<Process>,
}

/// A running control plane; dropping it kills its processes and removes its folder.
pub struct ControlPlane {
    // The order matters: processes end first, then the folder goes, then the janitor, which finds nothing left to do.
    components: Mutex<BTreeMap<Component, Slot>>,
    directory: TempDir,
    _janitor: Option<Process>,
    users: Users,
    etcd_url: String,
    kubectl: PathBuf,
    options: Options,
}

impl ControlPlane {
    /// The address of the API server.
    pub fn url(&self) -> &str {
        self.users.url()
    }

    /// The address of etcd, plain HTTP on the loopback address; its `/metrics` tell the size of the database.
    pub fn etcd_url(&self) -> &str {
        &self.etcd_url
    }

    /// The folder with logs, certificates, kubeconfigs and data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The audit log: one JSON object a line.
    pub fn audit_log(&self) -> PathBuf {
        self.directory().join("audit.log")
    }

    /// The log of a component.
    pub fn log(&self, component: Component) -> PathBuf {
        self.directory().join(format!("{component}.log"))
    }

    /// The kubectl of the same release.
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The certificate of the authority that signed the API server's certificate, PEM.
    pub fn authority_certificate(&self) -> &str {
        self.users.authority_certificate()
    }

    /// The file with the kubeconfig of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory().join("admin.kubeconfig")
    }

    /// The text of a kubeconfig for `user` as a member of `groups`, by a client certificate of its own.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<String, Error> {
        self.users.kubeconfig(user, groups)
    }

    /// A client of an administrator. Call it where the client is used: it belongs to the runtime that it was made in.
    ///
    /// # Panics
    /// When no client can be made, which the start has ruled out, or outside a runtime.
    pub fn client(&self) -> Client {
        self.client_for("admin", &[ADMINISTRATORS]).expect("a client like the one that waited for the start")
    }

    /// A client of `user` as a member of `groups`.
    pub fn client_for(&self, user: &str, groups: &[&str]) -> Result<Client, Error> {
        self.users.client(user, groups)
    }

    /// The client configuration of `user` as a member of `groups`, for tests that change time limits or retries.
    pub fn config_for(&self, user: &str, groups: &[&str]) -> Result<Config, Error> {
        self.users.config(user, groups)
    }

    /// Kills the API server.
    pub fn stop_api_server(&self) -> Result<(), Error> {
        self.stop(Component::ApiServer)
    }

    /// Starts the API server again under its old address and waits until it is ready.
    pub async fn start_api_server(&self) -> Result<(), Error> {
        self.spawn(Component::ApiServer)?;
        self.wait_for_api_server().await
    }

    /// Freezes the API server: connections stay open and nothing answers.
    pub fn pause_api_server(&self) -> Result<(), Error> {
        self.pause(Component::ApiServer)
    }

    /// Lets a frozen API server go on.
    pub fn resume_api_server(&self) -> Result<(), Error> {
        self.resume(Component::ApiServer)
    }

    /// Kills a component, as a crash would; a stopped one stays stopped.
    pub fn stop(&self, component: Component) -> Result<(), Error> {
        self.with(component, |slot| {
            slot.process = None;
            Ok(())
        })
    }

    /// Starts a component that is stopped or has crashed, without waiting for it; a running one is left alone.
    pub fn spawn(&self, component: Component) -> Result<(), Error> {
        self.with(component, |slot| {
            if slot.process.as_mut().is_none_or(Process::has_ended) {
                slot.process = Some(Process::start(&slot.launch)?);
            }
            Ok(())
        })
    }

    /// Freezes a component (`SIGSTOP`).
    pub fn pause(&self, component: Component) -> Result<(), Error> {
        self.with(component, |slot| slot.process.as_ref().ok_or(Error::Stopped(component))?.freeze())
    }

    /// Lets a frozen component go on (`SIGCONT`).
    pub fn resume(&self, component: Component) -> Result<(), Error> {
        self.signal(component, "CONT")
    }

    /// The number of a component's process, for measurements; none while it is stopped.
    pub fn process_id(&self, component: Component) -> Option<u32> {
        self.slots().get(&component)?.process.as_ref().map(Process::id)
    }

    fn signal(&self, component: Component, signal: &str) -> Result<(), Error> {
        self.with(component, |slot| slot.process.as_ref().ok_or(Error::Stopped(component))?.signal(signal))
    }

    fn has(&self, component: Component) -> bool {
        self.slots().contains_key(&component)
    }

    /// Fails when a component ended that was not stopped on purpose.
    fn check_running(&self) -> Result<(), Error> {
        for (component, slot) in self.slots().iter_mut() {
            if slot.process.as_mut().is_some_and(Process::has_ended) {
                let log = slot.launch.log.clone();
                let lines = tail(&log);
                return Err(Error::Ended { component: *component, log, lines });
            }
        }
        Ok(())
    }

    fn with<T>(&self, component: Component, action: impl FnOnce(&mut Slot) -> Result<T, Error>) -> Result<T, Error> {
        action(self.slots().get_mut(&component).ok_or(Error::Absent(component))?)
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<Component, Slot>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ControlPlane").field("url", &self.url()).field("directory", &self.directory()).finish()
    }
}
