//! Drafts of Services from workloads that already run.
//!
//! A draft is a beginning, not a finding: whose service it is and what its loss means is nowhere in the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::api::service::WorkloadKind;
use crate::api::{GROUP, VERSION};

/// Label that names the application that an object is a part of.
pub const PART_OF: &str = "app.kubernetes.io/part-of";

/// Characters of a Service's name: it is a label value and a part of derived names.
const NAME_CHARACTERS: usize = 48;

/// Characters of a component's name.
const PART_CHARACTERS: usize = 63;

/// A workload that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Kind.
    pub kind: WorkloadKind,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// How many Pods are wanted.
    pub replicas: u32,
    /// Labels of its Pods.
    pub pod_labels: BTreeMap<String, String>,
    /// The application it is a part of.
    pub part_of: Option<String>,
}

/// A core Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreService {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Which Pods it selects; empty selects none.
    pub selector: BTreeMap<String, String>,
    /// Whether it has no address of its own, as for the peers of a `StatefulSet`.
    pub headless: bool,
}

/// What becomes one Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Each workload.
    #[default]
    Workload,
    /// All workloads of one application, by the label `app.kubernetes.io/part-of`.
    PartOf,
}

/// A Service to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its components.
    pub components: Vec<DraftComponent>,
}

/// A component of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftComponent {
    /// Name inside the Service.
    pub name: String,
    /// Kind and name of the workload.
    pub workload: (WorkloadKind, String),
    /// The core Service through which it is reached.
    pub endpoints_of: Option<String>,
    /// How many replicas are wanted.
    pub replicas: u32,
    /// What the reader of the draft should know.
    pub notes: Vec<String>,
}

/// Drafts Services: one a workload, or one an application.
pub fn draft(workloads: &[Workload], services: &[CoreService], grouping: Grouping) -> Vec<Draft> {
    let mut groups: BTreeMap<(&str, &str, usize), Vec<&Workload>> = BTreeMap::new();
    for (index, workload) in workloads.iter().enumerate() {
        let key = match (grouping, &workload.part_of) {
            (Grouping::PartOf, Some(application)) => (workload.namespace.as_str(), application.as_str(), 0),
            _ => (workload.namespace.as_str(), workload.name.as_str(), index + 1),
        };
        groups.entry(key).or_default().push(workload);
    }
    let mut taken = BTreeSet::new();
    groups
        .into_iter()
        .map(|((namespace, name, _), mut members)| {
            members.sort_by_key(|workload| (workload.name.clone(), workload.kind));
            let mut names = BTreeSet::new();
            let components =
                members.iter().map(|workload| component(workload, workloads, services, &mut names)).collect();
            let wanted = name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
            let name = unique(&wanted, NAME_CHARACTERS, |name| taken.insert((namespace, name.to_owned())));
            Draft { namespace: namespace.to_owned(), name, components }
        })
        .collect()
}

fn component(
    workload: &Workload,
    workloads: &[Workload],
    services: &[CoreService],
    names: &mut BTreeSet<String>,
) -> DraftComponent {
    let mut notes = Vec::new();
    let mut reached: Vec<&CoreService> = services.iter().filter(|service| selects(service, workload)).collect();
    reached.sort_by_key(|service| (service.headless, service.name != workload.name, service.name.clone()));
    // Endpoints of other workloads would hide that this one has none.
    reached.retain(|service| {
        let others: Vec<String> = workloads
            .iter()
            .filter(|other| *other != workload && selects(service, other))
            .map(|other| format!("{:?}/{}", other.kind, other.name))
            .collect();
        if !others.is_empty() {
            notes.push(format!("core Service {} also selects {}, so it is left out", service.name, others.join(", ")));
        }
        others.is_empty()
    });
    let endpoints_of = reached.first().map(|service| service.name.clone());
    if reached.len() > 1 {
        let others: Vec<&str> = reached[1..].iter().map(|service| service.name.as_str()).collect();
        notes.push(format!("also reached through {}", others.join(", ")));
    }
    if endpoints_of.is_none() {
        notes.push("measured by its available replicas, no core Service leads to it alone".to_owned());
    }
    if workload.replicas == 0 {
        notes.push("wants no replica now and will be Down; if that is meant, add idleAtZero: true".to_owned());
    }
    let name = unique(&workload.name.replace('.', "-"), PART_CHARACTERS, |name| names.insert(name.to_owned()));
    DraftComponent {
        name,
        workload: (workload.kind, workload.name.clone()),
        endpoints_of,
        replicas: workload.replicas,
        notes,
    }
}

fn selects(service: &CoreService, workload: &Workload) -> bool {
    service.namespace == workload.namespace
        && !service.selector.is_empty()
        && service.selector.iter().all(|(key, value)| workload.pod_labels.get(key) == Some(value))
}

/// The name cut to its length, with a number if it is taken.
fn unique(wanted: &str, most: usize, mut take: impl FnMut(&str) -> bool) -> String {
    let cut = |length: usize| {
        let text: String = wanted.chars().take(length).collect();
        text.trim_matches(['-', '.']).to_owned()
    };
    let mut name = cut(most);
    let mut number = 2;
    while !take(&name) {
        let suffix = format!("-{number}");
        name = cut(most - suffix.len()) + &suffix;
        number += 1;
    }
    name
}

/// The drafts as YAML with comments that say what to fill in.
pub fn render(drafts: &[Draft]) -> String {
    let mut text = String::new();
    for (index, draft) in drafts.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        let (name, namespace) = (scalar(&draft.name), scalar(&draft.namespace));
        let _ = write!(
            text,
            "apiVersion: {GROUP}/{VERSION}\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
             # Who answers for the service? Fill in and remove the #.\n  # owner: {{group: , contact: }}\n  \
             # What does its loss mean? Vital, High, Medium or Low.\n  criticality: Medium\n  components:\n"
        );
        for component in &draft.components {
            let (kind, workload) = &component.workload;
            let _ = writeln!(text, "  - name: {}", scalar(&component.name));
            for note in &component.notes {
                let _ = writeln!(text, "    # {}", note.replace(char::is_control, " "));
            }
            let _ = writeln!(text, "    workloadRef: {{kind: {kind:?}, name: {}}}", scalar(workload));
            if let Some(service) = &component.endpoints_of {
                let _ = writeln!(text, "    endpointsOf: {}", scalar(service));
            }
            text.push_str("    minReady: 1\n");
            if component.replicas > 1 {
                text.push_str("    degradedBelow: \"100%\"\n");
            }
        }
    }
    text
}

/// A name as YAML: quoted where YAML would read it as something other than a string.
fn scalar(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name);
    if plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::check::{Severity, check};

    fn workload(kind: WorkloadKind, name: &str, replicas: u32, app: &str) -> Workload {
        Workload {
            kind,
            namespace: "shop".into(),
            name: name.into(),
            replicas,
            pod_labels: [("app".to_owned(), app.to_owned())].into(),
            part_of: None,
        }
    }

    fn service(name: &str, app: &str, headless: bool) -> CoreService {
        let selector = if app.is_empty() { BTreeMap::new() } else { [("app".to_owned(), app.to_owned())].into() };
        CoreService { namespace: "shop".into(), name: name.into(), selector, headless }
    }

    fn checked(drafts: &[Draft]) -> Vec<String> {
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&render(drafts)).unwrap();
        assert_eq!(documents.len(), drafts.len());
        let findings = check(&documents, "default", true, crate::domain::time::Instant::MIN);
        findings.into_iter().filter(|f| f.severity == Severity::Error).map(|f| f.violation.to_string()).collect()
    }

    #[test]
    fn one_service_a_workload_with_its_core_service() {
        use WorkloadKind::{DaemonSet, Deployment, StatefulSet};
        let workloads = [
            workload(Deployment, "web", 3, "web"),
            workload(StatefulSet, "db", 1, "db"),
            workload(DaemonSet, "agent", 0, "agent"),
        ];
        let services = [
            service("db-peers", "db", true),
            service("db", "db", false),
            service("web", "web", false),
            service("none", "", false),
        ];
        let drafts = draft(&workloads, &services, Grouping::Workload);
        let names: Vec<_> =
            drafts.iter().map(|draft| (draft.name.as_str(), draft.components[0].endpoints_of.as_deref())).collect();
        assert_eq!(names, [("agent", None), ("db", Some("db")), ("web", Some("web"))]);
        let text = render(&drafts);
        assert!(text.contains("workloadRef: {kind: Deployment, name: web}\n    endpointsOf: web\n    minReady: 1\n    degradedBelow: \"100%\"\n"), "{text}");
        assert!(text.contains("# also reached through db-peers"));
        assert_eq!(text.matches("degradedBelow").count(), 1);
        assert_eq!(checked(&drafts), Vec::<String>::new());
    }

    #[test]
    fn workloads_of_one_application_are_one_service() {
        let mut workloads =
            [workload(WorkloadKind::Deployment, "api", 2, "a"), workload(WorkloadKind::StatefulSet, "api", 1, "b")];
        for workload in &mut workloads {
            workload.part_of = Some("Check Out".into());
        }
        let drafts = draft(&workloads, &[], Grouping::PartOf);
        assert_eq!(drafts.len(), 1);
        assert_eq!(drafts[0].name, "check-out");
        let names: Vec<_> = drafts[0].components.iter().map(|component| component.name.as_str()).collect();
        assert_eq!(names, ["api", "api-2"]);
        assert_eq!(checked(&drafts), Vec::<String>::new());
    }

    #[test]
    fn a_core_service_of_several_workloads_measures_none_of_them() {
        let workloads = [
            workload(WorkloadKind::Deployment, "web", 2, "web"),
            workload(WorkloadKind::Deployment, "canary", 1, "web"),
        ];
        let drafts = draft(&workloads, &[service("web", "web", false)], Grouping::Workload);
        assert!(drafts.iter().all(|draft| draft.components[0].endpoints_of.is_none()));
        assert!(render(&drafts).contains("# core Service web also selects Deployment/canary, so it is left out"));
    }

    #[test]
    fn long_odd_and_equal_names_pass_the_check() {
        let long = "a".repeat(47) + "-" + &"b".repeat(20);
        let workloads = [
            workload(WorkloadKind::Deployment, &long, 1, "x"),
            workload(WorkloadKind::StatefulSet, &long, 1, "y"),
            workload(WorkloadKind::Deployment, "no", 1, "z"),
            workload(WorkloadKind::Deployment, "1.5", 1, "z"),
        ];
        let drafts = draft(&workloads, &[], Grouping::Workload);
        let names: BTreeSet<_> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        assert_eq!(names.len(), 4);
        assert_eq!(checked(&drafts), Vec::<String>::new());
    }
}
