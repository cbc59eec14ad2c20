//! `assize verify`: recomputes the digests of closed reports and checks their chains and sums.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::Outcome;
use super::cluster::{ClusterError, ClusterFlags, block_on};
use super::documents::read_documents;
use super::output::{Table, print};
use crate::api::report::SubjectKind;
use crate::api::{ServiceCalendar, ServiceCalendarSpec};
use crate::domain::calendar_spec::read_spec;
use crate::domain::check::is_ours;
use crate::domain::digest::{self, Identity};
use crate::domain::verify::{Inputs, Line, Problem, Verification, verify};
use crate::report::text::visible;

/// Verify closed reports: digests, chains, periods and sums.
///
/// Recomputes the digest of each closed ServiceReport, follows each agreement's chain, names periods without a report,
/// and checks that the classes of time add up and agree with the ledger. Reads the cluster, or files such as those of
/// kubectl get srep,scal -A -o yaml. The newest reports of a line, deleted together, leave no trace in the others: that
/// shows only against a digest that was kept elsewhere (column HEAD), given with --head. Exit status: 0 nothing wrong,
/// 1 something is wrong, 2 the cluster or a file cannot be read.
// Terminals show the text as it is, so names stand without backticks.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assize verify -A\n  assize verify -n shop --agreement checkout-gold --head sha256:…\n  kubectl get srep,scal -A -o yaml | assize verify -f -"
)]
pub struct Verify {
    /// Name of the agreement; default: all agreements and Services
    #[arg(long, value_name = "NAME")]
    agreement: Option<String>,
    /// Digest that was kept elsewhere, in full; one of the reports must have it
    #[arg(long = "head", value_name = "DIGEST", value_parser = whole_digest)]
    heads: Vec<String>,
    /// Read files instead of the cluster; - for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    #[command(flatten)]
    cluster: ClusterFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One line an agreement, then one a problem.
    #[value(alias = "text")]
    Table,
    /// One object with all lines and problems.
    Json,
}

/// What is said of one line.
#[derive(Debug, Serialize)]
struct Told {
    kind: SubjectKind,
    namespace: String,
    name: String,
    reports: usize,
    first: String,
    last: String,
    head: Option<String>,
    verified: bool,
    problems: Vec<ToldProblem>,
}

#[derive(Debug, Serialize)]
struct ToldProblem {
    report: String,
    field: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct Everything {
    closed: usize,
    open: usize,
    verified: bool,
    lines: Vec<Told>,
    problems: Vec<ToldProblem>,
}

impl Verify {
    pub(super) fn run(&self) -> Outcome {
        let (mut reports, calendars) = self.read()?;
        reports.retain(|report| self.wants(report));
        let inputs = Inputs { calendars: by_digest(&calendars), heads: self.heads.clone() };
        let verification = verify(&reports, &inputs);
        match self.output {
            Form::Table => print(&render(&verification))?,
            Form::Json => print(&format!("{}\n", serde_json::to_string_pretty(&everything(&verification))?))?,
        }
        Ok(if verification.problems().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn read(&self) -> Result<(Vec<Value>, Vec<ServiceCalendar>), Box<dyn std::error::Error>> {
        if !self.files.is_empty() {
            let (mut reports, mut calendars) = (Vec::new(), Vec::new());
            for document in read_documents(&self.files)? {
                match document.value["kind"].as_str() {
                    _ if !is_ours(&document.value) => {}
                    Some("ServiceReport") => reports.push(document.value),
                    // One that cannot be read is as good as none: it only serves to check more.
                    Some("ServiceCalendar") => calendars.extend(serde_json::from_value(document.value).ok()),
                    _ => {}
                }
            }
            return Ok((reports, calendars));
        }
        block_on(async {
            let cluster = self.cluster.connect().await?;
            let reports = cluster.list_as_stored::<crate::api::ServiceReport>("ServiceReports").await?;
            let calendars = cluster.list_everywhere("ServiceCalendars").await.unwrap_or_default();
            Ok::<_, ClusterError>((reports, calendars))
        })
    }

    fn wants(&self, report: &Value) -> bool {
        let subject = &report["spec"]["subject"];
        let namespace = report["metadata"]["namespace"].as_str().unwrap_or("default");
        self.cluster.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
            && self.agreement.as_ref().is_none_or(|agreement| {
                subject["kind"] == "ServiceLevelAgreement" && subject["name"] == agreement.as_str()
            })
    }
}

fn whole_digest(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("sha256:").unwrap_or_default();
    if digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(text.to_owned());
    }
    Err("write it in full: sha256: and 64 hexadecimal digits".to_owned())
}

/// Calendars that stand for themselves, by the digest of their spec.
fn by_digest(calendars: &[ServiceCalendar]) -> HashMap<String, Arc<crate::domain::calendar::Calendar>> {
    let digest = |name: &str, spec: &ServiceCalendarSpec| {
        digest::of_spec(Identity { kind: "ServiceCalendar", namespace: None, name }, spec)
    };
    calendars
        .iter()
        .filter(|calendar| calendar.spec.holidays_from.is_empty())
        .filter_map(|calendar| {
            let name = calendar.metadata.name.as_deref()?;
            Some((digest(name, &calendar.spec), Arc::new(read_spec(&calendar.spec).ok()?)))
        })
        .collect()
}

/// The names of a line's reports up to the period.
fn name_of(line: &Line) -> String {
    let prefix = if line.kind == SubjectKind::Service { "its-" } else { "" };
    format!("{}/{prefix}{}", line.namespace, line.name)
}

fn render(verification: &Verification) -> String {
    let mut table = Table::new(&["LINE", "REPORTS", "FIRST", "LAST", "HEAD", "RESULT"]);
    for line in &verification.lines {
        table.row([
            name_of(line),
            line.reports.to_string(),
            line.first.clone(),
            line.last.clone(),
            line.head.clone().unwrap_or_else(|| "-".to_owned()),
            if line.problems.is_empty() { "Verified" } else { "Broken" }.to_owned(),
        ]);
    }
    let mut text = if verification.lines.is_empty() { String::new() } else { table.render() };
    for problem in verification.problems() {
        let line = format!("{}: {}: {}", problem.report, problem.field, problem.message);
        let _ = writeln!(text, "{}", visible(&line));
    }
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (closed, lines) = (count(verification.closed(), "closed report"), count(verification.lines.len(), "line"));
    let outcome = match (verification.problems().count(), verification.problems().next()) {
        (problems, Some(first)) => format!("{}, first in {}", count(problems, "problem"), visible(&first.report)),
        _ => "nothing wrong".to_owned(),
    };
    let _ = writeln!(text, "{closed} in {lines}, {} not closed yet: {outcome}", verification.open);
    text
}

fn everything(verification: &Verification) -> Everything {
    let told = |problems: &[Problem]| -> Vec<ToldProblem> {
        problems
            .iter()
            .map(|problem| ToldProblem {
                report: problem.report.clone(),
                field: problem.field.clone(),
                message: problem.message.clone(),
            })
            .collect()
    };
    Everything {
        closed: verification.closed(),
        open: verification.open,
        verified: verification.problems().next().is_none(),
        lines: verification
            .lines
            .iter()
            .map(|line| Told {
                kind: line.kind,
                namespace: line.namespace.clone(),
                name: line.name.clone(),
                reports: line.reports,
                first: line.first.clone(),
                last: line.last.clone(),
                head: line.head.clone(),
                verified: line.problems.is_empty(),
                problems: told(&line.problems),
            })
            .collect(),
        problems: told(&verification.others),
    }
}
