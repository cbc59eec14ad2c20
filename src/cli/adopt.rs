//! `assize adopt`: drafts Services from live workloads.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Outcome;
use super::cluster::{Cluster, ClusterError, ClusterFlags, block_on};
use super::output::print;
use crate::api::service::WorkloadKind;
use crate::domain::adopt::{CoreService, Grouping, PART_OF, Workload, draft, render};

/// Draft Services from the Deployments, StatefulSets and DaemonSets that run, as YAML to review and fill in.
///
/// Only reads. Exit status: 0 printed, 1 a named workload does not exist, 2 the cluster cannot be read.
// Terminals show the text as it is, so names stand without backticks.
#[allow(clippy::doc_markdown)]
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assize adopt -n shop > services.yaml\n  assize adopt -A --group-by part-of\n  assize adopt deployments/web statefulsets/db"
)]
pub struct Adopt {
    /// Workloads; default: all
    #[arg(value_name = "KIND/NAME", value_parser = parse_name)]
    names: Vec<(WorkloadKind, String)>,
    /// Selector of labels of the workloads, such as team=payments
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// What becomes one Service
    #[arg(long, value_enum, default_value_t = GroupBy::Workload)]
    group_by: GroupBy,
    #[command(flatten)]
    cluster: ClusterFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GroupBy {
    /// Each workload.
    Workload,
    /// All workloads with the same label app.kubernetes.io/part-of.
    PartOf,
}

fn parse_name(text: &str) -> Result<(WorkloadKind, String), String> {
    let remedy = "write deployments/NAME, statefulsets/NAME or daemonsets/NAME";
    let (kind, name) = text.split_once('/').filter(|(_, name)| !name.is_empty()).ok_or(remedy)?;
    let kind = match kind.to_ascii_lowercase().trim_end_matches(".apps") {
        "deployment" | "deployments" | "deploy" => WorkloadKind::Deployment,
        "statefulset" | "statefulsets" | "sts" => WorkloadKind::StatefulSet,
        "daemonset" | "daemonsets" | "ds" => WorkloadKind::DaemonSet,
        _ => return Err(format!("{kind:?} is not a kind of workload; {remedy}")),
    };
    Ok((kind, name.to_owned()))
}

impl Adopt {
    pub(super) fn run(&self) -> Outcome {
        let (workloads, services) = block_on(async {
            let cluster = self.cluster.connect().await?;
            let workloads = read_workloads(&cluster, self.selector.as_deref()).await?;
            let services: Vec<Service> = cluster.list("core Services", None).await?;
            Ok::<_, ClusterError>((workloads, services.iter().map(core_service).collect::<Vec<_>>()))
        })?;
        for (kind, name) in &self.names {
            if !workloads.iter().any(|workload| workload.kind == *kind && workload.name == *name) {
                super::print_error(&format!("no {kind:?} is named {name:?} there; check the name, -n and -l"));
                return Ok(ExitCode::FAILURE);
            }
        }
        let wanted: Vec<Workload> = workloads
            .into_iter()
            .filter(|workload| {
                self.names.is_empty()
                    || self.names.iter().any(|(kind, name)| workload.kind == *kind && workload.name == *name)
            })
            .collect();
        let grouping = match self.group_by {
            GroupBy::Workload => Grouping::Workload,
            GroupBy::PartOf => Grouping::PartOf,
        };
        let drafts = draft(&wanted, &services, grouping);
        if drafts.is_empty() {
            use std::io::Write as _;
            let _ = writeln!(anstream::stderr(), "No workloads found.");
        }
        print(&render(&drafts))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn read_workloads(cluster: &Cluster, selector: Option<&str>) -> Result<Vec<Workload>, ClusterError> {
    let mut workloads = Vec::new();
    for one in cluster.list::<Deployment>("Deployments", selector).await? {
        let Some(spec) = &one.spec else { continue };
        let replicas = spec.replicas.unwrap_or(1);
        workloads.push(workload(WorkloadKind::Deployment, &one.metadata, replicas, &spec.template));
    }
    for one in cluster.list::<StatefulSet>("StatefulSets", selector).await? {
        let Some(spec) = &one.spec else { continue };
        let replicas = spec.replicas.unwrap_or(1);
        workloads.push(workload(WorkloadKind::StatefulSet, &one.metadata, replicas, &spec.template));
    }
    for one in cluster.list::<DaemonSet>("DaemonSets", selector).await? {
        let Some(spec) = &one.spec else { continue };
        let replicas = one.status.as_ref().map_or(1, |status| status.desired_number_scheduled);
        workloads.push(workload(WorkloadKind::DaemonSet, &one.metadata, replicas, &spec.template));
    }
    Ok(workloads)
}

fn workload(kind: WorkloadKind, metadata: &ObjectMeta, replicas: i32, template: &PodTemplateSpec) -> Workload {
    let pod_labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.clone()).unwrap_or_default();
    let part_of = metadata.labels.as_ref().and_then(|labels| labels.get(PART_OF).cloned());
    Workload {
        kind,
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        replicas: u32::try_from(replicas).unwrap_or_default(),
        part_of: part_of.filter(|application| !application.is_empty()),
        pod_labels,
    }
}

fn core_service(service: &Service) -> CoreService {
    let spec = service.spec.clone().unwrap_or_default();
    CoreService {
        namespace: service.metadata.namespace.clone().unwrap_or_default(),
        name: service.metadata.name.clone().unwrap_or_default(),
        selector: spec.selector.unwrap_or_default(),
        headless: spec.cluster_ip.as_deref() == Some("None"),
    }
}
