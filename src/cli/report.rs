//! `assize report`: prints reports of the cluster or of files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::Outcome;
use super::cluster::{ClusterError, ClusterFlags, block_on};
use super::manifests::Manifests;
use super::output::{Table, print};
use crate::api::report::SubjectKind;
use crate::api::{ServiceLevelAgreement, ServiceReport};
use crate::domain::agreement::Terms;
use crate::report::corrections::{corrected, key_of};
use crate::report::rules::{self, Basis};
use crate::report::{Document, Parties, csv, markdown};

/// Print reports: what was measured in a period, by which rules, with which verdict.
///
/// Reads the ServiceReports of the cluster, or files such as those of kubectl get srep -o yaml. Of a period that was
/// corrected the newest correction is printed; one that does not stand any more is printed if it is named. Exit status: 0 printed
/// (whatever the verdict), 1 a named report does not exist, 2 the cluster or a file cannot be read.
// Terminals show the text as it is, so names stand without backticks.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assize report -n shop\n  assize report checkout-gold-2026-10 -o markdown > report.md\n  kubectl get srep -A -o yaml | assize report -f - -o csv\n  assize report --rules -n shop | kubectl apply -f -"
)]
pub struct Report {
    /// Names of reports; default: all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Selector of labels, such as assize.dev/service=checkout
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "files")]
    selector: Option<String>,
    /// Key of the period, such as 2026-11
    #[arg(long, value_name = "KEY")]
    period: Option<String>,
    /// Name of the agreement
    #[arg(long, value_name = "NAME")]
    agreement: Option<String>,
    /// Read files instead of the cluster; - for standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
    /// Print alerting rules for the agreements instead, as PrometheusRules; see docs/operations.md
    #[arg(long, value_enum, value_name = "BASIS", num_args = 0..=1, require_equals = true, default_missing_value = "pages")]
    rules: Option<RulesBasis>,
    #[command(flatten)]
    cluster: ClusterFlags,
}

/// What alerting rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RulesBasis {
    /// Burn rates that are always exported: pages only.
    Pages,
    /// All burn rates, for --metrics=full: pages and tickets.
    Gauges,
    /// Counters of time by class, never corrected backwards: pages and tickets.
    Counters,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// One line a target and part.
    #[value(alias = "text")]
    Table,
    /// For people: customers and auditors.
    Markdown,
    /// All data; one object if one report is named, else a list.
    Json,
    /// One row a target and part.
    Csv,
}

/// A report with the parties of its agreement, where those are known.
pub(super) struct Page {
    pub(super) document: Document,
    pub(super) parties: Parties,
}

impl Report {
    pub(super) fn run(&self) -> Outcome {
        if let Some(basis) = self.rules {
            return self.print_rules(basis);
        }
        let (mut reports, agreements) = self.read()?;
        let corrected = corrected(&reports);
        reports.retain(|report| {
            self.wants(report) && (!self.names.is_empty() || !corrected.contains_key(&key_of(report)))
        });
        reports.sort_by_cached_key(|report| {
            let name = report.metadata.name.clone();
            (
                report.metadata.namespace.clone(),
                report.spec.subject.name.clone(),
                report.spec.period.start.clone(),
                name,
            )
        });
        for name in &self.names {
            if !reports.iter().any(|report| report.metadata.name.as_ref() == Some(name)) {
                super::print_error(&format!("no report is named {name:?}; assize report lists them"));
                return Ok(ExitCode::FAILURE);
            }
        }
        let parties = parties_of(&agreements);
        let pages: Vec<Page> = reports
            .iter()
            .map(|report| {
                let superseded_by = corrected.get(&key_of(report)).cloned();
                let document = Document { superseded_by, ..Document::from_resource(report) };
                let key = document.agreement.clone().unwrap_or_default();
                Page { parties: parties.get(&key).cloned().unwrap_or_default(), document }
            })
            .collect();
        if pages.is_empty() && self.output == Form::Table {
            // As kubectl does: said to people, while scripts see an empty answer.
            use std::io::Write as _;
            let _ = writeln!(anstream::stderr(), "No reports found.");
            return Ok(ExitCode::SUCCESS);
        }
        print(&render(&pages, self.output, self.names.len() == 1)?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Prints the alerting rules of the agreements that are named, and those of the operator.
    fn print_rules(&self, basis: RulesBasis) -> Outcome {
        let mut agreements = if self.files.is_empty() {
            block_on(async { self.cluster.connect().await?.list("ServiceLevelAgreements", None).await })?
        } else {
            Manifests::read(&self.files)?.agreements
        };
        agreements.retain(|agreement: &ServiceLevelAgreement| {
            let namespace = agreement.metadata.namespace.as_deref().unwrap_or("default");
            self.cluster.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
                && self.agreement.as_ref().is_none_or(|wanted| agreement.metadata.name.as_ref() == Some(wanted))
        });
        let basis = match basis {
            RulesBasis::Pages => Basis::Pages,
            RulesBasis::Gauges => Basis::Gauges,
            RulesBasis::Counters => Basis::Counters,
        };
        let mut text = serde_saphyr::to_string(&rules::of_operator())?;
        for agreement in &agreements {
            let (metadata, spec) = (&agreement.metadata, &agreement.spec);
            let name = metadata.name.as_deref().unwrap_or_default();
            let terms = Terms::from_spec(spec).map_err(|violations| {
                let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
                format!("ServiceLevelAgreement {name}: {}", told.join("; "))
            })?;
            let rule = rules::of_agreement(metadata.namespace.as_deref().unwrap_or("default"), name, &terms, basis);
            text.push_str("---\n");
            text.push_str(&serde_saphyr::to_string(&rule)?);
        }
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }

    fn read(&self) -> Result<(Vec<ServiceReport>, Vec<ServiceLevelAgreement>), Box<dyn std::error::Error>> {
        if !self.files.is_empty() {
            let manifests = Manifests::read(&self.files)?;
            return Ok((manifests.reports, manifests.agreements));
        }
        block_on(async {
            let cluster = self.cluster.connect().await?;
            let reports = cluster.list("ServiceReports", self.selector.as_deref()).await?;
            // Only the names of the parties come from here; without the right to read them the report stands alone.
            let agreements = match self.output {
                Form::Markdown => cluster.list("ServiceLevelAgreements", None).await.unwrap_or_default(),
                _ => Vec::new(),
            };
            Ok::<_, ClusterError>((reports, agreements))
        })
    }

    fn wants(&self, report: &ServiceReport) -> bool {
        let subject = &report.spec.subject;
        let name = report.metadata.name.as_deref().unwrap_or_default();
        let namespace = report.metadata.namespace.as_deref().unwrap_or("default");
        (self.names.is_empty() || self.names.iter().any(|wanted| wanted == name))
            && self.cluster.namespace.as_ref().is_none_or(|wanted| wanted == namespace)
            && self.period.as_ref().is_none_or(|period| *period == report.spec.period.key)
            && self.agreement.as_ref().is_none_or(|agreement| {
                subject.kind == SubjectKind::ServiceLevelAgreement && *agreement == subject.name
            })
    }
}

fn parties_of(agreements: &[ServiceLevelAgreement]) -> HashMap<String, Parties> {
    agreements
        .iter()
        .map(|agreement| {
            let namespace = agreement.metadata.namespace.as_deref().unwrap_or("default");
            let name = agreement.metadata.name.as_deref().unwrap_or_default();
            (format!("{namespace}/{name}"), Parties::of(&agreement.spec))
        })
        .collect()
}

/// Renders reports; a single JSON report is an object, several are a list.
pub(super) fn render(pages: &[Page], form: Form, is_single: bool) -> Result<String, Box<dyn std::error::Error>> {
    Ok(match form {
        Form::Table => table(pages),
        Form::Markdown => {
            let rendered = pages.iter().map(|page| markdown::render(&page.document, &page.parties));
            rendered.collect::<Result<Vec<_>, _>>()?.join("\n---\n\n")
        }
        Form::Json => {
            let documents: Vec<&Document> = pages.iter().map(|page| &page.document).collect();
            let text = match &documents[..] {
                [document] if is_single => serde_json::to_string_pretty(document)?,
                documents => serde_json::to_string_pretty(documents)?,
            };
            format!("{text}\n")
        }
        Form::Csv => csv::render(&pages.iter().map(|page| page.document.clone()).collect::<Vec<_>>()),
    })
}

fn table(pages: &[Page]) -> String {
    let mut table = Table::new(&[
        "SERVICE",
        "REPORT",
        "PERIOD",
        "PART",
        "TARGET",
        "OBJECTIVE",
        "ACTUAL",
        "LOWEST",
        "HIGHEST",
        "COVERAGE",
        "DOWN",
        "BUDGET-LEFT",
        "VERDICT",
        "PHASE",
    ]);
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    for Page { document, .. } in pages {
        let phase = if document.superseded_by.is_some() { "Superseded" } else { document.phase.as_str() };
        let head = || [document.service.clone(), document.name.clone(), document.period.key.clone()];
        let count = document.parts.len();
        for (index, part) in document.parts.iter().enumerate() {
            for target in &part.targets {
                let down = crate::domain::duration::format_seconds_floor(target.ms.down);
                let mut cells = Vec::from(head());
                cells.extend([format!("{}/{count}", index + 1), target.name.clone()]);
                let shares =
                    [&target.objective, &target.availability, &target.lowest, &target.highest, &target.coverage];
                cells.extend(shares.map(dash));
                cells.extend([down, dash(&target.budget_left_percent), dash(&target.result)]);
                cells.push(phase.to_owned());
                table.row(cells);
            }
        }
        if document.parts.iter().all(|part| part.targets.is_empty()) {
            let mut cells = Vec::from(head());
            cells.extend(std::iter::repeat_n("-".to_owned(), 9));
            cells.extend([dash(&document.result), phase.to_owned()]);
            table.row(cells);
        }
    }
    table.render()
}
