//! One run of the bench: ground, load, first statuses, quiet, transitions, restart.
use std::{path::PathBuf, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

use super::audit::{AuditLog, Counts, total};
use super::objects::Shape;
use super::operator::{Launch, Operator, Sample, size_mb};
use super::period_end::{self, Edge, PeriodEnd};
use super::saturate::{self, Saturation};
use super::transitions::{self, Transitions};
use super::watch::{AgreementWatch, Agreements};
use super::{Error, figures::Figure, machine, populate};
use crate::controlplane::{ADMINISTRATORS, Component, ControlPlane, Options};

/// What is run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The load.
    pub shape: Shape,
    /// The operator's binary.
    pub program: PathBuf,
    /// Folder with the definitions.
    pub definitions: PathBuf,
    /// Where the operator logs.
    pub log: PathBuf,
    /// Connections that saturate the API server, and for how long.
    pub connections: usize,
    /// How long the API server is saturated.
    pub saturate: Duration,
    /// How long nothing changes.
    pub quiet: Duration,
    /// Transitions that are measured.
    pub transitions: usize,
    /// Transitions a second.
    pub per_second: f64,
    /// Whether etcd waits for the disk.
    pub durable: bool,
    /// Whether the month ends, too.
    pub period_end: bool,
}

/// What was measured; everything that the figures are computed from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The API server's own rate.
    pub saturation: Saturation,
    /// Seconds from the start of the operator to readiness.
    pub ready_seconds: f64,
    /// Seconds from the start of the operator to the last complete status.
    pub complete_seconds: f64,
    /// Seconds to the complete status of each agreement, sorted.
    pub complete_each_seconds: Vec<f64>,
    /// Writes until the last complete status, without the Lease.
    pub first_writes: u64,
    /// Writes that followed until nothing changed any more; counted against the goal of what is written at all.
    pub following_writes: u64,
    /// Requests of the operator while it wrote the first statuses.
    pub first_requests: Vec<Requests>,
    /// CPU of the operator until the last complete status.
    pub complete_cpu_ms: u64,
    /// Requests of the operator while nothing changed.
    pub quiet_requests: Vec<Requests>,
    /// CPU of the operator while nothing changed.
    pub quiet_cpu_ms: u64,
    /// Writes while nothing changed, without the Lease.
    pub quiet_writes: u64,
    /// Writes of the Lease while nothing changed.
    pub quiet_lease_writes: u64,
    /// Latencies.
    pub transitions: Transitions,
    /// Requests of the operator during the transitions.
    pub transition_requests: Vec<Requests>,
    /// CPU of the operator during the transitions.
    pub transition_cpu_ms: u64,
    /// Latency of /livez and /metrics.
    pub livez_ms: f64,
    /// Latency of one scrape.
    pub scrape_ms: f64,
    /// Memory and CPU each second, of the first process.
    pub samples: Vec<Sample>,
    /// Seconds from SIGTERM to the end of the process.
    pub stop_seconds: f64,
    /// Seconds from the second start to readiness.
    pub restart_ready_seconds: f64,
    /// CPU of the second process until some seconds after it was ready.
    pub restart_cpu_ms: u64,
    /// Writes of the second process without the Lease.
    pub restart_writes: u64,
    /// Requests of the second process.
    pub restart_requests: Vec<Requests>,
    /// The month's end, and the closing of its reports.
    pub period_ends: Vec<PeriodEnd>,
    /// Size of the binary.
    pub binary_mb: f64,
}

/// Requests of one kind, counted by the audit log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    #[serde(flatten)]
    request: super::audit::Request,
    count: u64,
}

/// User of the operator.
const USER: &str = "assize-operator";
const READY_WITHIN: Duration = Duration::from_mins(1);
const REST_WITHIN: Duration = Duration::from_mins(1);
const SCRAPE_EVERY: Duration = Duration::from_secs(30);
/// After the last complete status: what is still to be written follows within the pause between two writes of one
/// object; and the statuses of what changed last are seen by the operator itself.
const SETTLE: Duration = Duration::from_secs(10);

impl Scenario {
    /// How long the first statuses may take before the bench gives up.
    fn patience(&self) -> Duration {
        Duration::from_secs(120 + self.shape.services as u64 / 10)
    }

    /// Runs everything. `tell` is told what is being done.
    pub async fn run(&self, tell: impl Fn(&str)) -> Result<Measured, Error> {
        tell("start the control plane");
        let plane = ControlPlane::start(Options { durable: self.durable, ..Options::default() }).await?;
        let client = plane.client_for(super::objects::MANAGER, &[ADMINISTRATORS])?;
        populate::install_definitions(&client, &self.definitions).await?;
        tell("create namespaces, core Services and EndpointSlices");
        populate::create_cluster(&client, &self.shape).await?;
        // The API server goes on computing for a while what new definitions change for its clients.
        self.rest(&plane, &tell).await;
        tell("measure the API server's own rate of status patches");
        let saturation = saturate::measure(&plane, &client, self.connections, self.saturate).await?;
        tell(&format!("W_max is {:.0} patches/s; create the agreements", saturation.patches_per_second));
        populate::create_agreements(&client, &self.shape).await?;
        let launch = self.launch(&plane)?;
        let mut audit = AuditLog::at_end(plane.audit_log())?;
        let watch = AgreementWatch::start(client.clone());
        let services = self.shape.services;
        let patience = Instant::now() + READY_WITHIN;
        watch.wait_until(patience, |agreements: &Agreements| agreements.len() == services).await;
        self.rest(&plane, &tell).await;
        tell("start the operator");
        let mut operator = Operator::start(&launch)?;
        let first = self.first_statuses(&mut operator, &watch, &mut audit).await?;
        tell(&format!("all statuses were complete after {:.1} s; now nothing changes", first.complete_seconds));
        let quiet = self.quiet(&mut operator, &mut audit).await?;
        tell("send transitions");
        let cpu_before = operator.usage().cpu_ms;
        let transitions = transitions::run(&client, &self.shape, &watch, self.transitions, self.per_second).await?;
        operator.check_running()?;
        let transition_cpu_ms = operator.usage().cpu_ms - cpu_before;
        tokio::time::sleep(SETTLE).await;
        let transition_requests = requests(&audit.read()?);
        let (livez_ms, scrape_ms) = (operator.answer_ms("/livez").await?, operator.answer_ms("/metrics").await?);
        let samples = operator.samples();
        tell("restart the operator");
        let stop_seconds = operator.stop().await?;
        audit.skip()?;
        let restart = restart(&launch, &mut audit).await?;
        let mut period_ends = Vec::new();
        for edge in [Edge::End, Edge::Close].into_iter().filter(|_| self.period_end) {
            tell(&format!("let {services} agreements reach the same instant: {edge:?}"));
            self.rest(&plane, &tell).await;
            period_ends.push(period_end::run(&launch, USER, &client, &mut audit, services, edge).await?);
        }
        Ok(Measured {
            period_ends,
            saturation,
            ready_seconds: first.ready_seconds,
            complete_seconds: first.complete_seconds,
            complete_each_seconds: first.each_seconds,
            first_writes: first.writes,
            following_writes: quiet.writes_before,
            first_requests: first.requests,
            complete_cpu_ms: first.cpu_ms,
            quiet_requests: requests(&quiet.counts),
            quiet_cpu_ms: quiet.cpu_ms,
            quiet_writes: writes(&quiet.counts),
            quiet_lease_writes: total(&quiet.counts, USER, |request| request.is_write() && request.is_lease()),
            transitions,
            transition_requests,
            transition_cpu_ms,
            livez_ms,
            scrape_ms,
            samples,
            stop_seconds,
            restart_ready_seconds: restart.ready_seconds,
            restart_cpu_ms: restart.cpu_ms,
            restart_writes: restart.writes,
            restart_requests: restart.requests,
            binary_mb: size_mb(&self.program),
        })
    }

    /// Waits until the API server has nothing left to do.
    async fn rest(&self, plane: &ControlPlane, tell: &impl Fn(&str)) {
        let process = plane.process_id(Component::ApiServer).unwrap_or(0);
        if !machine::rest(process, REST_WITHIN).await {
            tell("the API server does not come to rest; the figures bear what it does besides");
        }
    }

    fn launch(&self, plane: &ControlPlane) -> Result<Launch, Error> {
        let kubeconfig = plane.directory().join("operator.kubeconfig");
        let text = plane.kubeconfig_for(USER, &[ADMINISTRATORS])?;
        std::fs::write(&kubeconfig, text).map_err(Error::system("write the operator's kubeconfig"))?;
        let _ = std::fs::remove_file(&self.log);
        let (program, log) = (self.program.clone(), self.log.clone());
        Ok(Launch { program, kubeconfig, log, scrape_every: SCRAPE_EVERY, arguments: Vec::new() })
    }

    fn late(&self, what: &str, limit: Duration) -> Error {
        Error::Late { what: what.to_owned(), seconds: limit.as_secs(), log: self.log.display().to_string() }
    }

    async fn first_statuses(
        &self,
        operator: &mut Operator,
        watch: &AgreementWatch,
        audit: &mut AuditLog,
    ) -> Result<First, Error> {
        let ready_seconds = operator.answers("/readyz", READY_WITHIN).await;
        operator.check_running()?;
        let ready_seconds = ready_seconds.ok_or_else(|| self.late("the operator to be ready", READY_WITHIN))?;
        let (patience, services) = (self.patience(), self.shape.services);
        let complete = |agreements: &Agreements| {
            agreements.len() == services && agreements.values().all(|seen| seen.complete.is_some())
        };
        if !watch.wait_until(operator.started() + patience, complete).await {
            return Err(self.late("complete statuses of all agreements", patience));
        }
        let cpu_ms = operator.usage().cpu_ms;
        let started = operator.started();
        let mut each_seconds: Vec<f64> = watch.read(|agreements| {
            let instants = agreements.values().filter_map(|seen| seen.complete);
            instants.map(|at| (at - started).as_secs_f64()).collect()
        });
        each_seconds.sort_by(f64::total_cmp);
        let complete_seconds = each_seconds.last().copied().unwrap_or(f64::NAN);
        let counts = audit.read()?;
        let writes = writes(&counts);
        Ok(First { ready_seconds, complete_seconds, each_seconds, writes, requests: requests(&counts), cpu_ms })
    }

    async fn quiet(&self, operator: &mut Operator, audit: &mut AuditLog) -> Result<Quiet, Error> {
        tokio::time::sleep(SETTLE).await;
        let writes_before = writes(&audit.read()?);
        let cpu_before = operator.usage().cpu_ms;
        tokio::time::sleep(self.quiet).await;
        operator.check_running()?;
        Ok(Quiet { writes_before, counts: audit.read()?, cpu_ms: operator.usage().cpu_ms - cpu_before })
    }
}

struct First {
    ready_seconds: f64,
    complete_seconds: f64,
    each_seconds: Vec<f64>,
    writes: u64,
    requests: Vec<Requests>,
    cpu_ms: u64,
}

struct Quiet {
    writes_before: u64,
    counts: Counts,
    cpu_ms: u64,
}

struct Restart {
    ready_seconds: f64,
    cpu_ms: u64,
    writes: u64,
    requests: Vec<Requests>,
}

/// Starts the operator onto what it wrote before.
async fn restart(launch: &Launch, audit: &mut AuditLog) -> Result<Restart, Error> {
    let mut operator = Operator::start(launch)?;
    let ready = operator.answers("/readyz", READY_WITHIN).await.unwrap_or(f64::NAN);
    tokio::time::sleep(SETTLE).await;
    operator.check_running()?;
    let cpu_ms = operator.usage().cpu_ms;
    operator.stop().await?;
    let counts = audit.read()?;
    Ok(Restart { ready_seconds: ready, cpu_ms, writes: writes(&counts), requests: requests(&counts) })
}

/// Writes of the operator but for its Lease.
fn writes(counts: &Counts) -> u64 {
    total(counts, USER, |request| request.is_write() && !request.is_lease())
}

fn requests(counts: &Counts) -> Vec<Requests> {
    let of_operator = counts.iter().filter(|(request, _)| request.user == USER);
    of_operator.map(|(request, count)| Requests { request: request.clone(), count: *count }).collect()
}

impl Measured {
    /// The figures beside their goals.
    pub fn figures(&self, scenario: &Scenario) -> Vec<Figure> {
        let rate = self.saturation.patches_per_second;
        let pure_seconds = self.first_writes as f64 / rate;
        let resident: Vec<u64> = self.samples.iter().map(|sample| sample.usage.resident_kib).collect();
        let largest = |kib: Option<u64>| kib.map_or(f64::NAN, |kib| kib as f64 / 1024.0);
        let peak = largest(self.samples.iter().map(|sample| sample.usage.peak_kib).max());
        let quiet_seconds = scenario.quiet.as_secs_f64();
        let transitions = &self.transitions;
        let mut ends = self.period_end_figures(scenario);
        let per_transition = self.transition_cpu_ms as f64 / transitions.sent as f64;
        let mut figures = vec![
            Figure::plain("W_max: status patches of the API server", "/s", rate),
            Figure::plain("W_max: half of the patches within", "ms", self.saturation.p50_ms),
            Figure::plain("W_max: 99 of 100 patches within", "ms", self.saturation.p99_ms),
            Figure::plain("W_max: CPU of the API server", "cores", self.saturation.api_server_cores),
            Figure::plain("W_max: CPU of the generator", "cores", self.saturation.generator_cores),
            Figure::plain("objects written for the first statuses", "writes", self.first_writes as f64),
            Figure::plain("objects written after them", "writes", self.following_writes as f64),
            Figure::plain("pure write time of these", "s", pure_seconds),
            Figure::new("exec to the last complete status", "s", self.complete_seconds, 2.0 * pure_seconds),
            Figure::plain("CPU of the operator for it", "ms", self.complete_cpu_ms as f64),
            Figure::new("exec to ready", "s", self.ready_seconds, 3.0),
            Figure::new("resident memory, most (VmHWM)", "MiB", peak, 40.0),
            Figure::new("resident memory, last", "MiB", largest(resident.last().copied()), 40.0),
            Figure::new("writes while quiet, without the Lease", "writes", self.quiet_writes as f64, 0.0),
            Figure::new("writes of the Lease while quiet", "/s", self.quiet_lease_writes as f64 / quiet_seconds, 0.25),
            Figure::new("CPU while quiet", "% of a core", self.quiet_cpu_ms as f64 / quiet_seconds / 10.0, 1.0),
            Figure::new("transitions never shown", "transitions", transitions.missed as f64, 0.0),
            Figure::new("transition to status, half within", "ms", transitions.p50_ms, 25.0),
            Figure::new("transition to status, 99 of 100 within", "ms", transitions.p99_ms, 150.0),
            Figure::new("transition to status, slowest", "ms", transitions.max_ms, 1000.0),
            Figure::plain("CPU of the operator a transition", "ms", per_transition),
            Figure::new("/livez answers within", "ms", self.livez_ms, 100.0),
            Figure::plain("/metrics answers within", "ms", self.scrape_ms),
            Figure::plain("SIGTERM to the end of the process", "s", self.stop_seconds),
            Figure::new("restart: exec to ready", "s", self.restart_ready_seconds, 5.0),
            Figure::new("restart: CPU of the operator", "ms", self.restart_cpu_ms as f64, 3000.0),
            Figure::plain("restart: writes without the Lease", "writes", self.restart_writes as f64),
            Figure::new("size of the binary", "MB", self.binary_mb, 25.0),
        ];
        figures.append(&mut ends);
        figures
    }

    /// What the instants took in which all agreements had something to write, against the rate measured in this run.
    fn period_end_figures(&self, scenario: &Scenario) -> Vec<Figure> {
        let rate = self.saturation.patches_per_second;
        let mut figures = Vec::new();
        for (name, end) in ["month end", "closing of a month"].into_iter().zip(&self.period_ends) {
            let pure_seconds = end.writes as f64 / rate;
            let missing = scenario.shape.services.saturating_sub(end.reports);
            figures.extend([
                Figure::plain(format!("{name}: objects written"), "writes", end.writes as f64),
                Figure::plain(format!("{name}: pure write time of these"), "s", pure_seconds),
                Figure::plain(format!("{name}: to the last write"), "s", end.seconds),
                Figure::plain(format!("{name}: CPU of the operator"), "ms", end.cpu_ms as f64),
                Figure::new(format!("{name}: times the pure write time"), "x", end.seconds / pure_seconds, 2.0),
                Figure::new(format!("{name}: reports that are missing"), "reports", missing as f64, 0.0),
            ]);
        }
        figures
    }
}
