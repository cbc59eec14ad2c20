//! Which reports another one corrects.

use std::collections::HashMap;

use crate::api::ServiceReport;

/// Namespace and name of a report.
pub type ReportKey = (String, String);

/// Namespace and name of a report; `default` if it names no namespace.
pub fn key_of(report: &ServiceReport) -> ReportKey {
    let namespace = report.metadata.namespace.as_deref().unwrap_or("default");
    (namespace.to_owned(), report.metadata.name.clone().unwrap_or_default())
}

/// The reports that do not stand any more, each with the name of the closed report that corrects it.
pub fn corrected(reports: &[ServiceReport]) -> HashMap<ReportKey, String> {
    let digest = |report: &ServiceReport| report.status.as_ref().and_then(|status| status.digest.clone());
    let digests: HashMap<ReportKey, String> =
        reports.iter().filter_map(|report| Some((key_of(report), digest(report)?))).collect();
    let mut corrected = HashMap::new();
    for report in reports {
        let (Some(superseded), Some(_)) = (&report.spec.supersedes, digest(report)) else { continue };
        let (namespace, name) = key_of(report);
        let before = (namespace, superseded.name.to_string());
        if digests.get(&before) == Some(&superseded.digest) {
            corrected.insert(before, name);
        }
    }
    corrected
}
