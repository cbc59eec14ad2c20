//! A control plane for people: started by one command, gone at Ctrl-C.
use assize_testkit::controlplane::{ControlPlane, Error, Options};
use clap::Parser;

/// Starts a Kubernetes control plane with simulated nodes and keeps it until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "controlplane")]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
struct Arguments {
    /// How many nodes to simulate.
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// Run etcd and the API server only: no controllers, no scheduler, no nodes.
    #[arg(long)]
    bare: bool,
    /// Let etcd wait for the disk at every write.
    #[arg(long)]
    durable: bool,
    /// Serve /debug/pprof in the API server.
    #[arg(long)]
    profiling: bool,
    /// Keep the folder with logs and data after the end.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("controlplane: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Error> {
    let base = if arguments.bare { Options::default() } else { Options::with_nodes(arguments.nodes) };
    let options = Options { durable: arguments.durable, profiling: arguments.profiling, keep: arguments.keep, ..base };
    let plane = tokio::select! {
        plane = ControlPlane::start(options) => plane?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    println!("# API server: {}", plane.url());
    println!("# kubectl:    {}", plane.kubectl().display());
    println!("# audit log:  {}", plane.audit_log().display());
    println!("# Ctrl-C stops it.");
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    // An error here means that signals cannot be awaited; ending is then the only safe answer.
    let _ = tokio::signal::ctrl_c().await;
    Ok(())
}
