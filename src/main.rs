//! The `assize` command: parses arguments and dispatches; no logic.

use std::process::ExitCode;

fn main() -> ExitCode {
    assize::cli::run()
}
