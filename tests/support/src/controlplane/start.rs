//! Starting a control plane: certificates, files, processes, and the wait until it can be used.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use super::{
    ADMINISTRATORS, Component, ControlPlane, Error, Options, Slot,
    binaries::{self, Binaries},
    certificates::{Authority, service_account_key},
    flags::{self, Ports},
    ports,
    process::{Launch, Process, tail},
    users::Users,
};

const START_ATTEMPTS: usize = 3;
const POLL_PAUSE: Duration = Duration::from_millis(50);
const PARALLEL_REQUESTS: usize = 16;
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

impl ControlPlane {
    /// Starts a control plane and waits until it can be used: the API server is ready, with controllers the namespace
    /// `default` has its service account, and the nodes are ready. Builds missing binaries first, which takes minutes
    /// once.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let binaries = locate(&options).await?;
        let mut attempt = 1;
        loop {
            match Self::start_once(&options, &binaries).await {
                Err(error) if error.is_port_taken() && attempt < START_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    async fn start_once(options: &Options, binaries: &Binaries) -> Result<Self, Error> {
        let mut directory = tempfile::Builder::new()
            .prefix("assize-controlplane-")
            .tempdir()
            .map_err(Error::system("create a temporary folder"))?;
        directory.disable_cleanup(options.keep);
        let port = || ports::free().map_err(Error::system("choose a port"));
        let ports = Ports { etcd: port()?, etcd_peer: port()?, api_server: port()? };
        let users = Users::new(format!("https://127.0.0.1:{}", ports.api_server), write_files(directory.path())?);
        let plane = Self::assemble(options, binaries, ports, users, directory)?;
        plane.write_kubeconfigs()?;
        plane.spawn(Component::Etcd)?;
        plane.spawn(Component::ApiServer)?;
        plane.wait_for_api_server().await?;
        let others = [Component::ControllerManager, Component::Scheduler, Component::Kwok];
        for component in others.into_iter().filter(|component| plane.has(*component)) {
            plane.spawn(component)?;
        }
        plane.wait_for_service_account().await?;
        plane.create_nodes().await?;
        Ok(plane)
    }

    fn assemble(
        options: &Options,
        binaries: &Binaries,
        ports: Ports,
        users: Users,
        directory: TempDir,
    ) -> Result<Self, Error> {
        let folder = directory.path();
        let stages = match binaries.path(binaries::STAGES) {
            Some(stages) => stage_files(stages)?,
            None => Vec::new(),
        };
        let mut components = BTreeMap::new();
        for component in options.components() {
            let arguments = match component {
                Component::Etcd => flags::etcd(folder, ports, options),
                Component::ApiServer => flags::api_server(folder, ports, options),
                Component::ControllerManager => flags::controller_manager(folder, options),
                Component::Scheduler => flags::scheduler(folder),
                Component::Kwok => flags::kwok(folder, &stages),
            };
            let program = binaries.path(component.name()).map_or_else(|| component.name().into(), Path::to_path_buf);
            let log = folder.join(format!("{}.log", component.name()));
            components.insert(component, Slot { launch: Launch { program, arguments, log }, process: None });
        }
        let janitor = if options.keep { None } else { Some(Process::start_janitor(folder)?) };
        Ok(Self {
            components: Mutex::new(components),
            etcd_url: flags::url(ports.etcd),
            kubectl: binaries.path(binaries::KUBECTL).map(Path::to_path_buf).unwrap_or_default(),
            options: options.clone(),
            users,
            directory,
            _janitor: janitor,
        })
    }

    fn write_kubeconfigs(&self) -> Result<(), Error> {
        // With accounts of their own the controllers need no more than a cluster grants them; without, their one user
        // does all their work.
        let controllers = if self.options.controller_accounts { vec![] } else { vec![ADMINISTRATORS] };
        let accounts = [
            ("admin", "admin", vec![ADMINISTRATORS]),
            ("controller-manager", "system:kube-controller-manager", controllers),
            ("scheduler", "system:kube-scheduler", vec![]),
            ("kwok", "kwok", vec![ADMINISTRATORS]),
        ];
        for (file, user, groups) in accounts {
            let kubeconfig = self.users.kubeconfig(user, &groups)?;
            write(self.directory(), &format!("{file}.kubeconfig"), &kubeconfig)?;
        }
        Ok(())
    }

    /// Waits until the API server says that it is ready, for at most `Options::ready_timeout`.
    pub(super) async fn wait_for_api_server(&self) -> Result<(), Error> {
        let client = self.probing_client()?;
        self.wait_for(Component::ApiServer, || async {
            let request = http::Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
            client.request_text(request).await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// Pods need the service account of their namespace, which a controller makes.
    async fn wait_for_service_account(&self) -> Result<(), Error> {
        if !self.has(Component::ControllerManager) {
            return Ok(());
        }
        let accounts = Api::<ServiceAccount>::namespaced(self.probing_client()?, "default");
        self.wait_for(Component::ControllerManager, || async {
            accounts.get("default").await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    async fn create_nodes(&self) -> Result<(), Error> {
        if !self.has(Component::Kwok) {
            return Ok(());
        }
        let nodes = Api::<Node>::all(self.probing_client()?);
        let parameters = PostParams::default();
        futures::stream::iter(0..self.options.kwok_nodes)
            .map(|number| {
                let (nodes, parameters) = (&nodes, &parameters);
                async move {
                    let outcome = nodes.create(parameters, &node(number)?).await;
                    outcome.map(drop).map_err(Error::request(format!("create node {number}")))
                }
            })
            .buffer_unordered(PARALLEL_REQUESTS)
            .try_collect::<()>()
            .await?;
        self.wait_for(Component::Kwok, || async {
            let list = nodes.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let waiting = list.items.iter().filter(|node| !is_usable(node)).count();
            if waiting == 0 { Ok(()) } else { Err(format!("{waiting} nodes are not ready")) }
        })
        .await
    }

    /// A client that does not repeat requests by itself: the waits here do, and they know when to give up.
    fn probing_client(&self) -> Result<Client, Error> {
        let mut config = self.users.config("admin", &[ADMINISTRATORS])?;
        config.default_retry = false;
        Client::try_from(config).map_err(Error::request("client for the start"))
    }

    /// Repeats `probe` until it succeeds; fails when a component has ended or the time is over.
    async fn wait_for<F>(&self, component: Component, probe: impl Fn() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), String>>,
    {
        let timeout = self.options.ready_timeout;
        let deadline = Instant::now() + timeout;
        loop {
            let outcome = tokio::time::timeout(PROBE_TIMEOUT, probe()).await;
            let reason = match outcome {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(reason)) => reason,
                Err(_) => format!("no answer within {} s", PROBE_TIMEOUT.as_secs()),
            };
            self.check_running()?;
            if Instant::now() >= deadline {
                let log = self.log(component);
                let lines = tail(&log);
                return Err(Error::NotReady { component, seconds: timeout.as_secs(), reason, log, lines });
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}

async fn locate(options: &Options) -> Result<Binaries, Error> {
    let mut names: Vec<&'static str> = options.components().into_iter().map(Component::name).collect();
    names.push(binaries::KUBECTL);
    if options.kwok_nodes > 0 {
        names.push(binaries::STAGES);
    }
    let located = tokio::task::spawn_blocking(move || binaries::locate(&names)).await;
    located.unwrap_or_else(|error| Err(Error::Build(error.to_string())))
}

/// Writes certificates, keys and the audit policy; returns the authority of the clients.
fn write_files(directory: &Path) -> Result<Authority, Error> {
    let authority = Authority::new("assize")?;
    let front_proxy_authority = Authority::new("front-proxy")?;
    let hosts = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1"];
    let server = authority.server("kube-apiserver", &hosts)?;
    let front_proxy = front_proxy_authority.client("front-proxy-client", &[])?;
    let (private, public) = service_account_key()?;
    for (name, content) in [
        ("authority.crt", &authority.certificate),
        ("api-server.crt", &server.certificate),
        ("api-server.key", &server.key),
        ("front-proxy-authority.crt", &front_proxy_authority.certificate),
        ("front-proxy.crt", &front_proxy.certificate),
        ("front-proxy.key", &front_proxy.key),
        ("service-accounts.key", &private),
        ("service-accounts.pub", &public),
        ("audit-policy.yaml", &flags::AUDIT_POLICY.to_owned()),
    ] {
        write(directory, name, content)?;
    }
    Ok(authority)
}

fn write(directory: &Path, name: &str, content: &str) -> Result<(), Error> {
    let path = directory.join(name);
    fs::write(&path, content).map_err(Error::system(format!("write {}", path.display())))
}

fn stage_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut files = read().map_err(Error::system(format!("read {}", folder.display())))?;
    files.sort();
    Ok(files)
}

fn node(number: usize) -> Result<Node, Error> {
    let name = format!("node-{number}");
    serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
        },
    }))
    .map_err(|error| Error::System { what: format!("describe {name}"), source: error.into() })
}

/// Whether pods may be placed: the node is ready and without taints.
fn is_usable(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    let tainted = node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).is_some_and(|taints| !taints.is_empty());
    ready && !tainted
}
