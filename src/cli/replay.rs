//! `assize replay`: the figures of a period from an event log.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Outcome;
use super::documents::read_text;
use super::manifests::Manifests;
use super::output::{Progress, print};
use super::report::{Form, Page, render};
use crate::domain::replay::{self, Objects, parse_line};
use crate::domain::time::Instant;
use crate::report::{Document, Parties};

/// Lines between two notes of progress: often enough to be seen to move, too rare to cost time.
const PROGRESS_LINES: usize = 20_000;

/// Compute the figures of a period from an event log, by the rules of the operator.
///
/// The log has one JSON object a line; docs/replay.md lists the types. Exit status: 0 the report was printed, 1 with
/// --fail-on missed and a miss, 2 bad input.
// Terminals show the text as it is, so names stand without backticks.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
pub struct Replay {
    /// Files with one ServiceLevelAgreement, its Service and its calendars
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Event log; - for standard input
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// Instant of the figures, RFC 3339 with offset; default: the last of the log
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<String>,
    /// Key of the period, such as 2026-11; default: the one that contains the instant of the figures
    #[arg(long, value_name = "KEY")]
    period: Option<String>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Form::Json)]
    output: Form,
    /// Exit with 1 if the verdict is a miss
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Missed, or Breached while open.
    Missed,
}

impl Replay {
    pub(super) fn run(&self) -> Outcome {
        let objects = self.objects()?;
        let text = read_text(&self.events)?;
        let mut events = Vec::new();
        let mut progress = Progress::new();
        for (index, line) in text.lines().enumerate() {
            events.extend(parse_line(index + 1, line)?);
            if index % PROGRESS_LINES == PROGRESS_LINES - 1 {
                progress.show(&format!("reading {}: {} lines", self.events.display(), index + 1));
            }
        }
        drop(progress);
        let replay = replay::Replay::run(&objects, events)?;
        let as_of = match &self.as_of {
            Some(text) => Instant::parse(text).map_err(|error| format!("--as-of: {error}"))?,
            None => replay.default_instant()?,
        };
        let period = replay.period(self.period.as_deref(), as_of)?;
        let document = Document::from_replay(&replay, &period, as_of);
        let failed = self.fail_on == Some(FailOn::Missed) && document.is_missed();
        let page = Page { document, parties: Parties::of(&objects.agreement) };
        print(&render(&[page], self.output, true)?)?;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn objects(&self) -> Result<Objects, Box<dyn std::error::Error>> {
        let manifests = Manifests::read(&self.files)?;
        let [agreement] = &manifests.agreements[..] else {
            return Err(format!(
                "the files hold {} agreements; give exactly one ServiceLevelAgreement",
                manifests.agreements.len()
            )
            .into());
        };
        let namespace = agreement.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let wanted = agreement.spec.service_ref.name.as_str();
        let service =
            manifests.services.iter().find(|service| service.metadata.name.as_deref() == Some(wanted)).ok_or_else(
                || format!("spec.serviceRef.name: Service {wanted:?} is not among the files; add it with -f"),
            )?;
        Ok(Objects {
            namespace,
            name: agreement.metadata.name.clone().unwrap_or_default(),
            agreement: agreement.spec.clone(),
            created: agreement
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| Instant::from_ms(time.0.as_millisecond())),
            service_name: wanted.to_owned(),
            service: service.spec.clone(),
            calendars: manifests
                .calendars
                .iter()
                .map(|calendar| (calendar.metadata.name.clone().unwrap_or_default(), calendar.spec.clone()))
                .collect(),
        })
    }
}
