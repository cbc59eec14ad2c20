//! The operator: watches, the world, the writer, the Lease and the servers, joined. The end of any ends the process
//! with a reason.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::config::OperatorSettings;
use crate::domain::time::Instant;
use crate::observe::pods::PodSelection;
use crate::telemetry::health::{CheckHandle, Health};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::server::{Endpoints, Server, ServerError};

use super::apply::Writer;
use super::clock::Clock;
use super::gaps::Found;
use super::lease::{Elector, Gate, LeaseEvent, LeaseSettings, Proof};
use super::nodes::Heard;
use super::streams::{ALWAYS, Doubt, Patience, Stream};
use super::subject::Outcome;
use super::view::View;
use super::watch::Change;
use super::world::{Leadership, World};

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The server for metrics and health cannot run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A task ended that never ends by itself.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

/// Messages that wait to be taken in: enough to keep decoding busy, little enough to bound memory.
const WAITING_CHANGES: usize = 512;
/// Changes taken in between two plans.
const CHANGES_AT_ONCE: usize = 1024;
/// How long the end waits for writes that are under way.
const DRAIN: Duration = Duration::from_secs(5);
/// How long to wait for the first answer of the API server before looking again.
const UNSET: Duration = Duration::from_millis(50);
/// How long a start waits for streams that are neither listed nor refused.
const START_MS: i64 = 30_000;

/// Runs the operator until `shutdown` ends.
pub async fn run(
    client: Client,
    settings: OperatorSettings,
    shutdown: impl Future<Output = ()>,
) -> Result<(), OperatorError> {
    let clock = Clock::shifted(settings.test_clock_offset_ms, settings.test_time_shift_ms);
    let world = Arc::new(RwLock::new(World::in_namespace(&settings.namespace)));
    let metrics = Metrics::new(&settings.metrics_options());
    let client = super::dates::listen(client, &clock);
    let ticking = clock.clone();
    let health = Health::new(Arc::new(move || Duration::from_millis(ticking.monotonic_ms().unsigned_abs())));
    let view = Arc::new(View::new(world.clone(), clock.clone(), &settings.identity));
    metrics.attach(view.clone());
    let endpoints = Endpoints { metrics: metrics.clone(), health: health.clone(), diagnostics: view.diagnostics() };
    let server = Server::bind(settings.metrics_address, endpoints).await?;
    tracing::info!(address = %server.address(), "serving metrics, health and diagnostics");

    let (stop, stopped) = watch::channel(false);
    let gate = Arc::new(Gate::new(clock.clone()));
    let (lease_sender, lease_events) = mpsc::channel(64);
    let (proved_sender, proved) = watch::channel(Proof::default());
    let lease = LeaseSettings {
        namespace: settings.namespace.clone(),
        name: settings.lease_name.clone(),
        identity: settings.identity.clone(),
        duration: settings.lease_duration,
    };
    let elector = Elector::new(client.clone(), lease, clock.clone(), gate.clone(), proved, lease_sender);
    let mut engine = Engine::new(client, &settings, clock, world, metrics, &health, gate, lease_events, proved_sender);
    let mut server_stop = stopped.clone();
    let serving = server.run(async move {
        let _ = server_stop.wait_for(|stop| *stop).await;
    });
    let (mut serving, mut electing) = (std::pin::pin!(serving), std::pin::pin!(elector.run(stopped)));
    tokio::select! {
        () = shutdown => tracing::info!("shutting down"),
        () = engine.run() => return Err(OperatorError::Ended("the watch of the API server")),
        () = &mut serving => return Err(OperatorError::Ended("the server")),
        () = &mut electing => return Err(OperatorError::Ended("the election")),
    }
    // What is under way is finished first; then the Lease is let go, with what is proved until now.
    engine.drain().await;
    let _ = stop.send(true);
    let _ = tokio::join!(electing, serving);
    Ok(())
}

/// Feeds the world and carries out what it plans.
struct Engine {
    client: Client,
    clock: Clock,
    world: Arc<RwLock<World>>,
    metrics: Metrics,
    writer: Writer,
    gate: Arc<Gate>,
    caches: CheckHandle,
    heart: crate::telemetry::health::Heartbeat,
    changes: mpsc::Receiver<(Stream, Change)>,
    sender: mpsc::Sender<(Stream, Change)>,
    lease_events: mpsc::Receiver<LeaseEvent>,
    proved: watch::Sender<Proof>,
    watches: JoinSet<()>,
    /// Tells a watch that nothing proves what it shows.
    stalled: HashMap<Stream, Arc<Notify>>,
    /// Streams asked for by a list of one object: the version of the answer, and when the request was sent.
    asks: JoinSet<(Stream, Option<u64>, Instant)>,
    /// What is read to close gaps, by the number of the request.
    evidence: JoinSet<(u64, Found)>,
    /// The Leases of lost nodes, one reading at a time.
    nodes: JoinSet<Vec<Heard>>,
    pod_watches: HashMap<PodSelection, AbortHandle>,
    writes: JoinSet<Outcome>,
    concurrency: usize,
    /// Since when it reads the time of the API server.
    began: Option<Instant>,
}

impl Engine {
    #[allow(clippy::too_many_arguments)]
    fn new(
        client: Client,
        settings: &OperatorSettings,
        clock: Clock,
        world: Arc<RwLock<World>>,
        metrics: Metrics,
        health: &Health,
        gate: Arc<Gate>,
        lease_events: mpsc::Receiver<LeaseEvent>,
        proved: watch::Sender<Proof>,
    ) -> Self {
        let (sender, changes) = mpsc::channel(WAITING_CHANGES);
        let mut watches = JoinSet::new();
        let mut stalled: HashMap<Stream, Arc<Notify>> = HashMap::new();
        for stream in ALWAYS {
            let notify = stalled.entry(stream.clone()).or_default().clone();
            watches.spawn(super::watch::run(client.clone(), stream.watched(), stream, sender.clone(), notify));
        }
        write_lock(&world).set_patience(Patience::of(settings.test_silence_ms));
        let writer = Writer::new(client.clone(), gate.clone(), &settings.identity, metrics.clone());
        Self {
            caches: health.check("caches"),
            heart: health.heartbeat("engine", Duration::from_mins(1)),
            client,
            clock,
            world,
            metrics,
            writer,
            gate,
            changes,
            sender,
            lease_events,
            proved,
            watches,
            stalled,
            asks: JoinSet::new(),
            evidence: JoinSet::new(),
            nodes: JoinSet::new(),
            pod_watches: HashMap::new(),
            writes: JoinSet::new(),
            concurrency: settings.write_concurrency,
            began: None,
        }
    }

    /// Runs until the watches end, which they never do by themselves.
    async fn run(&mut self) {
        loop {
            let wake = self.step();
            tokio::select! {
                change = self.changes.recv() => match change {
                    Some((stream, change)) => self.take(stream, change),
                    None => return,
                },
                Some(event) = self.lease_events.recv() => self.lease(event),
                Some(outcome) = self.writes.join_next() => {
                    if let Ok(outcome) = outcome {
                        self.written(&outcome);
                    }
                }
                Some(answer) = self.asks.join_next() => {
                    if let Ok((stream, Some(version), sent)) = answer {
                        write_lock(&self.world).answered(&stream, version, sent, self.clock.now());
                    }
                }
                Some(Ok((number, found))) = self.evidence.join_next() => write_lock(&self.world).found(number, found),
                Some(Ok(heard)) = self.nodes.join_next() => write_lock(&self.world).heard_of_nodes(heard),
                Some(ended) = self.watches.join_next() => {
                    if ended.is_ok() && self.changes.is_closed() {
                        return;
                    }
                }
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    /// Plans, starts writes, and says how long nothing has to be done.
    fn step(&mut self) -> Duration {
        self.heart.beat();
        if !self.clock.is_set() {
            // Nothing is judged by a clock that may be wrong.
            return UNSET;
        }
        // What stepped by now is known before a period that is over by now is written.
        let now = self.clock.now();
        self.tell_clock();
        let began = *self.began.get_or_insert(now);
        let mut world = write_lock(&self.world);
        if world.started().is_none() && (world.is_settled() || now.ms_since(began) > START_MS) {
            world.start(now);
            self.caches.set(true, "");
            tracing::info!(services = world.services().len(), agreements = world.agreements().len(), "started");
        }
        let doubts = world.doubts(now);
        while let Some((number, wanted)) = world.wanted(now) {
            let client = self.client.clone();
            self.evidence.spawn(async move { (number, super::evidence::find(client, wanted).await) });
        }
        let room = self.concurrency.saturating_sub(self.writes.len());
        let planning_ms = self.clock.monotonic_ms();
        let batches = world.plan(now, room);
        let full = batches.len() == room;
        let selections = world.changed_selections();
        self.proved.send_replace(world.proof());
        let deadline = world.next_deadline();
        let lost = if self.nodes.is_empty() { world.lost() } else { Vec::new() };
        if !lost.is_empty() {
            self.nodes.spawn(super::nodes::find(self.client.clone(), lost));
        }
        drop(world);
        for batch in batches {
            let (writer, clock, metrics) = (self.writer.clone(), self.clock.clone(), self.metrics.clone());
            self.writes.spawn(async move {
                let outcome = writer.carry_out(batch).await;
                let took_ms = clock.monotonic_ms() - planning_ms;
                let took = Duration::from_millis(took_ms.unsigned_abs());
                metrics.observe_reconcile(outcome.batch.subject.controller(), took);
                outcome
            });
        }
        self.watch_pods(selections);
        self.resolve(doubts, now);
        let longest = Duration::from_secs(10);
        if full {
            // A write that ends makes room.
            return longest;
        }
        deadline.map_or(longest, |at| Duration::from_millis(at.ms_since(now).max(1).unsigned_abs()).min(longest))
    }

    /// Asks for streams that nothing has proved for long, or connects them anew.
    fn resolve(&mut self, doubts: Vec<(Stream, Doubt)>, now: Instant) {
        for (stream, doubt) in doubts {
            match doubt {
                Doubt::Ask => {
                    let (client, watched) = (self.client.clone(), stream.watched());
                    self.asks.spawn(async move { (stream, super::watch::ask(&client, &watched).await, now) });
                }
                Doubt::Reconnect => {
                    tracing::warn!(stream = stream.name(), "nothing proves what the stream shows; connecting anew");
                    if let Some(stalled) = self.stalled.get(&stream) {
                        stalled.notify_waiters();
                    }
                }
            }
        }
    }

    /// Shows how far the wall clock is off, and notes steps of the API server's clock.
    fn tell_clock(&self) {
        self.metrics.set_clock_offset(self.clock.offset_ms());
        for step in self.clock.take_steps() {
            self.metrics.count_clock_step();
            tracing::warn!(at = %step.at, by_ms = step.by_ms, "the clock of the API server stepped");
            write_lock(&self.world).clock_stepped(step);
        }
    }

    /// Begins to watch selections of Pods, and ceases to.
    fn watch_pods(&mut self, changed: Vec<(PodSelection, bool)>) {
        for (selection, is_used) in changed {
            let stream = Stream::Pods(selection.clone());
            if !is_used {
                if let Some(handle) = self.pod_watches.remove(&selection) {
                    handle.abort();
                }
                self.stalled.remove(&stream);
            } else if !self.pod_watches.contains_key(&selection) {
                let notify = self.stalled.entry(stream.clone()).or_default().clone();
                let watch =
                    super::watch::run(self.client.clone(), stream.watched(), stream, self.sender.clone(), notify);
                self.pod_watches.insert(selection, self.watches.spawn(watch));
            }
        }
    }

    /// Whether what a stream shows is still asked for: a watch that ended may have left messages behind.
    fn is_watched(&self, stream: &Stream) -> bool {
        match stream {
            Stream::Pods(selection) => self.pod_watches.contains_key(selection),
            _ => true,
        }
    }

    /// Takes in a message, and those that wait behind it.
    fn take(&mut self, stream: Stream, change: Change) {
        let now = self.clock.now();
        let mut world = write_lock(&self.world);
        let mut next = Some((stream, change));
        for _ in 0..=CHANGES_AT_ONCE {
            let Some((stream, change)) = next.take().or_else(|| self.changes.try_recv().ok()) else { break };
            if self.is_watched(&stream) {
                tell_failure(&world, &stream, &change, &self.metrics);
                world.take(&stream, change, now);
            }
        }
    }

    fn lease(&mut self, event: LeaseEvent) {
        let mut world = write_lock(&self.world);
        match event {
            LeaseEvent::Leading { epoch, observed_until, versions } => {
                let now = self.clock.now();
                tracing::info!(epoch, observed_until = ?observed_until.map(Instant::format_utc), "leading");
                world.lead(Leadership { epoch }, observed_until, versions, now);
                self.metrics.set_leader(true);
            }
            LeaseEvent::Following(leader) => {
                tracing::info!(leader, "following");
                world.follow();
                self.metrics.set_leader(false);
            }
            LeaseEvent::Renewed { version, sent } => world.renewed(version, sent),
            LeaseEvent::Failed(message) => tracing::warn!(message, "failed to hold the lease"),
        }
    }

    fn written(&mut self, outcome: &Outcome) {
        use super::subject::WriteFailure;
        match &outcome.failure {
            Some(WriteFailure::Forbidden(message)) => {
                tracing::error!(message, "failed to write: grant the verb to the operator's service account");
            }
            Some(failure) => tracing::debug!(subject = ?outcome.batch.subject, ?failure, "failed to write"),
            None => {}
        }
        write_lock(&self.world).written(outcome, self.clock.now());
    }

    /// Finishes the writes that are under way and those that wait, for a short time.
    async fn drain(&mut self) {
        let _ = tokio::time::timeout(DRAIN, self.finish_writes()).await;
        self.watches.abort_all();
    }

    async fn finish_writes(&mut self) {
        while self.gate.is_open() {
            self.step();
            match self.writes.join_next().await {
                Some(Ok(outcome)) => self.written(&outcome),
                Some(Err(_)) => {}
                None => break,
            }
        }
    }
}

fn tell_failure(world: &World, stream: &Stream, change: &Change, metrics: &Metrics) {
    let Change::Failed(failure) = change else { return };
    if let Some(source) = super::view::source(stream) {
        metrics.count_watch_restart(source);
    }
    if world.stream(stream).is_some_and(|state| state.failure.as_ref() == Some(failure)) {
        return;
    }
    failure.tell(stream.name());
}

/// The lock of the world. A poisoned one is used on: the panic that poisoned it was told of, and half a plan is no
/// worse than none.
pub(super) fn write_lock(world: &RwLock<World>) -> std::sync::RwLockWriteGuard<'_, World> {
    world.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
