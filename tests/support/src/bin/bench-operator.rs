//! The operator under load on a real API server: each figure beside its goal.
use std::{
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use assize_testkit::load::{
    Error,
    figures::{Figure, Table},
    machine::{self, Machine},
    objects::Shape,
    scenario::{Measured, Scenario},
};
use clap::Parser;
use serde::Serialize;

/// Measures the operator under load. Fails when it cannot be measured, and when a goal is missed that is required.
#[derive(Debug, Parser)]
#[command(name = "bench-operator")]
struct Arguments {
    /// Services, each with one agreement and one `EndpointSlice`.
    #[arg(long, default_value_t = 1000)]
    services: usize,
    /// Endpoints of each service.
    #[arg(long, default_value_t = 10)]
    endpoints_per_service: usize,
    /// Namespaces that the services are spread over.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    namespaces: u32,
    /// How long nothing changes, in seconds.
    #[arg(long, default_value = "120s", value_parser = seconds)]
    quiet: Duration,
    /// Transitions that are measured.
    #[arg(long, default_value_t = 200)]
    transitions: usize,
    /// Transitions a second.
    #[arg(long, default_value_t = 20.0)]
    per_second: f64,
    /// How long the API server is saturated, in seconds.
    #[arg(long, default_value = "20s", value_parser = seconds)]
    saturate: Duration,
    /// Connections that saturate the API server.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Leave out the end of the month.
    #[arg(long)]
    no_period_end: bool,
    /// Fail if a figure whose name has this in it misses its goal; may be repeated.
    #[arg(long, value_name = "TEXT")]
    require: Vec<String>,
    /// Let etcd wait for the disk at every write.
    #[arg(long)]
    durable: bool,
    /// The operator; built if absent.
    #[arg(long)]
    operator: Option<PathBuf>,
    /// Where the operator logs.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Where the raw data goes, as JSON.
    #[arg(long)]
    output: Option<PathBuf>,
}

/// What one run leaves behind.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    machine: Machine,
    commit: String,
    etcd_fsync: bool,
    services: usize,
    endpoints: usize,
    figures: &'a [Figure],
    measured: &'a Measured,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number =
        text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| "write seconds, such as 120s".to_owned())?;
    Ok(Duration::from_secs(number))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool, Error> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let machine = machine::describe();
    let commit = command("git", &["describe", "--always", "--dirty", "--abbrev=12"]);
    println!("machine:  {} x {}, {} MiB", machine.cores, machine.processor, machine.memory_mib);
    println!("kernel:   {}, load before the run {}", machine.kernel, machine.load_before);
    println!("commit:   {commit}");
    println!("etcd:     {} fsync", if arguments.durable { "with" } else { "without" });
    let program = match &arguments.operator {
        Some(program) => program.clone(),
        None => build(&root)?,
    };
    println!("operator: {}", command(&program.display().to_string(), &["--version"]));
    let services = arguments.services;
    let endpoints = arguments.endpoints_per_service;
    println!("load:     {services} agreements, {} endpoints\n", services * endpoints);
    let scenario = Scenario {
        shape: Shape { services, namespaces: arguments.namespaces as usize, endpoints },
        program,
        definitions: root.join("crds"),
        log: arguments.log.clone().unwrap_or_else(|| std::env::temp_dir().join("assize-bench-operator.log")),
        connections: arguments.connections,
        saturate: arguments.saturate,
        quiet: arguments.quiet,
        transitions: arguments.transitions,
        per_second: arguments.per_second,
        durable: arguments.durable,
        period_end: !arguments.no_period_end,
    };
    let measured = scenario.run(|text| eprintln!("# {text}")).await?;
    let figures = measured.figures(&scenario);
    println!("{}", Table(&figures));
    if let Some(path) = &arguments.output {
        let run = Run {
            machine,
            commit,
            etcd_fsync: arguments.durable,
            services,
            endpoints,
            figures: &figures,
            measured: &measured,
        };
        let text = serde_json::to_string_pretty(&run).unwrap_or_default();
        std::fs::write(path, text)
            .map_err(|source| Error::System { what: format!("write {}", path.display()), source })?;
    }
    Ok(arguments.require.iter().all(|text| is_kept(text, &figures)))
}

/// Whether the goals that a text names are met; a text that names none is not kept.
fn is_kept(text: &str, figures: &[Figure]) -> bool {
    let named: Vec<&Figure> =
        figures.iter().filter(|figure| figure.goal.is_some() && figure.name.contains(text)).collect();
    for missed in named.iter().filter(|figure| figure.is_met() != Some(true)) {
        eprintln!("bench-operator: missed: {}", missed.name);
    }
    if named.is_empty() {
        eprintln!("bench-operator: no figure with a goal has {text:?} in its name");
    }
    !named.is_empty() && named.iter().all(|figure| figure.is_met() == Some(true))
}

/// Builds the operator as it is released; returns its binary.
fn build(root: &std::path::Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::System { what: "build the operator".to_owned(), source };
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--package", "assize", "--message-format", "json"]).current_dir(root);
    let output = build.stderr(std::process::Stdio::inherit()).output().map_err(failed)?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut program = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message.pointer("/target/name")?.as_str()? == "assize").then_some(())?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    program
        .next_back()
        .filter(|_| output.status.success())
        .ok_or_else(|| failed(std::io::Error::other(output.status.to_string())))
}

fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
