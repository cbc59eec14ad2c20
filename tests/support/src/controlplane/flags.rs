//! The command lines of the components.
use std::path::{Path, PathBuf};

use super::Options;

/// Node addresses and pods of kwok; far from the addresses of services, which would otherwise collide.
const POD_RANGE: &str = "10.128.0.1/9";
const SERVICE_RANGE: &str = "10.96.0.0/16";
/// Every request, without bodies, one line each (watches: one more when they begin).
pub(super) const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// Ports of one control plane.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) etcd_peer: u16,
    pub(super) api_server: u16,
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

pub(super) fn etcd(directory: &Path, ports: Ports, options: &Options) -> Vec<String> {
    let (client, peer) = (url(ports.etcd), url(ports.etcd_peer));
    let mut arguments = owned(&[
        "--name=default",
        "--log-level=warn",
        "--log-format=console",
        // The API server learns from these notes that a quiet watch is still alive.
        "--watch-progress-notify-interval=5s",
    ]);
    arguments.extend([
        format!("--data-dir={}", directory.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        format!("--quota-backend-bytes={}", options.etcd_quota_bytes),
        format!("--unsafe-no-fsync={}", !options.durable),
    ]);
    arguments
}

pub(super) fn api_server(directory: &Path, ports: Ports, options: &Options) -> Vec<String> {
    let file = |name: &str| directory.join(name).display().to_string();
    let mut arguments = owned(&[
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        // A loopback address may not be an endpoint of the service "kubernetes".
        "--endpoint-reconciler-type=none",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        // No rotation: a measurement reads the log as a whole.
        "--audit-log-maxsize=1000000",
    ]);
    arguments.extend([
        format!("--etcd-servers={}", url(ports.etcd)),
        format!("--secure-port={}", ports.api_server),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        format!("--tls-cert-file={}", file("api-server.crt")),
        format!("--tls-private-key-file={}", file("api-server.key")),
        format!("--client-ca-file={}", file("authority.crt")),
        format!("--requestheader-client-ca-file={}", file("front-proxy-authority.crt")),
        format!("--proxy-client-cert-file={}", file("front-proxy.crt")),
        format!("--proxy-client-key-file={}", file("front-proxy.key")),
        format!("--service-account-key-file={}", file("service-accounts.pub")),
        format!("--service-account-signing-key-file={}", file("service-accounts.key")),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        format!("--profiling={}", options.profiling),
    ]);
    // New nodes get a taint until a controller takes it away: without controllers never, with them at the pace of their
    // rate limit (40 s for 200 nodes). Simulated nodes are ready at once, so nothing is lost without it.
    let disabled = match (options.controllers, options.kwok_nodes) {
        // Nobody makes service accounts either, without which no pod could be made.
        (false, _) => Some("ServiceAccount,TaintNodesByCondition"),
        (true, 1..) => Some("TaintNodesByCondition"),
        (true, 0) => None,
    };
    arguments.extend(disabled.map(|plugins| format!("--disable-admission-plugins={plugins}")));
    arguments.extend(options.api_server_flags.iter().cloned());
    arguments
}

pub(super) fn controller_manager(directory: &Path, options: &Options) -> Vec<String> {
    let mut arguments = leaderless(directory, "controller-manager");
    arguments.extend([
        format!("--use-service-account-credentials={}", options.controller_accounts),
        format!("--service-account-private-key-file={}", directory.join("service-accounts.key").display()),
        format!("--root-ca-file={}", directory.join("authority.crt").display()),
    ]);
    arguments
}

pub(super) fn scheduler(directory: &Path) -> Vec<String> {
    leaderless(directory, "scheduler")
}

/// One instance alone needs no election, which would cost seconds, and no port that others would have to avoid.
fn leaderless(directory: &Path, name: &str) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", directory.join(format!("{name}.kubeconfig")).display()),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

pub(super) fn kwok(directory: &Path, stages: &[PathBuf]) -> Vec<String> {
    let mut arguments = vec![
        format!("--kubeconfig={}", directory.join("kwok.kubeconfig").display()),
        format!("--cidr={POD_RANGE}"),
        "--manage-all-nodes=false".to_owned(),
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".to_owned(),
        // Without Leases the node controller takes the nodes for dead after its grace, and their Pods for unready.
        "--node-lease-duration-seconds=40".to_owned(),
    ];
    arguments.extend(stages.iter().map(|stage| format!("--config={}", stage.display())));
    arguments
}

pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
