//! The command line, one file a subcommand.

mod adopt;
mod check;
mod cluster;
mod completion;
mod crds;
mod documents;
mod manifests;
mod output;
mod replay;
mod report;
mod run;
mod verify;
mod version;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use output::{BAD, styled};

/// Name of the program as a plugin of kubectl.
const PLUGIN: &str = "kubectl-assize";

/// What a shell reports for a program whose reader went away: 128 and SIGPIPE.
const BROKEN_PIPE: u8 = 141;

/// Service management after ISO/IEC 20000-1, measured and enforced by a Kubernetes operator.
#[derive(Debug, Parser)]
#[command(name = "assize", version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands; each says in its own file what it does.
#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Crds(crds::Crds),
    Check(check::Check),
    Report(report::Report),
    Replay(replay::Replay),
    Verify(verify::Verify),
    Adopt(adopt::Adopt),
    Version(version::Version),
    Completion(completion::Completion),
}

/// Runs the command; errors are printed once, here.
pub fn run() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let program = words.first().and_then(|word| Path::new(word).file_stem()?.to_str());
    let is_plugin = program == Some(PLUGIN);
    let mut command = Arguments::command();
    if is_plugin {
        command = command.bin_name("kubectl assize");
    }
    let outcome = command
        .try_get_matches_from_mut(words)
        .and_then(|matches| Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command)));
    let arguments = match outcome {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors of clap too; a reader that has gone is none of ours.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command.run(is_plugin) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&*error) => ExitCode::from(BROKEN_PIPE),
        Err(error) => {
            print_error(&error.to_string());
            ExitCode::from(2)
        }
    }
}

impl Command {
    fn run(&self, is_plugin: bool) -> Outcome {
        match self {
            Self::Run(command) => command.run(),
            Self::Crds(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Report(command) => command.run(),
            Self::Replay(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Adopt(command) => command.run(),
            Self::Version(command) => command.run(),
            Self::Completion(command) => command.run(Arguments::command(), if is_plugin { PLUGIN } else { "assize" }),
        }
    }
}

/// Prints an error on standard error; if that is gone too, nobody can be told.
fn print_error(message: &str) {
    use io::Write as _;
    let head = styled(BAD, "error:");
    let lines: Vec<String> = message.lines().map(crate::report::text::visible).collect();
    let _ = writeln!(anstream::stderr(), "{head} {}", lines.join("\n  "));
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What a subcommand answers: an exit code, or an error for people.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;
