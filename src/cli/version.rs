//! `assize version`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Outcome;
use super::output::print;
use crate::domain::report::time_zone_database;
use crate::{api, report};

/// Print the version of this program, of the kinds it knows and of its time zone database.
#[derive(Debug, Args)]
pub struct Version {
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line each.
    Text,
    /// One object.
    Json,
}

/// The commit that the program was built from, where the build names it in `ASSIZE_COMMIT`.
const COMMIT: Option<&str> = option_env!("ASSIZE_COMMIT");

impl Version {
    pub(super) fn run(&self) -> Outcome {
        let program = env!("CARGO_PKG_VERSION");
        let kinds = format!("{}/{}", api::GROUP, api::VERSION);
        let form = report::document::FORMAT;
        match self.output {
            Output::Text => {
                let commit = COMMIT.map(|commit| format!(" ({commit})")).unwrap_or_default();
                print(&format!(
                    "assize {program}{commit}\nkinds {kinds}\nreports {form}\ntime zones {}\n",
                    time_zone_database()
                ))?;
            }
            Output::Json => {
                let value = json!({
                    "version": program,
                    "commit": COMMIT,
                    "kinds": kinds,
                    "reports": form,
                    "timeZoneDatabase": time_zone_database(),
                });
                print(&format!("{}\n", serde_json::to_string_pretty(&value)?))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
