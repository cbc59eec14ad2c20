//! `assize check`: validates files before the cluster sees them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::Outcome;
use super::documents::{Document, documents_of, files_of, read_text};
use super::output::{print, style_of, styled};
use crate::control::clock::Clock;
use crate::domain::check::{self, Severity, identity_of, is_ours};
use crate::report::text::visible;

/// Validate files offline, with the rules of the cluster.
///
/// Checks fields, values, rules and the references between the objects of the files; documents of other API groups are
/// passed over. Each finding is one line, file:line: kind/name: field: what to do about it. Exit status: 0 nothing
/// wrong (warnings are allowed), 1 something is wrong, 2 a file cannot be read.
// Terminals show the text as it is, so names stand without backticks.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  assize check -f shop/ -R\n  kustomize build . | assize check -f - --complete")]
pub struct Check {
    /// Files or folders with YAML or JSON; - for standard input
    #[arg(short = 'f', long = "filename", required = true, num_args = 1.., value_name = "FILE|FOLDER|-")]
    files: Vec<PathBuf>,
    /// Read the folders below a folder too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// The files hold every object: a reference to any other is an error, not a warning
    #[arg(long)]
    complete: bool,
    /// Namespace of objects that name none
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line a finding, then a summary.
    Text,
    /// One object with all findings.
    Json,
}

/// What was found in all files.
#[derive(Debug, Serialize)]
struct Checked {
    files: usize,
    objects: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Told>,
}

#[derive(Debug, Serialize)]
struct Told {
    file: String,
    line: usize,
    severity: &'static str,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    field: String,
    message: String,
}

impl Check {
    pub(super) fn run(&self) -> Outcome {
        let paths = files_of(&self.files, self.recursive)?;
        let (mut documents, mut broken) = (Vec::new(), Vec::new());
        for path in &paths {
            let (read, errors) = documents_of(path, &read_text(path)?);
            documents.extend(read.into_iter().filter(|document| is_ours(&document.value)));
            broken.extend(errors);
        }
        let checked = self.check(&documents, paths.iter().collect::<BTreeSet<_>>().len());
        match self.output {
            Output::Text => print(&render(&checked))?,
            Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&checked)?))?,
        }
        for error in &broken {
            super::print_error(&error.to_string());
        }
        Ok(match (broken.is_empty(), checked.errors) {
            (false, _) => ExitCode::from(2),
            (true, 0) => ExitCode::SUCCESS,
            (true, _) => ExitCode::FAILURE,
        })
    }

    fn check(&self, documents: &[Document], files: usize) -> Checked {
        let values: Vec<Value> = documents.iter().map(|document| document.value.clone()).collect();
        let mut found = check::check(&values, &self.namespace, self.complete, Clock::start(0).now());
        found.sort_by_key(|finding| (finding.object, documents[finding.object].line_of(&finding.violation.field)));
        let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let findings = found
            .into_iter()
            .map(|finding| {
                let document = &documents[finding.object];
                let identity = identity_of(&document.value, &self.namespace);
                Told {
                    file: document.path.display().to_string(),
                    line: document.line_of(&finding.violation.field),
                    severity: finding.severity.as_str(),
                    kind: identity.kind,
                    namespace: identity.namespace,
                    name: identity.name,
                    field: finding.violation.field,
                    message: finding.violation.message,
                }
            })
            .collect();
        Checked { files, objects: documents.len(), errors, warnings, findings }
    }
}

fn render(checked: &Checked) -> String {
    let mut text = String::new();
    for line in &checked.findings {
        let severity = match line.severity {
            "error" => String::new(),
            other => style_of(other).map_or_else(|| other.to_owned(), |style| styled(style, other)) + ": ",
        };
        let subject = visible(&format!("{}/{}: {}: {}", line.kind, line.name, line.field, line.message));
        let _ = writeln!(text, "{}:{}: {severity}{subject}", visible(&line.file), line.line);
    }
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let outcome = match (checked.errors, checked.warnings) {
        (0, 0) => "nothing wrong".to_owned(),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    };
    let _ = writeln!(text, "{}, {}: {outcome}", count(checked.files, "file"), count(checked.objects, "object"));
    text
}
