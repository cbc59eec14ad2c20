//! The command line, one file a subcommand.

mod crds;
mod manifests;
mod replay;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Service management after ISO/IEC 20000-1, measured and enforced by a Kubernetes operator.
#[derive(Debug, Parser)]
#[command(name = "assize", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator
    Run(run::Run),
    /// Print the custom resource definitions
    Crds(crds::Crds),
    /// Compute the figures of a period from an event log
    Replay(replay::Replay),
}

/// Runs the command; errors are printed once, here.
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(command) => command.run(),
        Command::Crds(command) => command.run(),
        Command::Replay(command) => command.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// What a subcommand answers: an exit code, or an error for people.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;
