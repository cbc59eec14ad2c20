#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::telemetry::diagnostics::{Diagnostics, StreamDiagnostics};
use crate::telemetry::metrics::{CONTENT_TYPE, MetricsOptions};
use crate::telemetry::snapshot::{AgreementSample, Sink, Snapshot};

struct Running {
    address: SocketAddr,
    metrics: Metrics,
    health: Health,
    now_ms: Arc<AtomicU64>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn start() -> Running {
    let now_ms = Arc::<AtomicU64>::default();
    let clock = now_ms.clone();
    let metrics = Metrics::new(&MetricsOptions::default());
    let health = Health::new(Arc::new(move || Duration::from_millis(clock.load(Ordering::Relaxed))));
    let diagnostics = DiagnosticsSource::new(|| {
        let streams = vec![StreamDiagnostics {
            source: "pods".into(),
            last_event_age_ms: Some(12),
            objects: 3,
            ..StreamDiagnostics::default()
        }];
        Diagnostics { version: "1.2.3".into(), leading: true, streams, ..Diagnostics::default() }.to_value()
    });
    let endpoints = Endpoints { metrics: metrics.clone(), health: health.clone(), diagnostics };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), endpoints).await.unwrap();
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(async move {
        let _ended = stopped.await;
    }));
    Running { address, metrics, health, now_ms, stop, server }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    let body = if head.contains("transfer-encoding: chunked") { unchunk(body) } else { body.to_owned() };
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
}

fn unchunk(mut rest: &str) -> String {
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.push_str(&after[..length]);
        rest = after[length..].strip_prefix("\r\n").unwrap();
    }
}

async fn read(running: &Running, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: assize\r\nConnection: close\r\n\r\n");
    ask(running.address, &request).await
}

struct Many(usize);

impl Snapshot for Many {
    fn visit(&self, sink: &mut dyn Sink) {
        for number in 0..self.0 {
            let agreement = format!("agreement-{number}");
            sink.agreement(&AgreementSample {
                namespace: "shop",
                agreement: &agreement,
                target: "availability",
                ..AgreementSample::default()
            });
        }
    }
}

#[tokio::test]
async fn metrics_come_as_open_metrics_in_chunks() {
    let running = start().await;
    let answer = read(&running, "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains(&format!("content-type: {CONTENT_TYPE}")), "{}", answer.head);
    assert!(answer.body.contains("assize_leader 0\n") && answer.body.ends_with("# EOF\n"));
    running.metrics.attach(Arc::new(Many(2000)));
    running.metrics.set_leader(true);
    let answer = read(&running, "/metrics").await;
    assert!(answer.body.len() > 10 * limits::CHUNK_BYTES);
    let mut whole = String::new();
    running.metrics.encode(&mut whole).unwrap();
    assert_eq!(answer.body, whole);
}

#[tokio::test]
async fn a_scraper_that_leaves_frees_its_place() {
    let running = start().await;
    running.metrics.attach(Arc::new(Many(20_000)));
    running.metrics.set_leader(true);
    for _ in 0..2 * limits::SCRAPES {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: assize\r\n\r\n").await.unwrap();
        let mut some = [0; 1024];
        assert!(stream.read(&mut some).await.unwrap() > 0);
        drop(stream);
        let answered = async { while read(&running, "/metrics").await.status != 200 {} };
        timeout(Duration::from_secs(30), answered).await.unwrap();
    }
}

struct Stuck(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

impl Snapshot for Stuck {
    fn visit(&self, _: &mut dyn Sink) {
        let _released = self.0.lock().unwrap().recv();
    }
}

#[tokio::test]
async fn too_many_scrapes_are_refused() {
    let running = start().await;
    let (release, wait) = std::sync::mpsc::channel();
    running.metrics.attach(Arc::new(Stuck(std::sync::Mutex::new(wait))));
    running.metrics.set_leader(true);
    let mut waiting = Vec::new();
    for _ in 0..limits::SCRAPES {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: assize\r\nConnection: close\r\n\r\n").await.unwrap();
        // The head comes before the snapshot answers.
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        waiting.push(stream);
    }
    assert_eq!(read(&running, "/metrics").await.status, 503);
    assert_eq!(read(&running, "/livez").await.status, 200);
    drop(release);
    for mut stream in waiting {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("# EOF\n"));
    }
}

#[tokio::test]
async fn readiness_and_liveness_answer_by_their_handles() {
    let running = start().await;
    let caches = running.health.check("caches");
    let answer = read(&running, "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "[-]caches failed: not started\nreadyz check failed\n"));
    caches.set(true, "");
    let answer = read(&running, "/readyz").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    for query in ["verbose", "verbose=true", "a=b&verbose"] {
        let answer = read(&running, &format!("/readyz?{query}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "[+]caches ok\nreadyz check passed\n"));
    }
    let heart = running.health.heartbeat("reconcile", Duration::from_secs(30));
    assert_eq!(read(&running, "/livez").await.status, 200);
    running.now_ms.store(60_000, Ordering::Relaxed);
    let answer = read(&running, "/livez").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("[-]reconcile failed: silent for 60 s"), "{}", answer.body);
    heart.beat();
    assert_eq!(read(&running, "/livez?verbose").await.body, "[+]reconcile ok\nlivez check passed\n");
}

#[tokio::test]
async fn diagnostics_are_json() {
    let running = start().await;
    let answer = read(&running, "/debug/assize").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let page: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(page["version"], "1.2.3");
    assert_eq!(page["streams"][0]["lastEventAgeMs"], 12);
}

#[tokio::test]
async fn other_requests_are_refused() {
    let running = start().await;
    assert_eq!(read(&running, "/").await.status, 404);
    let post = "POST /metrics HTTP/1.1\r\nHost: assize\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(running.address, post).await.status, 405);
    let long = format!("GET /livez HTTP/1.1\r\nHost: assize\r\nX: {}\r\n\r\n", "x".repeat(limits::REQUEST_HEAD_BYTES));
    assert_eq!(ask(running.address, &long).await.status, 431);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let running = start().await;
    let endpoints = Endpoints {
        metrics: running.metrics.clone(),
        health: running.health.clone(),
        diagnostics: DiagnosticsSource::new(|| serde_json::Value::Null),
    };
    let message = Server::bind(running.address, endpoints).await.unwrap_err().to_string();
    assert!(message.contains(&running.address.to_string()) && message.contains("another address"), "{message}");
}

#[tokio::test]
async fn it_ends_when_told_also_with_idle_connections() {
    let running = start().await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: assize\r\n\r\n").await.unwrap();
    let mut some = [0; 1024];
    assert!(idle.read(&mut some).await.unwrap() > 0);
    running.stop.send(()).unwrap();
    timeout(limits::CONNECTION_DRAIN, running.server).await.unwrap().unwrap();
    assert_eq!(idle.read(&mut some).await.unwrap(), 0);
    assert!(TcpStream::connect(running.address).await.is_err());
}
