//! The operator as a process of its own, and what it uses while it runs.
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Error;
use super::machine::{Usage, usage};

/// How to start the operator.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The binary.
    pub program: PathBuf,
    /// The kubeconfig of its user.
    pub kubeconfig: PathBuf,
    /// Where it logs.
    pub log: PathBuf,
    /// How often its metrics are read.
    pub scrape_every: Duration,
    /// Further flags.
    pub arguments: Vec<String>,
}

/// Memory and CPU at one instant.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Seconds since the start of the process.
    pub at_seconds: f64,
    /// What it used.
    #[serde(flatten)]
    pub usage: Usage,
}

/// A running operator; dropping it kills it.
#[derive(Debug)]
pub struct Operator {
    child: Child,
    address: String,
    started: Instant,
    samples: Arc<Mutex<Vec<Sample>>>,
    tasks: Vec<JoinHandle<()>>,
}

const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const END_WITHIN: Duration = Duration::from_secs(10);

impl Operator {
    /// Starts the operator.
    pub fn start(launch: &Launch) -> Result<Self, Error> {
        let address = free_address()?;
        let log = std::fs::File::options().create(true).append(true).open(&launch.log);
        let log = log.map_err(Error::system(format!("open {}", launch.log.display())))?;
        let errors = log.try_clone().map_err(Error::system("open the log"))?;
        let started = Instant::now();
        let child = Command::new(&launch.program)
            .args(["run", "--metrics-address", &address])
            .args(&launch.arguments)
            .env("KUBECONFIG", &launch.kubeconfig)
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::system(format!("start {}", launch.program.display())))?;
        let samples = Arc::new(Mutex::new(Vec::new()));
        let sampling = tokio::spawn(sample(child.id().unwrap_or(0), started, samples.clone()));
        let scraping = tokio::spawn(scrape(address.clone(), launch.scrape_every));
        Ok(Self { child, address, started, samples, tasks: vec![sampling, scraping] })
    }

    /// When the process was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// What it uses now.
    pub fn usage(&self) -> Usage {
        self.child.id().and_then(usage).unwrap_or_default()
    }

    /// What it used each second so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails if the process has ended.
    pub fn check_running(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Error::system("the operator ended")(std::io::Error::other(status.to_string()))),
            Err(error) => Err(Error::system("look at the operator")(error)),
        }
    }

    /// Seconds from the start of the process until `path` answers with success, at most `limit`.
    pub async fn answers(&self, path: &str, limit: Duration) -> Option<f64> {
        let deadline = self.started + limit;
        while Instant::now() < deadline {
            if get(&self.address, path).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Some(self.started.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }

    /// How long `path` takes to answer, in ms.
    pub async fn answer_ms(&self, path: &str) -> Result<f64, Error> {
        let begin = Instant::now();
        get(&self.address, path).await.map_err(Error::system(format!("get {path}")))?;
        Ok(begin.elapsed().as_secs_f64() * 1000.0)
    }

    /// Ends it as a kubelet would; returns after how many seconds it was gone.
    pub async fn stop(mut self) -> Result<f64, Error> {
        let begin = Instant::now();
        if let Some(process) = self.child.id() {
            let signal = Command::new("sh").args(["-c", &format!("kill -s TERM {process}")]).status().await;
            signal.map_err(Error::system("send TERM to the operator"))?;
        }
        let ended = tokio::time::timeout(END_WITHIN, self.child.wait()).await;
        match ended {
            Ok(status) => status.map(drop).map_err(Error::system("wait for the operator"))?,
            Err(_) => self.child.kill().await.map_err(Error::system("kill the operator"))?,
        }
        Ok(begin.elapsed().as_secs_f64())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A port that is free now. Another process may take it before its use; the operator then says so and ends.
fn free_address() -> Result<String, Error> {
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.to_string()).map_err(Error::system("choose a port"))
}

async fn sample(process: u32, started: Instant, samples: Arc<Mutex<Vec<Sample>>>) {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        let Some(usage) = usage(process) else { return };
        let sample = Sample { at_seconds: started.elapsed().as_secs_f64(), usage };
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}

async fn scrape(address: String, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        // A failed scrape shows in the operator's own figures; the bench goes on.
        let _ = get(&address, "/metrics").await;
    }
}

async fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The size of a binary in MB.
pub fn size_mb(program: &Path) -> f64 {
    std::fs::metadata(program).map_or(f64::NAN, |metadata| metadata.len() as f64 / 1e6)
}
